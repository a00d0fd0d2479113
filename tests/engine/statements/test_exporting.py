"""A database exported is a database imported, by a plain DuckDB and by duckraft, whose clauses come back too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows

CLAUSES = {
    "t": "SHARD BY HASH (a) SHARDS 3",
    "u": "SHARD BY RANGE (x) (VALUES LESS THAN (5), MAXVALUE)",
    "d": "SHARD BY DIRECTORY (k) (SHARD 0 VALUES ('x', 'it''s'), DEFAULT SHARD 1)",
    "we ird": "SHARD BY EVENLY SHARDS 2",
    "r": "REFERENCE",
}
DEFINITIONS = (
    "CREATE SCHEMA s",
    "CREATE TYPE e AS ENUM ('a', 'b')",
    f"CREATE TABLE t (a INT PRIMARY KEY, b e NOT NULL, g INT AS (a + 1), CHECK (a > 0)) {CLAUSES['t']}",
    f"CREATE TABLE s.u (x INT, y VARCHAR DEFAULT 'it''s') {CLAUSES['u']}",
    f"CREATE TABLE d (k VARCHAR, l INT[]) {CLAUSES['d']}",
    f'CREATE TABLE "we ird" ("a b" INT, d TIMESTAMP) {CLAUSES["we ird"]}',
    f"CREATE TABLE r (x INT PRIMARY KEY) {CLAUSES['r']}",
    "CREATE INDEX i ON s.u (x)",
    "CREATE VIEW v AS SELECT * FROM t",
    "CREATE VIEW memory.s.vv AS FROM v",
    "CREATE MACRO m(x) AS x + 1",
    "CREATE OR REPLACE MACRO memory.main.tm() AS TABLE FROM t",
    "CREATE TABLE gone (a INT)",
    "CREATE VIEW dangling AS FROM gone",
    "DROP TABLE gone",
    "CREATE TEMP TABLE mine (a INT)",
    "INSERT INTO t (a, b) VALUES (1, 'a'), (2, 'b'), (3, 'b')",
    "INSERT INTO s.u VALUES (1, 'z'), (7, NULL), (8, '')",
    "INSERT INTO d VALUES ('it''s', [1, NULL]), (NULL, NULL)",
    "INSERT INTO \"we ird\" VALUES (5, '2020-01-01')",
)
CONTENTS = (
    "FROM t",
    "FROM s.u",
    "FROM d",
    'FROM "we ird"',
    "FROM r",
    "FROM s.vv",
    "FROM tm()",
    "SELECT m(1)",
)
INDEXES = "SELECT index_name, table_name FROM duckdb_indexes()"


@pytest.fixture
def filled(session: Session) -> Session:
    """A session on a database with a bit of everything."""
    for sql in DEFINITIONS:
        session.execute(sql)
    return session


@pytest.fixture
def other() -> Iterator[Session]:
    """A session on another database, empty."""
    with Database.open(shards=5, threads=2) as database:
        yield database.session()


def everything(session: Session) -> list[list[str]]:
    """What the database holds, in an order of its own."""
    return [sorted(map(repr, rows(session, sql))) for sql in (*CONTENTS, INDEXES)]


def everything_in(plain: duckdb.DuckDBPyConnection) -> list[list[str]]:
    """The same of a plain DuckDB."""
    return [sorted(map(repr, plain.execute(sql).fetchall())) for sql in (*CONTENTS, INDEXES)]


@pytest.mark.parametrize(
    "options",
    [
        "",
        "(FORMAT parquet)",
        "(FORMAT parquet, COMPRESSION zstd)",
        "(DELIMITER '|')",
        "(FORMAT csv, HEADER false)",
    ],
)
def test_an_export_is_imported_by_both(filled: Session, other: Session, tmp_path: Path, options: str) -> None:
    written, moved = tmp_path / "out", tmp_path / "moved"
    assert filled.execute(f"EXPORT DATABASE '{written}' {options}").tag == "EXPORT"
    plain = duckdb.connect()
    plain.execute(f"IMPORT DATABASE '{written}'")
    assert everything_in(plain) == everything(filled)
    written.rename(moved)
    other.execute(f"IMPORT DATABASE '{moved}'")
    assert everything(other) == everything(filled)
    assert dict(rows(other, "SELECT table_name, clause FROM duckraft.tables")) == CLAUSES


def test_comments_and_sequences_come_back(session: Session, other: Session, tmp_path: Path) -> None:
    for sql in (
        "CREATE SEQUENCE numbers START 10",
        "CREATE TABLE t (a INT PRIMARY KEY DEFAULT nextval('numbers'), b VARCHAR)",
        "CREATE VIEW v AS FROM t",
        "INSERT INTO t (b) VALUES ('x'), ('y')",
        "COMMENT ON TABLE t IS 'it''s t'",
        "COMMENT ON COLUMN t.b IS 'what b is'",
        "COMMENT ON VIEW v IS 'all of t'",
        f"EXPORT DATABASE '{tmp_path}'",
    ):
        session.execute(sql)
    plain = duckdb.connect()
    plain.execute(f"IMPORT DATABASE '{tmp_path}'")
    other.execute(f"IMPORT DATABASE '{tmp_path}'")
    for sql in ("INSERT INTO t (b) VALUES ('z')",):
        plain.execute(sql)
        other.execute(sql)
    for sql in (
        "SELECT a, b FROM t ORDER BY a",
        "SELECT comment FROM duckdb_tables()",
        "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 't' ORDER BY 1",
        "SELECT comment FROM duckdb_views() WHERE view_name = 'v'",
    ):
        assert rows(other, sql) == plain.execute(sql).fetchall(), sql
    assert rows(other, "SELECT a FROM t ORDER BY a") == [(10,), (11,), (12,)]


def test_nested_values_survive_json(filled: Session, other: Session, tmp_path: Path) -> None:
    filled.execute(f"EXPORT DATABASE '{tmp_path}' (FORMAT json)")
    other.execute(f"IMPORT DATABASE '{tmp_path}'")
    assert everything(other) == everything(filled)


def test_what_a_plain_duckdb_exported_is_imported(other: Session, tmp_path: Path) -> None:
    plain = duckdb.connect()
    plain.execute("CREATE SCHEMA s")
    plain.execute("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR NOT NULL, c INT NOT NULL)")
    plain.execute("CREATE TABLE s.u AS SELECT i, [i] AS l FROM range(100) r(i)")
    plain.execute("INSERT INTO t VALUES (1, '', 2), (2, 'x', 3)")
    plain.execute("CREATE VIEW s.v AS SELECT count(*) AS n FROM s.u")
    plain.execute(f"EXPORT DATABASE '{tmp_path}'")
    other.execute(f"IMPORT DATABASE '{tmp_path}'")
    assert rows(other, "FROM t ORDER BY a") == [(1, "", 2), (2, "x", 3)]
    assert rows(other, "SELECT n, (SELECT sum(l[1]) FROM s.u) FROM s.v") == [(100, 4950)]
    assert rows(other, "SELECT strategy FROM duckraft.tables ORDER BY table_name") == [("hash",), ("spread",)]


def test_errors_of_export_and_import(filled: Session, tmp_path: Path) -> None:
    assert error_of(filled, f"EXPORT DATABASE '{tmp_path}' (FORMAT nope)").sqlstate == "42883"
    assert error_of(filled, f"EXPORT DATABASE nosuch TO '{tmp_path}'").sqlstate == "42P01"
    assert error_of(filled, "EXPORT DATABASE").sqlstate == "42601"
    assert error_of(filled, f"IMPORT DATABASE '{tmp_path}/nosuch'").sqlstate == "58P01"
    filled.execute(f"EXPORT DATABASE '{tmp_path}'")
    already = error_of(filled, f"IMPORT DATABASE '{tmp_path}'")
    assert (already.sqlstate, already.detail) == ("42P06", "The statement of the export: CREATE SCHEMA s")
    assert rows(filled, "SELECT count(*) FROM t") == [(3,)]


def test_a_database_is_copied_into_an_attached_one(filled: Session, tmp_path: Path) -> None:
    file = tmp_path / "copy.duckdb"
    before = everything(filled)
    filled.execute(f"ATTACH '{file}' AS other")
    filled.execute("COPY FROM DATABASE memory TO other")
    filled.execute("DETACH other")
    with duckdb.connect(str(file), read_only=True) as plain:
        assert everything_in(plain) == before


def test_a_copy_that_fails_leaves_the_other_database_as_it_was(filled: Session) -> None:
    filled.execute("ATTACH ':memory:' AS other")
    filled.execute("CREATE TABLE other.r AS SELECT 1 AS mine")
    assert error_of(filled, "COPY FROM DATABASE memory TO other").sqlstate == "42P07"
    assert rows(filled, "SHOW TABLES FROM other") == [("r",)]


def test_a_database_is_copied_from_an_attached_one(filled: Session, other: Session, tmp_path: Path) -> None:
    file = tmp_path / "copy.duckdb"
    filled.execute(f"ATTACH '{file}' AS other")
    filled.execute("COPY FROM DATABASE memory TO other")
    filled.execute("DETACH other")
    other.execute(f"ATTACH '{file}' AS source")
    other.execute("COPY FROM DATABASE source TO memory (SCHEMA)")
    assert rows(other, "SELECT count(*) FROM t") == [(0,)]
    other.execute("COPY FROM DATABASE source TO memory (DATA)")
    other.execute("DETACH source")
    assert everything(other) == everything(filled)


def test_other_databases_are_exported_and_copied_by_duckdb(session: Session, tmp_path: Path) -> None:
    session.execute("ATTACH ':memory:' AS one")
    session.execute("ATTACH ':memory:' AS two")
    session.execute("CREATE TABLE one.t AS SELECT 5 AS a")
    session.execute("COPY FROM DATABASE one TO two")
    assert rows(session, "FROM two.t") == [(5,)]
    session.execute(f"EXPORT DATABASE two TO '{tmp_path}'")
    session.execute(f"IMPORT DATABASE '{tmp_path}'")
    assert rows(session, "FROM t") == [(5,)]
