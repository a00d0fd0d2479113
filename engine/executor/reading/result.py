"""What a statement gives back: columns, rows that stream, a command tag.

Promises: rows are fetched as the reader asks for them, in batches; an error while fetching is an `errors.Error` like
any other, and ends the rows. What DuckDB holds for rows that are still to come is given up with the last row, with an
error, and by `close`.
Leaves to others: how rows look on a screen or a wire; when the connection behind a result is needed (`session.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import Error, InterfaceError, QueryCanceledError
from ...storage import duck
from ...types import Column, Row

if TYPE_CHECKING:
    from ...storage.interruption import Running
    from .spilled import SpilledRows

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
    once, when no more rows come or the result is closed. interrupt: stops what works for the rows besides the
    connection they wait on. plan: what the lines of an EXPLAIN say, as plain values.
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
        interrupt: Callable[[], None] | None = None,
        plan: dict[str, Any] | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.tag = tag
        self.rowcount = rowcount
        self.plan = plan
        self.running: Running | None = None
        """The statement, if its session lets its rows be cancelled."""
        self.on_error: Callable[[Error], None] | None = None
        """Told of an error that comes while rows are fetched."""
        self._rows = list(rows)
        self._next = 0
        self._source = source
        self._text = text
        self._on_close = on_close
        self._interrupt = interrupt
        self._before_rows: Callable[[], None] | None = None
        self._failure: Error | None = None
        self._closed = False

    @property
    def streaming(self) -> bool:
        """Whether rows are still to come from DuckDB."""
        return self._source is not None

    @property
    def source(self) -> RowSource | None:
        """Where the rows that are still to come wait."""
        return self._source

    def fetchmany(self, size: int = BATCH_ROWS) -> list[Row]:
        """Up to `size` more rows; an empty list at the end. Raises errors.Error."""
        self._check_open()
        if self._rows:
            rows = self._rows[self._next : self._next + size]
            self._next += len(rows)
            if rows:
                return rows
            self._rows = []
        return self._pull(size)

    def fetchone(self) -> Row | None:
        """The next row, or None at the end."""
        batch = self.fetchmany(1)
        return batch[0] if batch else None

    def fetchall(self) -> list[Row]:
        """All rows that are left. Raises errors.Error."""
        self._check_open()
        rows, self._rows = self._rows[self._next :], []
        return rows + self._pull(None) if rows else self._pull(None)

    def __iter__(self) -> Iterator[Row]:
        while batch := self.fetchmany():
            yield from batch

    def before_rows(self, call: Callable[[], None]) -> None:
        """Call this now if the statement has run to its end, else whenever rows were read, before they are given out.

        What it raises is raised to the reader.
        """
        if self.streaming:
            self._before_rows = call
        else:
            call()

    def keep(self, count: int) -> bool:
        """Read up to `count` rows ahead. Returns whether that was all, so that the connection behind them is free.

        An error on the way is this result's, not that of the statement that needs the connection: it is raised when
        the rows are asked for.
        """
        self._rows, self._next = self._rows[self._next :], 0
        try:
            while self._source is not None and len(self._rows) < count:
                self._rows += self._read(count)
        except Error as error:
            self._failure = error
        return self._source is None

    def move(self, store: Callable[[RowSource], SpilledRows]) -> None:
        """Let the rows that are left wait in a file. store: reads them all, and gives them back in turn.

        An error on the way is this result's, as in `keep`.
        """
        source = self._source
        if source is None:
            return
        try:
            stored = duck.guarded(lambda: store(source), self._text)
        except Error as error:
            self._failure = error
            self._end()
        else:
            self._end()
            self._source, self._on_close = stored, stored.close

    def take(self, connection: duck.Connection) -> None:
        """The connection on which the rows wait is this result's own: it is closed when no more rows come."""
        before = self._on_close

        def close() -> None:
            if before is not None:
                before()
            connection.close()

        self._on_close = close
        if self.running is not None:
            self.running.interrupt = partial(self._interrupt_all, connection)

    def _interrupt_all(self, connection: duck.Connection) -> None:
        duck.interrupt(connection)
        if self._interrupt is not None:
            self._interrupt()

    def close(self) -> None:
        """Give up the rows that were not read. Closing twice is fine."""
        if isinstance(self._source, duck.Connection):
            with suppress(Error):  # Its session may be closed already.
                duck.abandon(self._source)
        self._closed = True
        self._rows = []
        self._end()

    def __del__(self) -> None:
        # Nobody can ask for the rows. The connection they wait on may run another statement by now: it is left alone.
        if self._source is not None:
            self._end()

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("this result is closed")
        if self._failure is not None:
            raise self._failure

    def _pull(self, size: int | None) -> list[Row]:
        """Up to `size` rows of those that are still to come (None: all), for a reader who may be cancelled."""
        if self._source is None:
            return []
        running = self.running
        if running is None:
            return self._read(size)
        try:
            running.enter()
        except QueryCanceledError:
            self._end()
            raise
        try:
            return self._read(size)
        except QueryCanceledError as error:
            # Whoever waits for rows of a shard is told that it was cancelled, but not why.
            raise running.error or error from None
        finally:
            running.leave()

    def _read(self, size: int | None) -> list[Row]:
        """Up to `size` rows of those that are still to come (None: all); after an error there are no more."""
        source = self._source
        if source is None:
            return []
        try:
            rows = duck.guarded(
                source.fetchall if size is None else partial(source.fetchmany, size), self._text
            )
            if self._before_rows is not None:
                self._before_rows()
        except Error as error:
            self._end()
            if self.on_error is not None:
                self.on_error(error)
            raise
        if size is None or not rows:
            self._end()
        return rows

    def _end(self) -> None:
        """No more rows come from where they waited."""
        self._source = None
        if self.running is not None:
            self.running.end()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()


def columns_of(connection: duck.Connection) -> tuple[Column, ...]:
    """The columns of the statement that `connection` ran last."""
    return tuple(Column(str(item[0]), str(item[1])) for item in connection.description or ())
