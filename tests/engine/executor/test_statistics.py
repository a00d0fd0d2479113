"""Statistics of shards: what they say, and that no row is ever missed because of them.

The table `events` has four shards by range of `id`, with moments that rise with it, so that a condition on the moment
leaves few of the shards.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from duckraft.engine.catalog.model import Table
from duckraft.engine.database import Database
from duckraft.engine.planner.plan import Tier
from duckraft.engine.planner.statistics import Bounds
from duckraft.engine.session import Session
from duckraft.engine.statements import queries
from tests.differential.harness import connect_plain

BOUNDS = "VALUES LESS THAN (100), VALUES LESS THAN (200), VALUES LESS THAN (300), MAXVALUE"
ROWS = "SELECT i, i * 10, TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR, 'name ' || i FROM range(400) r(i)"
LATE = "SELECT count(*) FROM events WHERE n >= 90000"
EARLY = "SELECT count(*), min(id) FROM events WHERE n < 500"


@pytest.fixture
def session() -> Iterator[Session]:
    with Database.open(shards=4, threads=2) as database, database.session() as session:
        session.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY, n INTEGER, moment TIMESTAMP, name VARCHAR)"
            f" SHARD BY RANGE (id) ({BOUNDS})"
        ).close()
        session.execute(f"INSERT INTO events {ROWS}").close()
        yield session


def table_of(session: Session, name: str = "events") -> Table:
    table = session.context.gateway.find_table((name,))
    assert table is not None
    return table


def answer(session: Session, sql: str) -> list[tuple[object, ...]]:
    return session.execute(sql).fetchall()


def shards_read(session: Session, sql: str) -> tuple[int, ...]:
    return session.plan(sql).routes[0].shards


def test_rows_and_bytes_are_estimated_by_shard(session: Session) -> None:
    statistics, table = session.context.gateway.statistics, table_of(session)
    assert [statistics.rows(table, shard) for shard in range(4)] == [100] * 4
    answer(session, "INSERT INTO events SELECT i, 0, NULL, NULL FROM range(1000, 2000) r(i)")
    assert statistics.rows(table, 3) == 1100
    # Two integers, a timestamp, and a text of about eight characters.
    assert 20 * 100 <= statistics.bytes(table, 0) <= 40 * 100


def test_texts_count_with_their_lengths(session: Session) -> None:
    for name, length in (("short", 1), ("long", 1000)):
        answer(session, f"CREATE TABLE {name} (id INTEGER, s VARCHAR) SHARD BY HASH (id)")
        answer(session, f"INSERT INTO {name} SELECT i, repeat('x', {length}) FROM range(100) r(i)")
    statistics = session.context.gateway.statistics
    short, long = (statistics.bytes(table_of(session, name), 0) for name in ("short", "long"))
    assert long > 50 * short > 0


def test_bounds_are_those_of_the_rows(session: Session) -> None:
    answer(session, "INSERT INTO events VALUES (350000, NULL, NULL, NULL)")
    bounds = session.context.gateway.statistics.bounds(table_of(session), ["n", "id"])
    assert [known.columns["n"] if known else None for known in bounds] == [
        Bounds(0, 990, False),
        Bounds(1000, 1990, False),
        Bounds(2000, 2990, False),
        Bounds(3000, 3990, True),
    ]


def test_shards_that_have_no_row_for_a_condition_are_left_out(session: Session) -> None:
    plan = session.plan("SELECT count(*) FROM events WHERE moment >= '2024-01-10' AND moment < '2024-01-11'")
    assert plan.routes[0].shards == (2,)
    assert plan.tier is Tier.ROUTE
    assert "statistics rule out 3 shards" in plan.reason
    assert shards_read(session, "SELECT * FROM events WHERE n BETWEEN 900 AND 1100") == (0, 1)
    assert shards_read(session, "SELECT * FROM events WHERE n IN (5, 3985)") == (0, 3)
    assert shards_read(session, "SELECT * FROM events WHERE n > 90000") == ()
    assert shards_read(session, "SELECT * FROM events WHERE n IS NULL") == ()
    assert shards_read(session, "SELECT * FROM events WHERE n > 90000 OR id = 3") == (0, 1, 2, 3)
    assert shards_read(session, "SELECT * FROM events WHERE n < '500'") == (0,)


def test_a_join_reads_the_shards_that_its_conditions_leave(session: Session) -> None:
    sql = "SELECT count(*) FROM events a LEFT JOIN events b ON b.n = a.n * 4 AND b.n > 3000 WHERE a.n <= 990"
    plan = session.plan(sql)
    assert {route.name: route.shards for route in plan.routes} == {"a": (0,), "b": (3,)}
    assert answer(session, sql) == [(100,)]


def test_the_system_tables_show_statistics(session: Session) -> None:
    asked = "SELECT shard, min_value, max_value, has_null FROM duckraft.statistics WHERE column_name = 'n' ORDER BY 1"
    answer(session, "UPDATE events SET n = NULL WHERE id = 200")
    answer(session, "DELETE FROM events WHERE id >= 300")
    assert answer(session, asked) == [
        (0, "0", "990", False),
        (1, "1000", "1990", False),
        (2, "2000", "2990", True),
    ]
    answer(session, "CREATE TABLE other (a VARCHAR, b INTEGER[]) SHARD BY EVENLY SHARDS 2")
    answer(session, "INSERT INTO other VALUES ('it''s', [1])")
    answer(session, "DROP TABLE events")
    assert answer(
        session, "SELECT DISTINCT table_name, column_name, column_type FROM duckraft.statistics ORDER BY 2"
    ) == [
        ("other", "a", "VARCHAR"),
        ("other", "b", "INTEGER[]"),
    ]
    (size,) = answer(session, "SELECT max(bytes) FROM duckraft.shards")[0]
    assert isinstance(size, int)
    assert 4 < size < 200
    answer(session, "DROP TABLE other")
    assert answer(session, "FROM duckraft.statistics") == []


@pytest.mark.parametrize("key", ["n", "id"])
def test_a_condition_is_not_carried_to_a_column_of_another_type(key: str, session: Session) -> None:
    """As a text '9' is above '10', as a number it is not."""
    answer(session, "CREATE TABLE texts (s VARCHAR) SHARD BY EVENLY SHARDS 4")
    answer(session, "INSERT INTO texts SELECT i::VARCHAR FROM range(400) r(i)")
    answer(session, "UPDATE events SET n = id")
    sql = f"SELECT count(*) FROM texts JOIN events ON s = {key} WHERE s > '398'"
    assert answer(session, sql) == answer(session, "SELECT count(*) FROM texts WHERE s > '398'") == [(67,)]
    sql = f"SELECT count(*) FROM texts JOIN events ON s = {key} WHERE {key} = '7'"
    answer(session, "INSERT INTO texts VALUES ('07'), (' 7')")
    assert answer(session, sql) == [(3,)]


def test_an_empty_table_has_the_plan_of_a_full_one(session: Session) -> None:
    answer(session, "DELETE FROM events")
    assert shards_read(session, EARLY) == (0, 1, 2, 3)


def test_a_plan_with_parameters_is_not_kept_for_other_values(session: Session) -> None:
    bounds = ", ".join(f"VALUES LESS THAN ({number * 10})" for number in range(1, 20))
    answer(session, f"CREATE TABLE many (id INTEGER, n INTEGER) SHARD BY RANGE (id) ({bounds}, MAXVALUE)")
    answer(session, "INSERT INTO many SELECT i, i * 10 FROM range(200) r(i)")
    sql = "SELECT count(*) FROM many WHERE n >= ? AND n < ?"
    assert session.plan(sql, [500, 510]).routes[0].shards == (5,)
    for lower in (0, 1000, 1010, 1990, 0):
        assert session.execute(sql, [lower, lower + 10]).fetchall() == [(1,)]


def test_of_few_shards_none_is_left_out_for_a_parameter(session: Session) -> None:
    assert session.plan("SELECT count(*) FROM events WHERE n < ?", [5]).routes[0].shards == (0, 1, 2, 3)


VALUES = {
    "small TINYINT": ["-128", "-1", "0", "7", "127"],
    "large HUGEINT": ["-170141183460469231731687303715884105727", "0", "9007199254740993", "1e30"],
    "part DECIMAL(18,3)": ["-0.001", "0.000", "12.500", "999999999999999.999"],
    "day DATE": [
        "DATE '0001-01-01'",
        "DATE '2024-02-29'",
        "DATE '9999-12-31'",
        "'infinity'::DATE",
        "'-infinity'::DATE",
    ],
    "moment TIMESTAMP": [
        "TIMESTAMP '2024-02-29 12:00:00.000001'",
        "TIMESTAMP '9999-12-31 23:59:59.999999'",
        "'infinity'::TIMESTAMP",
        "TIMESTAMP '200000-01-01 00:00:00'",
        "TIMESTAMP '0001-01-01 00:00:00'",
    ],
    "flag BOOLEAN": ["true", "false"],
}
"""Declarations of columns, and values at which bounds could go wrong."""

CONDITIONS = ("= {}", "< {}", "<= {}", "> {}", ">= {}", "IN ({}, {})", "BETWEEN {} AND {}", "IS NULL")


def test_what_is_left_out_has_no_matching_row() -> None:
    random = Random(20)
    names = [declaration.split()[0] for declaration in VALUES]
    with Database.open(shards=6, threads=2) as database, closing(connect_plain()) as plain:
        session = database.session()
        plain.execute(f"CREATE TABLE t (k INTEGER, {', '.join(VALUES)})")
        answer(
            session,
            f"CREATE TABLE t (k INTEGER, {', '.join(VALUES)}) SHARD BY RANGE (k) ("
            + ", ".join(f"VALUES LESS THAN ({number})" for number in range(1, 6))
            + ", MAXVALUE)",
        )
        for shard in range(6):
            # Few values on each shard, so that conditions leave some out.
            for _ in range(random.randint(0, 2)):
                row = [random.choice([*listed, "NULL"]) for listed in VALUES.values()]
                insert = f"INSERT INTO t VALUES ({shard}, {', '.join(row)})"
                plain.execute(insert)
                answer(session, insert)
        pruned = 0
        for _ in range(200):
            name, listed = random.choice(list(zip(names, VALUES.values(), strict=True)))
            condition = random.choice(CONDITIONS).format(random.choice(listed), random.choice(listed))
            sql = f"SELECT count(*) FROM t WHERE {name} {condition}"
            pruned += bool(session.plan(sql).left_out)
            assert answer(session, sql) == plain.execute(sql).fetchall(), sql
    assert pruned > 50


WRITES = {
    "INSERT of one row": "INSERT INTO events VALUES (5000, 99999, NULL, NULL)",
    "INSERT into several shards": "INSERT INTO events VALUES (5000, 99999, NULL, NULL), (-1, 1, NULL, NULL)",
    "INSERT of a query": "INSERT INTO events SELECT i, 99999, NULL, NULL FROM range(5000, 5001) r(i)",
    "INSERT with RETURNING": "INSERT INTO events VALUES (5000, 99999, NULL, NULL) RETURNING id",
    "INSERT over a conflict": "INSERT INTO events VALUES (3, 99999, NULL, NULL)"
    " ON CONFLICT (id) DO UPDATE SET n = excluded.n",
    "INSERT OR REPLACE": "INSERT OR REPLACE INTO events VALUES (3, 99999, NULL, NULL)",
    "COPY": "COPY events FROM 'late.csv'",
    "UPDATE on one shard": "UPDATE events SET n = 99999 WHERE id = 3",
    "UPDATE on all shards": "UPDATE events SET n = 99999 WHERE name = 'name 3'",
    "UPDATE that moves a row": "UPDATE events SET id = 5000, n = 99999 WHERE id = 3",
    "UPDATE FROM": "UPDATE events SET n = o.k FROM (SELECT 99999 AS k) o WHERE id = 3",
    "MERGE": "MERGE INTO events USING (SELECT 3 AS i) s ON events.id = s.i WHEN MATCHED THEN UPDATE SET n = 99999",
    "a new table": "CREATE OR REPLACE TABLE events SHARD BY EVENLY AS SELECT 1 AS id, 99999 AS n",
    "a new default": "ALTER TABLE events ADD COLUMN m INTEGER DEFAULT 99999",
}


@pytest.mark.parametrize("sql", WRITES.values(), ids=WRITES)
def test_rows_that_a_change_puts_outside_the_bounds_are_found(
    sql: str, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("late.csv").write_text("5000,99999,,\n")
    assert answer(session, LATE) == [(0,)]
    assert shards_read(session, LATE) == ()
    answer(session, sql)
    if "ADD COLUMN" in sql:
        assert answer(session, "SELECT count(*) FROM events WHERE m = 99999") == [(400,)]
    else:
        assert answer(session, LATE) == [(1,)]


@pytest.mark.parametrize("sql", ["DELETE FROM events WHERE n < 500", "TRUNCATE events"])
def test_rows_that_are_gone_are_not_counted(sql: str, session: Session) -> None:
    assert answer(session, EARLY) == [(50, 0)]
    answer(session, sql)
    assert answer(session, EARLY) == [(0, None)]


def test_a_change_that_is_rolled_back_leaves_nothing_wrong(session: Session) -> None:
    assert answer(session, LATE) == [(0,)]
    with pytest.raises(Exception, match="99999"):
        answer(session, "UPDATE events SET n = CASE WHEN id = 399 THEN error('99999') ELSE 99999 END")
    assert answer(session, LATE) == [(0,)]
    assert answer(session, EARLY) == [(50, 0)]


def test_a_shard_that_is_being_changed_is_not_left_out(session: Session) -> None:
    home = table_of(session).placements[1]
    with session.context.gateway.versions.changing([home]):
        assert shards_read(session, EARLY) == (0, 1)
    assert shards_read(session, EARLY) == (0,)


def test_bounds_that_were_read_while_a_change_committed_are_not_kept(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    statistics, table = session.context.gateway.statistics, table_of(session)
    read = statistics._read_bounds
    other = Session(session.database)

    def read_and_be_overtaken(*arguments: object) -> object:
        found = read(*arguments)  # type: ignore[arg-type]
        other.execute("UPDATE events SET n = 99999 WHERE id = 3").close()
        return found

    monkeypatch.setattr(statistics, "_read_bounds", read_and_be_overtaken)
    bounds = statistics.bounds(table, ["n"])
    assert bounds[0] is None
    assert bounds[1] is not None
    monkeypatch.undo()
    assert answer(session, LATE) == [(1,)]


def test_a_change_between_planning_and_running_is_seen(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = queries._run, Session(session.database)
    runs: list[object] = []

    def run_late(*arguments: object) -> object:
        if not runs:
            other.execute("INSERT INTO events VALUES (5000, 99999, NULL, NULL)").close()
        runs.append(arguments)
        return run(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(queries, "_run", run_late)
    assert answer(session, LATE) == [(1,)]
    assert len(runs) == 2


def test_a_plan_that_is_kept_is_made_anew_after_a_change(session: Session) -> None:
    assert answer(session, LATE) == [(0,)]
    answer(session, "UPDATE events SET name = 'x' WHERE id = 399")
    assert answer(session, LATE) == [(0,)]
    answer(session, "UPDATE events SET n = 99999 WHERE id = 399")
    assert answer(session, LATE) == [(1,)]


def test_readers_see_every_row_that_was_there_when_they_asked(session: Session) -> None:
    """Rows come in with ever greater numbers, on shard after shard; readers ask for the greatest ones."""
    rounds, written = 60, 0
    failures: list[str] = []
    done = threading.Event()

    def read() -> None:
        reader = Session(session.database)
        while not done.is_set():
            known = written
            (count,) = reader.execute("SELECT count(*) FROM events WHERE n >= 100000").fetchall()[0]
            if count < known:
                failures.append(f"{count} rows of {known}")
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    try:
        for number in range(rounds):
            key = (number % 4) * 100 + 1000 * (number // 4 + 1) * (-1 if number % 4 == 0 else 1)
            answer(session, f"INSERT INTO events VALUES ({key}, {100_000 + number}, NULL, NULL)")
            written = number + 1
    finally:
        done.set()
        for thread in readers:
            thread.join()
    assert failures == []
