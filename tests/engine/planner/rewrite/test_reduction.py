"""The largest table of a join is reduced by a filtered one's keys where that pays; the answer stays the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.planner.rewrite.rewriting import Bench, bench

ROWS = {"sales": 4_000_000, "lines": 1_000_000, "people": 1000, "cities": 10, "odd": 10}


@pytest.fixture(scope="module")
def over() -> Iterator[Bench]:
    with bench() as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr(opened.binder, "estimated_rows", lambda sql: ROWS[sql.split()[1]])
        yield opened


REDUCED = {
    "comma": "SELECT * FROM people, sales, lines l WHERE id = person AND l.sale = sales.sale AND city LIKE '%b%'",
    "joins": (
        "SELECT count(*), sum(weight) FROM lines JOIN sales s ON lines.sale = s.sale"
        " JOIN people p ON p.id = s.person AND p.city > 'a'"
    ),
    "a subquery": (
        "SELECT city, count(*) FROM (SELECT p.city, l.line FROM people p, sales, lines l"
        " WHERE id = person AND l.sale = sales.sale AND p.city > 'a' AND p.price < 3) AS d GROUP BY city"
    ),
    "correlated": (
        "SELECT * FROM cities c WHERE mayor IN (SELECT person FROM people p, sales, lines l"
        " WHERE id = person AND l.sale = sales.sale AND p.city > 'a')"
    ),
}


@pytest.mark.parametrize("sql", REDUCED.values(), ids=REDUCED)
def test_answers_stay_the_same(over: Bench, sql: str) -> None:
    text = over.text(sql)
    assert "person IN (SELECT" in text
    assert over.assert_same(sql, text)


LEFT_ALONE = {
    "nothing is filtered": "SELECT * FROM people, sales, lines l WHERE id = person AND l.sale = sales.sale",
    "the rows of the filter can be estimated": (
        "SELECT * FROM people, sales, lines l WHERE id = person AND l.sale = sales.sale AND city = 'b'"
    ),
    "the largest is filtered itself": (
        "SELECT * FROM people, sales, lines l WHERE id = person AND l.sale = sales.sale AND city > 'b' AND weight > 1"
    ),
    "no other large table": (
        "SELECT * FROM people p, sales, cities c WHERE id = person AND c.city = note AND p.city > 'b'"
    ),
    "the filtered table is large": (
        "SELECT * FROM people p, sales, lines l WHERE id = person AND l.sale = sales.sale AND line > 2"
    ),
    "an outer join": (
        "SELECT * FROM sales JOIN lines l ON l.sale = sales.sale LEFT JOIN people p ON id = person AND p.city > 'a'"
    ),
    "the tables are joined by no equality": (
        "SELECT * FROM people p, sales, lines l WHERE id < person AND l.sale = sales.sale AND p.city > 'a'"
    ),
}


@pytest.mark.parametrize("sql", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_nothing_is_added_where_it_would_not_pay(over: Bench, sql: str) -> None:
    assert over.rewritten(sql) is None
