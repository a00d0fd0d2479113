"""What a transaction has written is read as it is on its writers: as everybody reads it after the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import pytest

from duckraft.engine.catalog.model import Table
from duckraft.engine.executor.reading.overlay import Overlay
from duckraft.engine.planner.moving import JoinStrategy
from duckraft.engine.planner.plan import Plan, Tier
from duckraft.engine.session import Session
from duckraft.engine.statements import queries
from duckraft.engine.storage import duck
from duckraft.engine.types import Parameters, Row
from tests.engine.executor.support import rows

SETUP = """
    CREATE TABLE t (k BIGINT, g INTEGER, s VARCHAR) SHARD BY HASH (k) SHARDS 3;
    CREATE TABLE u (k BIGINT, a INTEGER) SHARD BY HASH (k) COLOCATE WITH t;
    CREATE TABLE far (id BIGINT, k BIGINT) SHARD BY HASH (id) SHARDS 2;
    CREATE TABLE names (g INTEGER, name VARCHAR) REFERENCE;
    INSERT INTO t SELECT range, range % 7, 's' || range % 13 FROM range(300);
    INSERT INTO u SELECT range * 2, range % 5 FROM range(200);
    INSERT INTO far SELECT range, range * 3 FROM range(100);
    INSERT INTO names SELECT range, 'name ' || range FROM range(7);
