"""What the tests of the executor ask of a database."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error, OperationalError
from duckraft.engine.executor.reading.binding import shard_table
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from duckraft.engine.storage.log import ShardLog
from duckraft.engine.types import Parameters, Row


def rows(session: Session, sql: str, parameters: Parameters = None) -> list[Row]:
    """All rows of a statement."""
    return session.execute(sql, parameters).fetchall()


def error_of(session: Session, sql: str, parameters: Parameters = None) -> Error:
    """The error that a statement ends with."""
    try:
        session.execute(sql, parameters).fetchall()
    except Error as error:
        return error
    raise AssertionError(f"no error from {sql}")


def contents(database: Database) -> dict[tuple[str, int], list[Row]]:
    """The rows of every shard of every table, read past the planner, in an order of their own."""
    with database.gateway.asking() as connection:
        return {
            (table.name, shard): duck.rows(connection, f"FROM {shard_table(table, shard)} ORDER BY ALL")
            for table in database.catalog.ready_tables()
            for shard in range(table.strategy.shard_count)
        }


def tables_on_shards(database: Database) -> set[str]:
    """The names of the users' tables that any shard has."""
    with database.gateway.asking() as connection:
        found = duck.rows(
            connection,
            "SELECT DISTINCT table_name FROM duckdb_tables()"
            " WHERE starts_with(database_name, 'duckraft_') AND schema_name <> 'duckraft'",
        )
    return {name for (name,) in found}


def fail_once(patch: pytest.MonkeyPatch, method: str, number: int) -> None:
    """Have the logs' call of this number, counted from 0, of `append` or `sync` find the disk full."""
    original = getattr(ShardLog, method)
    calls = count()

    def failing(*arguments: Any, **named: Any) -> Any:
        if next(calls) == number:
            raise OperationalError("disk full", sqlstate="53100")
        return original(*arguments, **named)

    patch.setattr(ShardLog, method, failing)
