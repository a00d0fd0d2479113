"""Lists and descriptions show the user's tables, not the shards."""

from __future__ import annotations

import pytest

from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """t in main, u in another schema."""
    session.execute("CREATE TABLE t (k INT PRIMARY KEY, v VARCHAR NOT NULL DEFAULT 'x')")
    session.execute("CREATE SCHEMA s")
    session.execute("CREATE TABLE s.u (a INT)")


@pytest.mark.parametrize(
    "sql", ["DESCRIBE t", "desc t", "SHOW t", "DESCRIBE TABLE t", 'DESCRIBE memory.main."T"']
)
def test_a_table_is_described_with_its_keys(session: Session, sql: str) -> None:
    assert rows(session, sql) == [
        ("k", "INTEGER", "NO", "PRI", None, None),
        ("v", "VARCHAR", "NO", None, "'x'", None),
    ]


def test_other_things_are_described_by_duckdb(session: Session) -> None:
    assert rows(session, "DESCRIBE SELECT 1 AS a")[0][:2] == ("a", "INTEGER")
    assert rows(session, "DESCRIBE s.u")[0][:2] == ("a", "INTEGER")
    assert error_of(session, "DESCRIBE nosuch").sqlstate == "42P01"


def test_pragma_table_info(session: Session) -> None:
    assert rows(session, "PRAGMA table_info('t')") == [
        (0, "k", "INTEGER", True, None, True),
        (1, "v", "VARCHAR", True, "'x'", False),
    ]
    assert rows(session, "PRAGMA table_info('s.u')")[0][:3] == (0, "a", "INTEGER")
    assert error_of(session, "PRAGMA table_info('nosuch')").sqlstate == "42P01"


@pytest.mark.parametrize("sql", ["SHOW ALL TABLES", "PRAGMA show_tables_expanded"])
def test_all_tables_are_those_of_the_user(session: Session, sql: str) -> None:
    assert [row[:3] for row in rows(session, sql)] == [("memory", "main", "t"), ("memory", "s", "u")]


@pytest.mark.parametrize(("sql", "column"), [("SHOW DATABASES", 0), ("PRAGMA database_list", 1)])
def test_databases_are_those_of_the_user(session: Session, sql: str, column: int) -> None:
    session.execute("ATTACH ':memory:' AS other")
    assert sorted(row[column] for row in rows(session, sql)) == ["memory", "other"]


def test_summarize_and_lists_of_one_schema(session: Session) -> None:
    session.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    assert [row[:4] for row in rows(session, "SUMMARIZE t")] == [
        ("k", "INTEGER", "1", "3"),
        ("v", "VARCHAR", "a", "c"),
    ]
    assert rows(session, "SHOW TABLES FROM s") == [("u",)]
    assert rows(session, "PRAGMA show_tables") == [("t",)]
