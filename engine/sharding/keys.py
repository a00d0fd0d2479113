"""The key type of a column by its DuckDB type, and what a literal means for it.

Promises: a type that cannot be in a shard key is refused with an error that names the column and says what to do.
Leaves to others: what each type does (`key_types.py`, `temporal_types.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ..errors import NotSupportedError, ProgrammingError
from .key_types import CANNOT_TELL, BlobType, DecimalType, FloatType, IntegerType, KeyType, TextType, UuidType
from .strategy import KeyColumn, Value
from .temporal_types import TEMPORAL_TYPES

SUPPORTED = (
    "integers, DECIMAL, FLOAT, DOUBLE, BOOLEAN, VARCHAR, ENUM, BLOB, BIT, UUID, dates, times and intervals"
)

_BY_NAME: dict[str, type[KeyType]] = {
    **dict.fromkeys(("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), IntegerType),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), IntegerType),
    **dict.fromkeys(("FLOAT", "DOUBLE"), FloatType),
    **dict.fromkeys(("VARCHAR", "BIT"), TextType),
    "BLOB": BlobType,
    "UUID": UuidType,
    **TEMPORAL_TYPES,
}
_DECIMAL = re.compile(r"DECIMAL\(([0-9]+),\s*([0-9]+)\)")


@lru_cache(maxsize=1024)
def find_key_type(name: str) -> KeyType | None:
    """The key type of a DuckDB type as DESCRIBE prints it, or None if it cannot be a key."""
    if decimal := _DECIMAL.fullmatch(name):
        return DecimalType(name, int(decimal[1]), int(decimal[2]))
    if name.startswith("ENUM(") and name.endswith(")"):
        return TextType(name)
    found = _BY_NAME.get(name)
    return found(name) if found else None


def types_of(key: Sequence[KeyColumn]) -> tuple[KeyType, ...]:
    """The key types of these columns.

    Raises NotSupportedError that names a column which cannot be in a key, and ProgrammingError for no column (42P17)
    or one that is there twice (42701).
    """
    if not key:
        raise ProgrammingError("a shard key needs a column", sqlstate="42P17")
    names = [column.name.lower() for column in key]
    for column in key:
        if names.count(column.name.lower()) > 1:
            raise ProgrammingError(f'column "{column.name}" is in the shard key twice', sqlstate="42701")
    return tuple(_type_of(column) for column in key)


def _type_of(column: KeyColumn) -> KeyType:
    found = find_key_type(column.type)
    if found is None:
        raise NotSupportedError(
            f'column "{column.name}" of type {column.type} cannot be in a shard key',
            hint="Shard by a column of another type, or add one computed from this, such as a VARCHAR of its text.",
            detail=f"Keys can be {SUPPORTED}.",
        )
    return found


def coerce(value: Value, duckdb_type: str) -> Value:
    """The value of this type that equals `value` when DuckDB compares the two, or CANNOT_TELL.

    value: what a bare SQL literal or a bound parameter is in Python. Of a literal under a CAST, coerce to the type of
    the CAST first, then to the column's. The result holds for =, IN, <, <=, > and >= alike. NULL stays
    None. Never raises: whether a literal is an error is for DuckDB to say.
    """
    key_type = find_key_type(duckdb_type)
    if value is None:
        return None
    return CANNOT_TELL if key_type is None else key_type.coerce(value)
