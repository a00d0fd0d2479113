"""What the shards say of a table's columns."""

from __future__ import annotations

from duckraft.engine.database import Database
from duckraft.engine.executor.columns import insertable_columns, row_count, stand_in
from duckraft.engine.session import Session
from duckraft.engine.storage import duck


def test_generated_columns_are_not_inserted_into(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE t (k INT, g INT AS (k + 1), d INT DEFAULT 1 + 1, v VARCHAR DEFAULT 'x')")
    table = database.catalog.table("main", "t")
    assert table is not None
    found = insertable_columns(database.gateway, table)
    assert [(one.column.name, one.default) for one in found] == [
        ("k", None),
        ("d", "(1 + 1)"),
        ("v", "'x'"),
    ]
    session.execute("INSERT INTO t (k) SELECT range FROM range(10)")
    assert row_count(database.gateway.instance, table) == 10


def test_a_stand_in_is_defined_as_the_table_is(database: Database, session: Session) -> None:
    session.execute('CREATE TABLE "a (b" (k INT PRIMARY KEY, g INT AS (k + 1), CHECK (k < 9))')
    table = database.catalog.table("main", "a (b")
    assert table is not None
    with database.gateway.asking() as connection:
        with stand_in(database.gateway, connection, table, "stands_in"):
            described = duck.rows(connection, "DESCRIBE temp.stands_in")
            assert [row[:2] for row in described] == [("k", "INTEGER"), ("g", "INTEGER")]
        left = duck.rows(connection, "SELECT table_name FROM duckdb_tables() WHERE table_name = 'stands_in'")
    assert left == []
