"""What a statement gives back: columns, rows that stream, a command tag.

Promises: rows are fetched as the reader asks for them, in batches; an error while fetching is an `errors.Error` like
any other. A result that its session needs to run another statement keeps its remaining rows (`detach`).
Leaves to others: how rows look on a screen or a wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ..errors import Error, InterfaceError
from ..storage import duck
from ..types import Column, Row

BATCH_ROWS = 2048


class RowSource(Protocol):
    """Where rows wait to be fetched: a connection of DuckDB, or what behaves like one."""

    def fetchmany(self, size: int) -> list[Row]:
        """Up to `size` more rows; an empty list at the end."""
        ...

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        ...


class Result:
    """The outcome of one statement.

    columns: empty for a statement without rows. tag: PostgreSQL's command tag, such as `INSERT 0 3` or `SELECT`.
    rowcount: rows changed or returned, −1 where it is not known before the rows are read. source: where the rows wait.
    text: the statement, for the positions of errors that come with a row, if `source` runs just that. on_close: called
    when the result is closed, whatever was read of it.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        tag: str,
        *,
        rows: Sequence[Row] = (),
        rowcount: int = -1,
        source: RowSource | None = None,
        text: str = "",
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.tag = tag
        self.rowcount = rowcount
        self._rows = list(rows)
        self._next = 0
        self._source = source
        self._text = text
        self._on_close = on_close
        self._before_rows: Callable[[], None] | None = None
        self._failure: Error | None = None
        self._closed = False

    @property
    def streaming(self) -> bool:
        """Whether rows are still to come from DuckDB."""
        return self._source is not None

    def fetchmany(self, size: int = BATCH_ROWS) -> list[Row]:
        """Up to `size` more rows; an empty list at the end. Raises errors.Error."""
        self._check_open()
        if self._source is not None:
            source = self._source
            batch: list[Row] = self._guarded(lambda: source.fetchmany(size))
            if not batch:
                self._source = None
            return batch
        batch = self._rows[self._next : self._next + size]
        self._next += len(batch)
        return batch

    def fetchone(self) -> Row | None:
        """The next row, or None at the end."""
        batch = self.fetchmany(1)
        return batch[0] if batch else None

    def fetchall(self) -> list[Row]:
        """All rows that are left. Raises errors.Error."""
        self._check_open()
        if self._source is not None:
            rows: list[Row] = self._guarded(self._source.fetchall)
            self._source = None
            return rows
        rows = self._rows[self._next :]
        self._next = len(self._rows)
        return rows

    def __iter__(self) -> Iterator[Row]:
        while batch := self.fetchmany():
            yield from batch

    def before_rows(self, call: Callable[[], None]) -> None:
        """Call this now if the statement has run to its end, and else whenever rows were read, before they are given out.

        What it raises is raised to the reader.
        """
        if self.streaming:
            self._before_rows = call
        else:
            call()

    def detach(self) -> None:
        """Read what is left into memory, so that the connection behind it is free again.

        An error on the way is this result's, not that of the statement that needs the connection: it is raised when
        the rows are asked for.
        """
        if self._source is not None and not self._closed:
            try:
                self._rows, self._next = self.fetchall(), 0
            except Error as error:
                self._failure = error

    def close(self) -> None:
        """Give up the rows that were not read. Closing twice is fine."""
        self._closed = True
        self._source = None
        self._rows = []
        if self._on_close is not None:
            self._on_close()

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("this result is closed")
        if self._failure is not None:
            raise self._failure

    def _guarded(self, fetch: Callable[[], list[Row]]) -> list[Row]:
        """What `fetch` returns; after an error there are no more rows."""
        try:
            rows = duck.guarded(fetch, self._text)
            if self._before_rows is not None:
                self._before_rows()
            return rows
        except Error:
            self._source = None
            raise


def columns_of(connection: duck.Connection) -> tuple[Column, ...]:
    """The columns of the statement that `connection` ran last."""
    return tuple(Column(str(item[0]), str(item[1])) for item in connection.description or ())
