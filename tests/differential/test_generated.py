"""A small budget of generated statements with fixed seeds; `python -m tests.differential` hunts with others."""

from __future__ import annotations

from random import Random

import pytest

from .generator.schema import make_schema
from .generator.statements import statement, statements
from .harness import Statement
from .hunting import Tally, Tried, hunt
from .shrinking import shrink

SEEDS = range(3, 9)
SEEDS_IN_TRANSACTION = range(3, 6)
STATEMENTS = 50


@pytest.mark.parametrize("seed", SEEDS)
def test_generated_statements_are_answered_as_by_one_duckdb(seed: int) -> None:
    tally, found = hunt(seed, statements=STATEMENTS)
    again = f"python -m tests.differential --seed {seed} --statements {STATEMENTS} --seconds 0"
    assert not found, f"{len(found)} mismatches; {again}\n" + "\n".join(found)
    assert tally.statements >= STATEMENTS
    assert tally.failed < STATEMENTS / 4
    assert tally.answers > STATEMENTS


@pytest.mark.parametrize("seed", SEEDS_IN_TRANSACTION)
def test_generated_statements_are_answered_so_inside_a_transaction(seed: int) -> None:
    tally, found = hunt(seed, statements=STATEMENTS, in_transaction=True)
    again = (
        f"python -m tests.differential --in-transaction --seed {seed} --statements {STATEMENTS} --seconds 0"
    )
    assert not found, f"{len(found)} mismatches; {again}\n" + "\n".join(found)
    assert tally.answers > STATEMENTS


def test_one_seed_gives_the_same_statements_again() -> None:
    def made() -> list[Statement]:
        random = Random(7)
        schema = make_schema(random)
        return [statement(schema, random) for _ in range(200)]

    assert made() == made()
    assert len({each.sql for each in made()}) > 190


def test_statements_are_of_every_sort() -> None:
    random = Random(1)
    schema = make_schema(random)
    texts = " ".join(
        text
        for _ in range(4000)
        for each in statements(schema, random)[:1]
        for text in (*each.before, each.sql)
    )
    for part in (
        *(
            "FULL JOIN",
            "SEMI JOIN",
            "ANTI JOIN",
            "ASOF LEFT JOIN",
            "POSITIONAL JOIN",
            "CROSS JOIN",
            "USING (k)",
        ),
        *(
            "LATERAL (",
            "EXISTS (",
            "NOT IN (SELECT",
            "> ALL (",
            "= ANY (",
            "WITH RECURSIVE",
            "NOT MATERIALIZED",
        ),
        *(
            "GROUPING SETS",
            "CUBE",
            "ROLLUP",
            "HAVING",
            "QUALIFY",
            "DISTINCT ON",
            "count(DISTINCT",
            "FILTER (WHERE",
        ),
        *(
            "PIVOT",
            "UNPIVOT",
            "TABLESAMPLE",
            "OFFSET",
            "COLUMNS(*)",
            "EXCLUDE (",
            "REPLACE (",
            "lambda",
            "unnest(",
        ),
        *(
            "twice(",
            "of_a(",
            "v0",
            "$p1",
            "EXECUTE prepared(",
            "INTERSECT ALL",
            "EXCEPT",
            "BY NAME",
            "GROUPS BETWEEN",
            "EXCLUDE TIES",
        ),
        *("IGNORE NULLS", "ARRAY(SELECT", "WINDOW w", "VALUES", "DESCRIBE", "nothing"),
    ):
        assert part in texts, part


def test_shrinking_leaves_out_every_part_that_the_failure_does_not_need() -> None:
    text = (
        "SELECT r1.k, max(r1.a) AS m FROM t0 AS r1 JOIN t1 AS r2 ON r1.k = r2.k"
        " WHERE r1.a > 1 AND (r1.k = 3 OR r1.b = $p1) GROUP BY r1.k HAVING count(*) > 1 ORDER BY 1 DESC, 2 LIMIT 3"
    )
    shrunk = shrink(Statement(text, {"p1": "x"}), lambda smaller: "r1.k = 3" in smaller.sql)
    assert len(shrunk.sql) < 30
    assert shrunk.parameters == {}


def test_a_tally_counts_each_statement_once() -> None:
    one = Statement("SELECT 1")
    tally = (
        Tally()
        .with_one(Tried(one, compared=2))
        .with_one(Tried(one, failed=True, compared=1))
        .with_one(Tried(one))
    )
    assert str(tally) == (
        "3 statements (1 fail on plain DuckDB, 1 have too many rows), 3 answers compared, 0 mismatches, 0 not fixed"
    )
