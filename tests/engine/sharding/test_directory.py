"""Directory sharding: entries are checked, found and pruned, a few and thousands."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from duckraft.engine.errors import NoShardError, NotSupportedError, ProgrammingError
from duckraft.engine.sharding import DirectoryStrategy, Interval, KeyColumn, OneOf

KEY = (KeyColumn("k", "VARCHAR"),)
ZONES = DirectoryStrategy(KEY, 4, (("a", 0), ("b", 0), ("m", 1), (None, 2)), 3)
CLOSED = DirectoryStrategy(KEY, 3, (("a", 0), ("b", 0), ("m", 1), (None, 2)))


def test_a_key_without_entry_goes_to_the_default_or_has_no_shard() -> None:
    assert ZONES.shard_of(("zzz",)) == 3
    assert CLOSED.shard_of((None,)) == 2
    with pytest.raises(NoShardError, match="'zzz' is not in the directory"):
        CLOSED.shard_of(("zzz",))


def test_null_goes_to_the_default_if_it_has_no_entry(duck: duckdb.DuckDBPyConnection) -> None:
    strategy = DirectoryStrategy(KEY, 2, (("a", 0),), 1)
    assert strategy.shard_of((None,)) == 1
    assert duck.execute(f"SELECT {strategy.shard_sql(['NULL::VARCHAR'])}").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("entries", "default", "sqlstate"),
    [
        ((("a", 0), ("a", 1)), None, "42P17"),
        (((None, 0), (None, 1)), None, "42P17"),
        ((), None, "42P17"),
        ((("a", 2),), None, "22023"),
        ((("a", -1),), None, "22023"),
        ((("a", 0),), 2, "22023"),
    ],
)
def test_a_map_that_cannot_be_is_refused(entries: Any, default: int | None, sqlstate: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        DirectoryStrategy(KEY, 2, entries, default)
    assert caught.value.sqlstate == sqlstate


def test_values_that_are_equal_are_one_value() -> None:
    with pytest.raises(ProgrammingError, match="twice"):
        DirectoryStrategy((KeyColumn("k", "DOUBLE"),), 2, ((0.0, 0), (-0.0, 1)))


def test_a_directory_maps_one_column() -> None:
    with pytest.raises(NotSupportedError):
        DirectoryStrategy((*KEY, KeyColumn("j", "VARCHAR")), 1, (), 0)


@pytest.mark.parametrize(
    ("predicates", "shards"),
    [
        ([], {0, 1, 2, 3}),
        ([OneOf(("a", "m"))], {0, 1}),
        ([OneOf((None,))], {2}),
        ([OneOf(("zzz",))], {3}),
        ([Interval("b", "c")], {0, 3}),
        ([Interval("b", "m", lower_inclusive=False, upper_inclusive=False)], {3}),
        ([Interval("b", None, lower_inclusive=False)], {1, 3}),
        ([Interval(None, None)], {0, 1, 3}),
        ([OneOf(("a",)), OneOf(("m",))], set()),
        ([OneOf((7,))], {0, 1, 2, 3}),
    ],
)
def test_predicates_leave_the_entries_they_name_and_the_default(
    predicates: list[Any], shards: set[int]
) -> None:
    assert ZONES.shards_for({"k": predicates}) == shards
    assert CLOSED.shards_for({"k": predicates}) == shards - {3}


def test_an_interval_of_few_numbers_leaves_the_default_out_if_all_have_entries() -> None:
    strategy = DirectoryStrategy((KeyColumn("k", "INTEGER"),), 3, ((1, 0), (2, 1)), 2)
    assert strategy.shards_for({"k": [Interval(1, 2)]}) == {0, 1}
    assert strategy.shards_for({"k": [Interval(1, 3)]}) == {0, 1, 2}


def test_thousands_of_entries_are_found_in_bulk(duck: duckdb.DuckDBPyConnection) -> None:
    entries = tuple((f"name {number}", number % 7) for number in range(5000))
    strategy = DirectoryStrategy(KEY, 8, entries, 7)
    sql = f"SELECT k, {strategy.shard_sql(['k'])} FROM (SELECT 'name ' || i AS k FROM range(20000) AS t(i))"
    assert all(strategy.shard_of((key,)) == shard for key, shard in duck.execute(sql).fetchall())


@pytest.mark.parametrize("name", ["entry", "entry_key", "shard", "Entry_"])
def test_the_names_of_the_sub_select_never_hide_the_key_column(
    duck: duckdb.DuckDBPyConnection, name: str
) -> None:
    column = f'"{name}"'
    sql = f"SELECT {ZONES.shard_sql([column])} FROM (VALUES ('m'), ('x'), (NULL)) AS t({name})"
    assert sorted(duck.execute(sql).fetchall()) == [(1,), (2,), (3,)]


def test_shards_are_described_by_their_values() -> None:
    assert [ZONES.describe_shard(shard) for shard in range(4)] == ["'a', 'b'", "'m'", "NULL", "default"]
    many = DirectoryStrategy(KEY, 2, tuple((str(number), 0) for number in range(10)))
    assert many.describe_shard(0).endswith("'7', 2 more")
    assert many.describe_shard(1) == "nothing"
    assert many.clause().endswith("SHARDS 2")
