"""Rows as bytes: what a statement in a log is fed with, beside its parameters.

Arrow for types that it carries; a small DuckDB file for those that it changes. Few rows are written as they are, more
are compressed by LZ4.
Promises: every value of every type comes back as it was. Rows are cut into chunks of about `CHUNK_BYTES`, so that
neither writing nor reading a log needs memory for all rows of a large change.
Leaves to others: what is done with the rows (`operations.py`).
"""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from ..errors import LogDamagedError, NotSupportedError, ProgrammingError
from ..types import quote_identifier, quote_string
from . import duck

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_NAME = "__duckraft_source"
"""The relation that holds an operation's rows while its statement runs."""

CHUNK_BYTES = 8 << 20
"""About how many bytes of rows, before they are compressed, one operation carries."""

_COMPRESSED_FROM_BYTES = 4096
_BATCH_ROWS = 16_384
_QUOTED = re.compile(r""""(?:[^"]|"")*"|'(?:[^']|'')*'""")
_ENUM_COLUMN = re.compile(r"""ENUM\((?:'(?:[^']|'')*'(?:, )?)*\)""")
_CHANGED_BY_ARROW = re.compile(r"\b(?:ENUM|TUPLE|UNION)\(|\b(?:AGGREGATE_STATE|VARIANT)\b")


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows. format: "arrow", an Arrow IPC stream, or "duckdb", a DuckDB file with table `r`, zlib over it."""

    format: Literal["arrow", "duckdb"]
    data: bytes


def arrow_carries(types: Iterable[str]) -> bool:
    """Whether Arrow brings values of all these types back as they were. A column of an ENUM arrives as VARCHAR."""
    return not any(
        _CHANGED_BY_ARROW.search(_QUOTED.sub("", kind)) and not _ENUM_COLUMN.fullmatch(kind) for kind in types
    )


def rows_of(
    connection: duck.Connection, query: str, types: Iterable[str], *, whole: bool = False
) -> Iterator[Rows]:
    """The rows of a query in chunks, in order; none if it has no rows.

    connection: not in the middle of a result. types: of the query's columns. whole: all in one chunk, whatever its
    size. Raises errors.Error, NotSupportedError where a type needs a file, and the query what only the connection's
    open transaction sees.
    """
    if arrow_carries(types):
        yield from _arrow_chunks(duck.arrow_stream(connection, query, None, _BATCH_ROWS), whole)
        return
    beside = connection.cursor()
    try:
        yield from _files_of(beside, query, whole)
    finally:
        beside.close()


def _arrow_chunks(batches: Iterable[pa.RecordBatch], whole: bool) -> Iterator[Rows]:
    """Batches of one schema in as few `Rows` as their size allows, in order."""
    gathered: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        for part in parts(compact(batch)) if batch.num_rows else ():
            if gathered and not whole and size + part.nbytes > CHUNK_BYTES:
                yield arrow_rows(gathered)
                gathered, size = [], 0
            gathered.append(part)
            size += part.nbytes
    if gathered:
        yield arrow_rows(gathered)


def arrow_rows(batches: Sequence[pa.RecordBatch]) -> Rows:
    """Some batches of one schema, at least one."""
    import pyarrow as pa

    size = sum(batch.nbytes for batch in batches)
    options = pa.ipc.IpcWriteOptions(compression="lz4" if size >= _COMPRESSED_FROM_BYTES else None)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return Rows("arrow", sink.getvalue().to_pybytes())


def compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without views in its columns: a view takes the buffers of all rows along that it was cut from."""
    import pyarrow as pa
    import pyarrow.types as kinds

    columns = [
        column.cast(pa.string())
        if kinds.is_string_view(column.type)
        else column.cast(pa.binary())
        if kinds.is_binary_view(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in slices that are small enough for a chunk."""
    count = min(batch.num_rows, -(-batch.nbytes // CHUNK_BYTES))
    if count <= 1:
        yield batch
        return
    step = -(-batch.num_rows // count)
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


def _files_of(connection: duck.Connection, query: str, whole: bool) -> Iterator[Rows]:
    """The rows of a query as DuckDB files, `_BATCH_ROWS` in each unless they go into one."""
    numbered = f"memory.duckraft.{quote_identifier(f'rows {uuid4().hex}')}"
    duck.execute(connection, "CREATE SCHEMA IF NOT EXISTS memory.duckraft")
    try:
        duck.execute(connection, f"CREATE TABLE {numbered} AS {query}")
    except ProgrammingError as error:
        if error.sqlstate not in ("42704", "42P01"):
            raise
        raise NotSupportedError(
            "rows with a UNION, a VARIANT or enums inside other values cannot be changed this way in a transaction"
            " that has written before, or keeps its snapshot",
            hint="Change them outside of it, or as its first change at the isolation level READ COMMITTED.",
        ) from None
    try:
        count: int = duck.rows(connection, f"SELECT count(*) FROM {numbered}")[0][0]
        step = max(count, 1) if whole else _BATCH_ROWS
        for start in range(0, count, step):
            end = start + step
            rows = f"SELECT * FROM {numbered} WHERE rowid >= {start} AND rowid < {end} ORDER BY rowid"
            with _scratch_file(connection) as path:
                with _attached(connection, path, "BLOCK_SIZE 16384") as name:
                    duck.execute(connection, f"CREATE TABLE {name}.r AS {rows}")
                yield Rows("duckdb", zlib.compress(path.read_bytes(), 1))
    finally:
        duck.clean_up(connection, f"DROP TABLE {numbered}")


@contextmanager
def bound(connection: duck.Connection, rows: Rows) -> Iterator[None]:
    """While the block runs, `ROWS_NAME` means these rows on the connection, once: Arrow is read as it comes.

    Raises LogDamagedError.
    """
    if rows.format == "arrow":
        import pyarrow as pa

        try:
            source = pa.ipc.open_stream(rows.data)
        except (OSError, pa.ArrowException) as error:
            raise LogDamagedError(f"rows of an operation cannot be read: {error}") from None
        duck.guarded(lambda: connection.register(ROWS_NAME, source))
        yield
        # Where the statement failed, the end of its transaction takes the registration away.
        duck.guarded(lambda: connection.unregister(ROWS_NAME))
        return
    try:
        data = zlib.decompress(rows.data)
    except zlib.error as error:
        raise LogDamagedError(f"rows of an operation cannot be read: {error}") from None
    # A file that is attached beside a transaction is seen inside it, and held until its end.
    beside = connection.cursor()
    try:
        with _scratch_file(beside) as path:
            path.write_bytes(data)
            with _attached(beside, path, "READ_ONLY") as name:
                duck.execute(connection, f"CREATE OR REPLACE TEMP VIEW {ROWS_NAME} AS FROM {name}.r")
                yield
                duck.execute(connection, f"DROP VIEW temp.{ROWS_NAME}")
    finally:
        beside.close()


@contextmanager
def _attached(connection: duck.Connection, path: Path, option: str) -> Iterator[str]:
    name = quote_identifier(f"duckraft {uuid4().hex}")
    duck.execute(connection, f"ATTACH {quote_string(str(path))} AS {name} ({option})")
    try:
        yield name
    finally:
        duck.clean_up(connection, f"DETACH {name}")


@contextmanager
def _scratch_file(connection: duck.Connection) -> Iterator[Path]:
    """The path of a new file where DuckDB may write, removed in the end."""
    scratch = Path(duck.rows(connection, "SELECT current_setting('temp_directory')")[0][0] or "")
    parent = scratch if scratch.name and scratch.is_dir() else Path(tempfile.gettempdir())
    path = parent / f"duckraft-rows-{uuid4().hex}.duckdb"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        path.with_name(path.name + ".wal").unlink(missing_ok=True)
