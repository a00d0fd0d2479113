"""Sequences: values as in DuckDB, over all shards once, and never twice, whatever happens to the process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.catalog.model import Catalog
from duckraft.engine.database import Database
from duckraft.engine.errors import Error, OperationalError
from duckraft.engine.executor.definitions.sequence_blocks import BLOCK
from duckraft.engine.session import Session
from tests.engine.executor.support import contents, error_of, rows

SCRIPTS = [
    ["CREATE SEQUENCE s", "SELECT nextval('s'), nextval('s'), currval('s')", "SELECT nextval('main.S')"],
    [
        "CREATE SEQUENCE s START 5 INCREMENT BY -2 MINVALUE 1 MAXVALUE 9 CYCLE",
        "SELECT nextval('s') FROM range(9)",
    ],
    [
        "CREATE SEQUENCE s MAXVALUE 2",
        "SELECT nextval('s') FROM range(2)",
        "SELECT nextval('s')",
        "SELECT currval('s')",
    ],
    ["CREATE SEQUENCE s MINVALUE 5", "SELECT nextval('s')", "SELECT setval('s', 50)", "SELECT nextval('s')"],
    [
        "CREATE SEQUENCE s",
        "CREATE OR REPLACE SEQUENCE s START 7",
        "CREATE SEQUENCE IF NOT EXISTS s",
        "SELECT nextval('s')",
    ],
    [
        "CREATE SEQUENCE s",
        "DROP SEQUENCE s",
        "SELECT nextval('s')",
        "DROP SEQUENCE IF EXISTS s",
        "DROP SEQUENCE s",
    ],
    ["CREATE SEQUENCE s INCREMENT 0", "CREATE SEQUENCE s START 1 MINVALUE 9", "SELECT nextval('nosuch')"],
    ["CREATE SEQUENCE s", "SELECT currval('s')", "CREATE SEQUENCE s", "ALTER SEQUENCE s INCREMENT 5"],
    [
        "CREATE SEQUENCE s",
        "CREATE TABLE t (id BIGINT DEFAULT nextval('s'), v INT)",
        "ALTER TABLE t ALTER id SET DEFAULT CAST('0' AS INT) + nextval('s')",
        "ALTER TABLE t ALTER id SET DEFAULT nextval('s')",
        "INSERT INTO t (v) VALUES (1), (2)",
        "INSERT INTO t VALUES (100, 3), (DEFAULT, 4)",
        "INSERT INTO t (v) SELECT range FROM range(5, 9)",
        "INSERT INTO t BY NAME SELECT 10 AS v",
        "INSERT INTO t VALUES (nextval('s') * 1000, 11)",
        "INSERT INTO t DEFAULT VALUES",
        "FROM t ORDER BY id",
        "UPDATE t SET v = nextval('s') WHERE id = 100",
        "UPDATE t SET id = DEFAULT WHERE id = 1",
        "FROM t ORDER BY id",
        "SELECT column_name, column_default FROM duckdb_columns() WHERE table_name = 't'",
        "DESCRIBE t",
        "DROP SEQUENCE s",
        "CREATE OR REPLACE SEQUENCE s",
        "ALTER TABLE t ALTER v SET DEFAULT nextval('s') + 1",
        "INSERT INTO t (id) VALUES (500)",
        "ALTER TABLE t ALTER id DROP DEFAULT",
        "ALTER TABLE t RENAME v TO w",
        "INSERT INTO t (id) VALUES (501)",
        "FROM t WHERE id >= 500 ORDER BY id",
        "ALTER TABLE t ALTER w SET DEFAULT 1",
        "DROP SEQUENCE s",
    ],
    [
        "CREATE SEQUENCE s",
        "CREATE TABLE t (id BIGINT DEFAULT nextval('s'))",
        "DROP SEQUENCE s CASCADE",
        "FROM t",
    ],
    [
        "CREATE SEQUENCE s",
        "CREATE TABLE t (a INT)",
        "ALTER SEQUENCE s OWNED BY t",
        "DROP SEQUENCE s",
        "DROP TABLE t",
        "SELECT nextval('s')",
    ],
    [
        "CREATE SEQUENCE s",
        "CREATE VIEW v AS SELECT nextval('s') AS n",
        "CREATE MACRO m() AS nextval('s')",
        "SELECT n, m() FROM v",
    ],
    [
        "CREATE SCHEMA a",
        "CREATE SEQUENCE a.s",
        "CREATE TABLE t (id INT DEFAULT nextval('a.s'))",
        "DROP SCHEMA a",
        "DROP SCHEMA a CASCADE",
        "FROM t",
    ],
    [
        "CREATE TEMP SEQUENCE s",
        "SELECT nextval('s')",
        "CREATE TABLE t AS SELECT nextval('s') AS id FROM range(4)",
        "FROM t ORDER BY id",
    ],
]


@pytest.mark.parametrize("clause", ["", "SHARD BY HASH ({column})", "REFERENCE"])
@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_values_are_those_of_duckdb(session: Session, script: list[str], clause: str) -> None:
    plain = duckdb.connect()
    for sql in script:
        sharded = sql
        if sql.startswith("CREATE TABLE t (") and clause:
            sharded = f"{sql} {clause.format(column=sql.split('(')[1].split()[0])}"
        assert answer(partial(rows, session, sharded)) == answer(partial(values, plain, sql)), sql


def values(plain: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    """The rows of a query on plain DuckDB; no rows for every other statement."""
    found = plain.execute(sql).fetchall()
    return found if sql.split()[0] in ("SELECT", "FROM", "DESCRIBE") else []


def answer(run: Callable[[], object]) -> object:
    """What it returns, or that it failed."""
    try:
        return run()
    except (Error, duckdb.Error):
        return "error"


def crashed(path: Path, copy: Path) -> Database:
    """The database as it would be found if the process had been killed now."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    return Database.open(copy)


