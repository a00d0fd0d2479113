"""What running a plan cost, as values: for EXPLAIN ANALYZE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cost:
    """One part of the work.

    rows, bytes: what it gave (bytes: as DuckDB lays values out; None if nobody counted). scanned: rows read from
    tables; None if nobody counted. work_ms: the time that threads spent on it, added up: with several threads it may be
    more than the time that went by.
    """

    rows: int
    work_ms: float
    bytes: int | None = None
    scanned: int | None = None

    def plus(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(
            self.rows + other.rows,
            self.work_ms + other.work_ms,
            _sum(self.bytes, other.bytes),
            _sum(self.scanned, other.scanned),
        )


@dataclass(frozen=True, slots=True)
class Costs:
    """What a whole statement cost.

    rows: of the result, or changed. planning_ms, execution_ms: time that went by. fragments: by the name of a fragment,
    the cost by shard. together: fragments that could not be told apart; the first of them has the cost of all. merge:
    what was not done for a fragment; None if nobody counted.
    """

    rows: int
    planning_ms: float
    execution_ms: float
    fragments: Mapping[str, Mapping[int, Cost]] = field(default_factory=dict)
    together: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    merge: Cost | None = None

    def work_ms(self) -> float:
        """The work of all threads on all parts."""
        parts = [cost for shards in self.fragments.values() for cost in shards.values()]
        return sum(cost.work_ms for cost in parts) + (self.merge.work_ms if self.merge else 0.0)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
