"""Consistent hashing: even, and no more rows move than must."""

from __future__ import annotations

from collections import Counter

import pytest

from duckraft.engine.errors import ProgrammingError
from duckraft.engine.sharding import ConsistentHashStrategy, KeyColumn
from duckraft.engine.sharding.consistent import SLOTS, slot_table

KEY = (KeyColumn("k", "BIGINT"),)
COUNTS = [*range(1, 40), 63, 64, 100, 1000, 1023]


@pytest.mark.parametrize("count", COUNTS)
def test_shards_differ_by_one_slot_at_most(count: int) -> None:
    slots = Counter(slot_table(count))
    assert set(slots) == set(range(count))
    assert max(slots.values()) - min(slots.values()) <= 1


@pytest.mark.parametrize("count", COUNTS)
def test_one_more_shard_moves_its_own_share_and_nothing_else(count: int) -> None:
    before, after = slot_table(count), slot_table(count + 1)
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {count}
    assert len(moved) == SLOTS // (count + 1)


def test_going_from_four_to_five_shards_moves_a_fifth_of_the_rows() -> None:
    four, five = ConsistentHashStrategy(KEY, 4), ConsistentHashStrategy(KEY, 5)
    moved = sum(four.shard_of((key,)) != five.shard_of((key,)) for key in range(10_000))
    assert 1800 < moved < 2200


def test_the_table_is_as_it_was_published() -> None:
    assert slot_table(3)[:3] == (0, 0, 0)
    assert (slot_table(3)[1365], slot_table(3)[1366], slot_table(3)[2048]) == (0, 2, 1)
    assert slot_table(3)[-1] == 2


def test_a_number_of_shards_that_cannot_be_is_refused() -> None:
    with pytest.raises(ProgrammingError, match="must be 1 to 1024"):
        ConsistentHashStrategy(KEY, 1025)


def test_a_consistent_hash_is_not_equal_to_a_hash_of_the_same_key() -> None:
    assert ConsistentHashStrategy(KEY, 4).to_json() == {
        "kind": "consistent hash",
        "key": [["k", "BIGINT"]],
        "shards": 4,
    }
    assert ConsistentHashStrategy(KEY, 4).describe_shard(0) == "1024 of 4096 hash slots"
