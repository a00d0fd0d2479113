"""Hash sharding: even, and pruned to the keys that predicates name."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from duckraft.engine.errors import DataError, ProgrammingError
from duckraft.engine.sharding import HashStrategy, Interval, KeyColumn, OneOf

ONE = HashStrategy((KeyColumn("k", "BIGINT"),), 16)
TWO = HashStrategy((KeyColumn("a", "BIGINT"), KeyColumn("b", "VARCHAR")), 16)
EVERY_SHARD = frozenset(range(16))


@pytest.mark.parametrize("count", [0, -1, 4097])
def test_a_number_of_shards_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(ProgrammingError, match="must be 1 to 4096") as caught:
        HashStrategy(ONE.key, count)
    assert caught.value.sqlstate == "22023"


def test_texts_spread_evenly() -> None:
    strategy = HashStrategy((KeyColumn("k", "VARCHAR"),), 8)
    counts = Counter(strategy.shard_of((f"customer {number}",)) for number in range(16_000))
    assert all(1800 < counts[shard] < 2200 for shard in range(8))


def shards_of(*keys: int | None) -> frozenset[int]:
    return frozenset(ONE.shard_of((key,)) for key in keys)


@pytest.mark.parametrize(
    ("predicates", "shards"),
    [
        ([], EVERY_SHARD),
        ([OneOf((5,))], shards_of(5)),
        ([OneOf((5, 6, None))], shards_of(5, 6, None)),
        ([OneOf((5, 6)), OneOf((6, 7))], shards_of(6)),
        ([OneOf((5,)), OneOf((6,))], frozenset()),
        ([OneOf(())], frozenset()),
        ([OneOf((5, None)), Interval(None, None)], shards_of(5)),
        ([OneOf((None,)), Interval(1, None)], frozenset()),
        ([OneOf((1, 5, 9)), Interval(5, None, lower_inclusive=False)], shards_of(9)),
        ([Interval(5, 8, lower_inclusive=False)], shards_of(6, 7, 8)),
        ([Interval(5, None), Interval(None, 6)], shards_of(5, 6)),
        ([Interval(5, 6, lower_inclusive=False, upper_inclusive=False)], frozenset()),
        ([Interval(8, 5)], frozenset()),
        ([Interval(0, 63)], shards_of(*range(64))),
        ([Interval(0, 10**6)], EVERY_SHARD),
        ([OneOf((1.5,))], EVERY_SHARD),
        ([OneOf((5.0,))], shards_of(5)),
        ([OneOf((1.5,)), OneOf((5,))], shards_of(5)),
    ],
)
def test_predicates_leave_only_the_shards_of_the_keys_they_name(
    predicates: list[Any], shards: frozenset[int]
) -> None:
    assert ONE.shards_for({"k": predicates}) == shards


def test_a_key_of_two_columns_is_pruned_when_both_are_named() -> None:
    both = TWO.shards_for({"a": [OneOf((1, 2))], "b": [OneOf(("x",))]})
    assert both == {TWO.shard_of((1, "x")), TWO.shard_of((2, "x"))}
    assert TWO.shards_for({"a": [OneOf((1,))]}) == EVERY_SHARD
    assert TWO.shards_for({"a": [OneOf((1,))], "b": [OneOf(())]}) == frozenset()


def test_too_many_combinations_are_not_counted_out() -> None:
    many = HashStrategy(TWO.key, 4096)
    texts = tuple(str(number) for number in range(33))
    asked = {"a": [OneOf(tuple(range(32)))], "b": [OneOf(texts)]}
    assert len(many.shards_for(asked)) == 4096
    assert len(many.shards_for({**asked, "b": [OneOf(texts[:32])]})) <= 1024


def test_a_key_of_another_type_is_refused() -> None:
    with pytest.raises(DataError, match="BIGINT"):
        ONE.shard_of(("5",))


def test_an_expression_over_many_columns_stays_short() -> None:
    names = [f"c{number}" for number in range(8)]
    strategy = HashStrategy(tuple(KeyColumn(name, "BIGINT") for name in names), 4)
    assert len(strategy.shard_sql(names)) < 5000
