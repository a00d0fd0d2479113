"""COMMENT ON: as in DuckDB, there again when the database opens, gone with what it was about."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows

OBJECTS = [
    "CREATE TABLE t (k INT, v INT)",
    "CREATE TABLE r (k INT)",
    "CREATE VIEW w AS SELECT k AS x FROM t",
    "CREATE MACRO f(x) AS x",
    "CREATE MACRO g(x) AS TABLE SELECT x",
    "CREATE TYPE e AS ENUM ('a')",
    "CREATE SEQUENCE s",
    "CREATE INDEX i ON t (v)",
    "CREATE SCHEMA a",
    "CREATE VIEW a.w AS SELECT 1 AS x",
]
COMMENTS = [
    "COMMENT ON TABLE t IS 'it''s a table'",
    "COMMENT ON TABLE memory.main.r IS $$a reference$$",
    "COMMENT ON COLUMN t.k IS 'the key'",
    "COMMENT ON COLUMN main.t.v IS E'a\\nvalue'",
    "COMMENT ON VIEW w IS 'a view'",
    "COMMENT ON TABLE a.w IS 'another view'",
    "COMMENT ON COLUMN w.x IS 'of a view'",
    "COMMENT ON MACRO f IS 'scalar'",
    "COMMENT ON FUNCTION main.f IS 'scalar indeed'",
    "COMMENT ON MACRO TABLE g IS 'table'",
    "COMMENT ON TYPE e IS 'a type'",
    "COMMENT ON SEQUENCE s IS 'a sequence'",
    "COMMENT ON INDEX i IS 'an index'",
]
LISTS = [
    "SELECT table_name, comment FROM duckdb_tables() ORDER BY ALL",
    "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal ORDER BY ALL",
    "SELECT schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
    "SELECT function_name, comment FROM duckdb_functions() WHERE NOT internal ORDER BY ALL",
    "SELECT type_name, comment FROM duckdb_types() WHERE NOT internal ORDER BY ALL",
    "SELECT sequence_name, comment FROM duckdb_sequences() ORDER BY ALL",
    "SELECT index_name, comment FROM duckdb_indexes() ORDER BY ALL",
]


def listed(run: object) -> list[object]:
    """What the lists say."""
    return [run(sql) for sql in LISTS]  # type: ignore[operator]


@pytest.mark.parametrize(
    "later",
    [
        [],
        ["COMMENT ON TABLE t IS 'another'", "COMMENT ON VIEW w IS 'another'", "COMMENT ON MACRO f IS ''"],
        [sql.rsplit(" IS ", 1)[0] + " IS NULL" for sql in COMMENTS],
        ["DROP INDEX i", "ALTER TABLE t RENAME v TO w", "ALTER TABLE t DROP w", "ALTER TABLE r RENAME TO q"],
        ["DROP VIEW w", "CREATE VIEW w AS SELECT 1 AS x", "DROP MACRO f", "CREATE MACRO f(x) AS x"],
        [
            "CREATE OR REPLACE VIEW w AS SELECT 1 AS x",
            "CREATE OR REPLACE SEQUENCE s",
            "CREATE OR REPLACE TYPE e AS INT",
        ],
        ["DROP SCHEMA a CASCADE", "CREATE SCHEMA a", "CREATE VIEW a.w AS SELECT 1 AS x"],
        ["ALTER VIEW w RENAME TO v"],
    ],
    ids=range(8),
)
def test_comments_are_those_of_duckdb(tmp_path: Path, later: list[str]) -> None:
    plain = duckdb.connect()
    for sql in (*OBJECTS, *COMMENTS, *later):
        plain.execute(sql)
    wanted = listed(lambda sql: plain.execute(sql).fetchall())
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        for sql in (*OBJECTS, *COMMENTS, *later):
            session.execute(sql + " REFERENCE" if sql.startswith("CREATE TABLE r") else sql)
        assert listed(lambda sql: rows(session, sql)) == wanted
    with Database.open(tmp_path / "db") as database:
        session = database.session()
        assert listed(lambda sql: rows(session, sql)) == wanted


@pytest.mark.parametrize(
    "sql",
    [
        "COMMENT ON SCHEMA a IS 'x'",
        "COMMENT ON TABLE nosuch IS 'x'",
        "COMMENT ON COLUMN t.nosuch IS 'x'",
        "COMMENT ON COLUMN k IS 'x'",
        "COMMENT ON TABLE t IS 5",
        "COMMENT ON TABLE t IS 'a' || 'b'",
        "COMMENT ON TABLE t",
        "COMMENT ON MACRO g IS 'x'",
        "COMMENT ON INDEX nosuch IS 'x'",
        "COMMENT ON",
    ],
)
def test_what_duckdb_refuses_changes_nothing(database: Database, session: Session, sql: str) -> None:
    plain = duckdb.connect()
    for made in OBJECTS:
        plain.execute(made)
        session.execute(made)
    with pytest.raises(duckdb.Error):
        plain.execute(sql)
    before = database.catalog
    assert isinstance(error_of(session, sql), Error)
    assert database.catalog == before
    assert listed(lambda text: rows(session, text)) == listed(lambda text: plain.execute(text).fetchall())


def test_comments_of_temporary_things_are_the_sessions_own(database: Database, session: Session) -> None:
    session.execute("CREATE TEMP VIEW v AS SELECT 1")
    session.execute("COMMENT ON VIEW v IS 'mine'")
    assert database.catalog.comments == ()
    assert rows(session, "SELECT comment FROM duckdb_views() WHERE view_name = 'v'") == [("mine",)]
