"""The plan cache: what it finds is what planning anew would give."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duckraft.engine.database import Database
from duckraft.engine.planner.cache import PlanCache
from duckraft.engine.planner.plan import Tier
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
        cache.keep_plan(text, session.plan(text))
    assert [cache.plan(text, version) is not None for text in texts] == [False, True, True]
    cache.clear()
    assert cache.plan(texts[2], version) is None