@pytest.mark.parametrize(
    "draw",
    [
        "SELECT nextval('s')",
        "SELECT nextval('s') FROM range(5000)",
        "SELECT n FROM v",
        "SELECT m()",
        "EXECUTE p",
        "SELECT nextval('s') FROM t WHERE k = 3",
        "INSERT INTO t (k) VALUES (nextval('s')) RETURNING k",
        "INSERT INTO d (v) SELECT range FROM range(5000) RETURNING id",
        "INSERT INTO d (v) VALUES (7) RETURNING id",
        "UPDATE t SET k = nextval('s') RETURNING k",
    ],
)
def test_after_a_crash_no_value_is_given_out_again(tmp_path: Path, draw: str) -> None:
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        for sql in (
            "CREATE SEQUENCE s",
            "CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k FROM range(5)",
            "CREATE TABLE d (id INT DEFAULT nextval('s'), v INT) SHARD BY HASH (id)",
            "CREATE VIEW v AS SELECT nextval('s') AS n",
            "CREATE MACRO m() AS nextval('s')",
            "PREPARE p AS SELECT nextval('s')",
        ):
            session.execute(sql)
        for _ in range(2):
            given = [row[0] for row in rows(session, draw)]
            with crashed(tmp_path / "db", tmp_path / "copy") as found:
                assert rows(found.session(), "SELECT nextval('s')")[0][0] > max(given)


