"""Values that DuckDB has and Python has not are placed alike by both."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import duckdb
import pytest

from duckraft.engine.errors import DataError
from duckraft.engine.sharding import DirectoryStrategy, HashStrategy, Interval, KeyColumn, RangeStrategy
from tests.engine.sharding.key_values import EXTREMES


@pytest.mark.parametrize(
    ("type_name", "text"), [(name, text) for name, texts in EXTREMES.items() for text in texts]
)
def test_an_extreme_value_is_placed_alike_by_python_and_sql(
    duck: duckdb.DuckDBPyConnection, type_name: str, text: str
) -> None:
    strategy = HashStrategy((KeyColumn("k", type_name),), 4096)
    row = duck.execute(
        f"SELECT k, {strategy.shard_sql(['k'])} FROM (SELECT CAST(? AS {type_name}) AS k)", [text]
    ).fetchone()
    assert row is not None
    assert strategy.shard_of((row[0],)) == row[1]


BOUNDS = {
    "DATE": "2020-01-01",
    "TIMESTAMP": "1970-01-01",
    "TIMESTAMP_NS": "1970-01-01",
    "TIMESTAMP_S": "1970-01-01",
}


@pytest.mark.parametrize(("type_name", "text"), [(name, text) for name in BOUNDS for text in EXTREMES[name]])
def test_an_extreme_value_is_in_the_range_where_duckdb_sorts_it(
    duck: duckdb.DuckDBPyConnection, type_name: str, text: str
) -> None:
    bound = duck.execute(f"SELECT CAST('{BOUNDS[type_name]}' AS {type_name})").fetchone()
    assert bound is not None
    strategy = RangeStrategy((KeyColumn("k", type_name),), (bound,), True)
    row = duck.execute(
        f"SELECT k, {strategy.shard_sql(['k'])} FROM (SELECT CAST(? AS {type_name}) AS k)", [text]
    ).fetchone()
    assert row is not None
    assert strategy.shard_of((row[0],)) == row[1]


@pytest.mark.parametrize("text", ["infinity", "0001-01-01", "9999-12-31"])
def test_a_date_that_python_cannot_hold_apart_cannot_be_named_in_a_clause(
    duck: duckdb.DuckDBPyConnection, text: str
) -> None:
    row = duck.execute(f"SELECT DATE '{text}'").fetchone()
    assert row is not None
    key = (KeyColumn("k", "DATE"),)
    with pytest.raises(DataError, match="cannot be named"):
        RangeStrategy(key, (row,), True)
    with pytest.raises(DataError, match="cannot be named"):
        DirectoryStrategy(key, 1, ((row[0], 0),))


@pytest.mark.parametrize(
    ("type_name", "text", "bound"),
    [
        # Cut off towards 1970, this key is the bound itself, so it is placed above the bound that it is below.
        ("TIMESTAMP_NS", "1969-12-31 23:59:59.999999999", datetime(1970, 1, 1)),
        ("DATE", "9999-07-01", date(9999, 12, 31)),
        ("TIMESTAMP", "9999-07-01", datetime(9999, 12, 31)),
    ],
)
def test_an_exclusive_upper_bound_that_shares_its_place_with_lesser_keys_loses_none(
    duck: duckdb.DuckDBPyConnection, type_name: str, text: str, bound: Any
) -> None:
    key = (KeyColumn("k", type_name),)
    asked = {"k": [Interval(bound, bound), Interval(None, bound, upper_inclusive=False)]}
    row = duck.execute(
        f"SELECT k FROM (SELECT CAST('{text}' AS {type_name}) AS k) WHERE k < ?", [bound]
    ).fetchone()
    assert row is not None
    strategy = HashStrategy(key, 64)
    assert strategy.shard_of(row) in strategy.shards_for(asked)


@pytest.mark.parametrize(
    ("type_name", "text", "bound"),
    [
        ("TIMESTAMP_NS", "2020-01-01 00:00:00.000000999", datetime(2020, 1, 1)),
        ("TIME_NS", "12:00:00.000000999", time(12)),
        ("DATE", "9999-07-01", date(9999, 6, 1)),
        ("DATE", "infinity", date(9999, 12, 31)),
    ],
)
def test_an_exclusive_lower_bound_that_shares_its_place_with_greater_keys_loses_none(
    duck: duckdb.DuckDBPyConnection, type_name: str, text: str, bound: Any
) -> None:
    strategy = HashStrategy((KeyColumn("k", type_name),), 64)
    row = duck.execute(
        f"SELECT k FROM (SELECT CAST('{text}' AS {type_name}) AS k) WHERE k > CAST(? AS {type_name})", [bound]
    ).fetchone()
    assert row is not None
    assert strategy.shard_of(row) in strategy.shards_for(
        {"k": [Interval(bound, row[0], lower_inclusive=False)]}
    )


def test_a_key_cut_off_to_a_bound_is_found_below_it(duck: duckdb.DuckDBPyConnection) -> None:
    moment = datetime(1970, 1, 1)
    strategy = RangeStrategy((KeyColumn("k", "TIMESTAMP_NS"),), ((moment,),), True)
    key = "CAST('1969-12-31 23:59:59.999999999' AS TIMESTAMP_NS)"
    row = duck.execute(f"SELECT {strategy.shard_sql([key])}").fetchone()
    assert row is not None
    assert row[0] in strategy.shards_for({"k": [Interval(None, moment, upper_inclusive=False)]})
