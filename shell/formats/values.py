"""One value as text, the way DuckDB prints it, and as JSON.

Promises: `text_encoder` and `json_encoder` give, for a column's type, a function over its values other than NULL; both
are exact: integers and decimals keep all their digits, a FLOAT the fewest digits that give it back.
In JSON: dates and times are ISO 8601 strings; NaN and infinities are the strings "NaN", "Infinity" and "-Infinity";
BLOBs are the string that DuckDB prints (`\\xAB` for a byte that is not printable ASCII); a MAP is an object.
"""

from __future__ import annotations

import datetime
import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from json.encoder import encode_basestring as quote_json
from typing import Any

from .value_types import ValueType, parse_type

Encoder = Callable[[Any], str]

_SMALLEST_NORMAL_FLOAT = 2.0**-126

_NEEDS_QUOTES_IN_LIST = re.compile(r"""^$|^\s|\s$|[,'"\\\[\]{}()=:\n]|^null$""", re.IGNORECASE)


def text_encoder(type_name: str) -> Encoder:
    """The function that prints values of this type (given as DuckDB names it) other than NULL."""
    return _text(parse_type(type_name))


def json_encoder(type_name: str) -> Encoder:
    """The function that gives values of this type (given as DuckDB names it) other than NULL as JSON text."""
    return _json(parse_type(type_name))


def _text(value_type: ValueType) -> Encoder:
    match value_type.name:
        case "VARCHAR" | "UUID" | "JSON" | "BIT" | "ENUM":
            return str
        case "BOOLEAN":
            return _boolean
        case "FLOAT":
            return _float32
        case "LIST" | "TUPLE" | "STRUCT" | "MAP":
            return lambda value: _nested_text(value, value_type)
        case name if value_type.is_number and name != "DECIMAL":
            return str
        case _:
            return _any_text


def _json(value_type: ValueType) -> Encoder:
    match value_type.name:
        case "VARCHAR" | "UUID" | "BIT" | "ENUM":
            return lambda value: quote_json(str(value))
        case "JSON":
            # It is JSON already; a line break can only stand between its tokens, where a blank does as well.
            return lambda value: str(value).replace("\n", " ").replace("\r", " ")
        case "BOOLEAN":
            return _boolean
        case "FLOAT":
            return lambda value: _finite_or_quoted(value, _float32)
        case "LIST" | "TUPLE" | "STRUCT" | "MAP":
            return lambda value: _nested_json(value, value_type)
        case _:
            return _any_json


def _boolean(value: Any) -> str:
    return "true" if value else "false"


def _float32(value: Any) -> str:
    """The shortest decimal number that is this FLOAT again."""
    if not isinstance(value, float) or not math.isfinite(value):
        return str(value)
    # Six digits always survive a FLOAT, but the smallest ones have fewer.
    for digits in range(6 if abs(value) > _SMALLEST_NORMAL_FLOAT else 1, 9):
        shorter = float(f"{value:.{digits}g}")
        try:
            if struct.unpack("f", struct.pack("f", shorter)) == (value,):
                return repr(shorter)
        except OverflowError:  # rounded up beyond the largest FLOAT
            continue
    return repr(float(f"{value:.9g}"))


def _any_text(value: Any) -> str:
    """A value by what Python made of it."""
    match value:
        case bool():
            return _boolean(value)
        case Decimal():
            return format(value, "f")
        case datetime.datetime():
            return _WHOLE_HOURS_OF_ZONE.sub(r"\1", _clock(value.isoformat(" ")))
        case datetime.time():
            return _WHOLE_HOURS_OF_ZONE.sub(r"\1", _clock(value.isoformat()))
        case datetime.timedelta():
            return _interval(value)
        case bytes() | bytearray() | memoryview():
            return _blob(bytes(value))
        case list() | tuple() | dict():
            return _nested_text(value, ValueType("UNKNOWN"))
        case _:
            return str(value)


