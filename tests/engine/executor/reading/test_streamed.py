"""The streamed binding: answers like the attached one, ends as a whole, leaves nothing behind."""

from __future__ import annotations

import threading

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import DataError, ProgrammingError, QueryCanceledError
from duckraft.engine.planner.moving import JoinStrategy
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from tests.engine.executor.support import error_of, rows


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """t and u: rows on three and two shards, joined on a column that is not u's shard key. The session streams."""
    session.execute(
        "CREATE TABLE t SHARD BY HASH (k) SHARDS 3 AS SELECT range AS k, range % 7 AS g FROM range(1000)"
    )
    session.execute(
        "CREATE TABLE u SHARD BY HASH (a) SHARDS 2 AS SELECT range AS a, range * 3 AS k FROM range(500)"
    )
    session.execute("SET duckraft_binding = streamed")


def left_behind(database: Database, session: Session) -> tuple[list[object], list[object], list[str]]:
    """What a statement may have left: tables in the gateway's memory, registered relations, threads."""
    with database.gateway.asking() as connection:
        kept = duck.rows(
            connection,
            "SELECT table_name FROM system.main.duckdb_tables() WHERE table_name SIMILAR TO '(moved|keys)_.*'",
        )
    relations = duck.rows(
        session.context.connections.gateway,
        "SELECT view_name FROM system.main.duckdb_views() WHERE view_name LIKE 'duckraft_fragment%'",
    )
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("duckraft-fragment")]
    return list(kept), list(relations), threads


def test_a_fragment_may_be_scanned_more_than_once(session: Session) -> None:
    query = (
        "WITH x AS (FROM t) SELECT count(*) FROM x one JOIN x other ON one.k = other.k + 1, u WHERE u.a < 2"
    )
    assert rows(session, query) == [(1998,)]


def test_a_recursive_statement_scans_in_every_round(session: Session) -> None:
    query = "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT r.x + 1 FROM r, u WHERE u.a = r.x AND r.x < 5) FROM r"
    assert sorted(rows(session, query)) == [(1,), (2,), (3,), (4,), (5,)]


def test_parameters_reach_the_fragments_and_the_merge(session: Session) -> None:
    query = "SELECT count(*) + $other FROM t WHERE g = $g"
    assert rows(session, query, {"g": 3, "other": 10_000}) == [(10_143,)]
    assert error_of(session, query, {"g": 3, "other": 1, "more": 1}).sqlstate == "22023"


def test_settings_of_the_session_hold_where_fragments_run(session: Session) -> None:
    session.execute("SET TimeZone = 'Asia/Tokyo'")
    query = "SELECT max(date_part('hour', TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (k) SECOND)) FROM t"
    assert rows(session, query) == [(9,)]


@pytest.mark.parametrize(
    "strategy", [JoinStrategy.BROADCAST, JoinStrategy.REPARTITION, JoinStrategy.REDUCTION]
)
def test_nothing_is_left_behind_by_a_statement_that_moved_rows(
    strategy: JoinStrategy, database: Database, session: Session
) -> None:
    session.context.allowed_joins = frozenset({strategy})
    query = "SELECT count(*), sum(t.g) FROM t JOIN u ON u.k = t.k WHERE t.g < 4"
    assert any(fragment.moves() for fragment in session.plan(query).fragments())
    groups = [number % 7 for number in range(0, 1000, 3) if number % 7 < 4]
    assert rows(session, query) == [(len(groups), sum(groups))]
    assert left_behind(database, session) == ([], [], [])


def test_a_result_that_is_closed_early_ends_its_streams(database: Database, session: Session) -> None:
    result = session.execute("SELECT * FROM t one, t other")
    assert len(result.fetchmany(5)) == 5
    result.close()
    assert left_behind(database, session) == ([], [], [])
    assert rows(session, "SELECT count(*) FROM t") == [(1000,)]


def test_a_result_that_is_still_read_keeps_its_rows(session: Session) -> None:
    result = session.execute("SELECT k FROM t")
    first = result.fetchmany(1)
    assert rows(session, "SELECT count(*) FROM u") == [(500,)]
    assert sorted(first + result.fetchall()) == [(number,) for number in range(1000)]


def test_an_error_on_a_shard_is_the_error_of_the_statement(database: Database, session: Session) -> None:
    session.context.allowed_joins = frozenset({JoinStrategy.BROADCAST})
    error = error_of(session, "SELECT sum(CAST('x' || t.k AS INTEGER)) FROM t JOIN u ON u.k = t.k")
    assert isinstance(error, DataError)
    assert "x" in error.message
    assert left_behind(database, session) == ([], [], [])


def test_a_statement_that_does_not_bind_has_the_message_of_its_own_text(session: Session) -> None:
    error = error_of(session, "SELECT nothing FROM t JOIN u ON u.k = t.k")
    assert isinstance(error, ProgrammingError)
    assert (error.sqlstate, error.position) == ("42703", 8)


