"""Rows into shards, in bulk: one pass over a query's rows, dealt to one writer per shard as Arrow.

A reader runs the query and cuts each batch (`scatter.py`); a bounded queue leads to each shard's writer, a thread that
inserts what arrives through the session's connection to that shard.
Promises: memory is bounded by the queues; the first error of any reader or writer stops them all and is raised; whether
anything is kept is decided by the caller's transactions, which the writers work in.
Leaves to others: the query (`insert.py`, `copying.py`, `tables.py`), the transactions (`connections.py`).
"""

from __future__ import annotations

import contextvars
import queue
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ...errors import NoShardError
from ...sharding import SpreadStrategy
from ...sql.parameters import parameters_in
from ...storage import duck
from ...storage.rows import CHUNK_BYTES, ROWS_NAME, arrow_rows, compact, parts
from ...transactions.writer import ShardWriter
from ...types import Column, Row
from ..connections import SessionConnections
from ..reading.recording import CHANGE, Work, work
from ..reading.result import columns_of
from .job import Load, Loaded, no_shard
from .staged import load_staged, must_be_staged

if TYPE_CHECKING:
    import pyarrow as pa

    from .scatter import Piece

BATCH_ROWS = 122_880
"""DuckDB's row group: smaller batches cost more for each row, larger ones only memory."""

QUEUED_BATCHES = 4
_POLL_S = 0.05


def load(connections: SessionConnections, writers: dict[int, ShardWriter], job: Load) -> Loaded:
    """Run the job. writers: by shard number of the table. Raises errors.Error."""
    if must_be_staged(job.table):
        return load_staged(connections, writers, job)
    reader = connections.gateway
    failed = threading.Event()
    lanes = {shard: _Lane(shard, writer, job, failed) for shard, writer in writers.items()}
    with connections.transactions.one_moment(), ExitStack() as order:
        give_up_order = (
            (lambda: None) if job.keeps_first else lambda: order.enter_context(duck.unordered(reader))
        )
        _feed(_batches(reader, job), lanes, failed, give_up_order)
    _check(lanes.values())
    returned = [row for lane in lanes.values() for row in lane.returned]
    columns = next((lane.columns for lane in lanes.values() if lane.columns), ())
    return Loaded(sum(lane.count for lane in lanes.values()), returned, columns)


def _feed(
    batches: Generator[tuple[int, Piece], None, None],
    lanes: dict[int, _Lane],
    failed: threading.Event,
    give_up_order: Callable[[], None],
) -> None:
    """Hand every batch to its lane, and wait until all lanes are done.

    give_up_order: called when the query has been planned, so that a LIMIT in it takes the rows that come first, and
    before a writer starts.
    """
    try:
        first = True
        for shard, piece in batches:
            if first:
                give_up_order()
                first = False
            lanes[shard].put(piece)
            if failed.is_set():
                break
    except BaseException:
        failed.set()
        raise
    finally:
        batches.close()
        for lane in lanes.values():
            lane.finish()


def _batches(reader: duck.Connection, job: Load) -> Generator[tuple[int, Piece], None, None]:
    """(shard, rows) pieces of the query's result, in order."""
    from .scatter import Piece, deal, scatter

    strategy = job.table.strategy
    if isinstance(strategy, SpreadStrategy):
        dealt = job.dealt
        for batch in _arrow(reader, job, job.query):
            yield from deal(batch, dealt, strategy.shard_count)
            dealt += batch.num_rows
    elif strategy.shard_count == 1 and not strategy.key:
        for batch in _arrow(reader, job, job.query):
            yield 0, Piece(batch)
    else:
        for batch in _arrow(reader, job, job.numbered_query()):
            numbers = batch.column(batch.num_columns - 1)
            rows = batch.select(range(batch.num_columns - 1))
            if numbers.null_count:
                raise _no_shard(job, rows, numbers)
            yield from scatter(rows, numbers.to_numpy(), strategy.shard_count)


def _arrow(reader: duck.Connection, job: Load, sql: str) -> Iterator[pa.RecordBatch]:
    """The rows of a query as Arrow batches, empty ones left out."""
    for batch in duck.arrow_stream(reader, sql, parameters_in(sql, job.parameters), BATCH_ROWS):
        if batch.num_rows:
            yield batch


def _no_shard(job: Load, rows: pa.RecordBatch, numbers: pa.Array) -> NoShardError:
    """The error that names the first row without a shard."""
    import pyarrow.compute as compute

    at = compute.index(numbers.is_null(), True).as_py()
    key = [rows.column(rows.schema.get_field_index(name))[at].as_py() for name in job.table.shard_key]
    return no_shard(job.table, key)