def test_rows_of_a_stream_are_reserved_before_they_are_given(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        session.execute("CREATE SEQUENCE s")
        result = session.execute("SELECT nextval('s') FROM range(1000000)")
        first = result.fetchmany(10)
        with crashed(tmp_path / "db", tmp_path / "copy") as found:
            assert rows(found.session(), "SELECT nextval('s')")[0][0] > first[-1][0]


def test_closing_leaves_no_gap_and_a_crash_one_of_a_block(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        session.execute("CREATE SEQUENCE s")
        assert rows(session, "SELECT nextval('s')") == [(1,)]
    with Database.open(tmp_path / "db") as database:
        assert rows(database.session(), "SELECT nextval('s')") == [(2,)]
        with crashed(tmp_path / "db", tmp_path / "copy") as found:
            assert rows(found.session(), "SELECT nextval('s')") == [(2 + BLOCK + 1,)]


def test_a_sequence_that_is_not_drawn_from_keeps_its_place(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        for sql in ("CREATE SEQUENCE s", "CREATE SEQUENCE busy", "SELECT nextval('s'), nextval('busy')"):
            session.execute(sql).fetchall()
    with Database.open(tmp_path / "db") as database:
        rows(database.session(), "SELECT nextval('busy')")
        with crashed(tmp_path / "db", tmp_path / "copy") as found:
            assert rows(found.session(), "SELECT nextval('s')") == [(2,)]


def test_a_block_is_saved_once(database: Database, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Catalog] = []
    publish = database.gateway.publish
    session.execute("CREATE SEQUENCE s")

    def counted(catalog: Catalog) -> None:
        saved.append(catalog)
        publish(catalog)

    monkeypatch.setattr(database.gateway, "publish", counted)
    for _ in range(20):
        rows(session, "SELECT nextval('s')")
    assert len(saved) == 1
    assert saved[0].version == database.catalog.version


def test_what_cannot_be_reserved_is_not_given(
    database: Database, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.execute("CREATE SEQUENCE s")
    session.execute("CREATE TABLE d (id INT DEFAULT nextval('s'), v INT) SHARD BY HASH (id)")

    def failing(catalog: object) -> None:
        raise OperationalError("disk full")

    before = contents(database)
    with monkeypatch.context() as patch:
        patch.setattr(database.gateway, "publish", failing)
        assert error_of(session, "SELECT nextval('s')").message == "disk full"
        assert error_of(session, "INSERT INTO d (v) SELECT range FROM range(9)").message == "disk full"
    assert contents(database) == before


def test_sequences_last(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        for sql in (
            "CREATE SCHEMA a",
            "CREATE OR REPLACE SEQUENCE a.s START 3 MAXVALUE 4",
            "CREATE TABLE t (id INT DEFAULT nextval('a.s'), v INT) SHARD BY HASH (v)",
            "INSERT INTO t (v) VALUES (1)",
            "ALTER SEQUENCE a.s OWNED BY t",
            "ALTER TABLE t RENAME TO u",
        ):
            session.execute(sql)
    with Database.open(tmp_path / "db") as database:
        session = database.session()
        session.execute("INSERT INTO u (v) VALUES (2)")
        assert rows(session, "FROM u ORDER BY v") == [(3, 1), (4, 2)]
        assert error_of(session, "INSERT INTO u (v) VALUES (3)").sqlstate == "2200H"
    with Database.open(tmp_path / "db") as database:
        session = database.session()
        assert error_of(session, "SELECT nextval('a.s')").sqlstate == "2200H"
        session.execute("DROP TABLE u")
        assert database.catalog.sequences == ()
        assert error_of(session, "SELECT nextval('a.s')").sqlstate == "42704"


@pytest.mark.parametrize(
    "columns",
    [
        "k INT, n INT AS (nextval('s'))",
        "k INT DEFAULT 1, CHECK (k < nextval('s'))",
        "k INT CHECK (k < nextval('s'))",
    ],
)
def test_only_a_default_draws(session: Session, columns: str) -> None:
    session.execute("CREATE SEQUENCE s")
    error = error_of(session, f"CREATE TABLE t ({columns})")
    assert (error.sqlstate, error.position) == ("0A000", f"CREATE TABLE t ({columns})".index("nextval") + 1)


def test_lists_show_the_default_as_it_was_written(session: Session) -> None:
    session.execute("CREATE SEQUENCE s")
    session.execute("CREATE TABLE t (k INT DEFAULT nextval('s'))")
    for query in (
        "SELECT column_default FROM information_schema.columns WHERE table_name = 't'",
        "SELECT dflt_value FROM pragma_table_info('t')",
        'SELECT "default" FROM (DESCRIBE t)',
    ):
        assert rows(session, query) == [("nextval('s')",)]
    assert rows(session, "PRAGMA table_info('t')")[0][4] == "nextval('s')"
    assert rows(session, "DESCRIBE t")[0][4] == "nextval('s')"


def test_adding_a_column_that_draws_is_refused(session: Session) -> None:
    session.execute("CREATE SEQUENCE s")
    session.execute("CREATE TABLE t (k INT) SHARD BY HASH (k)")
    error = error_of(session, "ALTER TABLE t ADD COLUMN id INT DEFAULT nextval('s')")
    assert (error.sqlstate, "SET DEFAULT" in (error.hint or "")) == ("0A000", True)
    assert error_of(session, "ALTER TABLE t ALTER k SET DEFAULT nextval('nosuch')").sqlstate == "42704"
