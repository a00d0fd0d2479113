"""One side of a join is aggregated before the join, where the answer stays the same and the work becomes less."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.engine.planner.rewrite.rewriting import SEEDS, Bench, bench


@pytest.fixture(scope="module")
def over() -> Iterator[Bench]:
    with bench() as opened:
        yield opened


JOINS = {
    "comma": "FROM people, sales WHERE id = person",
    "comma, the other way": "FROM sales s, people WHERE s.person = people.id",
    "join": "FROM people JOIN sales ON people.id = sales.person",
    "join with a filter": "FROM people JOIN sales ON id = person AND weight > 0 WHERE note <> 'd' AND pieces < 3",
    "two inside": "FROM people, lines, sales WHERE id = person AND lines.sale = sales.sale AND line > 0",
    "two inside, joined": "FROM people JOIN sales ON id = person JOIN lines l USING_SALE",
    "two outside": "FROM cities c, people, sales WHERE id = person AND c.city = people.city",
    "cross join": "FROM people CROSS JOIN sales WHERE id = person",
}

LEFT_JOINS = {
    "left join": "FROM people LEFT JOIN sales ON id = person",
    "left outer join": "FROM people p LEFT OUTER JOIN sales ON p.id = sales.person AND weight > 0",
    "left join, two keys": "FROM people p LEFT JOIN sales s ON p.id = s.person AND s.note = p.name AND s.cut > 1",
}

AGGREGATES = {
    "count of a column": "count(weight) AS n",
    "sums": "sum(pieces) AS a, sum(sales_price) AS b, sum(weight) AS c, sum(person) AS d",
    "least and greatest": "min(note), max(weight), min(cut), max(pieces)",
    "arithmetic": "sum(sales_price * (1 - cut)) AS a, sum(-weight + weight * 2) AS b, min(weight - 1)",
    "expressions of aggregates": "sum(weight) / count(weight) AS mean, coalesce(max(pieces), 0) + 1",
    "without names": "sum(weight), count(weight), sum(weight)",
}


def statement(join: str, aggregates: str, order: str = "") -> str:
    join = join.replace("USING_SALE", "ON l.sale = sales.sale")
    price = "s.price" if re.search(r"\bs\.", join) else "sales.price"
    group = "id, people.name" if " p " not in f"{join} " else "id, p.name"
    listed = aggregates.replace("sales_price", price)
    return f"SELECT id, {listed}, upper({group.split(', ')[1]}) AS u {join} GROUP BY {group} {order}"


@pytest.mark.parametrize("aggregates", AGGREGATES.values(), ids=AGGREGATES)
@pytest.mark.parametrize("join", [*JOINS.values(), *LEFT_JOINS.values()], ids=[*JOINS, *LEFT_JOINS])
def test_answers_stay_the_same(over: Bench, join: str, aggregates: str) -> None:
    sql = statement(join, aggregates)
    text = over.text(sql)
    assert "early_1" in text
    assert over.assert_same(sql, text)


@pytest.mark.parametrize("join", JOINS.values(), ids=JOINS)
def test_rows_are_counted_where_the_join_is_inner(over: Bench, join: str) -> None:
    sql = statement(join, "count(*), sum(weight)")
    assert over.assert_same(sql, over.text(sql))


MORE = {
    "two keys": (
        "SELECT id, name, city, sum(weight), count(*) FROM people, sales WHERE id = person AND name = note"
        " GROUP BY id, name, city"
    ),
    "an alias in the list": (
        "SELECT id, name, sum(weight) AS n, n + 1 AS m FROM people JOIN sales ON id = person GROUP BY id, name"
    ),
    "a query inside": (
        "SELECT n, count(*) FROM (SELECT id, count(sale) FROM people LEFT JOIN sales ON id = person GROUP BY id)"
        " AS d (id, n) GROUP BY n"
    ),
    "a common table": (
        "WITH d AS (SELECT id, city, sum(weight) AS w FROM people JOIN sales ON id = person GROUP BY id, city)"
        " SELECT a.w, b.city FROM d a JOIN d b USING (id)"
    ),
    "the key of the aggregated side": (
        "SELECT person, name, sum(weight) FROM people JOIN sales ON id = person GROUP BY person, name"
    ),
    "the optional key": "SELECT person, sum(weight) FROM people LEFT JOIN sales ON id = person GROUP BY person",
    "an alias that is a column of the other side": (
        "SELECT id, name, sum(weight) AS note FROM people JOIN sales ON id = person GROUP BY id, name ORDER BY note"
    ),
    "names of the rewriting": (
        "SELECT id, name, sum(weight) AS early_1_part_1 FROM people early_1, sales WHERE id = person GROUP BY id, name"
    ),
}


@pytest.mark.parametrize("sql", MORE.values(), ids=MORE)
def test_answers_stay_the_same_elsewhere(over: Bench, sql: str) -> None:
    assert over.assert_same(sql, over.text(sql))


@pytest.mark.parametrize(
    "order",
    [
        "ORDER BY id, u, 2",
        "ORDER BY n DESC, id, u",
        "ORDER BY sum(weight), people.id, people.name",
        "ORDER BY 2, 1, 3 LIMIT 3",
        "ORDER BY count(*) - count(weight), n, id, u LIMIT 2 OFFSET 1",
    ],
)
def test_rows_come_in_the_same_order(over: Bench, order: str) -> None:
    sql = statement(JOINS["join"], "sum(weight) AS n", order)
    text = over.text(sql)
    for seed in SEEDS:
        over.use(seed)
        expected = over.connection.execute(sql).fetchall()
        assert over.connection.execute(text).fetchall() == expected


SUM = "SELECT id, name, sum(weight) FROM"
BY = "GROUP BY id, name"

UNTOUCHED = {
    "arguments of both sides": f"SELECT id, name, sum(weight + id) FROM people JOIN sales ON id = person {BY}",
    "aggregates of both sides": f"SELECT id, name, sum(weight), max(id) FROM people JOIN sales ON id = person {BY}",
    "distinct": f"SELECT id, name, count(DISTINCT weight) FROM people JOIN sales ON id = person {BY}",
    "average": f"SELECT id, name, avg(weight) FROM people JOIN sales ON id = person {BY}",
    "filter": f"SELECT id, name, sum(weight) FILTER (pieces > 1) FROM people JOIN sales ON id = person {BY}",
    "ordered aggregate": f"SELECT id, name, first(weight ORDER BY sale) FROM people JOIN sales ON id = person {BY}",
    "least three": f"SELECT id, name, min(weight, 3) FROM people JOIN sales ON id = person {BY}",
    "window": f"SELECT id, name, sum(sum(weight)) OVER () FROM people JOIN sales ON id = person {BY}",
    "only rows are counted": f"SELECT id, name, count(*) FROM people JOIN sales ON id = person {BY}",
    "rows of a left join": f"SELECT id, name, sum(weight), count(*) FROM people LEFT JOIN sales ON id = person {BY}",
    "no aggregate": f"SELECT id, name FROM people JOIN sales ON id = person {BY}",
    "no group": "SELECT sum(weight) FROM people JOIN sales ON id = person",
    "function": f"SELECT id, name, sum(sqrt(weight)) FROM people JOIN sales ON id = person {BY}",
    "cast": f"SELECT id, name, sum(CAST(note AS INTEGER)) FROM people JOIN sales ON id = person {BY}",
    "whole numbers overflow": f"SELECT id, name, sum(pieces * pieces) FROM people JOIN sales ON id = person {BY}",
    "sums overflow": (
        "SELECT id, people.name, sum(big) FROM people JOIN lines ON id = line GROUP BY id, people.name"
    ),
    "volatile": f"SELECT id, name, sum(weight), random() AS r FROM people JOIN sales ON id = person {BY}",
    "having": f"{SUM} people JOIN sales ON id = person {BY} HAVING sum(weight) > 1",
    "grouped by an expression": (
        "SELECT id + 1, name, sum(weight) FROM people JOIN sales ON id = person GROUP BY id + 1, name"
    ),
    "grouped by position": "SELECT id, name, sum(weight) FROM people JOIN sales ON id = person GROUP BY 1, 2",
    "grouped by all": "SELECT id, name, sum(weight) FROM people JOIN sales ON id = person GROUP BY ALL",
    "grouping sets": (
        "SELECT id, name, sum(weight) FROM people JOIN sales ON id = person GROUP BY ROLLUP (id, name)"
    ),
    "key not grouped by": "SELECT name, sum(weight) FROM people JOIN sales ON id = person GROUP BY name",
    "another column of the side": (
        "SELECT id, name, note, sum(weight) FROM people JOIN sales ON id = person GROUP BY id, name, note"
    ),
    "only the key": "SELECT id, sum(weight) FROM people JOIN sales ON id = person GROUP BY id",
    "the other side is filtered": f"{SUM} people JOIN sales ON id = person WHERE city = 'a' {BY}",
    "the other side is filtered in ON": f"{SUM} people LEFT JOIN sales ON id = person AND city = 'a' {BY}",
    "the left join is filtered": f"{SUM} people LEFT JOIN sales ON id = person WHERE note IS NULL {BY}",
    "filtered by a subquery": f"{SUM} people JOIN sales ON id = person WHERE id IN (SELECT line FROM lines) {BY}",
    "no equality": f"{SUM} people JOIN sales ON id > person {BY}",
    "equality of an expression": f"{SUM} people JOIN sales ON id = person + 1 {BY}",
    "another condition across": f"{SUM} people JOIN sales ON id = person AND note < name {BY}",
    "no condition": f"{SUM} people, sales {BY}",
    "using": "SELECT id, p.name, sum(amount) FROM people p JOIN lines l USING (name) GROUP BY id, p.name",
    "natural join": "SELECT mayor, c.city, sum(price) FROM people NATURAL JOIN cities c GROUP BY mayor, c.city",
    "right join": f"{SUM} people RIGHT JOIN sales ON id = person {BY}",
    "full join": f"{SUM} people FULL JOIN sales ON id = person {BY}",
    "the side that stays": f"SELECT id, name, sum(weight) FROM sales LEFT JOIN people ON id = person {BY}",
    "semi join": "SELECT id, name, sum(price) FROM people SEMI JOIN sales ON id = person GROUP BY id, name",
    "a left join of three": (
        "SELECT id, name, sum(weight) FROM cities c JOIN people ON c.city = people.city"
        f" LEFT JOIN sales ON id = person {BY}"
    ),
    "field of a struct": "SELECT id, name, sum(weight) FROM people, odd, sales WHERE people.id = person GROUP BY ALL",
    "derived table": f"{SUM} people JOIN (SELECT * FROM sales) AS s ON id = person {BY}",
    "sample": f"{SUM} people JOIN sales TABLESAMPLE 3 ROWS ON id = person {BY}",
    "distinct rows": f"SELECT DISTINCT name, sum(weight) FROM people JOIN sales ON id = person {BY}",
    "grouped by an alias": (
        "SELECT upper(name) AS name, id, sum(weight) FROM people JOIN sales ON id = person"
        " GROUP BY id, name, upper(people.name)"
    ),
    "alias in an expression of ORDER BY": (
        f"SELECT id, name, sum(weight) AS n FROM people JOIN sales ON id = person {BY} ORDER BY n + 1"
    ),
    "of a correlated query": (
        "SELECT city, (SELECT max(w) FROM (SELECT id, name, sum(weight) AS w FROM people p JOIN sales ON id = person"
        " AND note = cities.city GROUP BY id, name)) AS m FROM cities"
    ),
}


@pytest.mark.parametrize("sql", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_not_certain_or_does_not_pay_stays(over: Bench, sql: str) -> None:
    assert over.rewritten(sql) is None


def test_the_plan_says_what_was_done(over: Bench) -> None:
    found = over.rewritten(MORE["a query inside"])
    assert found is not None
    assert found.reason == "rows are aggregated by the join key before they are joined"
