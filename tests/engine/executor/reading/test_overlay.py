"""What a transaction has written is read as it is on its writers: as everybody reads it after the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import pytest

from duckraft.engine.catalog.model import Table
from duckraft.engine.database import Database
from duckraft.engine.errors import DataError, NotSupportedError, ProgrammingError
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
    CREATE VIEW v AS SELECT g, count(*) AS c FROM t GROUP BY g;
    CREATE MACRO counted(x) AS (SELECT count(*) FROM t WHERE g = x);
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
    "a table beside views": "SELECT t.k, v.c FROM t JOIN v ON v.g = t.g JOIN memory.main.u ON u.k = t.k",
    "a table beside a macro": "SELECT k, counted(3) FROM t WHERE g = 2",
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
    gateway = session.context.connections.gateway
    with closing(overlay_of(session, writers, changed)) as overlay:
        bound, used = overlay.bind(unrouted(session, sql, parameters), sql, parameters)
        return duck.rows(gateway, bound, used)


def overlay_of(
    session: Session,
    writers: dict[int, duck.Connection],
    changed: Callable[[Table, int], bool] | None = None,
) -> Overlay:
    """An overlay for one statement."""
    context = session.context
    return Overlay(
        context.gateway,
        context.connections.gateway,
        writers,
        changed,
        has_own_names=context.has_own_state,
        is_collated=context.collations.has,
    )


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


OBJECTS = """
    CREATE SCHEMA other;
    CREATE TABLE other."Odd "" name" (k BIGINT, "a column" INTEGER) SHARD BY HASH (k) SHARDS 3;
    INSERT INTO other."Odd "" name" SELECT range, range FROM range(50);
    CREATE VIEW v_of_v AS SELECT v.c, names.name FROM v JOIN memory.main.names ON names.g = v.g;
    CREATE VIEW other.v AS FROM other."Odd "" name";
    CREATE MACRO listed(x) AS TABLE SELECT k FROM main.t WHERE g = x;
