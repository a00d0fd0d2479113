"""When aggregates go under the shards."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.planner.plan import Tier
from duckraft.engine.planner.split import MOST_GROUPS


@pytest.mark.parametrize(("groups", "tier"), [(10, Tier.SPLIT), (MOST_GROUPS * 8, Tier.GATHER)])
def test_aggregates_with_many_groups_are_made_once(groups: int, tier: Tier) -> None:
    with Database.open() as database, database.session() as session:
        session.execute("CREATE TABLE t (k BIGINT, g BIGINT) SHARD BY HASH (k)")
        session.execute(f"INSERT INTO t SELECT range, range % {groups} FROM range({MOST_GROUPS * 16})")
        query = "SELECT g, count(*), sum(k) FROM t GROUP BY g"
        plan = session.plan(query)
        assert plan.tier is tier, plan.reason
        assert len(session.execute(query).fetchall()) == groups
