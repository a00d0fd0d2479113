"""DB-API 2.0 (PEP 249) over a session: `duckraft.connect()`.

    import duckraft
    with duckraft.connect("data") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT * FROM flights WHERE tailnum = ?", ["N14228"])
        print(cursor.fetchall())

Parameters are `?` or `$1` with a sequence, `$name` with a mapping. Each statement is its own transaction (autocommit),
unless its cursor has executed BEGIN: a transaction belongs to a cursor, which ends it by COMMIT or ROLLBACK. So
`commit` of a connection does nothing, and `rollback` says that there is nothing to roll back. Threads may share the
module, not connections.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .database import Database
from .errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004  (the name is fixed by DB-API 2.0)
)
from .executor.reading.result import Result
from .session import Session
from .types import Parameters, Row

__all__ = [
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]

apilevel = "2.0"
threadsafety = 1
paramstyle = "qmark"

Description = tuple[str, str, None, None, None, None, None]
"""A column as PEP 249 wants it: its name, the name of its DuckDB type, and nothing else that is known."""


def connect(
    path: str | Path | None = None,
    *,
    shards: int | None = None,
    threads: int | None = None,
    memory_limit: str | None = None,
) -> Connection:
    """Open the database in a directory (made if it is not there), or one in memory if no path is given.

    shards: how many a new table gets when it does not say. threads, memory_limit: for DuckDB, such as 2 and '4GB'.
    Raises OperationalError subclasses that name the file and what to do.
    """
    return Connection(Database.open(path, shards=shards, threads=threads, memory_limit=memory_limit))


class Connection:
    """One embedded database; closing the connection closes it. Also a context manager."""

    Warning = Warning
    Error = Error
    InterfaceError = InterfaceError
    DatabaseError = DatabaseError
    DataError = DataError
    OperationalError = OperationalError
    IntegrityError = IntegrityError
    InternalError = InternalError
    ProgrammingError = ProgrammingError
    NotSupportedError = NotSupportedError

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = False

    @property
    def database(self) -> Database:
        """The database itself, for what DB-API has no word for."""
        self._check_open()
        return self._database

    def cursor(self) -> Cursor:
        """A new cursor, with a session of its own."""
        self._check_open()
        return Cursor(self, self._database.session())

    def execute(self, sql: str, parameters: Parameters = None) -> Cursor:
        """Run one statement on a new cursor and return it."""
        return self.cursor().execute(sql, parameters)

    def commit(self) -> None:
        """Do nothing: transactions are those of cursors."""
        self._check_open()

    def rollback(self) -> None:
        """Raise NotSupportedError: transactions are those of cursors."""
        self._check_open()
        raise NotSupportedError(
            "there is no transaction to roll back",
            hint="A transaction belongs to the cursor that has executed BEGIN: execute ROLLBACK there.",
        )

    def close(self) -> None:
        """Close the database with all its cursors. Closing twice is fine."""
        if not self._closed:
            self._closed = True
            self._database.close()

    def __enter__(self) -> Connection:
        self._check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("the connection is closed")


class Cursor:
    """Runs statements and reads their rows, one statement at a time."""

    def __init__(self, connection: Connection, session: Session) -> None:
        self.connection = connection
        self.arraysize = 1
        self._session = session
        self._result: Result | None = None

    @property
    def description(self) -> list[Description] | None:
        """The columns of the last statement; None if it gave no rows."""
        if self._result is None or not self._result.columns:
            return None
        return [(column.name, column.type, None, None, None, None, None) for column in self._result.columns]

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed; −1 for a query that is still being read."""
        return -1 if self._result is None else self._result.rowcount

    def execute(self, sql: str, parameters: Parameters = None) -> Cursor:
        """Run one statement. Raises errors.Error."""
        self._result = None
        self._result = self._session.execute(sql, parameters)
        return self

    def executemany(self, sql: str, seq_of_parameters: Sequence[Sequence[Any]]) -> Cursor:
        """Run one statement for each set of parameters; `rowcount` is their sum. Each one commits by itself."""
        self._result = None
        count = 0
        for parameters in seq_of_parameters:
            result = self._session.execute(sql, parameters)
            if result.columns:
                raise ProgrammingError("executemany is for statements that give no rows", sqlstate="42601")
            count += max(result.rowcount, 0)
        self._result = Result((), "", rowcount=count)
        return self

    def fetchone(self) -> Row | None:
        """The next row, or None at the end."""
        return self._rows().fetchone()

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """Up to `size` more rows (`arraysize` if not given); an empty list at the end."""
        return self._rows().fetchmany(self.arraysize if size is None else size)

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        return self._rows().fetchall()

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows())

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Do nothing, as PEP 249 allows."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Do nothing, as PEP 249 allows."""

    def close(self) -> None:
        """End the cursor's session. Closing twice is fine."""
        self._session.close()

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self) -> Result:
        if self._result is None or not self._result.columns:
            raise ProgrammingError("the last statement gave no rows", sqlstate="24000")
        return self._result
