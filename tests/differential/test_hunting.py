"""The hunt finds a wrong answer, shrinks it, and tells it from an answer that was never fixed."""

from __future__ import annotations

from contextlib import closing

import pytest

from .harness import Answer, Failure, Statement
from .hunting import Round, hunt, is_ordered
from .layouts import LAYOUTS

PLACES = (("hash", 3), ("range", 3))
SEED = 3


def test_a_lost_row_is_found_and_the_statement_shrunk() -> None:
    with closing(Round(SEED, PLACES)) as databases:
        place = databases.places[0]
        place.run(["DELETE FROM t0 WHERE id = (SELECT max(id) FROM t0)"])
        statement = Statement(
            "SELECT r.a, count(*) AS n FROM t0 AS r WHERE r.id > 0 GROUP BY r.a ORDER BY 1, 2"
        )
        tried = databases.attempt(statement, place)
        other = databases.attempt(statement, databases.places[1])
    assert tried.mismatch is not None
    assert not tried.undefined
    assert len(tried.mismatch.statement.sql) < len(statement.sql)
    assert "hash, 3 shards, seed 3" in str(tried.mismatch)
    assert other.mismatch is None
    assert other.compared > 0


def test_an_answer_that_the_order_of_the_rows_decides_on_is_no_mismatch_of_duckraft() -> None:
    with closing(Round(SEED, PLACES)) as databases:
        place = databases.places[0]
        place.run(["DELETE FROM t0 WHERE id = 1"])
        tried = databases.attempt(Statement("SELECT first(id) FROM t0"), place)
    assert tried.mismatch is not None
    assert tried.undefined


def test_a_change_that_fails_on_one_side_only_ends_the_round() -> None:
    with closing(Round(SEED, PLACES)) as databases:
        databases.places[1].run([f"DROP TABLE {table.name}" for table in databases.schema.tables])
        tried = list(databases.statements(300))
    assert len(tried) < 300
    assert tried[-1].mismatch is not None


def test_a_schema_that_cannot_be_loaded_is_a_finding() -> None:
    tally, found = hunt(SEED, statements=5, places=[("no such layout", 3)])
    assert tally.wrong == len(found) == 1
    assert "loading fails" in found[0]
    assert "no such layout" not in LAYOUTS


@pytest.mark.parametrize(
    ("sql", "fixed"),
    [
        ("SELECT a, b FROM t ORDER BY ALL", True),
        ("SELECT a, b FROM t ORDER BY ALL DESC NULLS LAST LIMIT 3", True),
        ("SELECT a, b FROM t ORDER BY 2 DESC, 1 LIMIT 4 OFFSET 2", True),
        ("SELECT a, b FROM t ORDER BY 1, 2 LIMIT (SELECT 2)", True),
        ("SELECT a, b FROM t ORDER BY 1", False),
        ("SELECT a, b FROM t ORDER BY a, b", False),
        ("SELECT a, (SELECT max(b) FROM u ORDER BY ALL) FROM t", False),
        ("SELECT a, sum(b) OVER (ORDER BY 1, 2) FROM t", False),
        ("SELECT a, b FROM t", False),
    ],
)
def test_an_order_counts_where_it_is_by_all_columns(sql: str, fixed: bool) -> None:
    columns = (("a", "INTEGER"), ("b", "INTEGER"))
    assert is_ordered(Statement(sql), Answer(columns, ())) is fixed
    assert not is_ordered(Statement(sql), Failure("no such table"))
