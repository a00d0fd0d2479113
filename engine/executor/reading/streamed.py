"""The streamed binding: each fragment runs on connections of its own to its shards, and its rows come as Arrow.

A fragment is offered to the gateway's DuckDB as a relation; every scan of it runs the fragment anew, a few shards at a
time. What a move brings is kept in a table of a database in memory, which DuckDB spills to disk if it must, until the
statement ends; the database is the table's own, since only a new one is seen by transactions that have begun. So is
every fragment of a plan that has several, before the merge begins: of a stream DuckDB does not know how many rows it
has, and takes it for one row when it orders joins.
Promises: all shards are read as of one moment. A few batches for each scan are in flight, no more. The first error of
any shard ends the statement, and is the one that the user sees. What was opened or registered is gone after `close`.
Leaves to others: what is moved, and why (`planner/moving.py`); types that Arrow changes (`transport.py`).
"""

from __future__ import annotations

import contextvars
import queue
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

from ...catalog.model import REFERENCE_SHARD, Table
from ...errors import Error, QueryCanceledError
from ...planner.plan import Fragment, Move, Plan
from ...sql.parameters import check_parameters, parameters_in
from ...storage import duck
from ...types import Column, Parameters, Row, quote_identifier
from ..connections import SessionConnections
from .binding import attached_sql, shard_table, union_of
from .channel import Channel
from .recording import work
from .result import columns_of
from .transport import arrived, can_be_carried, leaving

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 32_768
QUEUED_BATCHES = 4
SHARDS_AT_ONCE = 4
"""How many shards one scan reads at the same time; the others wait for their turn."""

_DESTINATION = "__duckraft_destination"


