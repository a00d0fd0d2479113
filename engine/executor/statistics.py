"""What the shards hold, as DuckDB's own statistics tell: rows and bytes.

Promises: estimates are as of the last change of any shard, or newer. Nothing is counted: DuckDB keeps these numbers
itself, and reading them takes a millisecond for a hundred shards.
Leaves to others: what is made of them (`planner`).
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from ..catalog.model import Table
from ..storage import duck, shard
from ..types import quote_identifier
from .binding import shard_table

if TYPE_CHECKING:
    from .gateway import Gateway

_WIDTHS = {
    **dict.fromkeys(("BOOLEAN", "TINYINT", "UTINYINT"), 1),
    **dict.fromkeys(("SMALLINT", "USMALLINT"), 2),
    **dict.fromkeys(("INTEGER", "UINTEGER", "FLOAT", "DATE"), 4),
    **dict.fromkeys(("HUGEINT", "UHUGEINT", "UUID", "INTERVAL"), 16),
}
"""Bytes of one value, where it is not 8."""

_TEXT = re.compile(r"VARCHAR|BLOB|BIT|JSON|BIGNUM")
_NESTED_BYTES = 64
"""For lists, structs and what else has parts: their sizes are not among the statistics."""


class ShardStatistics:
    """A `planner.statistics.Statistics` for all sessions of a database. Safe for threads."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str, str], int] = {}
        self._rows_as_of: tuple[int, int] | None = None
        self._widths: dict[tuple[str, str], tuple[int, float]] = {}

    def rows(self, table: Table, shard: int) -> int:
        """About how many rows a shard of a table has: deleted ones may still count."""
        as_of = (self._gateway.catalog.version, self._gateway.versions.total)
        if as_of != self._rows_as_of:
            with self._lock, self._gateway.asking() as connection:
                found = duck.rows(
                    connection,
                    "SELECT database_name, lower(schema_name), lower(table_name), estimated_size"
                    " FROM system.main.duckdb_tables() WHERE NOT internal",
                )
                self._rows = {(database, *name): size for database, *name, size in found}
                self._rows_as_of = as_of
        return self._rows.get((_home(table, shard), *table.key), 0)

    def bytes(self, table: Table, shard: int) -> int:
        """About how many bytes these rows take when they are moved, uncompressed."""
        return round(self.rows(table, shard) * self._width(table))

    def _width(self, table: Table) -> float:
        """The bytes of a row: texts are as long as those on the table's largest shard at the time when it was asked."""
        known = self._widths.get(table.key)
        if known is None or known[0] != table.version:
            largest = max(range(table.strategy.shard_count), key=lambda number: self.rows(table, number))
            known = (table.version, sum(self._column_widths(table, largest)))
            if self.rows(table, largest):
                self._widths[table.key] = known
        return known[1]

    def _column_widths(self, table: Table, number: int) -> list[float]:
        texts = [column.name for column in table.columns if _TEXT.match(column.type)]
        lengths: dict[str, float] = {}
        if texts:
            asked = ", ".join(f"stats({quote_identifier(name)})" for name in texts)
            with self._gateway.asking() as connection:
                found = duck.rows(connection, f"SELECT {asked} FROM {shard_table(table, number)} LIMIT 1")
            rows = max(1, self.rows(table, number))
            for name, known in zip(texts, found[0] if found else (), strict=False):
                lengths[name] = known.get("total_string_length", 0) / rows
        return [_fixed_width(column.type) + lengths.get(column.name, 0.0) for column in table.columns]


def _fixed_width(kind: str) -> int:
    """The bytes of a value of this type; for texts, those that it takes besides its characters."""
    if _TEXT.match(kind):
        return 4
    if "[" in kind or kind.startswith(("STRUCT", "MAP", "UNION", "VARIANT")):
        return _NESTED_BYTES
    return _WIDTHS.get(kind, 8)


def _home(table: Table, number: int) -> str:
    """The name of the attached file that holds a shard of a table."""
    return shard.alias(table.placements[0 if table.is_reference else number])
