"""What is written to a shard's log: statements, each with all that it takes to give the same rows when it runs again.

    version (1 byte, `VERSION`), number of operations (4 bytes), then each operation:
    SQL, parameters, settings: values as in `value_codec.py`
    rows: 0 for none; 1 for Arrow, 2 for a DuckDB file, then their length (8 bytes) and content

Promises: `decode` gives what `encode` was given, as far as DuckDB can tell; `apply` runs an operation as it was run.
Leaves to others: that running it again gives the same (`sql/determinism.py`, `executor/changes`), transactions, and
where the bytes lie (`log.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import LogDamagedError
from ..types import Parameters
from . import duck
from .rows import ROWS_NAME as ROWS_NAME
from .rows import Rows as Rows
from .rows import bound
from .settings import Settings, in_force
from .value_codec import read_value, write_value

VERSION = 1

_HEAD = struct.Struct("<BI")
_ROWS = struct.Struct("<BQ")
_NO_ROWS = b"\0"
_FORMATS: dict[int, str] = {1: "arrow", 2: "duckdb"}
_NUMBERS = {name: number for number, name in _FORMATS.items()}


@dataclass(frozen=True, slots=True)
class Operation:
    """A statement. rows: what the relation `ROWS_NAME` holds while it runs.

    settings: (name, value) of DuckDB's settings that its meaning depends on, where they are not those of `settings.py`.
    """

    sql: str
    parameters: Parameters = None
    rows: Rows | None = None
    settings: Settings = ()


def encode(operations: Sequence[Operation]) -> bytes:
    """The operations as bytes. Raises NotSupportedError for a parameter that DuckDB does not take either."""
    parts = [_HEAD.pack(VERSION, len(operations))]
    for operation in operations:
        write_value(parts, operation.sql)
        write_value(parts, operation.parameters)
        write_value(parts, operation.settings)
        rows = operation.rows
        if rows is None:
            parts.append(_NO_ROWS)
        else:
            parts += (_ROWS.pack(_NUMBERS[rows.format], len(rows.data)), rows.data)
    return b"".join(parts)


def decode(data: bytes) -> list[Operation]:
    """The operations that `encode` made the bytes of. Raises LogDamagedError, also for a later version's."""
    try:
        version, count = _HEAD.unpack_from(data)
        if version != VERSION:
            raise LogDamagedError(
                f"operations of version {version} are in the log; this program reads version {VERSION}",
                hint="Open the database with the version of duckraft that wrote it, or a later one.",
            )
        operations: list[Operation] = []
        at = _HEAD.size
        for _ in range(count):
            operation, at = _decode_one(data, at)
            operations.append(operation)
    except (struct.error, IndexError, ValueError, OverflowError, ArithmeticError) as error:
        raise LogDamagedError(f"operations in the log cannot be read: {error}") from None
    if at != len(data):
        raise LogDamagedError(f"{len(data) - at} bytes follow the last operation")
    return operations


def _decode_one(data: bytes, at: int) -> tuple[Operation, int]:
    sql, at = read_value(data, at)
    parameters, at = read_value(data, at)
    settings, at = read_value(data, at)
    if data[at] == 0:
        return Operation(sql, parameters, None, settings), at + 1
    number, length = _ROWS.unpack_from(data, at)
    start = at + _ROWS.size
    end = start + length
    if number not in _FORMATS or end > len(data):
        raise LogDamagedError(f"the rows at byte {at} cannot be read")
    rows = Rows("arrow" if _FORMATS[number] == "arrow" else "duckdb", data[start:end])
    return Operation(sql, parameters, rows, settings), end


def apply(connection: duck.Connection, operation: Operation, deviating: Settings = ()) -> None:
    """Run an operation on a connection of its shard, inside a transaction. Raises errors.Error.

    connection: its settings are those of `settings.settle`, but for those in `deviating`.
    """
    with in_force(connection, operation.settings, deviating):
        if operation.rows is None:
            _run(connection, operation)
        else:
            with bound(connection, operation.rows):
                _run(connection, operation)


def _run(connection: duck.Connection, operation: Operation) -> None:
    duck.execute(connection, operation.sql, operation.parameters)
    duck.guarded(connection.fetchall)