"""

CHANGES = {
    0: "UPDATE t SET g = g + 1 WHERE k % 3 = 0; DELETE FROM u WHERE a = 1; INSERT INTO far VALUES (1000, 30)",
    2: "DELETE FROM t WHERE k % 4 = 0; INSERT INTO t VALUES (1000, 3, 'new'), (-1, NULL, NULL)",
    -1: "UPDATE names SET name = 'other' WHERE g = 3; INSERT INTO names VALUES (3, 'third')",
}
"""By shard: what the transaction does there. Where a row belongs plays no role in these queries."""

QUERIES = {
    "rows": "SELECT * FROM t",
    "some columns and rows": "SELECT s, k + 1 FROM t WHERE g = 3",
    "an aggregate by value": "SELECT count(*), sum(k), min(s) FROM t",
    "an aggregate by state": "SELECT g, round(stddev(k), 6), median(k), approx_count_distinct(s) FROM t GROUP BY g",
    "a state that cannot travel": "SELECT g, mad(k), approx_quantile(k, 0.5) FROM t GROUP BY g",
    "an aggregate of all rows": "SELECT g, list(k ORDER BY k) FROM t GROUP BY g",
    "groups that stay apart": "SELECT k, count(*) FROM t GROUP BY k",
    "DISTINCT": "SELECT DISTINCT g, s FROM t",
    "a window": "SELECT k, rank() OVER (PARTITION BY g ORDER BY k) FROM t",
    "the first rows": "SELECT k, s FROM t ORDER BY s DESC NULLS LAST, k LIMIT 7",
    "a join on the shards": "SELECT t.k, t.g, u.a FROM t JOIN u ON t.k = u.k",
    "an aggregate of a join": "SELECT u.a, count(*), avg(t.g) FROM t JOIN u ON t.k = u.k GROUP BY u.a",
    "an outer join": "SELECT t.k, u.a FROM t LEFT JOIN u ON t.k = u.k AND u.a > 2",
    "a join with a reference table": "SELECT t.k, n.name FROM t JOIN names n ON n.g = t.g",
    "an aggregate of it": "SELECT n.name, count(*), round(stddev(t.k), 6) FROM t JOIN names n USING (g) GROUP BY ALL",
    "a reference table alone": "SELECT name, count(*) FROM names GROUP BY name",
    "a join across shards": "SELECT t.k, far.id FROM t JOIN far ON far.k = t.k",
    "an aggregate of that": "SELECT count(*), sum(far.id) FROM t JOIN far ON far.k = t.k WHERE t.g < 4",
    "a set operation": "SELECT k FROM t EXCEPT SELECT k FROM u",
    "a CTE": "WITH x AS (SELECT g, count(*) AS c FROM t GROUP BY g) SELECT a.g, b.c FROM x a JOIN x b ON a.g = b.g + 1",
    "a recursive CTE": (
        "WITH RECURSIVE r AS (SELECT 0 AS x UNION ALL SELECT x + 1 FROM r, t WHERE t.k = x AND x < 20) FROM r"
    ),
    "a subquery": "SELECT k FROM t WHERE k > (SELECT avg(k) FROM u) AND EXISTS (FROM names n WHERE n.g = t.g)",
    "a self-join": "SELECT count(*) FROM t a JOIN t b ON a.s = b.s",
    "a text that is not analysed": "PIVOT (SELECT g, s FROM t WHERE g < 3) ON g USING count(*) GROUP BY s",
}


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """t, u and far on three, three and two shards, and the reference table names."""
    for sql in SETUP.split(";"):
        if sql.strip():
            session.execute(sql).close()


@contextmanager
def begun(session: Session, changes: dict[int, str]) -> Iterator[dict[int, duck.Connection]]:
    """Writers inside a transaction that has made these changes, by shard; it commits in the end."""
    writers = {number: session.context.connections.shard(number) for number in changes}
    for number, writer in writers.items():
        duck.execute(writer, "BEGIN")
        for sql in changes[number].split(";"):
            duck.execute(writer, sql)
    yield writers
    for writer in writers.values():
        duck.execute(writer, "COMMIT")


def seen(
    session: Session,
    writers: dict[int, duck.Connection],
    sql: str,
    parameters: Parameters = None,
    changed: Callable[[Table, int], bool] | None = None,
) -> list[Row]:
    """The rows of a query inside the transaction."""
    context = session.context
    gateway = context.connections.gateway
    plan = unrouted(session, sql, parameters)
    with closing(Overlay(context.connections, writers, changed)) as overlay:
        if not plan.fragments():
            overlay.show(context.gateway.catalog.ready_tables())
            return duck.rows(gateway, sql, parameters)
        merged, used = overlay.merge_sql(plan, parameters)
        return duck.rows(gateway, merged, used)


def unrouted(session: Session, sql: str, parameters: Parameters = None) -> Plan:
    """The plan of a query that must not go to one shard as a whole."""
    context = session.context
    before = context.allowed_tiers
    context.allowed_tiers = (before or frozenset(Tier)) - {Tier.ROUTE}
    try:
        return queries.plan_anew(context, sql, parameters)
    finally:
        context.allowed_tiers = before


def left_behind(session: Session) -> list[Row]:
    """Temporary tables and views on any connection of the session."""
    connections = session.context.connections
    query = (
        "SELECT table_name FROM system.main.duckdb_tables() WHERE temporary"
        " UNION ALL SELECT view_name FROM system.main.duckdb_views() WHERE temporary AND NOT internal"
    )
    return [
        row
        for connection in (connections.gateway, *(connections.shard(number) for number in (-1, 0, 1, 2)))
        for row in duck.rows(connection, query)
    ]


def in_order(found: Sequence[Row]) -> list[Row]:
    """Rows in an order of their own."""
    return sorted(found, key=repr)


def check(
    session: Session, changes: dict[int, str], asked: Sequence[str], *, parameters: Parameters = None
) -> None:
    """Compare what queries give inside a transaction with what they give after it, and before it."""
    before = [in_order(rows(session, sql, parameters)) for sql in asked]
    with begun(session, changes) as writers:
        inside = [in_order(seen(session, writers, sql, parameters)) for sql in asked]
        assert left_behind(session) == []
        with session.database.session() as other:
            assert [in_order(rows(other, sql, parameters)) for sql in asked] == before
    assert inside == [in_order(rows(session, sql, parameters)) for sql in asked]


TIERS = {"any tier": None, "gather": frozenset({Tier.GATHER})}


@pytest.mark.parametrize("tiers", TIERS.values(), ids=TIERS.keys())
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_own_rows_are_seen(query: str, tiers: frozenset[Tier] | None, session: Session) -> None:
    session.context.allowed_tiers = tiers
    check(session, CHANGES, [query])


@pytest.mark.parametrize("strategy", JoinStrategy)
def test_own_rows_are_seen_where_rows_move(strategy: JoinStrategy, session: Session) -> None:
    session.context.binding = "streamed"
    session.context.allowed_joins = frozenset({strategy})
    asked = [QUERIES[name] for name in ("a join across shards", "an aggregate of that", "a self-join")]
    check(session, CHANGES, asked)
