"""What the shards say of a table's columns."""

from __future__ import annotations

from duckraft.engine.database import Database
from duckraft.engine.executor.changes.columns import (
    described_columns,
    insertable_columns,
    row_count,
    stand_in,
)
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from tests.engine.executor.support import error_of


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


def test_a_stand_in_has_the_columns_of_the_table(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE parents (id INT PRIMARY KEY) REFERENCE")
    session.execute(
        'CREATE TABLE "a (b" (k INT PRIMARY KEY, g INT AS (k + 1), p INT REFERENCES parents (id)) REFERENCE'
    )
    table = database.catalog.table("main", "a (b")
    assert table is not None
    with database.gateway.asking() as connection:
        with stand_in(connection, table, described_columns(database.gateway, table), "stands_in"):
            described = duck.rows(connection, "DESCRIBE temp.stands_in")
            assert [row[:2] for row in described] == [("k", "INTEGER"), ("g", "INTEGER"), ("p", "INTEGER")]
            duck.execute(connection, "INSERT INTO temp.stands_in VALUES (1, 2)")
            assert duck.rows(connection, "SELECT g FROM temp.stands_in") == [(2,)]
        left = duck.rows(connection, "SELECT table_name FROM duckdb_tables() WHERE table_name = 'stands_in'")
    assert left == []


def test_rows_with_foreign_keys_are_changed_across_shards(session: Session) -> None:
    for sql in (
        "CREATE TABLE parents (id INT PRIMARY KEY)",
        "CREATE TABLE children (id INT PRIMARY KEY, x INT, FOREIGN KEY (id) REFERENCES parents (id))",
        "INSERT INTO parents SELECT range FROM range(9)",
        "INSERT INTO children SELECT range, range FROM range(5)",
    ):
        session.execute(sql)
    assert session.execute("UPDATE children SET id = id + 4 WHERE id > 0").rowcount == 4
    assert error_of(session, "UPDATE children SET id = id + 1").sqlstate == "23503"
    merged = (
        "MERGE INTO children USING parents USING (id) WHEN NOT MATCHED THEN INSERT (id) VALUES (parents.id)"
    )
    assert session.execute(merged).rowcount == 4
