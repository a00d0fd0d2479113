"""Conditions on one table alone: which may be applied before its rows move, and which must not."""

from __future__ import annotations

import pytest
import sqlglot

from duckraft.engine.database import Database
from duckraft.engine.planner.analysis import DIALECT, analyse
from duckraft.engine.planner.filters import own_filters, selectivity
from duckraft.engine.session import Session

PLAIN: tuple[tuple[str, list[str]], ...] = (
    ("x > 3 AND y = 'a'", ["x > 3", "y = 'a'"]),
    ("x BETWEEN 1 AND 2 OR y LIKE 'a%'", ["x BETWEEN 1 AND 2 OR y LIKE 'a%'"]),
    ("NOT x IN (1, -2) AND a.y IS NULL", ["NOT x IN (1, -2)", "a.y IS NULL"]),
    ("d < DATE '2024-01-01' + INTERVAL 3 DAY", ["d < CAST('2024-01-01' AS DATE) + INTERVAL '3' DAY"]),
    ("x = $1", ["x = $1"]),
    # Functions and arithmetic on columns may fail on rows that the statement never looks at.
    ("x + 1 > 3", []),
    ("abs(x) > 3", []),
    ("CAST(y AS INTEGER) = 1", []),
    ("random() < 0.5", []),
    ("x > random()", []),
    ("3 > 2", []),
    ("x IN (SELECT k FROM b)", []),
    ("x = (SELECT max(k) FROM b)", []),
    ("nothing = 1", []),
)

JOINED: tuple[tuple[str, list[str], list[str]], ...] = (
    # (FROM and WHERE, what may be applied to a, what to b)
    ("a JOIN b ON a.x = b.k WHERE a.x > 1 AND b.v = 2", ["a.x > 1"], ["b.v = 2"]),
    ("a, b WHERE a.x = b.k AND y = 'a' AND v = 1", ["y = 'a'"], ["v = 1"]),
    ("a JOIN b ON a.x = b.k AND a.y IS NULL AND b.v > 2", ["a.y IS NULL"], ["b.v > 2"]),
    # Rows of b that do not match are NULL in the answer: a WHERE must see all that match, an ON need not.
    ("a LEFT JOIN b ON a.x = b.k WHERE a.x > 1 AND b.v = 2", ["a.x > 1"], []),
    ("a LEFT JOIN b ON a.x = b.k WHERE b.v IS NULL", [], []),
    ("a LEFT JOIN b ON a.x = b.k AND a.x > 1 AND b.v = 2", [], ["b.v = 2"]),
    ("a RIGHT JOIN b ON a.x = b.k AND a.x > 1 AND b.v = 2", [], []),
    ("a RIGHT JOIN b ON a.x = b.k WHERE a.x > 1 AND b.v = 2", [], ["b.v = 2"]),
    ("a FULL JOIN b ON a.x = b.k AND a.x > 1 WHERE a.y = 'a' AND b.v = 2", [], []),
    ("a SEMI JOIN b ON a.x = b.k AND b.v = 2 AND a.x > 1", ["a.x > 1"], ["b.v = 2"]),
    ("a ANTI JOIN b ON a.x = b.k AND b.v = 2 AND a.x > 1", [], ["b.v = 2"]),
)


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """a and b, which share no name of a column."""
    session.execute("CREATE TABLE a (x INTEGER, y VARCHAR, d DATE) SHARD BY HASH (x)")
    session.execute("CREATE TABLE b (k INTEGER, v INTEGER) SHARD BY HASH (k)")


def filters(database: Database, text: str) -> dict[str, list[str]]:
    """What may be applied to each table of a statement."""
    analysis = analyse(text, database.catalog)
    assert analysis is not None
    return {
        ref.name: [condition.sql(dialect=DIALECT) for condition in own_filters(analysis, ref)]
        for ref in analysis.refs
    }


@pytest.mark.parametrize(("condition", "expected"), PLAIN)
def test_only_plain_comparisons_are_taken(condition: str, expected: list[str], database: Database) -> None:
    assert filters(database, f"SELECT * FROM a WHERE {condition}")["a"] == expected


@pytest.mark.parametrize(("sources", "of_a", "of_b"), JOINED)
def test_an_outer_join_decides_what_may_be_applied_early(
    sources: str, of_a: list[str], of_b: list[str], database: Database
) -> None:
    assert filters(database, f"SELECT 1 FROM {sources}") == {"a": of_a, "b": of_b}


def test_a_column_that_two_tables_may_have_is_nobodys(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE c (x INTEGER, z INTEGER) SHARD BY HASH (x)")
    assert filters(database, "SELECT 1 FROM a, c WHERE x = 1 AND z = 2") == {"a": [], "c": ["z = 2"]}


@pytest.mark.parametrize(
    ("wider", "narrower"),
    [("x > 1", "x = 1"), ("x IN (1, 2)", "x = 1"), ("x > 1 OR x = 5", "x > 1"), ("x > 1", "x > 1 AND x < 9")],
)
def test_a_condition_that_says_more_is_taken_to_leave_less(wider: str, narrower: str) -> None:
    kept = [selectivity(sqlglot.parse_one(condition, read=DIALECT)) for condition in (wider, narrower)]
    assert 1 >= kept[0] > kept[1] > 0


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM a WHERE x = 3 USING SAMPLE 10 ROWS",
        "SELECT count(*) FROM a TABLESAMPLE reservoir(10 ROWS) WHERE x = 3",
        "SELECT * FROM a PIVOT (count(*) FOR y IN ('u', 'v')) WHERE x = 3",
        "SELECT count(*) FROM b ASOF JOIN a ON b.k >= a.x WHERE a.y = 'u'",
        "SELECT count(*) FROM a POSITIONAL JOIN b WHERE a.x = 3",
    ],
)
def test_rows_that_decide_on_others_are_not_dropped(text: str, database: Database) -> None:
    assert filters(database, text)["a"] == []


def test_a_sample_is_taken_of_all_rows(session: Session) -> None:
    session.execute("INSERT INTO a SELECT range % 10, 'u', NULL FROM range(1000)")
    for binding in ("attached", "streamed"):
        session.execute(f"SET duckraft_binding = {binding}")
        found = session.execute(
            "SELECT count(*) FROM a WHERE x = 3 USING SAMPLE 20 ROWS (reservoir, 7)"
        ).fetchall()
        assert found[0][0] < 15
