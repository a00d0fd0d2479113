"""What the shards hold, as DuckDB's own statistics tell: rows, bytes, and the bounds of columns.

Promises: estimates are as of the last change of any shard, or newer. Bounds hold for every row that was committed when
they were read, and say after how many changes of their shard that was; DuckDB widens them with each row and prunes by
them itself. Nothing is counted or scanned: reading costs 0.3 ms a shard, once after each change.
Leaves to others: what is made of them (`planner`), noticing that they no longer hold (`versions.py`).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..catalog.model import Table
from ..planner.statistics import Bounds, ShardBounds
from ..storage import duck, shard
from ..types import quote_identifier
from .reading.binding import shard_table

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
        self.shown_version: int | None = None
        """The version of the catalog whose tables the view `duckraft.statistics` shows."""
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str, str], int] = {}
        self._rows_as_of: tuple[int, int] | None = None
        self._widths: dict[tuple[str, str], tuple[int, float]] = {}
        self._bounds: dict[tuple[tuple[str, str], int], tuple[int, ShardBounds | None]] = {}

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

    def bounds(self, table: Table, columns: Sequence[str]) -> list[ShardBounds | None]:
        """The bounds of these columns (names in lower case) on each of the table's shards in order.

        None for a shard that is being changed.
        """
        versions = self._gateway.versions
        found: list[ShardBounds | None] = []
        unknown: dict[int, int] = {}
        for number, home in enumerate(table.placements):
            changes = versions.changes(home)
            known = self._known_bounds(table, number, changes)
            if changes is not None and (known is None or any(name not in known.columns for name in columns)):
                unknown[number] = changes
                known = None
            found.append(known)
        read = self._read_bounds(table, columns, list(unknown)) if unknown else {}
        for number, changes in unknown.items():
            home = table.placements[number]
            if versions.changes(home) == changes:
                before = self._known_bounds(table, number, changes)
                found[number] = ShardBounds(
                    home, changes, {**(before.columns if before else {}), **read[number]}
                )
                self._bounds[table.key, number] = (table.version, found[number])
        return found

    def _known_bounds(self, table: Table, number: int, changes: int | None) -> ShardBounds | None:
        """The bounds that were read when the shard of the database had been changed so often."""
        version, known = self._bounds.get((table.key, number), (0, None))
        return known if known is not None and (version, known.changes) == (table.version, changes) else None

    def _read_bounds(
        self, table: Table, columns: Sequence[str], numbers: Sequence[int]
    ) -> dict[int, dict[str, Bounds | None]]:
        """By shard of the table and column, what DuckDB says."""
        asked = ", ".join(f"stats({quote_identifier(name)})" for name in columns)
        parts = [
            f"(SELECT {number}, {asked} FROM {shard_table(table, number)} LIMIT 1)" for number in numbers
        ]
        with self._gateway.asking() as connection:
            rows = duck.rows(connection, " UNION ALL ".join(parts))
        # A shard without rows has no statistics: no value is there.
        nothing: dict[str, Bounds | None] = dict.fromkeys(columns, Bounds(None, None, False))
        told = {row[0]: dict(zip(columns, map(_bounds_of, row[1:]), strict=True)) for row in rows}
        return {number: told.get(number, nothing) for number in numbers}

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


def _bounds_of(statistics: Mapping[str, Any] | None) -> Bounds | None:
    """The bounds in what `stats()` says of a column; None if it says none."""
    if statistics is None:
        return None
    if statistics.get("min") is None or statistics.get("max") is None:
        return None if statistics.get("has_no_null", True) else Bounds(None, None, True)
    return Bounds(statistics["min"], statistics["max"], bool(statistics.get("has_null", True)))


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