class Streams:
    """What one statement streams. Made for one execution of one plan; `close` must be called in the end.

    stays: whether a table cannot be streamed: fragments that read it are read where they are attached.
    numbers: the database's shards that it reads. failure: the first error of a shard, or the cancellation, if there
    was one.
    """

    def __init__(
        self,
        connections: SessionConnections,
        parameters: Parameters,
        stays: Callable[[Table], bool],
        numbers: Collection[int],
    ) -> None:
        self._stays = stays
        self.failure: Exception | None = None
        self._connections = connections
        self._gateway = connections.gateway
        self._parameters = parameters
        self._context = contextvars.copy_context()  # Here: DuckDB asks for a scan in a thread of its own.
        self._lock = threading.Lock()
        self._closed = False
        self._registered: list[str] = []
        self._tables: dict[str, str] = {}
        self._channels: list[Channel[pa.RecordBatch]] = []
        self._threads: list[threading.Thread] = []
        self._readers: set[duck.Connection] = set()
        self._snapshots = connections.transactions.snapshots(numbers)
        connections.on_interrupt.add(self.interrupt)

    def bind(self, plan: Plan) -> str:
        """The merge SQL of a plan over its fragments, whose moves have been done. Raises errors.Error."""
        fragments = plan.fragments()
        kept = len(fragments) > 1 or _repeats(plan)
        bound = {fragment.name: self._bound(fragment, kept) for fragment in fragments}
        return plan.merge_sql(lambda fragment: bound[fragment.name])

    def _bound(self, fragment: Fragment, kept: bool) -> str:
        """What stands for a fragment in the merge SQL. kept: its rows are read once, into a table."""
        if not kept:
            relation, is_stream = self._relation(fragment, self._gateway)
            if is_stream:
                self._registered.append(_stream_name(fragment))
            return relation
        with self._reader(None) as connection:
            relation, is_stream = self._relation(fragment, connection)
            return self._keep(fragment.name, relation, connection) if is_stream else relation

    def interrupt(self) -> None:
        """End every stream because the statement was cancelled. May be called from any thread."""
        self.fail(QueryCanceledError("the statement was cancelled"))
        with self._lock:
            for connection in self._readers:
                duck.interrupt(connection)

    def fail(self, error: Exception) -> None:
        """End every stream because of this error, unless one came first. May be called from any thread."""
        with self._lock:
            self.failure = self.failure or error
            channels = list(self._channels)
        for channel in channels:
            channel.close()

    def close(self) -> None:
        """End every stream, wait for its threads, and take away what was registered. Closing twice is fine."""
        self._connections.on_interrupt.discard(self.interrupt)
        with self._lock:
            if self._closed:
                return
            self._closed = True
            channels, threads = list(self._channels), list(self._threads)
        for channel in channels:
            channel.close()
        for thread in threads:
            thread.join()
        with suppress(Error):
            duck.abandon(self._gateway)
        for name in self._registered:
            with suppress(Error):
                duck.guarded(partial(self._gateway.unregister, name))
        self._connections.transactions.end_snapshots(self._gateway, self._snapshots)
        if self._tables:
            with self._connections.reader(None) as connection, suppress(Error):
                for table in self._tables.values():
                    duck.clean_up(connection, f"DETACH DATABASE IF EXISTS {table.partition('.')[0]}")

    @contextmanager
    def _reader(self, shard: int | None) -> Iterator[duck.Connection]:
        """A connection for as long as the block runs, which `interrupt` reaches. shard: None for the gateway."""
        snapshot = None if shard is None else self._snapshots.get(shard)
        with self._connections.reader(shard) if snapshot is None else nullcontext(snapshot) as connection:
            with self._lock:
                self._readers.add(connection)
            try:
                if self.failure is not None:
                    raise self.failure
                yield connection
            finally:
                with self._lock:
                    self._readers.discard(connection)

    def _relation(self, fragment: Fragment, connection: duck.Connection) -> tuple[str, bool]:
        """A sub-select that gives the fragment's rows on `connection`, and whether a stream registered there does."""
        is_here = fragment.place(fragment.shards[0]) == REFERENCE_SHARD
        if is_here or any(self._stays(route.table) for route in fragment.routes):
            return f"({union_of(fragment)})", False
        for move in fragment.moves():
            self._move(move)
        first = self._sql(fragment, fragment.shards[0])
        with self._reader(fragment.place(fragment.shards[0])) as reader:
            parameters = parameters_in(first, self._parameters)
            described = duck.rows(reader, f"DESCRIBE {first}", parameters)
            columns = [Column(str(row[0]), str(row[1])) for row in described]
            states = dict(fragment.states)
            if not can_be_carried(columns, states):
                return (
                    f"({' UNION ALL '.join(self._sql(fragment, shard) for shard in fragment.shards)})",
                    False,
                )
            schema = duck.arrow_schema(reader, f"SELECT {leaving(columns)} FROM ({first})", parameters)
        name = _stream_name(fragment)
        rows = _Relation(schema, partial(self._scan, fragment, leaving(columns), schema))
        duck.guarded(partial(connection.register, name, rows))
        return f"(SELECT {arrived(columns, states)} FROM {quote_identifier(name)})", True

    def _move(self, move: Move) -> None:
        """Bring a move's rows to where they are read."""
        with self._reader(None) as connection:
            relation, _ = self._relation(move.source, connection)
            number = "" if move.number_sql is None else f", {move.number_sql} AS {_DESTINATION}"
            self._keep(move.name, relation, connection, number)

    def _keep(self, name: str, relation: str, connection: duck.Connection, more: str = "") -> str:
        """Write the rows of a relation into a table, whose name is returned. more: behind `SELECT *`."""
        database = f"duckraft_kept_{uuid.uuid4().hex}"
        table = f"{database}.main.{quote_identifier(name)}"
        self._tables[name] = table
        try:
            duck.execute(connection, f"ATTACH ':memory:' AS {database}")
            sql = f"CREATE TABLE {table} AS SELECT *{more} FROM {relation}"
            duck.execute(connection, sql, parameters_in(relation, self._parameters))
        except Error as error:
            raise self.failure or error from None
        if self.failure is not None:
            raise self.failure
        return table

    def _moved(self, move: Move, shard: int) -> str:
        """The rows that a move brought to a shard."""
        table = self._tables[move.name]
        if move.number_sql is None:
            return table
        return f"(SELECT * EXCLUDE ({_DESTINATION}) FROM {table} WHERE {_DESTINATION} = {shard})"

    def _sql(self, fragment: Fragment, shard: int) -> str:
        return fragment.sql(lambda table: shard_table(table, shard), lambda move: self._moved(move, shard))

    def _scan(self, fragment: Fragment, select: str, schema: pa.Schema) -> pa.RecordBatchReader:
        """Start reading a fragment on all its shards."""
        import pyarrow as pa

        count = min(SHARDS_AT_ONCE, len(fragment.shards))
        channel: Channel[pa.RecordBatch] = Channel(QUEUED_BATCHES, count)
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for shard in fragment.shards:
            waiting.put(shard)

        def read() -> None:
            try:
                while (shard := _next(waiting)) is not None and self._read(fragment, shard, select, channel):
                    pass
            except Exception as error:  # Raised again in the thread that runs the statement.
                self.fail(error)
            finally:
                channel.done()

        name = f"duckraft-{fragment.name}"
        threads = [
            threading.Thread(target=self._context.copy().run, args=(read,), name=name) for _ in range(count)
        ]
        with self._lock:
            if self._closed or self.failure is not None:
                channel.close()
                threads = []
            self._channels.append(channel)
            self._threads += threads
            for thread in threads:
                thread.start()
        return pa.RecordBatchReader.from_batches(schema, _arriving(channel, self))

    def _read(self, fragment: Fragment, shard: int, select: str, channel: Channel[pa.RecordBatch]) -> bool:
        """Send the rows of one shard. False if nobody wants more."""
        sql = self._sql(fragment, shard)
        with (
            self._reader(fragment.place(shard)) as connection,
            work(fragment.name, shard) as done,
        ):
            done.bytes = 0
            rows = duck.arrow_stream(
                connection, f"SELECT {select} FROM ({sql})", parameters_in(sql, self._parameters), BATCH_ROWS
            )
            with closing(rows):
                for batch in rows:
                    done.rows += batch.num_rows
                    done.bytes += batch.nbytes
                    with done.waiting():
                        wanted = not batch.num_rows or channel.put(batch)
                    if not wanted:
                        return False
        return True


