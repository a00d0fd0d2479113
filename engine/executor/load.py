"""Rows into shards, in bulk: one pass over a query's rows, dealt to one writer per shard as Arrow.

A reader runs the query and cuts each batch (`scatter.py`); a bounded queue leads to each shard's writer, a thread that
inserts what arrives through the session's connection to that shard.
Promises: memory is bounded by the queues; the first error of any reader or writer stops them all and is raised; whether
anything is kept is decided by the caller's transactions, which the writers work in.
Leaves to others: the query (`dml.py`), the transactions (`connections.py`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..catalog.model import Table
from ..errors import Error, NoShardError
from ..sharding import SpreadStrategy
from ..sharding.values import sql_literal
from ..storage import duck
from ..types import Parameters, Row, quote_identifier
from .binding import shard_table

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 122_880
"""DuckDB's row group: smaller batches cost more for each row, larger ones only memory."""

QUEUED_BATCHES = 4
_SHARD = "__duckraft_shard"
_SOURCE = "__duckraft_source"
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Load:
    """What to load. query: gives exactly the columns `columns` of `table`, already of their types.

    dealt: how many rows a spread table has already, so that small loads go on where the last one ended.
    tail: `ON CONFLICT …` and `RETURNING …`, as in INSERT. verb: `INSERT INTO`, `INSERT OR REPLACE INTO`, ….
    """

    table: Table
    columns: tuple[str, ...]
    query: str
    parameters: Parameters = None
    verb: str = "INSERT INTO"
    target_alias: str = ""
    tail: str = ""
    returning: bool = False
    dealt: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded: rows inserted, and the rows that RETURNING gave with their column descriptions."""

    count: int
    returned: list[Row]
    description: Any


def load(reader: duck.Connection, writers: dict[int, duck.Connection], job: Load) -> Loaded:
    """Run the job. writers: by shard number of the table, each inside a transaction. Raises errors.Error."""
    batches = _batches(reader, job)
    first = next(batches, None)
    if first is None:
        return Loaded(0, [], None)
    lanes = {shard: _Lane(shard, connection, job) for shard, connection in writers.items()}
    failed = threading.Event()
    try:
        for shard, batch in _chain(first, batches):
            lanes[shard].put(batch, failed)
            if failed.is_set():
                break
    except BaseException:
        failed.set()
        raise
    finally:
        for lane in lanes.values():
            lane.finish(failed)
    for lane in lanes.values():
        if lane.error is not None:
            raise lane.error
    returned = [row for lane in lanes.values() for row in lane.returned]
    description = next((lane.description for lane in lanes.values() if lane.description), None)
    return Loaded(sum(lane.count for lane in lanes.values()), returned, description)


def _chain(
    first: tuple[int, pa.RecordBatch], rest: Iterator[tuple[int, pa.RecordBatch]]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    yield first
    yield from rest


def _batches(reader: duck.Connection, job: Load) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(shard, rows) pieces of the query's result, in order."""
    from .scatter import scatter

    strategy = job.table.strategy
    if isinstance(strategy, SpreadStrategy):
        dealt = job.dealt
        for batch in _arrow(reader, job.query, job.parameters):
            for hand in strategy.deal(dealt, batch.num_rows):
                yield hand.shard, batch.slice(hand.first, hand.count)
            dealt += batch.num_rows
    elif strategy.shard_count == 1 and not strategy.key:
        for batch in _arrow(reader, job.query, job.parameters):
            yield 0, batch
    else:
        for batch in _arrow(reader, _with_shard_number(job), job.parameters):
            numbers = batch.column(batch.num_columns - 1)
            rows = batch.select(range(batch.num_columns - 1))
            if numbers.null_count:
                raise _no_shard(job, rows, numbers)
            yield from scatter(rows, numbers.to_numpy(), strategy.shard_count)


def _with_shard_number(job: Load) -> str:
    keys = [quote_identifier(name) for name in job.table.shard_key]
    number = job.table.strategy.shard_sql(keys)
    return f"SELECT *, CAST({number} AS USMALLINT) AS {_SHARD} FROM ({job.query}\n)"


