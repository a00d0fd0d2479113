"""A correlated aggregate becomes a window where the join has the rows that it sees; the answer stays the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.planner.rewrite.rewriting import Bench, bench


@pytest.fixture(scope="module")
def over() -> Iterator[Bench]:
    with bench() as opened:
        yield opened


JOIN = "FROM people, sales WHERE id = person AND city < 'd'"
WINDOWED = {
    "least": f"SELECT sale, city {JOIN} AND pieces = (SELECT min(pieces) FROM sales WHERE person = id)",
    "greatest, the other way": f"SELECT sale {JOIN} AND (SELECT max(note) FROM sales s WHERE id = s.person) > note",
    "mean of whole numbers": f"SELECT sale {JOIN} AND pieces >= (SELECT avg(pieces) FROM sales WHERE person = id)",
    "mean of decimals": f"SELECT sale {JOIN} AND cut >= (SELECT 0.9 * avg(cut) FROM sales WHERE person = id)",
    "two aggregates": (
        f"SELECT sale {JOIN} AND pieces < (SELECT (min(pieces) + max(cut)) / 2 FROM sales WHERE person = id)"
    ),
    "joins": (
        "SELECT s.sale, p.name FROM people p JOIN sales s ON p.id = s.person"
        " WHERE p.city <> 'x' AND s.cut >= (SELECT min(x.cut) FROM sales x WHERE x.person = p.id)"
    ),
    "a filter in both": (
        f"SELECT sale {JOIN} AND weight > 1 AND cut = (SELECT max(cut) FROM sales WHERE id = person AND weight > 1)"
    ),
    "two tables inside": (
        "SELECT line, city FROM people, sales, lines l WHERE id = person AND l.sale = sales.sale AND city > 'a'"
        " AND pieces = (SELECT min(s.pieces) FROM sales s, lines WHERE s.person = id AND lines.sale = s.sale)"
    ),
    "two keys": (
        "SELECT sale FROM people p, sales WHERE id = person AND p.name = note AND p.price > 0"
        " AND cut = (SELECT max(cut) FROM sales s WHERE s.person = p.id AND s.note = p.name)"
    ),
    "groups around": (
        "SELECT city, count(*) AS n, sum(pieces) FROM people, sales WHERE id = person AND city < 'd'"
        " AND cut >= (SELECT avg(cut) FROM sales WHERE person = id) GROUP BY city HAVING count(*) > 0"
    ),
    "distinct around": f"SELECT DISTINCT city {JOIN} AND cut = (SELECT max(cut) FROM sales WHERE person = id)",
    "inside of a subquery": (
        f"SELECT count(*) FROM (SELECT sale, city {JOIN} AND cut = (SELECT max(cut) FROM sales WHERE person = id)) d"
    ),
}


@pytest.mark.parametrize("sql", WINDOWED.values(), ids=WINDOWED)
def test_answers_stay_the_same(over: Bench, sql: str) -> None:
    text = over.text(sql)
    assert "OVER (PARTITION BY" in text
    assert over.assert_same(sql, text)


@pytest.mark.parametrize(
    "order", ["ORDER BY n DESC, sale, 2", "ORDER BY city, sale LIMIT 3", "ORDER BY 2, 1 LIMIT 2"]
)
def test_rows_come_in_the_same_order(over: Bench, order: str) -> None:
    sql = f"SELECT sale, city, pieces AS n {JOIN} AND cut >= (SELECT avg(cut) FROM sales WHERE person = id) {order}"
    text = over.text(sql)
    for seed in range(1, 5):
        over.use(seed)
        expected = over.connection.execute(sql).fetchall()
        assert over.connection.execute(text).fetchall() == expected


LEFT_ALONE = {
    "a sum": f"SELECT sale {JOIN} AND pieces = (SELECT sum(pieces) FROM sales WHERE person = id)",
    "a count beside": f"SELECT sale {JOIN} AND pieces = (SELECT max(pieces) + count(*) FROM sales WHERE person = id)",
    "mean of floating-point numbers": (
        f"SELECT sale {JOIN} AND weight = (SELECT avg(weight) FROM sales WHERE person = id)"
    ),
    "distinct values": f"SELECT sale {JOIN} AND cut = (SELECT avg(DISTINCT cut) FROM sales WHERE person = id)",
    "a filter outside only": (
        f"SELECT sale {JOIN} AND weight > 1 AND cut = (SELECT max(cut) FROM sales WHERE person = id)"
    ),
    "a filter inside only": (
        f"SELECT sale {JOIN} AND cut = (SELECT max(cut) FROM sales WHERE person = id AND weight > 1)"
    ),
    "joined by something else": (
        "SELECT sale FROM people p, sales WHERE p.name = note AND city > 'a'"
        " AND cut = (SELECT max(cut) FROM sales s WHERE s.person = p.id)"
    ),
    "correlated by no equality": f"SELECT sale {JOIN} AND cut = (SELECT max(cut) FROM sales WHERE person > id)",
    "not correlated": f"SELECT sale {JOIN} AND cut = (SELECT max(cut) FROM sales WHERE person = person)",
    "nothing is filtered": (
        "SELECT sale FROM people, sales WHERE id = person AND cut = (SELECT max(cut) FROM sales WHERE person = id)"
    ),
    "by the table itself": (
        "SELECT sale FROM sales a WHERE cut = (SELECT max(cut) FROM sales b WHERE b.person = a.person)"
    ),
    "the table is there twice": (
        "SELECT a.sale FROM people, sales a, sales b WHERE id = a.person AND b.person = id AND city < 'd'"
        " AND a.cut = (SELECT max(cut) FROM sales WHERE person = id)"
    ),
    "an outer join": (
        "SELECT sale FROM people LEFT JOIN sales ON id = person"
        " WHERE city < 'd' AND cut = (SELECT max(cut) FROM sales WHERE person = id)"
    ),
    "groups in the subquery": (
        f"SELECT sale {JOIN} AND cut = (SELECT max(cut) FROM sales WHERE person = id GROUP BY person)"
    ),
    "two subqueries": (
        f"SELECT sale {JOIN} AND cut = (SELECT max(cut) FROM sales WHERE person = id)"
        " AND pieces = (SELECT min(pieces) FROM sales WHERE person = id)"
    ),
    "a star": f"SELECT * {JOIN} AND cut = (SELECT max(cut) FROM sales WHERE person = id)",
    "an alias in an expression of ORDER BY": (
        f"SELECT sale, -cut AS cut {JOIN} AND cut = (SELECT max(cut) FROM sales WHERE person = id) ORDER BY cut + 1"
    ),
}


@pytest.mark.parametrize("sql", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_nothing_is_changed_that_could_change_the_answer(over: Bench, sql: str) -> None:
    assert over.rewritten(sql) is None