class _Relation:
    """What DuckDB takes for a relation by Arrow's PyCapsule interface: every scan asks for a new stream.

    A pyarrow dataset would be scanned anew too, but DuckDB 2.0 leaves it to a dataset to filter its rows, and Arrow
    compares NaN otherwise than DuckDB does.
    """

    def __init__(self, schema: pa.Schema, scan: Callable[[], pa.RecordBatchReader]) -> None:
        self._schema = schema
        self._scan = scan

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._scan().__arrow_c_stream__(requested_schema)


class StreamedRows:
    """The rows of a merge over streams: fetched as from a connection, and the streams closed after the last one."""

    def __init__(self, connection: duck.Connection, streams: Streams) -> None:
        self._connection = connection
        self._streams = streams

    def fetchmany(self, size: int) -> list[Row]:
        """Up to `size` more rows; an empty list at the end. Raises errors.Error."""
        rows: list[Row] = self._fetched(lambda: self._connection.fetchmany(size))
        if not rows:
            self._streams.close()
        return rows

    def fetchall(self) -> list[Row]:
        """All rows that are left. Raises errors.Error."""
        rows: list[Row] = self._fetched(self._connection.fetchall)
        self._streams.close()
        return rows

    def _fetched(self, fetch: Callable[[], list[Row]]) -> list[Row]:
        try:
            return duck.guarded(fetch)
        except Exception as error:
            self._streams.close()
            raise self._streams.failure or error from None


def start(
    connections: SessionConnections,
    plan: Plan,
    parameters: Parameters,
    stays: Callable[[Table], bool],
    numbers: Collection[int],
) -> tuple[StreamedRows, Streams, tuple[Column, ...]]:
    """Start a plan over streams: its rows, what to close in the end, and its columns. Raises errors.Error.

    stays: whether a table cannot be streamed. numbers: the database's shards that it reads.
    """
    gateway = connections.gateway
    # Each text gets the parameters that it uses: DuckDB would not notice one too many.
    check_parameters(attached_sql(plan), parameters)
    duck.abandon(gateway)
    streams = Streams(connections, parameters, stays, numbers)
    try:
        sql = streams.bind(plan)
        duck.execute(gateway, sql, parameters_in(sql, parameters))
        return StreamedRows(gateway, streams), streams, columns_of(gateway)
    except Exception as error:
        streams.close()
        raise streams.failure or error from None


def _stream_name(fragment: Fragment) -> str:
    """The name under which a fragment's stream is registered."""
    return f"duckraft_{fragment.name}"


def _repeats(plan: Plan) -> bool:
    """Whether the merge SQL may scan the same fragment in many rounds."""
    return any(isinstance(piece, str) and "RECURSIVE" in piece.upper() for piece in plan.merge)


def _next(waiting: queue.SimpleQueue[int]) -> int | None:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


def _arriving(channel: Channel[pa.RecordBatch], streams: Streams) -> Iterator[pa.RecordBatch]:
    """The batches of one scan; an end that is due to an error must not look like the end of the rows."""
    yield from channel
    if streams.failure is not None:
        raise streams.failure
