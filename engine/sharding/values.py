"""Key values in the catalog's JSON and in our DDL.

Promises: `from_json(to_json(v))` equals v and has its class, for every class of value that DuckDB's client returns for
a key; the JSON is plain, so NaN and infinity are strings in it. `sql_literal(v)`, cast to the key's type, is v again.
Leaves to others: which values a type has (`key_types.py`, `temporal_types.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ..errors import CatalogFileError, InternalError
from ..types import quote_identifier, quote_string
from .strategy import Value

MICROSECOND = timedelta(microseconds=1)

_TO_TEXT: dict[type, tuple[str, Callable[[Any], Any]]] = {
    float: ("float", repr),
    Decimal: ("decimal", str),
    bytes: ("bytes", bytes.hex),
    date: ("date", date.isoformat),
    datetime: ("timestamp", datetime.isoformat),
    time: ("time", time.isoformat),
    timedelta: ("microseconds", lambda value: value // MICROSECOND),
    UUID: ("uuid", str),
}
_FROM_TEXT: dict[str, Callable[[Any], Value]] = {
    "float": float,
    "decimal": Decimal,
    "bytes": bytes.fromhex,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "time": time.fromisoformat,
    "microseconds": lambda number: timedelta(microseconds=number),
    "uuid": UUID,
}
_PLAIN_DIGITS = 18
"""DuckDB reads a bare number of very many digits as a DOUBLE, which would lose some of them."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def to_json(value: Value) -> Any:
    """NULL, Booleans, integers and strings as they are; every other value as an object {its kind: its text}."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if type(value) not in _TO_TEXT:
        raise InternalError(f"a {type(value).__name__} is no key value")
    kind, text_of = _TO_TEXT[type(value)]
    return {kind: text_of(value)}


def from_json(value: Any) -> Value:
    """The value from which `to_json` made this. Raises CatalogFileError if it made no such thing."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    try:
        ((kind, text),) = value.items()
        return _FROM_TEXT[kind](text)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CatalogFileError(f"{value!r} is no key value of the catalog") from error


def sql_literal(value: Value) -> str:
    """An SQL expression without columns that is `value` when it is cast to the type of its key."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal)):
        digits = f"{value:f}" if isinstance(value, Decimal) else str(value)
        return digits if len(digits) <= _PLAIN_DIGITS else quote_string(digits)
    if isinstance(value, bytes):
        return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'"
    if isinstance(value, timedelta):
        return f"'{value.days} days {value.seconds * 1_000_000 + value.microseconds} microseconds'"
    if isinstance(value, datetime):
        return quote_string(value.isoformat(sep=" "))
    if isinstance(value, (date, time)):
        return quote_string(value.isoformat())
    # A query text cannot hold the character 0.
    return " || chr(0) || ".join(quote_string(part) for part in str(value).split("\0"))


def name_list(names: Iterable[str]) -> str:
    """Names for a clause, with quotes where they need them, such as `a, "b c"`."""
    return ", ".join(name if _PLAIN_NAME.fullmatch(name) else quote_identifier(name) for name in names)
