"""A small budget of generated queries with fixed seeds; `python -m tests.differential` hunts with others."""

from __future__ import annotations

import pytest

from .generate import Query, shrink
from .hunting import hunt

SEEDS = range(6)
QUERIES = 30


@pytest.mark.parametrize("seed", SEEDS)
def test_generated_queries_are_answered_as_by_one_duckdb(seed: int) -> None:
    found = [str(mismatch) for mismatch in hunt(seed, queries=QUERIES) if mismatch is not None]
    assert not found, f"{len(found)} mismatches; python -m tests.differential --seed {seed}\n" + "\n".join(
        found
    )


def test_one_seed_gives_the_same_queries_again() -> None:
    from random import Random

    from .generate import QueryMaker, make_schema

    def texts() -> list[str]:
        random = Random(7)
        maker = QueryMaker(make_schema(random), random)
        return [maker.query().sql() for _ in range(50)]

    assert texts() == texts()
    assert len(set(texts())) > 40


def test_shrinking_drops_every_clause_that_the_failure_does_not_need() -> None:
    query = Query(
        ("r1.k", "r1.a"),
        "t0 AS r1",
        joins=("JOIN t1 AS r2 ON r1.k = r2.k",),
        where=("r1.a > 1", "r1.k = 3"),
        order=(" DESC", ""),
        limit=" LIMIT 3",
    )
    shrunk = shrink(query, lambda smaller: "r1.k = 3" in smaller.where)
    assert shrunk.sql() == "SELECT r1.a FROM t0 AS r1 WHERE r1.k = 3"
