"""The adapter to DuckDB: its exceptions as ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duckraft.engine import errors
from duckraft.engine.storage import duck


@pytest.fixture
def connection() -> Iterator[duck.Connection]:
    """An instance of its own."""
    connection = duck.open_instance(threads=1)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("sql", "kind", "sqlstate", "at"),
    [
        ("SELEC 1", errors.ProgrammingError, "42601", "SELEC"),
        ("SELECT 'é鸭', nosuch", errors.ProgrammingError, "42703", "nosuch"),
        ("FROM nosuch", errors.ProgrammingError, "42P01", "nosuch"),
        ("SELECT nosuch(1)", errors.ProgrammingError, "42883", "nosuch"),
        ("FROM nosuch.t", errors.ProgrammingError, "42P01", None),
        ("CREATE SCHEMA main", errors.ProgrammingError, "42P06", None),
        ("SELECT CAST('x' AS INT)", errors.DataError, "22P02", None),
        ("SELECT 1000::TINYINT", errors.DataError, "22003", None),
        ("SELECT DATE 'someday'", errors.DataError, "22007", None),
        (
            "SELECT a, count(*) FROM (SELECT 1 AS a, 2 AS b) GROUP BY b",
            errors.ProgrammingError,
            "42803",
            None,
        ),
        ("SELECT error('stop')", errors.ProgrammingError, "22023", None),
        ("ATTACH '/nosuch/nosuch.db'", errors.OperationalError, "58030", None),
        ("ROLLBACK", errors.OperationalError, "25P01", None),
        ("FROM (SELECT 1 AS a), (SELECT 2 AS a) WHERE a = 1", errors.ProgrammingError, "42702", None),
    ],
)
def test_exceptions_become_errors(
    connection: duck.Connection, sql: str, kind: type[errors.Error], sqlstate: str, at: str | None
) -> None:
    with pytest.raises(kind) as caught:
        duck.rows(connection, sql)
    error = caught.value
    assert (error.sqlstate, error.message) == (sqlstate, error.message)
    assert "{" not in error.message
    if at is not None:
        assert error.position == sql.index(at) + 1


def test_errors_of_a_stream_are_the_same(connection: duck.Connection) -> None:
    sql = "SELECT if(range = 900000, 'x', '1')::INT FROM range(1000000)"
    with pytest.raises(errors.DataError, match="Could not convert string 'x'") as caught:
        list(duck.arrow_stream(connection, sql, None, 2048))
    assert caught.value.sqlstate == "22P02"
    with pytest.raises(errors.ProgrammingError):
        list(duck.arrow_stream(connection, "SELECT nosuch", None, 2048))


def test_parameters_reach_a_stream(connection: duck.Connection) -> None:
    [batch] = duck.arrow_stream(connection, "SELECT $2 AS a", {"2": 5}, 2048)
    assert batch.to_pydict() == {"a": [5]}


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(errors.Error):
        duck.open_instance(memory_limit="much")
