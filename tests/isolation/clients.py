"""Databases to run histories against: duckraft, and one plain DuckDB to try the oracles on.

Both take the same statements but for the sharding clause, which the plain one leaves out, and the isolation level,
which it does not know: it always gives snapshots.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import duckdb

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.storage import duck
from duckraft.engine.types import Parameters, Row

from .history import Level

Execute = Callable[..., list[Row]]
"""Runs one statement, with or without parameters, and returns its rows. Raises errors.Error with an SQLSTATE."""


class Store(Protocol):
    """A database that several threads use, each with a session of its own."""

    def connect(self) -> Execute:
        """A new session."""
        ...

    def begin(self, level: Level) -> str:
        """The statement that begins a transaction of this level."""
        ...

    def retryable(self, level: Level) -> frozenset[str]:
        """The SQLSTATEs after which the same transaction of this level may succeed when it is run again."""
        ...

    def has_savepoints(self, level: Level) -> bool:
        """Whether a transaction of this level can undo a part of itself."""
        ...

    def close(self) -> None:
        """Close it with all its sessions."""
        ...


class Sharded:
    """duckraft, in memory or in a directory."""

    def __init__(self, path: Path | None, shards: int) -> None:
        self.database = Database.open(path, shards=shards)

    def connect(self) -> Execute:
        """A new session."""
        session = self.database.session()

        def execute(sql: str, parameters: Parameters = None) -> list[Row]:
            result = session.execute(sql, parameters)
            return result.fetchall() if result.columns else []

        return execute

    def begin(self, level: Level) -> str:
        """`BEGIN ISOLATION LEVEL …`."""
        return f"BEGIN ISOLATION LEVEL {level.sql}"

    def retryable(self, level: Level) -> frozenset[str]:
        """Deadlocks; and serialization failures, where a transaction cannot go on with newer rows."""
        return frozenset({"40P01"} if level <= Level.READ_COMMITTED else {"40001", "40P01"})

    def has_savepoints(self, level: Level) -> bool:
        """All but those on a snapshot."""
        return level is not Level.REPEATABLE_READ

    def close(self) -> None:
        """Close the database with its sessions."""
        self.database.close()


class Plain:
    """One plain DuckDB."""

    def __init__(self, path: Path | None = None) -> None:
        self.connection = duckdb.connect(str(path) if path is not None else ":memory:")

    def connect(self) -> Execute:
        """A new connection to the same database."""
        connection = self.connection.cursor()

        def execute(sql: str, parameters: Parameters = None) -> list[Row]:
            return duck.rows(connection, re.sub(r" SHARD BY .*", "", sql), parameters)

        return execute

    def begin(self, level: Level) -> str:  # noqa: ARG002
        """`BEGIN`: whatever the level, DuckDB gives a snapshot."""
        return "BEGIN"

    def retryable(self, level: Level) -> frozenset[str]:  # noqa: ARG002
        """Conflicts. Of two who insert a key at a time, one is told of a duplicate that it cannot see."""
        return frozenset({"40001", "23505"})

    def has_savepoints(self, level: Level) -> bool:  # noqa: ARG002
        """DuckDB has none."""
        return False

    def close(self) -> None:
        """Close the database."""
        self.connection.close()


def transaction(execute: Execute, begin: str | None, work: Callable[[], None]) -> Error | None:
    """Run `work` between `begin` and COMMIT, or without them for None.

    Returns the error that ended it, rolled back; None if it committed.
    """
    committing = False
    try:
        if begin is not None:
            execute(begin)
        work()
        committing = True
        if begin is not None:
            execute("COMMIT")
    except Error as error:
        if begin is not None:
            try:
                execute("ROLLBACK")
            except Error as second:
                # A COMMIT that fails has ended the transaction.
                if not committing or second.sqlstate != "25P01":
                    raise
        return error
    return None
