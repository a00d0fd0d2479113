"""Parameters of statements as bytes: every Python value that DuckDB's client takes, so that it is bound again.

A value is one byte that says what it is, then its content; numbers are little-endian. `docs/reference/log-format.md`
has the table.
Promises: what is read back is bound as the same DuckDB type and value. A datetime or time with a zone keeps its instant
and its offset, not the name of the zone, which DuckDB does not keep either. Arrays of numpy come back as lists, which
is how DuckDB takes them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID

from ..errors import LogDamagedError, NotSupportedError
from . import duck

_INT = struct.Struct("<ci")
_LONG = struct.Struct("<cq")
_WIDE = struct.Struct("<cB")
_DOUBLE = struct.Struct("<cd")
_LENGTH = struct.Struct("<cI")
_DATE = struct.Struct("<cHBB")
_TIME = struct.Struct("<cBBBI")
_DATETIME = struct.Struct("<cHBBBBBI")
_INTERVAL = struct.Struct("<ciii")
_OFFSET = struct.Struct("<ii")
_MOST_OF_INT, _MOST_OF_LONG = 1 << 31, 1 << 63

Parts = list[bytes]


def write_value(parts: Parts, value: Any) -> None:
    """Append the bytes of a value to `parts`. Raises NotSupportedError for one that DuckDB does not take either."""
    writer = _WRITERS.get(type(value))
    if writer is not None:
        writer(parts, value)
    else:
        _write_other(parts, value)


def _write_int(parts: Parts, value: int) -> None:
    if -_MOST_OF_INT <= value < _MOST_OF_INT:
        parts.append(_INT.pack(b"i", value))
    elif -_MOST_OF_LONG <= value < _MOST_OF_LONG:
        parts.append(_LONG.pack(b"q", value))
    else:
        data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        parts += (_WIDE.pack(b"w", len(data)), data)


def _write_str(parts: Parts, value: str) -> None:
    data = value.encode()
    parts += (_LENGTH.pack(b"s", len(data)), data)


def _write_bytes(parts: Parts, value: bytes | bytearray | memoryview) -> None:
    data = bytes(value)
    parts += (_LENGTH.pack(b"b", len(data)), data)


def _write_decimal(parts: Parts, value: Decimal) -> None:
    data = str(value).encode()
    parts += (_LENGTH.pack(b"D", len(data)), data)


def _write_time(parts: Parts, value: time) -> None:
    offset = value.utcoffset()
    kind = b"t" if offset is None else b"z"
    parts.append(_TIME.pack(kind, value.hour, value.minute, value.second, value.microsecond))
    if offset is not None:
        parts.append(_offset(offset))


def _write_datetime(parts: Parts, value: datetime) -> None:
    offset = value.utcoffset()
    clock = value.hour, value.minute, value.second, value.microsecond
    kind = b"p" if offset is None else b"Z"
    parts.append(_DATETIME.pack(kind, value.year, value.month, value.day, *clock))
    if offset is not None:
        parts.append(_offset(offset))


def _offset(offset: timedelta) -> bytes:
    return _OFFSET.pack(offset.days * 86_400 + offset.seconds, offset.microseconds)


def _write_items(kind: bytes) -> Callable[[Parts, Any], None]:
    def write(parts: Parts, values: Any) -> None:
        parts.append(_LENGTH.pack(kind, len(values)))
        for value in values:
            write_value(parts, value)

    return write


def _write_mapping(parts: Parts, values: Mapping[Any, Any]) -> None:
    parts.append(_LENGTH.pack(b"m", len(values)))
    for name, value in values.items():
        write_value(parts, name)
        write_value(parts, value)


def _write_typed(parts: Parts, value: duck.Value) -> None:
    parts.append(b"V")
    _write_str(parts, str(value.type))
    write_value(parts, value.object)


_WRITERS: dict[type, Callable[[Parts, Any], None]] = {
    type(None): lambda parts, _: parts.append(b"N"),
    bool: lambda parts, value: parts.append(b"T" if value else b"F"),
    int: _write_int,
    float: lambda parts, value: parts.append(_DOUBLE.pack(b"d", value)),
    str: _write_str,
    bytes: _write_bytes,
    bytearray: _write_bytes,
    memoryview: _write_bytes,
    Decimal: _write_decimal,
    datetime: _write_datetime,
    date: lambda parts, value: parts.append(_DATE.pack(b"a", value.year, value.month, value.day)),
    time: _write_time,
    timedelta: lambda parts, value: parts.append(
        _INTERVAL.pack(b"v", value.days, value.seconds, value.microseconds)
    ),
    UUID: lambda parts, value: parts.append(b"U" + value.bytes),
    list: _write_items(b"l"),
    tuple: _write_items(b"u"),
    dict: _write_mapping,
    duck.Value: _write_typed,
}


def _write_other(parts: Parts, value: Any) -> None:
    """A value of a class that is derived from a known one, or that DuckDB takes for one."""
    if hasattr(value, "tolist"):  # numpy's arrays and scalars, of which DuckDB takes what Python has of them.
        write_value(parts, value.tolist())
        return
    if type(value).__name__ in ("NaTType", "NAType"):  # pandas has these for NULL.
        parts.append(b"N")
        return
    for known, writer in _WRITERS.items():
        if isinstance(value, known):
            writer(parts, value)
            return
    if isinstance(value, Mapping):
        _write_mapping(parts, value)
        return
    raise NotSupportedError(
        f"a value of the Python type {type(value).__name__} cannot be a parameter",
        hint="Give it as a type that DuckDB takes, such as int, float, str or datetime.",
    )


def read_value(data: bytes, at: int) -> tuple[Any, int]:
    """The value whose bytes start at offset `at`, and where the next one starts. Raises LogDamagedError."""
    reader = _READERS.get(data[at : at + 1])
    if reader is None:
        raise LogDamagedError(f"unknown kind of value {data[at : at + 1]!r} at byte {at}")
    return reader(data, at)


def _read_wide(data: bytes, at: int) -> tuple[int, int]:
    start = at + _WIDE.size
    end = start + data[at + 1]
    return int.from_bytes(data[start:end], "little", signed=True), end


def _content(data: bytes, at: int) -> tuple[bytes, int]:
    start = at + _LENGTH.size
    end = start + _LENGTH.unpack_from(data, at)[1]
    if end > len(data):
        raise LogDamagedError(f"the value at byte {at} is longer than what is there")
    return data[start:end], end


def _read_str(data: bytes, at: int) -> tuple[str, int]:
    content, end = _content(data, at)
    return content.decode(), end


def _read_decimal(data: bytes, at: int) -> tuple[Decimal, int]:
    content, end = _content(data, at)
    return Decimal(content.decode()), end


def _read_zone(data: bytes, at: int) -> tuple[tzinfo, int]:
    seconds, microseconds = _OFFSET.unpack_from(data, at)
    return timezone(timedelta(seconds=seconds, microseconds=microseconds)), at + _OFFSET.size


def _read_time(data: bytes, at: int) -> tuple[time, int]:
    kind, hour, minute, second, microsecond = _TIME.unpack_from(data, at)
    end, zone = at + _TIME.size, None
    if kind == b"z":
        zone, end = _read_zone(data, end)
    return time(hour, minute, second, microsecond, zone), end


def _read_datetime(data: bytes, at: int) -> tuple[datetime, int]:
    kind, year, month, day, hour, minute, second, microsecond = _DATETIME.unpack_from(data, at)
    end, zone = at + _DATETIME.size, None
    if kind == b"Z":
        zone, end = _read_zone(data, end)
    return datetime(year, month, day, hour, minute, second, microsecond, zone), end


def _read_list(data: bytes, at: int) -> tuple[list[Any], int]:
    count = _LENGTH.unpack_from(data, at)[1]
    at += _LENGTH.size
    values = []
    for _ in range(count):
        value, at = read_value(data, at)
        values.append(value)
    return values, at


def _read_tuple(data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
    values, end = _read_list(data, at)
    return tuple(values), end


def _read_mapping(data: bytes, at: int) -> tuple[dict[Any, Any], int]:
    count = _LENGTH.unpack_from(data, at)[1]
    at += _LENGTH.size
    values = {}
    for _ in range(count):
        name, at = read_value(data, at)
        values[name], at = read_value(data, at)
    return values, at


def _read_typed(data: bytes, at: int) -> tuple[duck.Value, int]:
    kind, at = _read_str(data, at + 1)
    value, end = read_value(data, at)
    return duck.typed_value(value, kind), end


_READERS: dict[bytes, Callable[[bytes, int], tuple[Any, int]]] = {
    b"N": lambda _, at: (None, at + 1),
    b"T": lambda _, at: (True, at + 1),
    b"F": lambda _, at: (False, at + 1),
    b"i": lambda data, at: (_INT.unpack_from(data, at)[1], at + _INT.size),
    b"q": lambda data, at: (_LONG.unpack_from(data, at)[1], at + _LONG.size),
    b"w": _read_wide,
    b"d": lambda data, at: (_DOUBLE.unpack_from(data, at)[1], at + _DOUBLE.size),
    b"s": _read_str,
    b"b": _content,
    b"D": _read_decimal,
    b"a": lambda data, at: (date(*_DATE.unpack_from(data, at)[1:]), at + _DATE.size),
    b"t": _read_time,
    b"z": _read_time,
    b"p": _read_datetime,
    b"Z": _read_datetime,
    b"v": lambda data, at: (timedelta(*_INTERVAL.unpack_from(data, at)[1:]), at + _INTERVAL.size),
    b"U": lambda data, at: (UUID(bytes=data[at + 1 : at + 17]), at + 17),
    b"l": _read_list,
    b"u": _read_tuple,
    b"m": _read_mapping,
    b"V": _read_typed,
}
