"""What the planner asks about the rows of a shard, without reading them.

Estimates choose among plans that are all right. Bounds decide which shards are left out, so they must hold for every
row that the query could see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..catalog.model import Table


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the values of a column are between, as DuckDB's client returns them: there may be none at the bounds.

    least, greatest: None if there is no value. nullable: whether NULL may be among them.
    """

    least: Any
    greatest: Any
    nullable: bool


@dataclass(frozen=True, slots=True)
class ShardBounds:
    """The bounds of some columns, by name in lower case, of all rows that a shard has; None where they are not known.

    number: of the database's shard. changes: how often it had been changed; with the next change they may be wrong.
    """

    number: int
    changes: int
    columns: Mapping[str, Bounds | None]


class Statistics(Protocol):
    """How much each shard of a table holds. shard: its number among the table's own; 0 for a reference table."""

    def rows(self, table: Table, shard: int) -> int:
        """About how many rows the shard has: deleted ones may still count."""
        ...

    def bytes(self, table: Table, shard: int) -> int:
        """About how many bytes these rows take when they are moved, uncompressed."""
        ...

    def bounds(self, table: Table, columns: Sequence[str]) -> Sequence[ShardBounds | None]:
        """The bounds of these columns on each of the table's shards in order; None where they cannot be told now."""
        ...