def test_cancelling_ends_every_fragment(database: Database, session: Session) -> None:
    started = threading.Event()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            started.set()
            session.execute(
                "SELECT count(*) FROM t a, t b, t c, t d WHERE a.k + b.k + c.k + d.k = -1"
            ).fetchall()
        except QueryCanceledError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    while thread.is_alive():
        session.cancel()
        thread.join(timeout=0.05)
    assert len(raised) == 1
    assert left_behind(database, session) == ([], [], [])
    assert rows(session, "SELECT count(*) FROM t") == [(1000,)]


@pytest.mark.parametrize("strategy", JoinStrategy)
def test_a_column_with_a_collation_compares_as_it_should(strategy: JoinStrategy, session: Session) -> None:
    session.execute("CREATE TABLE c (k INTEGER, v VARCHAR COLLATE NOCASE) SHARD BY HASH (k) SHARDS 3")
    session.execute("INSERT INTO c VALUES (1, 'A'), (2, 'b'), (3, 'a')")
    session.execute("CREATE TABLE d (k INTEGER, v VARCHAR) SHARD BY HASH (k) SHARDS 2")
    session.execute("INSERT INTO d VALUES (7, 'a'), (8, 'B')")
    session.context.allowed_joins = frozenset({strategy})
    assert rows(session, "SELECT count(*) FROM c WHERE v = 'a'") == [(2,)]
    assert rows(session, "SELECT count(DISTINCT v) FROM c") == [(2,)]
    assert rows(session, "SELECT count(*) FROM c JOIN d ON c.v = d.v") == [(3,)]


def test_cancelling_the_next_statement_leaves_an_open_result_alone(session: Session) -> None:
    result = session.execute("SELECT t.k FROM t, (SELECT 1 FROM range(20)) r")
    first = result.fetchmany(1)
    before = session.context.connections.gateway
    raised: list[BaseException] = []

    def run() -> None:
        try:
            rows(
                session,
                "SELECT count(*) FROM t a, t b, t c, t d WHERE sqrt(a.k + b.k) + sqrt(c.k + d.k) = -1",
            )
        except QueryCanceledError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        # Until the result has a connection of its own, what is stopped is reading ahead of it.
        if session.context.connections.gateway is not before:
            session.cancel()
        thread.join(timeout=0.05)
    assert len(raised) == 1
    assert len(first + result.fetchall()) == 20_000


EQUAL_KEYS = {
    # Values that are equal and written differently must meet on one shard.
    "DOUBLE": ("('nan'), (0.0), (1.5), (NULL)", "('nan'), (-0.0), (0.0), (2.5), (NULL)", 3),
    "INTERVAL": (
        "(INTERVAL 30 DAY), (INTERVAL 1 YEAR)",
        "(INTERVAL 1 MONTH), (INTERVAL 720 HOUR), (INTERVAL 360 DAY)",
        3,
    ),
    "TIMESTAMPTZ": ("('2024-01-01 00:00:00+00')", "('2024-01-01 05:30:00+05:30'), ('2024-01-01')", 2),
    "DECIMAL(9, 3)": ("(1.5), (-2)", "(1.500), (-2.000), (1.501)", 2),
    "VARCHAR": ("('a'), (''), ('ä')", "('a'), (''), ('A'), ('a ')", 2),
}


@pytest.mark.parametrize("kind", EQUAL_KEYS)
@pytest.mark.parametrize("strategy", JoinStrategy)
def test_equal_keys_meet_wherever_they_come_from(strategy: JoinStrategy, kind: str, session: Session) -> None:
    left, right, pairs = EQUAL_KEYS[kind]
    session.execute(f"CREATE TABLE one (v {kind}) SHARD BY EVENLY SHARDS 3")
    session.execute(f"CREATE TABLE other (v {kind}) SHARD BY EVENLY SHARDS 2")
    session.execute("SET TimeZone = 'UTC'")
    session.execute(f"INSERT INTO one VALUES {left}")
    session.execute(f"INSERT INTO other VALUES {right}")
    session.context.allowed_joins = frozenset({strategy})
    assert rows(session, "SELECT count(*) FROM one JOIN other ON one.v = other.v") == [(pairs,)]
    kept = "SELECT count(*) FROM other LEFT JOIN one ON one.v = other.v"
    assert rows(session, kept) == [(right.count("("),)]


def test_a_type_that_arrow_changes_is_moved_with_the_parameters_of_its_conditions(session: Session) -> None:
    session.execute("CREATE TABLE x (k INTEGER, v UNION(n INTEGER, s VARCHAR)) SHARD BY EVENLY SHARDS 2")
    session.execute("INSERT INTO x SELECT range, union_value(n := nullif(range, 3)::INTEGER) FROM range(10)")
    session.context.allowed_joins = frozenset({JoinStrategy.BROADCAST})
    query = "SELECT count(*), count(x.v) FROM t JOIN x ON x.k = t.g WHERE x.k > $1 AND t.k < $2"
    assert rows(session, query, [1, 700]) == [(500, 500)]