def _any_json(value: Any) -> str:
    match value:
        case bool():
            return _boolean(value)
        case int():
            return str(value)
        case float():
            return _finite_or_quoted(value, repr)
        case Decimal():
            return format(value, "f")
        case datetime.datetime():
            return f'"{_clock(value.isoformat("T"))}"'
        case list() | tuple() | dict():
            return _nested_json(value, ValueType("UNKNOWN"))
        case _:
            return quote_json(_any_text(value))


def _finite_or_quoted(value: float, encode: Encoder) -> str:
    if math.isfinite(value):
        return encode(value)
    if math.isnan(value):
        return '"NaN"'
    return '"Infinity"' if value > 0 else '"-Infinity"'


_ZEROS_OF_FRACTION = re.compile(r"(\.\d*?)0+(?=[+-]|$)")
_WHOLE_HOURS_OF_ZONE = re.compile(r"([+-]\d\d):00$")


def _clock(text: str) -> str:
    """An ISO time without zeros at the end of its fraction."""
    return _ZEROS_OF_FRACTION.sub(r"\1", text) if "." in text else text


def _interval(value: datetime.timedelta) -> str:
    """An interval as DuckDB prints it: `2 days 01:00:00.5`."""
    micros = (value.seconds * 1_000_000) + value.microseconds
    days = value.days
    if days < 0 and micros:
        # Python keeps the fraction of a negative interval positive; DuckDB gives both parts the same sign.
        days, micros = days + 1, micros - 86_400_000_000
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    minutes, rest = divmod(micros, 60_000_000)
    clock = f"{sign}{minutes // 60:02}:{minutes % 60:02}:{rest // 1_000_000:02}"
    if rest % 1_000_000:
        clock += f".{rest % 1_000_000:06}".rstrip("0")
    if not days:
        return clock
    day_text = f"{days} day" if days in (1, -1) else f"{days} days"
    return f"{day_text} {clock}" if micros else day_text


def _blob(value: bytes) -> str:
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02X}" for b in value)


def _child(value_type: ValueType, index: int) -> ValueType:
    children = value_type.children
    return children[min(index, len(children) - 1)] if children else ValueType("UNKNOWN")


def _map_items(value: Any, value_type: ValueType) -> list[tuple[Any, Any]] | None:
    """The entries of a MAP; DuckDB gives those whose keys Python cannot hash as two lists. None if it is no MAP."""
    if value_type.name != "MAP":
        return None
    if isinstance(value, dict):
        if value_type.children[0].name in ("LIST", "STRUCT", "MAP", "TUPLE") and set(value) == {
            "key",
            "value",
        }:
            return list(zip(value["key"], value["value"], strict=True))
        return list(value.items())
    return [(key, item) for key, item in value]


def _nested_text(value: Any, value_type: ValueType) -> str:
    def inner(item: Any, index: int) -> str:
        if item is None:
            return "NULL"
        text = _text(_child(value_type, index))(item)
        if not isinstance(item, str | bytes) or _NEEDS_QUOTES_IN_LIST.search(text) is None:
            return text
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    entries = _map_items(value, value_type)
    if entries is not None:
        return "{" + ", ".join(f"{inner(key, 0)}={inner(item, 1)}" for key, item in entries) + "}"
    if isinstance(value, dict):
        fields = (f"'{name}': {inner(item, index)}" for index, (name, item) in enumerate(value.items()))
        return "{" + ", ".join(fields) + "}"
    items = ", ".join(inner(item, index) for index, item in enumerate(value))
    return f"({items})" if value_type.name == "TUPLE" else f"[{items}]"


def _nested_json(value: Any, value_type: ValueType) -> str:
    def inner(item: Any, index: int) -> str:
        return "null" if item is None else _json(_child(value_type, index))(item)

    entries = _map_items(value, value_type)
    if entries is not None:
        key_text = _text(value_type.children[0])
        return (
            "{" + ", ".join(f"{quote_json(key_text(key))}: {inner(item, 1)}" for key, item in entries) + "}"
        )
    if isinstance(value, dict):
        fields = (
            f"{quote_json(name)}: {inner(item, index)}" for index, (name, item) in enumerate(value.items())
        )
        return "{" + ", ".join(fields) + "}"
    return "[" + ", ".join(inner(item, index) for index, item in enumerate(value)) + "]"
