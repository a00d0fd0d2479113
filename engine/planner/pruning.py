"""Shards that are left out because their statistics say that no row there satisfies the conditions.

Promises: a shard is left out only if no row that it had when its statistics were read can satisfy the conditions. What
was relied on is kept with the route, for whoever runs the plan to check that it still holds.
Leaves to others: reading statistics (`executor/statistics.py`), the shard key (`route.py`), keeping plans (`cache.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..sharding.key_types import DecimalType, IntegerType, KeyType
from ..sharding.keys import find_key_type
from ..sharding.restriction import Restriction, restrict
from ..sharding.strategy import Predicate
from ..sharding.temporal_types import DateType, TimestampType
from ..types import Parameters
from .comparison import Comparison
from .plan import TableRoute
from .statistics import Bounds, ShardBounds, Statistics

FEWEST_TO_PLAN_FOR = 16
"""Of fewer shards none is left out for the value of a parameter.

What can be left out differs from value to value, so the statement would be planned for each, which costs more than it
saves: at 8 shards, 19 ms against 8 ms for the plan of all shards that is kept; at 64 shards, 8 ms against 80 ms.
"""


def prune(
    route: TableRoute, comparisons: Sequence[Comparison], parameters: Parameters, statistics: Statistics
) -> TableRoute:
    """The route without the shards on which no row can satisfy all the comparisons."""
    if route.table.is_reference or len(route.shards) < 2:
        return route
    kinds = {column.name.lower(): column.type for column in route.table.columns}
    used = [one for one in comparisons if _bounded_type(kinds.get(one.column.lower(), "")) is not None]
    by_value = any(constant.parameter is not None for one in used for constant in one.constants)
    wanted = _restrictions(used, kinds, parameters)
    if not wanted or (by_value and len(route.shards) < FEWEST_TO_PLAN_FOR):
        return route
    known = statistics.bounds(route.table, tuple(wanted))
    if not any(bounds is None or _has_rows(bounds) for bounds in known):
        # Of an empty table nothing is left out: there is nothing to gain, and its plan is that of the full table.
        return route
    left_out = {
        shard: bounds
        for shard in route.shards
        if (bounds := known[shard]) is not None and not _can_match(bounds, wanted, kinds)
    }
    provisional = by_value or any(known[shard] is None for shard in route.shards)
    if not left_out:
        return replace(route, provisional=provisional)
    texts = dict.fromkeys(one.text for one in used if one.column.lower() in wanted)
    return replace(
        route,
        shards=tuple(shard for shard in route.shards if shard not in left_out),
        reason=f"{route.reason}; statistics rule out {_count(len(left_out))}: {' and '.join(texts)}",
        left_out=tuple((bounds.number, bounds.changes) for bounds in left_out.values()),
        provisional=provisional,
    )


def _restrictions(
    comparisons: Sequence[Comparison], kinds: dict[str, str], parameters: Parameters
) -> dict[str, Restriction]:
    """What the comparisons leave of each column that they are about, by its name in lower case."""
    predicates: dict[str, list[Predicate]] = {}
    for comparison in comparisons:
        name = comparison.column.lower()
        predicate = comparison.predicate(kinds[name], parameters, None)
        if predicate is not None:
            predicates.setdefault(name, []).append(predicate)
    found: dict[str, Restriction] = {}
    for name, listed in predicates.items():
        key_type = _bounded_type(kinds[name])
        if key_type is not None:
            found[name] = restrict(key_type, listed)
    return found


def _count(shards: int) -> str:
    return "1 shard" if shards == 1 else f"{shards} shards"


def _has_rows(shard: ShardBounds) -> bool:
    return any(
        bounds is None or bounds.nullable or bounds.least is not None for bounds in shard.columns.values()
    )


def _bounded_type(kind: str) -> KeyType | None:
    """The type of a column of which DuckDB keeps bounds that mean the same in Python; None for other types."""
    found = find_key_type(kind)
    if isinstance(found, (IntegerType, DecimalType, DateType)):
        return found
    return found if isinstance(found, TimestampType) and kind == "TIMESTAMP" else None


def _can_match(shard: ShardBounds, wanted: dict[str, Restriction], kinds: dict[str, str]) -> bool:
    """Whether a row of the shard can have, in each of the columns, a value that the restriction leaves."""
    for name, restriction in wanted.items():
        bounds, key_type = shard.columns.get(name), _bounded_type(kinds[name])
        if bounds is not None and key_type is not None and not _overlap(bounds, restriction, key_type):
            return False
    return True


def _overlap(bounds: Bounds, restriction: Restriction, key_type: KeyType) -> bool:
    takes_null = restriction.nullable if restriction.values is None else None in restriction.values
    if bounds.nullable and takes_null:
        return True
    if bounds.least is None or bounds.greatest is None:
        return False
    least, greatest = key_type.canonical(bounds.least), key_type.canonical(bounds.greatest)
    if restriction.values is not None:
        return any(value is not None and least <= value <= greatest for value in restriction.values)
    above = restriction.lower is None or greatest > restriction.lower
    below = restriction.upper is None or least < restriction.upper
    at_lower = greatest == restriction.lower and restriction.lower_inclusive
    at_upper = least == restriction.upper and restriction.upper_inclusive
    return (above or at_lower) and (below or at_upper)
