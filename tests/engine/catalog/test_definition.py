"""From clauses to strategies."""

from __future__ import annotations

from typing import Any

import pytest

from duckraft.engine.catalog.definition import Shape, check_keys, placements_for, strategy_for
from duckraft.engine.catalog.model import Table, TableState
from duckraft.engine.errors import Error
from duckraft.engine.sql.clauses import parse_create_table
from duckraft.engine.types import Column

SHAPE = Shape((Column("a", "INTEGER"), Column("b", "VARCHAR")), (), ())
KEYED = Shape(SHAPE.columns, ("b",), (("b",),))


def evaluate(expression: str, kind: str) -> Any:
    return int(expression) if kind == "INTEGER" else expression.strip("'")


def made(clauses: str, shape: Shape = SHAPE, other: Table | None = None) -> str:
    """The clause of the strategy that comes of these clauses."""
    create = parse_create_table(f"CREATE TABLE t (a INT, b VARCHAR) {clauses}")
    return strategy_for(create.clause, shape, 4, other, evaluate).clause()


def table(clauses: str) -> Table:
    create = parse_create_table(f"CREATE TABLE o (a INT, b VARCHAR) {clauses}")
    strategy = strategy_for(create.clause, SHAPE, 4, None, evaluate)
    return Table("main", "o", SHAPE.columns, (), strategy, placements_for(strategy), TableState.READY, 1)


@pytest.mark.parametrize(
    ("clauses", "shape", "expected"),
    [
        ("", SHAPE, "SHARD BY EVENLY SHARDS 4"),
        ("SHARDS 2", SHAPE, "SHARD BY EVENLY SHARDS 2"),
        ("", KEYED, "SHARD BY HASH (b) SHARDS 4"),
        ("SHARD BY HASH (A)", SHAPE, "SHARD BY HASH (a) SHARDS 4"),
        ("SHARD BY CONSISTENT HASH (a) SHARDS 7", SHAPE, "SHARD BY CONSISTENT HASH (a) SHARDS 7"),
        ("REFERENCE", KEYED, "REFERENCE"),
    ],
)
def test_strategies(clauses: str, shape: Shape, expected: str) -> None:
    assert made(clauses, shape) == expected


def test_ranges_and_directories_keep_their_values() -> None:
    ranges = made("SHARD BY RANGE (a) (VALUES LESS THAN (5), (10), MAXVALUE)")
    assert ranges == made(f"{ranges}")
    directory = made("SHARD BY DIRECTORY (b) (SHARD 0 VALUES ('x'), SHARD 2 VALUES ('y'), DEFAULT SHARD 1)")
    assert directory == made(directory)


@pytest.mark.parametrize(
    "clauses",
    [
        "SHARD BY HASH (a) SHARDS 3",
        "SHARD BY CONSISTENT HASH (a) SHARDS 3",
        "SHARD BY RANGE (a) (VALUES LESS THAN (5), MAXVALUE)",
        "SHARD BY DIRECTORY (a) (SHARD 0 VALUES (1), DEFAULT SHARD 1)",
    ],
)
def test_colocation_takes_the_strategy_of_the_other_table(clauses: str) -> None:
    other = table(clauses)
    kind = clauses.split(" (")[0].removeprefix("SHARD BY ")
    assert made("COLOCATE WITH o", other=other) == other.strategy.clause()
    if kind in ("HASH", "CONSISTENT HASH"):
        assert made(f"SHARD BY {kind} (a) COLOCATE WITH o", other=other) == other.strategy.clause()


@pytest.mark.parametrize(
    ("clauses", "shape", "other", "sqlstate"),
    [
        ("SHARD BY HASH (nosuch)", SHAPE, None, "42703"),
        ("SHARD BY HASH (a)", KEYED, None, "0A000"),
        ("SHARD BY EVENLY", KEYED, None, "0A000"),
        ("SHARD BY HASH (a) SHARDS 0", SHAPE, None, "22023"),
        ("SHARD BY RANGE (a) (VALUES LESS THAN (1, 2))", SHAPE, None, "42P17"),
        ("SHARD BY RANGE (a) (VALUES LESS THAN (1)) SHARDS 5", SHAPE, None, "42P17"),
        ("SHARD BY DIRECTORY (a, b) (SHARD 0 VALUES ((1, 'x')), DEFAULT SHARD 0)", SHAPE, None, "0A000"),
        ("COLOCATE WITH o", SHAPE, "REFERENCE", "42P17"),
        ("SHARD BY HASH (b) COLOCATE WITH o", SHAPE, "SHARD BY HASH (a)", "42804"),
        ("SHARD BY CONSISTENT HASH (a) COLOCATE WITH o", SHAPE, "SHARD BY HASH (a)", "42P17"),
        ("SHARD BY HASH (a) SHARDS 9 COLOCATE WITH o", SHAPE, "SHARD BY HASH (a)", "42P17"),
    ],
)
def test_clauses_that_cannot_be_are_refused(
    clauses: str, shape: Shape, other: str | None, sqlstate: str
) -> None:
    with pytest.raises(Error) as caught:
        made(clauses, shape, None if other is None else table(other))
    assert (caught.value.sqlstate, caught.value.message) == (sqlstate, caught.value.message)


def test_a_unique_key_must_decide_on_the_shard() -> None:
    strategy = table("SHARD BY HASH (a)").strategy
    check_keys(Shape(SHAPE.columns, (), (("A", "b"),)), strategy, None)
    with pytest.raises(Error, match="does not contain the shard key"):
        check_keys(KEYED, strategy, 7)
