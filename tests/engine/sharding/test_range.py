"""Range sharding: bounds are checked, and predicates touch only the ranges they overlap."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pytest

from duckraft.engine.errors import DataError, NoShardError, NotSupportedError, ProgrammingError
from duckraft.engine.sharding import Interval, KeyColumn, OneOf, RangeStrategy

KEY = (KeyColumn("k", "INTEGER"),)
TENS = RangeStrategy(KEY, ((10,), (20,), (30,)), True)
OPEN = RangeStrategy(KEY, ((10,), (20,), (30,)), False)
DAYS = RangeStrategy(
    (KeyColumn("d", "DATE"), KeyColumn("n", "INTEGER")), ((date(2020, 1, 1), 5), (date(2021, 1, 1), 0)), True
)


@pytest.mark.parametrize(
    ("bounds", "has_maxvalue"),
    [(((20,), (10,)), True), (((10,), (10,)), True), (((10, 20),), True), (((None,),), True)],
)
def test_bounds_that_do_not_ascend_are_refused(
    bounds: tuple[tuple[Any, ...], ...], has_maxvalue: bool
) -> None:
    with pytest.raises(ProgrammingError) as caught:
        RangeStrategy(KEY, bounds, has_maxvalue)
    assert caught.value.sqlstate == "42P17"


def test_the_error_names_the_bound_that_does_not_ascend() -> None:
    with pytest.raises(ProgrammingError, match=r"\('a'\) is not above"):
        RangeStrategy((KeyColumn("k", "VARCHAR"),), (("b",), ("a",)), True)


def test_a_table_needs_a_range() -> None:
    with pytest.raises(ProgrammingError, match="0 shards"):
        RangeStrategy(KEY, (), False)


def test_a_bound_of_another_type_is_refused() -> None:
    with pytest.raises(DataError):
        RangeStrategy(KEY, (("ten",),), True)


def test_a_type_that_duckdb_sorts_in_its_own_way_is_refused() -> None:
    with pytest.raises(NotSupportedError, match='column "k"'):
        RangeStrategy((KeyColumn("k", "ENUM('b', 'a')"),), (("a",),), True)


def test_keys_above_the_last_bound_and_null_have_no_shard_without_maxvalue() -> None:
    assert OPEN.shard_of((29,)) == 2
    for key in (30, None):
        with pytest.raises(NoShardError) as caught:
            OPEN.shard_of((key,))
        assert caught.value.sqlstate == "23514"
    assert TENS.shard_of((None,)) == 3


@pytest.mark.parametrize(
    ("predicates", "shards"),
    [
        ([], {0, 1, 2, 3}),
        ([OneOf((9, 10))], {0, 1}),
        ([OneOf((None,))], {3}),
        ([Interval(None, 10, upper_inclusive=False)], {0}),
        ([Interval(None, 10)], {0, 1}),
        ([Interval(20, None)], {2, 3}),
        ([Interval(-100, 1000)], {0, 1, 2, 3}),
        ([Interval(12, 15)], {1}),
        ([Interval(19, 40, lower_inclusive=False)], {2, 3}),
        ([Interval(15, 12)], set()),
        ([Interval(100, None)], {3}),
        ([Interval("abc", 5)], {0}),
    ],
)
def test_predicates_touch_only_the_ranges_they_overlap(predicates: list[Any], shards: set[int]) -> None:
    assert TENS.shards_for({"k": predicates}) == shards
    assert OPEN.shards_for({"k": predicates}) == shards - {3}


@pytest.mark.parametrize(
    ("predicates", "shards"),
    [
        ({"d": [OneOf((date(2020, 1, 1),))]}, {0, 1}),
        ({"d": [OneOf((date(2020, 1, 1),))], "n": [Interval(5, None)]}, {1}),
        ({"d": [OneOf((date(2020, 1, 1),))], "n": [Interval(None, 5, upper_inclusive=False)]}, {0}),
        ({"d": [OneOf((date(2020, 1, 1), date(2021, 1, 1)))], "n": [OneOf((7,))]}, {1, 2}),
        ({"d": [Interval(date(2020, 1, 1), None, lower_inclusive=False)]}, {1, 2}),
        ({"d": [Interval(None, date(2020, 1, 1), upper_inclusive=False)]}, {0}),
        ({"n": [OneOf((7,))]}, {0, 1, 2}),
        ({"n": [OneOf(())]}, set()),
    ],
)
def test_the_first_column_of_a_key_prunes_and_the_second_under_it(predicates: Any, shards: set[int]) -> None:
    assert DAYS.shards_for(predicates) == shards


def test_a_key_is_compared_with_few_of_many_bounds(duck: duckdb.DuckDBPyConnection) -> None:
    many = RangeStrategy(KEY, tuple((bound,) for bound in range(0, 40_000, 10)), True)
    depth = deepest = 0
    for word in many.shard_sql(["k"]).replace("(", " ").replace(")", " ").split():
        depth += {"CASE": 1, "END": -1}.get(word, 0)
        deepest = max(deepest, depth)
    assert deepest == 12
    sql = RangeStrategy(KEY, many.bounds[:200], True).shard_sql(["k"])
    found = duck.execute(f"SELECT {sql} FROM range(-5, 2005) AS t(k) ORDER BY k").fetchall()
    assert [shard for (shard,) in found] == [min(max(key // 10 + 1, 0), 200) for key in range(-5, 2005)]


def test_shards_are_described_by_their_bounds() -> None:
    assert [TENS.describe_shard(shard) for shard in range(4)] == [
        "[MINVALUE, 10)",
        "[10, 20)",
        "[20, 30)",
        "[30, MAXVALUE]",
    ]
    assert DAYS.describe_shard(1) == "[('2020-01-01', 5), ('2021-01-01', 0))"
    assert TENS.clause() == (
        "SHARD BY RANGE (k) (VALUES LESS THAN (10), VALUES LESS THAN (20), VALUES LESS THAN (30), MAXVALUE)"
    )
