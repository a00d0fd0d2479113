"""Consistent hash sharding: changing the number of shards moves as few rows as can be.

Hashes fall into 4096 slots, and a table says which shard has which slot. The table for n + 1 shards is the one for n
shards, out of which every shard gives some of its slots to the new one: about 1 / (n + 1) of all, and no other moves.
No two shards differ by more than one slot. The table is a pure function of the number of shards, so it is not stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from .hash import HashStrategy

SLOT_BITS = 12
SLOTS = 1 << SLOT_BITS
MAX_SHARDS = 1024


@dataclass(frozen=True, slots=True)
class ConsistentHashStrategy(HashStrategy):
    """`SHARD BY CONSISTENT HASH (…) SHARDS n`, n from 1 to 1024. Raises ProgrammingError 22023 for another n."""

    max_shards: ClassVar[int] = MAX_SHARDS

    @property
    def kind(self) -> str:
        """The name of the strategy, as the catalog and the DDL have it."""
        return "consistent hash"

    def shard_of_hash(self, key_hash: int) -> int:
        """The shard of a stable hash."""
        return slot_table(self.shard_count)[key_hash >> 32 - SLOT_BITS]

    def shard_of_hash_sql(self, key_hash: str) -> str:
        """`shard_of_hash` of a UBIGINT expression, as an INTEGER."""
        return f"{_slot_table_sql(self.shard_count)}[({key_hash} >> {32 - SLOT_BITS})::BIGINT + 1]::INTEGER"

    def describe_shard(self, shard: int) -> str:
        """What the shard holds, for people."""
        return f"{slot_table(self.shard_count).count(shard)} of {SLOTS} hash slots"


@lru_cache(maxsize=64)
def slot_table(shard_count: int) -> tuple[int, ...]:
    """The shard of each slot."""
    slots_of = [list(range(SLOTS))]
    for new in range(1, shard_count):
        # With n shards, shard i has ceil((SLOTS - i) / n) slots. That never rises with n, so nobody takes, all give.
        given: list[int] = []
        for shard, slots in enumerate(slots_of):
            kept = -((shard - SLOTS) // (new + 1))
            given += slots[kept:]
            del slots[kept:]
        slots_of.append(given)
    table = [0] * SLOTS
    for shard, slots in enumerate(slots_of):
        for slot in slots:
            table[slot] = shard
    return tuple(table)


@lru_cache(maxsize=64)
def _slot_table_sql(shard_count: int) -> str:
    # DuckDB binds a list written as a text thirty times faster than one written as 4096 literals.
    return f"('[{','.join(map(str, slot_table(shard_count)))}]'::USMALLINT[])"
