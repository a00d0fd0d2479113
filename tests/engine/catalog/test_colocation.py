"""Which tables are co-located."""

from __future__ import annotations

import pytest

from duckraft.engine.catalog.colocation import colocated
from duckraft.engine.database import Database
from duckraft.engine.session import Session


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("(x INT, y INT) SHARD BY HASH (y)", True),
        ("(k INT, y INT) SHARD BY HASH (k, y)", False),
        ("(k INT) SHARD BY HASH (k) COLOCATE WITH t", True),
        ("(k BIGINT) SHARD BY HASH (k)", False),
        ("(k INT) SHARD BY HASH (k) SHARDS 2", False),
        ("(k INT) SHARD BY CONSISTENT HASH (k)", False),
        ("(k INT) REFERENCE", False),
        ("(k INT) SHARD BY EVENLY", False),
    ],
)
def test_tables_of_one_strategy_are_colocated(
    database: Database, session: Session, other: str, expected: bool
) -> None:
    session.execute("CREATE TABLE t (k INT) SHARD BY HASH (k)")
    session.execute(f"CREATE TABLE o {other}")
    one, two = database.catalog.table("main", "t"), database.catalog.table("main", "o")
    assert one is not None
    assert two is not None
    assert (colocated(one, two), colocated(two, one), colocated(one, one)) == (expected, expected, False)
