"""Which tables are co-located: equal keys on the same shard, so that a join on the key needs no row to move."""

from __future__ import annotations

from functools import lru_cache

from .model import Table


@lru_cache(maxsize=4096)
def colocated(one: Table, other: Table) -> bool:
    """Whether equal keys of two different tables always live on the same shard, whatever the columns are called.

    Key columns correspond by their order in the shard keys. Reference and spread tables have no key and never count.
    """
    if one is other or not one.shard_key or one.placements != other.placements:
        return False
    first, second = one.strategy.to_json(), other.strategy.to_json()
    first.pop("key", None)
    second.pop("key", None)
    types = [[column.type for column in table.strategy.key] for table in (one, other)]
    return first == second and types[0] == types[1]
