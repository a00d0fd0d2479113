"""A checksum of a table's rows: equal where two tables have the same rows, each as often, in whatever order.

A value is `N` for NULL, or else the bytes of its text, their number and a colon in front: `5:apple`. The text is what
DuckDB prints, with UTC as the time zone. A row is its values in the order of the columns; of its MD5 digest, the last
eight bytes are a little-endian integer. The checksum is the sum of these integers modulo 2^64.
Values that DuckDB takes for equal, as it does 0.0 and -0.0, or 30 days and a month, may differ between a shard and its
copy: an UPDATE leaves the one where the other was to be written, depending on what it finds in memory. Columns of such
types therefore count by what they are equal to.
Promises: everything else counts to the last bit. It costs about two microseconds a row on one thread, all in DuckDB.
Leaves to others: which tables to compare, and on which snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..types import Column, quote_identifier
from . import duck
from .settings import settle


@dataclass(frozen=True, slots=True)
class Checksum:
    """How many rows there are, and their checksum: an integer of 64 bits."""

    rows: int
    value: int

    def __str__(self) -> str:
        return f"{self.rows} rows, {self.value:016x}"


def checksum(connection: duck.Connection, table: str, columns: Sequence[Column]) -> Checksum:
    """That of the committed rows of a table. table: its full, quoted name. Raises errors.Error."""
    beside = connection.cursor()
    try:
        settle(beside)
        rows, total = duck.rows(beside, checksum_sql(table, columns))[0]
        return Checksum(rows, total % (1 << 64))
    finally:
        beside.close()


def checksum_sql(table: str, columns: Sequence[Column]) -> str:
    """A query for the number of rows and the sum of their digests, for a connection whose time zone is UTC."""
    values = ", ".join(_value(column) for column in columns) or "''"
    return (
        f"SELECT count(*), coalesce(sum(CAST(md5_number_lower(concat({values})) AS HUGEINT)), 0) FROM {table}"
    )


def _value(column: Column) -> str:
    name = quote_identifier(column.name)
    if column.type in ("FLOAT", "DOUBLE"):
        name = f"({name} + 0)"
    elif column.type == "INTERVAL":
        name = f"normalized_interval({name})"
    text = f"CAST({name} AS VARCHAR)"
    return f"coalesce(strlen({text}) || ':' || {text}, 'N')"
