"""Writes of a group share a transaction of DuckDB, and neither effects nor errors."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pytest

from duckraft.engine.storage import duck
from duckraft.engine.storage.operations import Operation
from duckraft.engine.transactions.group import SmallWrite, run_group
from duckraft.engine.types import Parameters, Row


@pytest.fixture
def connection() -> duck.Connection:
    """An instance with a table of two rows."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (k INT PRIMARY KEY, v VARCHAR NOT NULL)")
    connection.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
    return connection


def insert(*values: object) -> SmallWrite:
    return SmallWrite(
        "x", "INSERT INTO t VALUES (?, ?)", list(values), False, "INSERT INTO t VALUES ", "(?, ?)"
    )


def other(sql: str, parameters: Parameters = None, *, returning: bool = False) -> SmallWrite:
    return SmallWrite("x", sql, parameters, returning)


def run(connection: duck.Connection, writes: Sequence[SmallWrite]) -> list[Operation]:
    operations = run_group(connection, writes, lambda text: duck.parse(connection, text))
    connection.execute("COMMIT")
    return operations


def rows(connection: duck.Connection) -> list[Row]:
    return connection.execute("FROM t ORDER BY k").fetchall()


def test_inserts_of_one_head_are_one_statement(connection: duck.Connection) -> None:
    writes = [insert(3, "three"), insert(4, "four"), insert(5, "five")]
    assert run(connection, writes) == [
        Operation("INSERT INTO t VALUES (?, ?), (?, ?), (?, ?)", [3, "three", 4, "four", 5, "five"])
    ]
    assert [write.count for write in writes] == [1, 1, 1]
    assert rows(connection)[2:] == [(3, "three"), (4, "four"), (5, "five")]


def test_rows_of_literals_and_of_parameters_are_written_together(connection: duck.Connection) -> None:
    literal = SmallWrite(
        "x", "INSERT INTO t VALUES (4, 'a')", None, False, "INSERT INTO t VALUES ", "(4, 'a')"
    )
    assert run(connection, [insert(3, "b"), literal, insert(5, "c")]) == [
        Operation("INSERT INTO t VALUES (?, ?), (4, 'a'), (?, ?)", [3, "b", 5, "c"])
    ]
    assert rows(connection)[2:] == [(3, "b"), (4, "a"), (5, "c")]


def test_what_was_run_gives_the_same_when_it_runs_again(connection: duck.Connection) -> None:
    again = duckdb.connect()
    again.execute("CREATE TABLE t (k INT PRIMARY KEY, v VARCHAR NOT NULL)")
    again.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
    writes = [
        insert(3, "x"),
        other("UPDATE t SET v = v || '!' WHERE k = ?", [3]),
        insert(1, "no"),
        insert(4, "y"),
    ]
    for operation in run(connection, writes):
        again.execute(operation.sql, operation.parameters)
    assert rows(again) == rows(connection) == [(1, "one"), (2, "two"), (3, "x!"), (4, "y")]


@pytest.mark.parametrize("wrong", range(4))
def test_an_error_is_that_of_its_write_alone(connection: duck.Connection, wrong: int) -> None:
    writes = [insert(10 + number, "x") for number in range(4)]
    writes[wrong] = insert(1, "again")
    run(connection, writes)
    for number, write in enumerate(writes):
        if number == wrong:
            assert write.error is not None
            assert write.error.sqlstate == "23505"
        else:
            assert (write.error, write.count) == (None, 1)
    assert [row[0] for row in rows(connection)] == [
        1,
        2,
        *(10 + number for number in range(4) if number != wrong),
    ]


def test_several_errors_of_several_kinds(connection: duck.Connection) -> None:
    writes = [
        insert(1, "again"),
        insert("ten", "x"),
        insert(11, None),
        insert(12, "x"),
        other("UPDATE t SET nosuch = 1 WHERE k = 1"),
        other("DELETE FROM t WHERE k = 2"),
        insert(12, "twice"),
        insert(13, "x"),
    ]
    operations = run(connection, writes)
    assert [write.error and write.error.sqlstate for write in writes] == [
        *("23505", "22P02", "23502", None, "42703", None, "23505", None)
    ]
    assert rows(connection) == [(1, "one"), (12, "x"), (13, "x")]
    assert len(operations) == 3


def test_the_order_is_kept(connection: duck.Connection) -> None:
    writes = [
        insert(3, "a"),
        other("UPDATE t SET v = v || 'b' WHERE k = 3"),
        other("DELETE FROM t WHERE k = 3"),
        insert(3, "c"),
        other("UPDATE t SET v = v || 'd' WHERE k = 3 RETURNING v, k", returning=True),
    ]
    run(connection, writes)
    assert [write.count for write in writes] == [1, 1, 1, 1, 1]
    assert writes[-1].rows == [("cd", 3)]
    assert [column.name for column in writes[-1].columns] == ["v", "k"]
    assert rows(connection)[2:] == [(3, "cd")]


def test_what_changes_nothing_is_no_operation(connection: duck.Connection) -> None:
    writes = [
        other("DELETE FROM t WHERE k = 9"),
        other("UPDATE t SET v = 'x' WHERE k = 9 RETURNING k", returning=True),
    ]
    assert run(connection, writes) == []
    assert [(write.count, write.rows, write.error) for write in writes] == [(0, [], None)] * 2


def test_many_rows_are_several_statements(connection: duck.Connection) -> None:
    writes = [insert(10 + number, "x") for number in range(600)]
    assert len(run(connection, writes)) == 3
    assert len(rows(connection)) == 602
