"""Which table references of a statement stay on one shard with each other.

Two references are *aligned* if their tables are co-located and the statement equates their whole shard keys, so that
a row of one matters only beside rows of the other that live on the same shard.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog.colocation import colocated
from .analysis import TableRef
from .conditions import Conditions, Link


def aligned(refs: Sequence[TableRef], conditions: Conditions) -> bool:
    """Whether all these references (of sharded tables) are aligned, directly or through one another."""
    return len(components(refs, conditions)) <= 1


def components(refs: Sequence[TableRef], conditions: Conditions) -> list[list[TableRef]]:
    """The references in groups that are aligned, in the order of their first member."""
    group = {ref: [ref] for ref in refs}
    for one in refs:
        for other in refs:
            if group[one] is not group[other] and _key_equated(one, other, conditions.links):
                merged = group[one] + group[other]
                for member in merged:
                    group[member] = merged
    found: list[list[TableRef]] = []
    for ref in refs:
        if not any(group[ref] is known for known in found):
            found.append(group[ref])
    return found


def _key_equated(one: TableRef, other: TableRef, links: Sequence[Link]) -> bool:
    """Whether the links equate the shard keys of two references, column by column."""
    if one.table is not other.table and not colocated(one.table, other.table):
        return False
    pairs = list(zip(one.table.shard_key, other.table.shard_key, strict=True))
    if not pairs:
        return False
    return all(
        any(
            _is_link(link, one, first, other, second) or _is_link(link, other, second, one, first)
            for link in links
        )
        for first, second in pairs
    )


def _is_link(link: Link, source: TableRef, source_column: str, target: TableRef, target_column: str) -> bool:
    return (
        link.source is source
        and link.target is target
        and link.source_column.lower() == source_column.lower()
        and link.target_column.lower() == target_column.lower()
    )
