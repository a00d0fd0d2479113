"""The plan cache: what it finds is what planning anew would give."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from duckraft.engine.database import Database
from duckraft.engine.planner.cache import PlanCache, plan_key
from duckraft.engine.planner.plan import Tier
from duckraft.engine.planner.planner import Planned
from duckraft.engine.session import Session

ROWS = 200


@pytest.fixture
def session() -> Iterator[Session]:
    with Database.open() as database, database.session() as session:
        session.execute("CREATE TABLE t (k INTEGER, v VARCHAR) SHARD BY HASH (k) SHARDS 8")
        session.execute("INSERT INTO t SELECT i, 'v' || i FROM range(200) r(i)")
        yield session


def shape_of(session: Session, sql: str) -> int | None:
    """The shard that the cache knows for a statement."""
    return session.database.plans.shard(sql, None, session.database.catalog.version)


def test_a_known_shape_finds_the_row_of_every_other_key(session: Session) -> None:
    session.execute("SELECT v FROM t WHERE k = 0")
    for key in range(ROWS):
        sql = f"SELECT v FROM t WHERE k = {key}"
        assert shape_of(session, sql) is not None
        assert session.execute(sql).fetchall() == [(f"v{key}",)]


def test_a_known_shape_finds_negative_and_quoted_literals(session: Session) -> None:
    session.execute("INSERT INTO t VALUES (-5, 'minus'), (5, 'plus')")
    session.execute("SELECT v FROM t WHERE k = -1")
    assert session.execute("SELECT v FROM t WHERE k = -5").fetchall() == [("minus",)]
    session.execute("SELECT v FROM t WHERE k = '1'")
    assert session.execute("SELECT v FROM t WHERE k = '7'").fetchall() == [("v7",)]


def test_parameters_route_each_execution_anew(session: Session) -> None:
    for key in range(ROWS):
        assert session.execute("SELECT v FROM t WHERE k = ?", [key]).fetchall() == [(f"v{key}",)]
        assert session.execute("SELECT v FROM t WHERE k = $key", {"key": key}).fetchall() == [(f"v{key}",)]


def test_a_literal_that_means_no_certain_key_is_planned_anew(session: Session) -> None:
    session.execute("SELECT count(*) FROM t WHERE k = 3")
    assert shape_of(session, "SELECT count(*) FROM t WHERE k = 3.5") is None
    assert session.execute("SELECT count(*) FROM t WHERE k = 3.5").fetchall() == [(0,)]


def test_a_literal_that_stands_twice_is_not_taken_for_the_key(session: Session) -> None:
    session.execute("SELECT v FROM t WHERE k = 1 LIMIT 1")
    assert shape_of(session, "SELECT v FROM t WHERE k = 2 LIMIT 1") is None
    assert session.execute("SELECT v FROM t WHERE k = 2 LIMIT 1").fetchall() == [("v2",)]


def test_keys_on_several_shards_are_planned_anew(session: Session) -> None:
    session.execute("SELECT v FROM t WHERE k IN (1, 1001)")
    found = session.execute("SELECT v FROM t WHERE k IN (2, 3) ORDER BY v").fetchall()
    assert found == [("v2",), ("v3",)]


def test_a_change_of_definitions_makes_every_plan_stale(session: Session) -> None:
    sql = "SELECT count(*) FROM t WHERE k = 3"
    session.execute(sql)
    session.execute("SELECT count(*) FROM t")
    assert session.plan("SELECT count(*) FROM t").tier is Tier.SPLIT
    session.execute("CREATE OR REPLACE TABLE t (k INTEGER, v VARCHAR) SHARD BY HASH (v) SHARDS 2")
    assert shape_of(session, sql) is None
    session.execute("INSERT INTO t VALUES (3, 'a'), (3, 'b'), (3, 'c')")
    assert session.execute(sql).fetchall() == [(3,)]
    assert session.execute("SELECT count(*) FROM t").fetchall() == [(3,)]


def test_the_cache_is_bounded(session: Session) -> None:
    cache = PlanCache(capacity=2)
    version = session.database.catalog.version
    texts = [f"SELECT v AS name_{number} FROM t WHERE k > 0" for number in range(3)]
    for text in texts:
        cache.keep_plan(text, None, Planned(session.plan(text), text, None))
    assert [cache.plan(text, None, version) is not None for text in texts] == [False, True, True]
    cache.clear()
    assert cache.plan(texts[2], None, version) is None


def test_a_plan_is_kept_for_values_of_the_same_types_that_need_the_same_shards(session: Session) -> None:
    session.execute(
        "CREATE TABLE r (k INTEGER, v INTEGER) SHARD BY RANGE (k) (VALUES LESS THAN (10), (20), MAXVALUE)"
    )
    sql = "SELECT v, count(*) FROM r WHERE k < ? GROUP BY v HAVING count(*) > ?"
    kept = session.plan(sql, [12, 1])
    assert kept.tier is Tier.SPLIT
    assert session.plan(sql, [15, 2]) is kept
    assert session.plan(sql, [25, 1]).fragments()[0].shards == (0, 1, 2)
    assert session.plan(sql, [12, 0.5]) is not kept
    assert session.plan(sql, [12, [1]]) is not kept


def test_a_kept_plan_is_not_used_for_values_of_which_only_the_rewritten_statement_knows(
    session: Session,
) -> None:
    session.execute("CREATE TABLE o (id INTEGER, a INTEGER) SHARD BY HASH (id) SHARDS 8")
    session.execute("INSERT INTO o SELECT i, i FROM range(200) r(i)")
    # That k is a, and hence the parameter, is seen once EXISTS is a join: then t needs one shard.
    sql = "SELECT id FROM o WHERE a = ? AND EXISTS (SELECT 1 FROM t WHERE k = a)"
    for key in range(20):
        assert session.execute(sql, [key]).fetchall() == [(key,)]


@pytest.mark.parametrize(
    "values", [[1, 2], [True, None], ["a", b"b"], [Decimal("1.5"), 3.5], [date(2026, 1, 1), UUID(int=1)]]
)
def test_types_of_parameters_are_told_apart(values: list[Any]) -> None:
    assert plan_key("?, ?", values) != plan_key("?, ?", values[::-1]) or values == [1, 2]
    assert plan_key("?, ?", values) != plan_key("?, ?", None)


def test_numbers_of_another_width_need_another_plan() -> None:
    keys = [plan_key("?", [value]) for value in (1, 2**31, 2**63, Decimal("1"), Decimal("1.0"))]
    assert len(set(keys)) == len(keys)
    # UBIGINT, HUGEINT, UHUGEINT or DOUBLE: nothing is kept for those.
    assert {plan_key("?", [value]) for value in (2**63, 2**64, 2**127, -(2**100))} == {None}
    assert plan_key("?", [-(2**31)]) == keys[0]