def _arrow(reader: duck.Connection, sql: str, parameters: Parameters) -> Iterator[pa.RecordBatch]:
    """The rows of a query as Arrow batches; strings as views, which can be moved without copying their bytes."""
    duck.execute(reader, "SET arrow_output_version = '1.4'")
    duck.execute(reader, "SET produce_arrow_string_view = true")
    stream = duck.arrow_stream(reader, sql, parameters, BATCH_ROWS)
    while True:
        batch = duck.guarded(lambda: next(stream, None))
        if batch is None:
            return
        if batch.num_rows:
            yield batch


def _no_shard(job: Load, rows: pa.RecordBatch, numbers: pa.Array) -> NoShardError:
    """The error that names the first row without a shard."""
    import pyarrow.compute as compute

    at = compute.index(numbers.is_null(), True).as_py()
    key = ", ".join(
        f"{name} = {sql_literal(rows.column(rows.schema.get_field_index(name))[at].as_py())}"
        for name in job.table.shard_key
    )
    return no_shard_error(job.table, key)


def no_shard_error(table: Table, key: str) -> NoShardError:
    """A row of `table` that no shard takes. key: the row's key, for the message."""
    last = "a last range MAXVALUE" if table.strategy.kind == "range" else "a DEFAULT SHARD"
    return NoShardError(
        f'no shard of table "{table.name}" takes a row with {key}',
        detail=f"The table is placed by {table.strategy.clause()}.",
        hint=f"Give the table {last}, or leave the row out. Nothing was changed.",
    )


class _Lane:
    """The queue and the writer thread of one shard; the thread starts with the first batch."""

    def __init__(self, shard: int, connection: duck.Connection, job: Load) -> None:
        self.count = 0
        self.returned: list[Row] = []
        self.description: Any = None
        self.error: BaseException | None = None
        self._shard = shard
        self._connection = connection
        self._job = job
        self._queue: queue.Queue[pa.RecordBatch | None] = queue.Queue(QUEUED_BATCHES)
        self._failed: threading.Event | None = None
        self._thread: threading.Thread | None = None

    def put(self, batch: pa.RecordBatch, failed: threading.Event) -> None:
        """Hand over a batch; waits while the writer is behind, unless something failed."""
        if self._thread is None:
            self._failed = failed
            self._thread = threading.Thread(
                target=self._write, args=(batch.schema,), name=f"duckraft-load-{self._shard}"
            )
            self._thread.start()
        while not failed.is_set():
            try:
                self._queue.put(batch, timeout=_POLL_S)
                return
            except queue.Full:
                continue

    def finish(self, failed: threading.Event) -> None:
        """Tell the writer that nothing more comes, and wait for it."""
        if self._thread is None:
            return
        while self._thread.is_alive():
            try:
                self._queue.put(None, timeout=_POLL_S)
                break
            except queue.Full:
                if failed.is_set():
                    continue
        self._thread.join()

    def _arriving(self) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                if self._failed is not None and self._failed.is_set():
                    return
                continue
            if batch is None:
                return
            yield batch

    def _write(self, schema: pa.Schema) -> None:
        import pyarrow as pa

        job = self._job
        columns = ", ".join(quote_identifier(name) for name in job.columns)
        target = shard_table(job.table, self._shard) + job.target_alias
        sql = f"{job.verb} {target} ({columns}) SELECT * FROM {_SOURCE} {job.tail}"
        try:
            source = pa.RecordBatchReader.from_batches(schema, self._arriving())
            duck.guarded(lambda: self._connection.register(_SOURCE, source))
            duck.execute(self._connection, sql)
            if job.returning:
                self.description = self._connection.description
                self.returned = duck.guarded(self._connection.fetchall)
                self.count = len(self.returned)
            else:
                self.count = duck.guarded(self._connection.fetchall)[0][0]
            # Where the statement failed, the transaction's end takes the registration away.
            duck.guarded(lambda: self._connection.unregister(_SOURCE))
        except Error as error:
            self.error = error
            if self._failed is not None:
                self._failed.set()
