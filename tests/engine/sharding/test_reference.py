"""Reference tables: everything is on shard 0."""

from __future__ import annotations

import duckdb

from duckraft.engine.sharding import OneOf, ReferenceStrategy


def test_every_row_is_on_shard_zero(duck: duckdb.DuckDBPyConnection) -> None:
    strategy = ReferenceStrategy()
    assert (strategy.key, strategy.shard_count, strategy.shard_of(())) == ((), 1, 0)
    assert strategy.shards_for({"k": [OneOf((1,))]}) == {0}
    sql = f"SELECT {strategy.shard_sql([])}, typeof({strategy.shard_sql([])})"
    assert duck.execute(sql).fetchall() == [(0, "INTEGER")]
    assert (strategy.clause(), strategy.describe_shard(0)) == ("REFERENCE", "all rows")