def _check(lanes: Iterable[_Lane]) -> None:
    """Raise what a writer has failed with, if one has."""
    errors: list[BaseException] = []
    for lane in lanes:
        if lane.error is not None:
            errors.append(lane.error)
            lane.error = None
    try:
        if errors:
            raise errors[0]
    finally:
        # An error knows the frames that it came through, and these the lanes: connections would stay open in a circle.
        errors.clear()


class _Lane:
    """The queue and the writer thread of one shard; the thread starts with the first batch."""

    def __init__(self, shard: int, writer: ShardWriter, job: Load, failed: threading.Event) -> None:
        self.count = 0
        self.returned: list[Row] = []
        self.columns: tuple[Column, ...] = ()
        self.error: BaseException | None = None
        self._shard = shard
        self._connection = writer.connection
        self._writer = writer
        self._job = job
        self._queue: queue.Queue[Piece | None] = queue.Queue(QUEUED_BATCHES)
        self._failed = failed
        self._chunks = _Chunks(shard, job, writer) if writer.recording else None
        self._thread: threading.Thread | None = None

    def put(self, piece: Piece) -> None:
        """Hand over some rows; waits while the writer is behind, unless something failed."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._write, piece.batch.schema),
                name=f"duckraft-load-{self._shard}",
            )
            self._thread.start()
        while not self._failed.is_set():
            try:
                self._queue.put(piece, timeout=_POLL_S)
                return
            except queue.Full:
                continue

    def finish(self) -> None:
        """Tell the writer that nothing more comes, and wait for it."""
        if self._thread is None:
            return
        while self._thread.is_alive():
            try:
                self._queue.put(None, timeout=_POLL_S)
                break
            except queue.Full:
                continue
        self._thread.join()

    def _write(self, schema: pa.Schema) -> None:
        import pyarrow as pa

        job = self._job
        sql = job.insert_sql(self._shard, f"SELECT * FROM {ROWS_NAME}")
        try:
            with work(CHANGE, job.table.placements[self._shard]) as done:
                batches = _arriving(self._queue, self._failed, done, self._chunks)
                source = pa.RecordBatchReader.from_batches(schema, batches)
                duck.guarded(lambda: self._connection.register(ROWS_NAME, source))
                duck.execute(self._connection, sql, parameters_in(job.tail, job.parameters))
                if job.returning:
                    self.columns = columns_of(self._connection)
                    self.returned = duck.guarded(self._connection.fetchall)
                    self.count = len(self.returned)
                else:
                    self.count = duck.guarded(self._connection.fetchall)[0][0]
                done.rows = self.count
            # Where the statement failed, the end of its transaction takes the registration away.
            duck.guarded(lambda: self._connection.unregister(ROWS_NAME))
            self._writer.changed = True
            if self._chunks is not None:
                self._chunks.finish()
        except BaseException as error:  # Raised again by `load`, in the thread that waits for this one.
            # Without the frames of this thread, which know the rows: DuckDB holds these as long as somebody does.
            error.__context__ = None
            self.error = error.with_traceback(None)
            self._failed.set()


class _Chunks:
    """The rows of a lane as operations, each of as many rows as a chunk may have.

    Where rows with one key may be among them, all are one operation: from one statement to the next, a later row would
    meet an earlier one as a row of the table.
    """

    def __init__(self, shard: int, job: Load, writer: ShardWriter) -> None:
        self._shard = shard
        self._job = job
        # A writer knows its connection, which knows the rows that it reads, which know these chunks: a circle through
        # C++ that Python could not free.
        self._writer = weakref.ref(writer)
        self._batches: list[pa.RecordBatch] = []
        self._size = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows that are on their way to the shard."""
        whole = self._job.keeps_first
        for part in [compact(batch)] if whole else parts(compact(batch)):
            if not whole and self._size + part.nbytes > CHUNK_BYTES:
                self.finish()
            self._batches.append(part)
            self._size += part.nbytes

    def finish(self) -> None:
        """Record what is left."""
        if self._batches:
            operation = self._job.operation(self._shard, arrow_rows(self._batches))
            self._batches, self._size = [], 0
            writer = self._writer()
            if writer is not None:
                writer.record(operation)


def _arriving(
    batches: queue.Queue[Piece | None], failed: threading.Event, done: Work, chunks: _Chunks | None
) -> Iterator[pa.RecordBatch]:
    """The batches of a lane. done: told of the time it waits for them. chunks: gets them too.

    It knows no connection: DuckDB holds it, and would never be freed in such a circle.
    """
    while True:
        try:
            with done.waiting():
                piece = batches.get(timeout=_POLL_S)
        except queue.Empty:
            if failed.is_set():
                return
            continue
        if piece is None:
            return
        batch = piece.gathered()
        if chunks is not None:
            chunks.add(batch)
        yield batch
