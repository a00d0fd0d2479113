"""CREATE INDEX and DROP INDEX on all shards."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from tests.engine.executor.support import contents, error_of, rows


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: ten rows by hash of k."""
    session.execute("CREATE TABLE t (k INT, v INT, w VARCHAR) SHARD BY HASH (k)")
    session.execute("INSERT INTO t SELECT range, range, 'x' FROM range(10)")


def count(database: Database, name: str = "i") -> int:
    """How many shards have this index."""
    with database.gateway.asking() as connection:
        return len(duck.rows(connection, "FROM duckdb_indexes() WHERE index_name = ?", [name]))


def test_an_index_is_on_every_shard(database: Database, session: Session) -> None:
    session.execute("CREATE INDEX i ON t (v)")
    assert count(database) == 3
    assert error_of(session, "CREATE INDEX i ON t (v)").sqlstate == "42P07"
    session.execute("CREATE INDEX IF NOT EXISTS i ON t (v)")
    session.execute("DROP INDEX i")
    assert count(database) == 0
    session.execute("DROP INDEX IF EXISTS i")
    assert database.catalog.pending is None


def test_a_name_is_taken_for_tables_on_other_shards_too(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE u (k INT) SHARD BY HASH (k) SHARDS 1")
    session.execute("CREATE INDEX i ON u (k)")
    session.execute("CREATE INDEX IF NOT EXISTS i ON t (v)")
    assert count(database) == 1
    assert error_of(session, "CREATE INDEX i ON t (v)").sqlstate == "42P07"


def test_indexes_of_schemas_do_not_meet(database: Database, session: Session) -> None:
    session.execute("CREATE SCHEMA s")
    session.execute("CREATE TABLE s.t AS FROM t")
    session.execute("CREATE INDEX i ON s.t (v)")
    session.execute("CREATE INDEX i ON t (v)")
    assert count(database) == 6
    session.execute("DROP INDEX s.i")
    assert count(database) == 3


@pytest.mark.parametrize("columns", ["k", "v, k", '"K" DESC', "k, lower(w)"])
def test_a_unique_index_with_the_shard_key_is_kept(session: Session, columns: str) -> None:
    session.execute(f"CREATE UNIQUE INDEX i ON t ({columns})")
    assert error_of(session, "INSERT INTO t VALUES (3, 3, 'X'), (20, 1, 'y')").sqlstate == "23505"
    assert rows(session, "SELECT count(*) FROM t") == [(10,)]


@pytest.mark.parametrize("columns", ["v", "w, v", "(k + v)", "abs(k)", "v, (k + 1)"])
def test_a_unique_index_without_the_shard_key_is_refused(session: Session, columns: str) -> None:
    error = error_of(session, f"CREATE UNIQUE INDEX i ON t ({columns})")
    assert (error.sqlstate, "shard key (k)" in error.message) == ("0A000", True)
    session.execute("CREATE TABLE r (k INT, v INT, w VARCHAR) REFERENCE")
    session.execute(f"CREATE UNIQUE INDEX i ON r ({columns})")


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("CREATE UNIQUE INDEX i ON t (k)", "23505"),
        ("CREATE INDEX i ON t (nosuch)", "42703"),
        ("CREATE INDEX i ON nosuch (v)", "42P01"),
        ("CREATE INDEX ON t (v)", "0A000"),
        ("DROP INDEX nosuch", "42704"),
    ],
)
def test_an_error_changes_no_shard(database: Database, session: Session, sql: str, sqlstate: str) -> None:
    session.execute("INSERT INTO t VALUES (3, 3, 'x')")
    before, catalog = contents(database), database.catalog
    assert error_of(session, sql).sqlstate == sqlstate
    assert (contents(database), database.catalog, count(database)) == (before, catalog, 0)


def test_a_column_under_an_index_stays(session: Session) -> None:
    session.execute("CREATE INDEX i ON t (v)")
    assert error_of(session, "ALTER TABLE t DROP COLUMN v").sqlstate == "42704"
    assert error_of(session, "ALTER TABLE t RENAME TO u").sqlstate == "2BP01"
    assert rows(session, "SELECT sum(v) FROM t") == [(45,)]
