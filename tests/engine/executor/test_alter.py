"""ALTER TABLE and indexes on all shards."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from tests.engine.executor.support import contents, error_of, rows


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: ten rows by hash."""
    session.execute("CREATE TABLE t (k INT, v INT) SHARD BY HASH (k)")
    session.execute("INSERT INTO t SELECT range, range FROM range(10)")


@pytest.mark.parametrize(
    ("sql", "query", "expected"),
    [
        ("ALTER TABLE t ADD COLUMN w INT DEFAULT 3", "SELECT sum(w) FROM t", 30),
        ("ALTER TABLE IF EXISTS main.t RENAME COLUMN v TO w", "SELECT sum(w) FROM t", 45),
        ("ALTER TABLE memory.main.t RENAME v TO w", "SELECT sum(w) FROM t", 45),
        ("ALTER TABLE t ALTER v TYPE VARCHAR", "SELECT typeof(v) FROM t WHERE k = 1", "VARCHAR"),
        ("ALTER TABLE t DROP COLUMN v", "SELECT sum(COLUMNS(*)) FROM t", 45),
        ("ALTER TABLE t ALTER v SET DEFAULT 7", "SELECT count(*) FROM t", 10),
        ("ALTER TABLE t ADD PRIMARY KEY (k)", "SELECT count(*) FROM t", 10),
    ],
)
def test_alterations(database: Database, session: Session, sql: str, query: str, expected: object) -> None:
    assert session.execute(sql).tag == "ALTER TABLE"
    assert rows(session, query) == [(expected,)]
    assert rows(database.session(), query) == [(expected,)]
    assert database.catalog.definitions == ()


def test_a_new_primary_key_is_kept(database: Database, session: Session) -> None:
    session.execute("ALTER TABLE t ADD PRIMARY KEY (k)")
    assert error_of(session, "INSERT INTO t VALUES (3, 1), (77, 1)").sqlstate == "23505"
    table = database.catalog.table("main", "t")
    assert table is not None
    assert table.primary_key == ("k",)


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("ALTER TABLE t RENAME COLUMN k TO x", "0A000"),
        ("ALTER TABLE t DROP COLUMN k", "0A000"),
        ("ALTER TABLE t ALTER k TYPE BIGINT", "0A000"),
        ("ALTER TABLE t ALTER COLUMN k TYPE VARCHAR COLLATE nocase", "0A000"),
        ("ALTER TABLE t ADD PRIMARY KEY (v)", "0A000"),
        ("ALTER TABLE t RENAME TO other", "0A000"),
        ("ALTER TABLE t ADD COLUMN v INT", "42701"),
        ("ALTER TABLE t ALTER v TYPE DATE", "22P02"),
        ("ALTER TABLE nosuch ADD COLUMN v INT", "42P01"),
        ("CREATE UNIQUE INDEX i ON t (v)", "0A000"),
        ("CREATE INDEX i ON t (nosuch)", "42703"),
        ("CREATE INDEX i ON nosuch (v)", "42P01"),
        ("DROP INDEX nosuch", "42704"),
    ],
)
def test_an_error_changes_no_shard(database: Database, session: Session, sql: str, sqlstate: str) -> None:
    before, catalog = contents(database), database.catalog
    assert error_of(session, sql).sqlstate == sqlstate
    assert (contents(database), database.catalog) == (before, catalog)
    assert rows(session, "SELECT count(*), sum(v) FROM t") == [(10, 45)]


def test_an_index_is_on_every_shard(database: Database, session: Session) -> None:
    def count() -> int:
        with database.gateway.asking() as connection:
            return len(duck.rows(connection, "FROM duckdb_indexes() WHERE index_name = 'i'"))

    session.execute("CREATE INDEX i ON t (v)")
    assert count() == 3
    assert error_of(session, "CREATE INDEX i ON t (v)").sqlstate == "42P07"
    session.execute("CREATE INDEX IF NOT EXISTS i ON t (v)")
    session.execute("DROP INDEX i")
    assert count() == 0
    session.execute("DROP INDEX IF EXISTS i")
