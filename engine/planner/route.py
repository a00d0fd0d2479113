"""Which shards each table reference of a statement needs, and why.

Promises: never too few shards. A reference without a usable condition needs them all. The answer can be worked out
again for other parameters and literals of the same shape, without parsing again: that is what the plan cache keeps.
Leaves to others: collecting conditions (`conditions.py`), what a set of shards means for the plan (`planner.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..catalog.model import REFERENCE_SHARD, Table
from ..sharding import Predicate
from ..types import Parameters
from .analysis import Analysis, TableRef
from .comparison import Comparison
from .conditions import Conditions
from .plan import TableRoute


@dataclass(frozen=True, slots=True)
class RefRouter:
    """Works out the shards of one reference. comparisons: those on columns of the shard key, with the key's type."""

    table: Table
    name: str
    comparisons: tuple[tuple[Comparison, str, str], ...]

    def shards(self, parameters: Parameters, literals: Sequence[str] | None = None) -> tuple[int, ...]:
        """The table's shards for these values, ascending."""
        if not self.comparisons:
            return tuple(range(self.table.strategy.shard_count))
        predicates: dict[str, list[Predicate]] = {}
        for comparison, column, kind in self.comparisons:
            predicate = comparison.predicate(kind, parameters, literals)
            if predicate is not None:
                predicates.setdefault(column, []).append(predicate)
        if not predicates:
            return tuple(range(self.table.strategy.shard_count))
        return tuple(sorted(self.table.strategy.shards_for(predicates)))

    def route(self, parameters: Parameters) -> TableRoute:
        """The shards with the reason for them."""
        shards = self.shards(parameters)
        return TableRoute(self.table, self.name, shards, self.reason(shards))

    def reason(self, shards: tuple[int, ...]) -> str:
        """Why these shards, in words."""
        if self.table.is_reference:
            return "reference table: every node has all of it"
        if not self.comparisons:
            if not self.table.shard_key:
                return "spread evenly: every shard may hold matching rows"
            return f"no condition on the shard key ({', '.join(self.table.shard_key)})"
        because = " and ".join(dict.fromkeys(comparison.text for comparison, _, _ in self.comparisons))
        if len(shards) == self.table.strategy.shard_count:
            return f"{because} matches every shard"
        return because if shards else f"{because} matches no shard"


def routers(analysis: Analysis, conditions: Conditions) -> dict[TableRef, RefRouter]:
    """A router for every reference of a statement."""
    found: dict[TableRef, RefRouter] = {}
    for ref in analysis.refs:
        key = {column.name.lower(): column for column in ref.table.strategy.key}
        usable = tuple(
            (comparison, key[comparison.column.lower()].name, key[comparison.column.lower()].type)
            for comparison in conditions.comparisons[ref]
            if comparison.column.lower() in key
        )
        found[ref] = RefRouter(ref.table, ref.name, usable)
    return found


def single_shard(needs: Sequence[tuple[Table, tuple[int, ...]]]) -> int | None:
    """The one shard of the database that has everything these tables need; None if there is none such.

    Reference tables are everywhere and do not count; −1 means that only they are needed. A table that needs no shard
    at all (its conditions contradict each other) can be asked anywhere.
    """
    wanted: set[int] = set()
    undecided: Table | None = None
    for table, shards in needs:
        if table.is_reference:
            continue
        if len(shards) > 1:
            return None
        if shards:
            wanted.add(table.placements[shards[0]])
        else:
            undecided = table
    if len(wanted) > 1:
        return None
    if wanted:
        number = next(iter(wanted))
        # The statement must find every table there, also one it needs no row of.
        present = all(table.is_reference or number in table.placements for table, _ in needs)
        return number if present else None
    if undecided is not None:
        number = undecided.placements[0]
        present = all(table.is_reference or number in table.placements for table, _ in needs)
        return number if present else None
    return REFERENCE_SHARD
