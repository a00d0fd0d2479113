"""What the planner asks about the rows of a shard, without reading them.

Estimates choose among plans that are all right. Bounds decide which shards are left out, so they must hold for every
row that the query could see.
"""

from __future__ import annotations

from typing import Protocol

from ..catalog.model import Table


class Statistics(Protocol):
    """How much each shard of a table holds. shard: its number among the table's own; 0 for a reference table."""

    def rows(self, table: Table, shard: int) -> int:
        """About how many rows the shard has: deleted ones may still count."""
        ...

    def bytes(self, table: Table, shard: int) -> int:
        """About how many bytes these rows take when they are moved, uncompressed."""
        ...
