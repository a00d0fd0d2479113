"""Values that DuckDB has and Python has not are placed alike by both."""

from __future__ import annotations

import duckdb
import pytest

from duckraft.engine.errors import DataError
from duckraft.engine.sharding import DirectoryStrategy, HashStrategy, KeyColumn, RangeStrategy
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
