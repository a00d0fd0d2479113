"""The harness finds what is wrong, and only that."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal

import pytest

from .harness import Answer, Failure, Outcome, Sharded, Statement, difference
from .layouts import LAYOUTS, STRATEGIES, TableSpec, clause, create_statements

COLUMNS = (("k", "INTEGER"), ("x", "DOUBLE"))
ANSWER = Answer(COLUMNS, ((1, 0.5), (2, float("nan")), (2, None)))


@pytest.mark.parametrize(
    "got",
    [
        Answer((("k", "BIGINT"), ("x", "DOUBLE")), ANSWER.rows),
        Answer((("other", "INTEGER"), ("x", "DOUBLE")), ANSWER.rows),
        Answer(COLUMNS, ANSWER.rows[:2]),
        Answer(COLUMNS, (*ANSWER.rows, ANSWER.rows[0])),
        Answer(COLUMNS, (*ANSWER.rows[:2], (2, 0.0))),
        Answer(COLUMNS, ((1, 0.5000001), *ANSWER.rows[1:])),
        Answer(COLUMNS, ((Decimal(1), 0.5), *ANSWER.rows[1:])),
        Failure("no such column"),
    ],
    ids=["type", "name", "row missing", "row twice", "null", "value", "python type", "error"],
)
def test_another_answer_is_found(got: Outcome) -> None:
    assert difference(ANSWER, got) is not None
    assert difference(got, ANSWER) is not None


def test_an_error_on_both_sides_is_no_difference_but_a_crash_is() -> None:
    assert difference(Failure("one message"), Failure("another")) is None
    assert difference(Failure("one message"), Failure("KeyError: 7", crashed=True)) is not None


def test_the_order_of_rows_counts_where_it_is_fixed() -> None:
    turned = Answer(COLUMNS, ANSWER.rows[::-1])
    assert difference(ANSWER, turned) is None
    assert difference(ANSWER, turned, ordered=True) is not None


def test_floating_point_values_may_differ_in_the_last_digits_also_inside_of_nested_values() -> None:
    columns = (("v", "STRUCT(l DOUBLE[], n DOUBLE)"),)
    one = Answer(columns, (({"l": [0.1, 0.2], "n": float("nan")},),))
    other = Answer(columns, (({"l": [0.1, 0.2 + 1e-15], "n": float("nan")},),))
    far = Answer(columns, (({"l": [0.1, 0.3], "n": float("nan")},),))
    assert difference(one, other) is None
    assert difference(one, far) is not None


def test_a_wrong_answer_of_a_database_is_reported_with_all_that_is_needed_to_see_it_again() -> None:
    with closing(Sharded("hash, 3 shards, seed 5", 3)) as sharded:
        sharded.run(["CREATE TABLE t (k INTEGER) SHARD BY HASH (k)", "INSERT INTO t VALUES (1), (2), (3)"])
        statement = Statement("SELECT k FROM t WHERE k = $key", {"key": 2})
        assert list(sharded.mismatches(statement, Answer((("k", "INTEGER"),), ((2,),)))) == []
        found = list(sharded.mismatches(statement, Answer((("k", "INTEGER"),), ((7,),))))
    assert {mismatch.way for mismatch in found} == {"all tiers", "gather"}
    for part in (statement.sql, "{'key': 2}", "hash, 3 shards, seed 5", "gather plan", "(2,)", "(7,)"):
        assert part in str(found[-1])


def test_every_layout_is_one_that_duckraft_takes() -> None:
    specs = [TableSpec(f"t{number}", "k INTEGER, j INTEGER", "k", ("1", "5", "9")) for number in range(6)]
    specs.append(TableSpec("pair", "k INTEGER, j INTEGER", "k, j", ("1, 1", "5, 2")))
    for layout in LAYOUTS:
        with closing(Sharded(layout, 3)) as sharded:
            sharded.run(create_statements(specs, layout, 3))
            kinds = {table.strategy.kind for table in sharded.database.catalog.ready_tables()}
        assert len(kinds) == (6 if layout in ("mixed", "mirrored") else 1)


def test_a_strategy_that_does_not_exist_is_refused() -> None:
    spec = TableSpec("t", "k INTEGER", "k", ("1",))
    assert all(clause(spec, strategy, 3) for strategy in STRATEGIES)
    with pytest.raises(ValueError, match="no strategy is called modulo"):
        clause(spec, "modulo", 3)