"""

VIEWED = {
    "a bare name": "SELECT count(*), sum(k) FROM t",
    "a name with its schema": "SELECT count(*), sum(k) FROM main.t",
    "a full name": "SELECT count(*), sum(k) FROM memory.main.t",
    "a schema of the user": 'FROM other."odd "" NAME"',
    "a full name in it": 'SELECT sum("A COLUMN") FROM memory.other."Odd "" name" AS o',
    "a view": "FROM v",
    "a view of views": "FROM v_of_v",
    "a view in a schema": "FROM other.v",
    "a macro": "SELECT counted(g::INTEGER) FROM range(8) r(g)",
    "a macro that gives a table": "FROM listed(3)",
    "a reference table": "SELECT count(*), max(name) FROM names",
    "a name that a CTE has": "WITH t AS (SELECT 1 AS k) SELECT k FROM t UNION ALL SELECT count(*) FROM main.t",
    "a query in a string": "FROM query('SELECT count(*) FROM t')",
    "a table named by a string": "SELECT count(*) FROM query_table('t')",
    "a list of tables": "SELECT table_name, column_count FROM duckdb_tables() ORDER BY ALL",
    "a list of columns": "SELECT table_name, column_name FROM information_schema.columns ORDER BY ALL",
    "a list of views": "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
    "a description": "DESCRIBE t",
}


@pytest.mark.parametrize("query", VIEWED.values(), ids=VIEWED.keys())
def test_a_text_over_views_sees_own_rows(query: str, session: Session) -> None:
    for sql in OBJECTS.split(";"):
        if sql.strip():
            session.execute(sql).close()
    changes = {**CHANGES, 1: 'UPDATE other."Odd "" name" SET "a column" = -1; DELETE FROM t WHERE g = 3'}
    gateway = session.context.connections.gateway
    with begun(session, changes) as writers:
        with closing(overlay_of(session, writers)) as overlay:
            overlay.show_reached(query)
            inside = duck.rows(gateway, query)
        assert left_behind(session) == []
        with session.database.session() as other:
            outside = rows(other, query)
    after = rows(session, query)
    assert in_order(inside) == in_order(after)
    is_about_data = "duckdb_" not in query and "_schema" not in query and "DESCRIBE" not in query
    assert (in_order(outside) != in_order(after)) is is_about_data


def test_temporary_views_and_macros_of_the_session_see_own_rows(session: Session) -> None:
    session.execute("CREATE TEMP VIEW mine AS SELECT count(*) AS c FROM t")
    session.execute("CREATE TEMP MACRO most() AS (SELECT max(k) FROM t)")
    query = "SELECT c, most() FROM mine"
    gateway = session.context.connections.gateway
    with (
        begun(session, CHANGES) as writers,
        closing(overlay_of(session, writers)) as overlay,
    ):
        overlay.show_reached(query)
        inside = duck.rows(gateway, query)
    assert inside == rows(session, query)
    assert inside[0][1] == 1000


def test_a_temporary_table_still_hides_the_table_of_its_name(session: Session) -> None:
    session.execute("CREATE TEMP TABLE t AS SELECT 42 AS k")
    gateway = session.context.connections.gateway
    with (
        begun(session, CHANGES) as writers,
        closing(overlay_of(session, writers)) as overlay,
    ):
        overlay.show_reached("FROM t")
        assert duck.rows(gateway, "FROM t") == [(42,)]
        assert duck.rows(gateway, "SELECT max(k) FROM memory.main.t") == [(1000,)]


def test_row_numbers_are_those_that_the_writer_knows(session: Session) -> None:
    table = session.database.catalog.table("main", "t")
    assert table is not None
    connections = session.context.connections
    with begun(session, CHANGES) as writers, closing(overlay_of(session, writers)) as overlay:
        relation, number = overlay.numbered(table, 2)
        found = duck.rows(connections.gateway, f"SELECT {number} FROM {relation} WHERE k IN (1000, -1)")
        listed = ", ".join(str(row) for (row,) in found)
        assert duck.rows(writers[2], f"DELETE FROM t WHERE rowid IN ({listed}) RETURNING k") == [
            (1000,),
            (-1,),
        ]
        relation, number = overlay.numbered(table, 1)
        assert (relation, number) == ('duckraft_s1."main"."t"', "rowid")


def test_only_tables_that_were_changed_are_fetched(session: Session) -> None:
    def changed(table: Table, number: int) -> bool:
        return table.name == "t" and number == 0

    with begun(session, {0: "DELETE FROM t"}) as writers:
        with closing(overlay_of(session, writers, changed)) as overlay:
            plan = unrouted(session, "SELECT count(*) FROM u")
            assert "own" not in overlay.bind(plan, "SELECT count(*) FROM u", None)[0]
        assert seen(session, writers, "SELECT count(*) FROM t", changed=changed) == [
            (count_on(session, 1, 2),)
        ]


def count_on(session: Session, *numbers: int) -> int:
    """The number of rows of t on some shards, as committed."""
    with session.database.gateway.asking() as connection:
        return sum(
            duck.rows(connection, f"SELECT count(*) FROM duckraft_s{number}.main.t")[0][0]
            for number in numbers
        )


def test_parameters_reach_the_writers(session: Session) -> None:
    query = "SELECT count(*) + $more FROM t WHERE g = $g"
    check(session, CHANGES, [query], parameters={"g": 3, "more": 100})
    check(session, CHANGES, ["SELECT k, ? FROM t WHERE g > ? ORDER BY k LIMIT ?"], parameters=["x", 3, 5])


def test_a_parameter_too_many_is_an_error(session: Session) -> None:
    with begun(session, CHANGES) as writers, pytest.raises(ProgrammingError, match="no parameter"):
        seen(session, writers, "SELECT $a FROM t", {"a": 1, "b": 2})


def test_a_macro_of_the_session_alone_is_not_asked_of_the_writers(session: Session) -> None:
    session.execute("CREATE TEMP MACRO twice(x) AS x * 2")
    session.context.has_own_macros = True
    check_inside(session, "SELECT sum(twice(k)), count(*) FROM t WHERE twice(g) > 3")


def check_inside(session: Session, sql: str) -> None:
    """Compare what a query gives inside a transaction, which goes on, with what it gives after it."""
    with begun(session, CHANGES) as writers:
        inside = in_order(seen(session, writers, sql))
        for writer in writers.values():
            duck.rows(writer, "SELECT 1")  # None of them has lost its transaction.
    assert inside == in_order(rows(session, sql))


def test_an_error_of_a_writer_is_the_error_of_the_statement(session: Session) -> None:
    changes = {0: "DELETE FROM t WHERE k = 0", -1: "DELETE FROM names WHERE g = 1"}
    with begun(session, changes) as writers:
        with pytest.raises(DataError, match="Could not convert") as raised:
            seen(session, writers, "SELECT sum(CAST(s AS INTEGER)) FROM t JOIN names USING (g)")
        assert raised.value.sqlstate == "22P02"
        duck.execute(writers[0], "ROLLBACK")
        assert left_behind(session) == []
        duck.execute(writers[0], "BEGIN")


def test_many_shards(session: Session) -> None:
    session.execute("CREATE TABLE many (k BIGINT, g INTEGER) SHARD BY HASH (k) SHARDS 20")
    session.execute("INSERT INTO many SELECT range, range % 7 FROM range(500)")
    session.execute("CREATE TABLE more (k BIGINT, a INTEGER) SHARD BY HASH (k) COLOCATE WITH many")
    session.execute("INSERT INTO more SELECT range, range % 3 FROM range(0, 500, 2)")
    changes = {7: "DELETE FROM many", 19: "UPDATE many SET g = -1; INSERT INTO more SELECT k, g FROM many"}
    asked = [
        "SELECT g, count(*), sum(k) FROM many GROUP BY g",
        "SELECT a, count(*) FROM many JOIN more USING (k) GROUP BY a",
        "SELECT * FROM many ORDER BY k DESC LIMIT 5",
        "SELECT count(DISTINCT g) FROM many",
    ]
    check(session, changes, asked)


def test_one_thread_is_enough() -> None:
    with Database.open(shards=3, threads=1) as database, database.session() as session:
        session.execute("CREATE TABLE t SHARD BY HASH (k) SHARDS 3 AS SELECT range AS k FROM range(400000)")
        check(
            session,
            {0: "DELETE FROM t WHERE k % 2 = 0", 1: "DELETE FROM t"},
            ["SELECT * FROM t WHERE k % 100 = 1"],
        )


def test_an_overlay_works_inside_a_transaction_of_the_gateway(session: Session) -> None:
    query = "SELECT g, count(*) FROM t GROUP BY g"
    gateway = session.context.connections.gateway
    with begun(session, CHANGES) as writers:
        duck.execute(gateway, "BEGIN")
        one = in_order(seen(session, writers, query))
        overlay = overlay_of(session, writers)
        overlay.show_reached(query)
        assert in_order(duck.rows(gateway, query)) == one
        duck.execute(gateway, "ROLLBACK")
        overlay.close()
        assert left_behind(session) == []
    assert one == in_order(rows(session, query))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT v FROM c WHERE v = 'A'",
        "SELECT count(DISTINCT v) FROM c",
        "SELECT count(*) FROM c GROUP BY v",
        "SELECT lower(min(v)), lower(max(v)), upper(arg_min(v, k)) FROM c",
        "SELECT lower(v) FROM c ORDER BY v, k DESC LIMIT 3",
        "SELECT count(*) FROM c AS a JOIN c AS b ON a.v = b.v",
        "SELECT count(*) FROM (SELECT v FROM memory.main.c) WHERE v = 'b'",
    ],
)
def test_collations_stay(query: str, session: Session) -> None:
    session.execute("CREATE TABLE c (k INTEGER, v VARCHAR COLLATE NOCASE) SHARD BY HASH (k) SHARDS 3")
    session.execute("INSERT INTO c SELECT range, ['a', 'A', 'b', 'B', 'c'][range % 5 + 1] FROM range(40)")
    check(session, {0: "UPDATE c SET v = upper(v)", 1: "DELETE FROM c WHERE v = 'b'"}, [query])


def test_values_of_every_type_are_what_they_were(session: Session) -> None:
    session.execute("CREATE TABLE every SHARD BY EVENLY SHARDS 3 AS SELECT * FROM test_all_types(), range(4)")
    names = [str(row[0]) for row in rows(session, "DESCRIBE every")]
    listed = ", ".join(f'typeof("{name}"), "{name}"::VARCHAR' for name in names)
    asked = [f"SELECT {listed} FROM {table}" for table in ("every", "memory.main.every")]
    check(
        session,
        {0: "UPDATE every SET bool = true", 1: "INSERT INTO every FROM every", 2: "DELETE FROM every"},
        asked,
    )


def test_a_union_whose_member_is_null_is_what_it_was(session: Session) -> None:
    session.execute("CREATE TABLE n (k INTEGER, v UNION(a INTEGER, b VARCHAR)[]) SHARD BY HASH (k) SHARDS 3")
    session.execute(
        "INSERT INTO n SELECT range, [union_value(a := NULL::INTEGER)::UNION(a INTEGER, b VARCHAR), NULL] FROM range(9)"
    )
    asked = ["SELECT k, [union_tag(x) FOR x IN v] FROM n", "SELECT DISTINCT v FROM n", "FROM memory.main.n"]
    check(session, {0: "UPDATE n SET k = k", 1: "DELETE FROM n"}, asked)


def test_values_that_do_not_travel_are_refused(session: Session) -> None:
    session.execute(
        "CREATE TABLE n SHARD BY EVENLY SHARDS 3 AS SELECT row(1, 2::UNION(a INTEGER)) AS v FROM range(9)"
    )
    with begun(session, {0: "INSERT INTO n FROM n"}) as writers:
        with pytest.raises(NotSupportedError, match="do not travel"):
            seen(session, writers, "SELECT * FROM n")
        assert seen(session, writers, "SELECT count(*) FROM n") == [(12,)]
        assert left_behind(session) == []
