"""Every aggregate function in every form answers as on one DuckDB, for every strategy; the reference page is true."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.planner.mergeable import known_aggregates
from duckraft.engine.planner.plan import Tier
from tests.differential.harness import Sharded, Statement, ask_plain, ask_sharded, connect_plain, difference

from .aggregates import (
    CALLS,
    COLUMNS,
    DISTINCT,
    FILTER,
    ORDER_BY,
    OTHERS,
    PLAIN,
    ROWS,
    Call,
    aggregates_of_duckdb,
    page,
    way_of,
)

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "aggregates.md"
REWRITE = "DUCKRAFT_REWRITE_DOCS"

LAYOUTS = {
    "by_hash": "SHARD BY HASH (id) SHARDS 3",
    "by_consistent_hash": "SHARD BY CONSISTENT HASH (id) SHARDS 3",
    # The last range has no rows.
    "by_range": "SHARD BY RANGE (id) (VALUES LESS THAN (20), VALUES LESS THAN (900), MAXVALUE)",
    "by_directory": "SHARD BY DIRECTORY (g) (SHARD 0 VALUES ('a'), SHARD 1 VALUES ('zzz'), DEFAULT SHARD 2)",
    "evenly": "SHARD BY EVENLY SHARDS 3",
    "everywhere": "REFERENCE",
}

QUERIES = (
    "SELECT {} FROM {}",
    "SELECT g, {} FROM {} GROUP BY g",
    "SELECT id, {} FROM {} GROUP BY id",
    "SELECT {} FROM {} WHERE id < 0",
)


@pytest.fixture(scope="module")
def plain() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect_plain()) as connection:
        connection.execute(f"CREATE TABLE t ({COLUMNS})")
        connection.execute(f"INSERT INTO t {ROWS}")
        yield connection


@pytest.fixture(scope="module")
def sharded() -> Iterator[Sharded]:
    with closing(Sharded("every strategy", 3)) as sharded:
        for name, clause in {"t": LAYOUTS["by_hash"], **LAYOUTS}.items():
            sharded.run([f"CREATE TABLE {name} ({COLUMNS}) {clause}", f"INSERT INTO {name} {ROWS}"])
        yield sharded


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_an_aggregate_answers_as_on_one_duckdb(
    call: Call, sharded: Sharded, plain: duckdb.DuckDBPyConnection
) -> None:
    turn = count(CALLS.index(call))
    tables = list(LAYOUTS)
    found: list[str] = []
    for modifiers in ((PLAIN, FILTER), (DISTINCT,), (ORDER_BY,)):
        if call.name == "mode" and DISTINCT in modifiers:
            continue  # Of different values each is there once, and any of them is an answer.
        asked = ", ".join(f"{call.sql(modifier)} AS a{number}" for number, modifier in enumerate(modifiers))
        for query in QUERIES if PLAIN in modifiers else [QUERIES[next(turn) % 2]]:
            table = tables[next(turn) % len(tables)]
            expected = ask_plain(plain, Statement(query.format(asked, "t")))
            statement = Statement(query.format(asked, table))
            differs = difference(expected, ask_sharded(sharded.session, statement))
            if differs:
                found.append(f"{statement.sql}: {differs}")
    assert found == []


@pytest.mark.parametrize("name", ["any_value", "arbitrary", "first", "last"])
def test_a_function_that_picks_a_row_picks_one_of_the_group(name: str, sharded: Sharded) -> None:
    session = sharded.session
    rows = session.execute(
        f"SELECT g, {name}(id), {name}(id) FILTER (WHERE id > 30) FROM t GROUP BY g"
    ).fetchall()
    members: dict[str | None, list[int]] = dict(
        session.execute("SELECT g, list(id) FROM t GROUP BY g").fetchall()
    )
    assert {row[0] for row in rows} == set(members)
    assert all(picked in members[g] and late in members[g] and late > 30 for g, picked, late in rows)


@pytest.mark.parametrize("name", ["first", "last", "any_value", "arbitrary", "arg_max", "arg_min_null"])
def test_a_shard_without_rows_gives_no_value(name: str, sharded: Sharded) -> None:
    arguments = "same, id" if name.startswith("arg") else "same"
    statement = f"SELECT {name}({arguments}) FROM by_range WHERE id = 60 OR x > 1000"
    assert way_of(sharded.session.plan(statement)) == "state"
    assert sharded.session.execute(statement).fetchall() == [("same",)]


def test_states_that_a_user_merges_are_merged_at_the_gateway(sharded: Sharded) -> None:
    states = "SELECT g, sum(x) EXPORT_STATE AS state FROM t GROUP BY g"
    (merged,) = sharded.session.execute(f"SELECT finalize(combine_aggr(state)) FROM ({states})").fetchall()
    assert merged == sharded.session.execute("SELECT sum(x) FROM t").fetchall()[0]


def test_aggregates_of_several_ways_stand_side_by_side(
    sharded: Sharded, plain: duckdb.DuckDBPyConnection
) -> None:
    asked = (
        "SELECT g, count(*), median(x), sum(DISTINCT x), list(id ORDER BY id), max(x, 2) FROM t GROUP BY g"
    )
    merged = "SELECT g, count(*), median(x), avg(m), bool_and(b), arg_max(s, id), max(DISTINCT s) FROM t GROUP BY g"
    for sql, tier in ((asked, Tier.GATHER), (merged, Tier.SPLIT)):
        assert sharded.session.plan(sql).tier is tier
        assert not difference(ask_plain(plain, Statement(sql)), ask_sharded(sharded.session, Statement(sql)))


def test_every_aggregate_of_duckdb_is_known_and_called(plain: duckdb.DuckDBPyConnection) -> None:
    there = set(aggregates_of_duckdb(plain))
    assert known_aggregates() == there
    assert {call.name for call in CALLS} | OTHERS == there


def test_the_reference_page_says_what_the_planner_does(
    sharded: Sharded, plain: duckdb.DuckDBPyConnection
) -> None:
    made = page(sharded.session, plain)
    if os.environ.get(REWRITE):
        PAGE.write_text(made)
    assert PAGE.read_text() == made
