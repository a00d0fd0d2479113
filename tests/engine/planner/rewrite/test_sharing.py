"""A join that stands in a statement twice is made once; the answer stays the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duckraft.engine.planner.rewrite import sharing
from tests.engine.planner.rewrite.rewriting import Bench, bench


@pytest.fixture(scope="module")
def over() -> Iterator[Bench]:
    with bench() as opened:
        yield opened


SHARED = {
    "in HAVING": (
        "SELECT id, sum(weight) AS w FROM people, sales WHERE id = person GROUP BY id"
        " HAVING sum(weight) > (SELECT sum(weight) / 9 FROM people, sales WHERE id = person) ORDER BY w DESC, id"
    ),
    "conditions in another order, other names": (
        "SELECT city, count(*) AS n FROM people p, sales s WHERE p.id = s.person AND cut > 1 GROUP BY city"
        " HAVING count(*) >= (SELECT avg(pieces) FROM sales JOIN people ON cut > 1 AND person = id)"
    ),
    "in common table expressions": (
        "WITH a AS (SELECT id, cut FROM people, sales WHERE id = person),"
        " b AS (SELECT sale, note AS cut FROM people, sales WHERE person = id)"
        " SELECT a.id, b.sale, b.cut FROM a, b WHERE a.id = b.sale"
    ),
    "in a union": (
        "SELECT name FROM people, sales WHERE id = person UNION ALL"
        " SELECT DISTINCT note FROM people, sales WHERE id = person"
    ),
    "three tables": (
        "SELECT max(line) AS m FROM people, sales, lines l WHERE id = person AND l.sale = sales.sale"
        " HAVING max(line) >= (SELECT min(line) FROM lines l, sales, people"
        " WHERE l.sale = sales.sale AND person = id)"
    ),
    "columns of the same name": (
        "SELECT p.price, s.price AS other FROM people p, sales s WHERE p.id = s.person"
        " UNION SELECT s.price, p.price FROM people p, sales s WHERE s.person = p.id"
    ),
    "in a difference": (
        "SELECT sale FROM people, sales WHERE id = person EXCEPT SELECT id FROM people, sales WHERE id = person"
    ),
}


@pytest.mark.parametrize("sql", SHARED.values(), ids=SHARED)
def test_answers_stay_the_same(over: Bench, sql: str) -> None:
    text = over.text(sql)
    assert text.count(" MATERIALIZED ") == 1
    assert over.assert_same(sql, text)


LEFT_ALONE = {
    "other conditions": (
        "SELECT id FROM people, sales WHERE id = person"
        " UNION ALL SELECT sale FROM people, sales WHERE id = person AND cut > 1"
    ),
    "other tables": (
        "SELECT person FROM people, sales WHERE id = person UNION ALL SELECT line FROM lines, sales WHERE line = person"
    ),
    "one table": "SELECT id FROM people WHERE id > 1 UNION ALL SELECT id FROM people WHERE id > 1",
    "the table twice": (
        "SELECT a.id FROM people a, people b WHERE a.id = b.id"
        " UNION ALL SELECT a.id FROM people a, people b WHERE a.id = b.id"
    ),
    "correlated": (
        "SELECT id FROM people, sales WHERE id = person AND EXISTS"
        " (SELECT 1 FROM cities c WHERE c.mayor = id) UNION ALL SELECT id FROM people, sales WHERE id = person"
    ),
    "outer joins": (
        "SELECT id FROM people LEFT JOIN sales ON id = person"
        " UNION ALL SELECT id FROM people LEFT JOIN sales ON id = person"
    ),
    "stars": "SELECT * FROM people, sales WHERE id = person UNION ALL SELECT * FROM people, sales WHERE id = person",
    "names of results that depend on the text": (
        "SELECT upper(name) FROM people, sales WHERE id = person"
        " UNION ALL SELECT name FROM people, sales WHERE id = person"
    ),
}


@pytest.mark.parametrize("sql", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_nothing_is_shared_that_is_not_the_same(over: Bench, sql: str) -> None:
    found = over.rewritten(sql)
    assert found is None or " MATERIALIZED " not in found.analysis.text


def test_large_joins_are_not_kept(over: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "MOST_ROWS", -1)
    assert over.rewritten(SHARED["in a union"]) is None


def test_the_same_statement_is_always_written_the_same_way(over: Bench) -> None:
    listed = '"people"."id" AS column_1, "sales"."weight" AS column_2 FROM'
    assert listed in over.text(SHARED["in HAVING"])
