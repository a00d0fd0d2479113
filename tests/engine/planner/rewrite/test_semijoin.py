"""EXISTS becomes a semi join, NOT EXISTS an anti join, and only where that surely means the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.planner.rewrite.rewriting import Bench, bench


@pytest.fixture(scope="module")
def over() -> Iterator[Bench]:
    with bench() as opened:
        yield opened


AROUND = {
    "one table": "SELECT * FROM people WHERE {}",
    "comma": "SELECT id, c.city FROM cities c, people WHERE c.city = people.city AND {}",
    "commas": "SELECT id, a.line FROM cities c, people, lines AS a WHERE {} AND a.name = people.name",
    "inner join": "SELECT id FROM people JOIN cities c ON c.city = people.city WHERE {} AND id >= 0",
    "left join": "SELECT id, c.city FROM people LEFT JOIN cities c ON c.city = people.city WHERE {}",
    "right join": "SELECT id, c.city FROM people RIGHT JOIN cities c ON c.city = people.city WHERE {}",
    "full join": "SELECT id, c.city FROM people FULL JOIN cities c ON c.city = people.city WHERE {}",
    "using": "SELECT people.id, cities.city FROM people JOIN cities USING (city) WHERE {}",
    "join, then comma": "SELECT id FROM people JOIN cities c ON c.city = people.city, lines a WHERE {}",
    "semi join": "SELECT id FROM people SEMI JOIN cities c ON c.city = people.city WHERE {}",
    "derived table": "SELECT people.id, d.sale FROM (SELECT DISTINCT sale FROM sales) d, people WHERE {}",
    "grouped": "SELECT city, count(*), min(name) FROM people WHERE {} GROUP BY city HAVING count(*) > 0 ORDER BY 1",
    "distinct": "SELECT DISTINCT name FROM people WHERE {}",
    "top rows": "SELECT id, name FROM people WHERE {} ORDER BY ALL LIMIT 3 OFFSET 1",
    "window": "SELECT id, rank() OVER (ORDER BY id) AS place FROM people WHERE {}",
    "inside": "SELECT name, n FROM (SELECT name, count(*) AS n FROM people WHERE {} GROUP BY name) AS d WHERE n > 0",
    "with": "WITH d AS (SELECT id, name FROM people WHERE {}) SELECT a.id, b.name FROM d a JOIN d b USING (id)",
    "set operation": "SELECT name FROM people WHERE {} EXCEPT ALL SELECT note FROM sales WHERE sale = 1",
}

EXISTS = {
    "star": "EXISTS (SELECT * FROM sales WHERE person = people.id)",
    "one": "EXISTS (SELECT 1 FROM sales AS s WHERE s.person = people.id AND s.price > 1)",
    "column": "EXISTS (SELECT s.note FROM sales AS s WHERE people.id = s.person AND s.note <> people.name)",
    "distinct": "EXISTS (SELECT DISTINCT note FROM sales WHERE people.id = person AND (cut > 1 OR note = people.name))",
    "itself": "EXISTS (SELECT 1 FROM people AS other WHERE other.name = people.name AND other.id <> people.id)",
    "outer only": "EXISTS (SELECT 1 FROM sales WHERE person = people.id AND people.id > 1)",
    "two keys": "EXISTS (SELECT 1 FROM sales WHERE person = people.id AND note = people.name)",
    "constant": "EXISTS (SELECT 1 FROM sales WHERE person = people.id AND 1 = 0)",
    "is null": "EXISTS (SELECT 1 FROM sales WHERE person = people.id AND (note IS NULL OR weight IS NULL))",
    "quoted": 'EXISTS (SELECT 1 FROM "sales" AS "exists_1" WHERE "exists_1"."person" = people."id")',
}


@pytest.mark.parametrize("exists", EXISTS.values(), ids=EXISTS)
@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_exists_and_not_exists_answer_as_before(over: Bench, around: str, exists: str) -> None:
    rows = 0
    for condition, kind in ((exists, "SEMI"), (f"NOT ({exists})", "ANTI")):
        sql = around.format(condition)
        text = over.text(sql)
        assert "EXISTS (" not in text.upper()
        assert f"{kind} JOIN" in text
        rows += over.assert_same(sql, text)
    assert rows


def test_several_are_joined_one_after_the_other(over: Bench) -> None:
    sql = (
        "SELECT p.name, count(*) AS n FROM cities c, people p WHERE c.city = p.city"
        " AND EXISTS (SELECT * FROM sales s WHERE s.person = p.id AND s.note <> p.name)"
        " AND NOT EXISTS (SELECT * FROM sales s WHERE s.person = p.id AND s.note <> p.name AND s.price > s.cut)"
        " AND EXISTS (SELECT * FROM lines WHERE lines.name = p.name) GROUP BY ALL"
    )
    text = over.text(sql)
    assert (text.count("SEMI JOIN"), text.count("ANTI JOIN"), text.count("CROSS JOIN")) == (2, 1, 1)
    assert over.assert_same(sql, text)


def test_names_without_a_table_are_those_of_the_subquery_first(over: Bench) -> None:
    sql = "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = id AND price > 1)"
    text = over.text(sql)
    assert "exists_1.person = id AND exists_1.price > 1" in text
    assert over.assert_same(sql, text)


def test_the_plan_says_what_was_done(over: Bench) -> None:
    found = over.rewritten("SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = id)")
    assert found is not None
    assert found.reason == "EXISTS is rewritten as a semi or anti join"


UNTOUCHED = {
    "no correlation": "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE price > 1)",
    "no condition": "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales)",
    "no equality": "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person < people.id)",
    "equality of an expression": "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person + 1 = id)",
    "equality inside OR": (
        "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = people.id OR price > 3)"
    ),
    "EXISTS inside OR": (
        "SELECT id FROM people WHERE id = 1 OR EXISTS (SELECT 1 FROM sales WHERE person = people.id)"
    ),
    "EXISTS as a value": "SELECT EXISTS (SELECT 1 FROM sales WHERE person = people.id) AS e FROM people",
    "outer column in the list": (
        "SELECT id FROM people WHERE EXISTS (SELECT people.name FROM sales WHERE person = people.id)"
    ),
    "aggregate": "SELECT id FROM people WHERE EXISTS (SELECT count(*) FROM sales WHERE person = people.id)",
    "grouped": "SELECT id FROM people WHERE EXISTS (SELECT note FROM sales WHERE person = people.id GROUP BY note)",
    "having": (
        "SELECT id FROM people WHERE EXISTS"
        " (SELECT note FROM sales WHERE person = people.id GROUP BY note HAVING count(*) > 1)"
    ),
    "limit": "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = people.id LIMIT 0)",
    "offset": "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = people.id OFFSET 1)",
    "set operation": (
        "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = id UNION SELECT 2 FROM lines)"
    ),
    "sample": "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales TABLESAMPLE 3 ROWS WHERE person = people.id)",
    "two tables": (
        "SELECT id FROM people WHERE EXISTS"
        " (SELECT 1 FROM sales s JOIN lines l ON l.sale = s.sale WHERE s.person = people.id)"
    ),
    "nested": (
        "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = people.id"
        " AND price > (SELECT min(amount) FROM lines WHERE lines.name = people.name))"
    ),
    "field of a struct": (
        "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM odd WHERE people.id = 1 AND odd.city = name)"
    ),
    "field of a struct around": (
        "SELECT id FROM people, odd WHERE EXISTS (SELECT 1 FROM sales WHERE person = people.id)"
    ),
    "whole row": "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = id AND sales IS NOT NULL)",
    "rowid": "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE sales.rowid = people.id)",
    "volatile": (
        "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = people.id AND random() < 0.5)"
    ),
    "join after comma": (
        "SELECT id FROM lines a, people LEFT JOIN cities c ON c.city = people.city"
        " WHERE EXISTS (SELECT 1 FROM sales WHERE person = people.id)"
    ),
    "natural join": (
        "SELECT id FROM people NATURAL JOIN cities WHERE EXISTS (SELECT 1 FROM sales WHERE person = people.id)"
    ),
    "lateral join": (
        "SELECT id FROM people, LATERAL (SELECT city) AS l WHERE EXISTS (SELECT 1 FROM sales WHERE person = id)"
    ),
    "table function": (
        "SELECT id FROM people, range(3) AS r WHERE EXISTS (SELECT 1 FROM sales WHERE person = people.id)"
    ),
    "of a correlated query": (
        "SELECT id, (SELECT count(*) FROM lines WHERE lines.name = people.name"
        " AND EXISTS (SELECT 1 FROM sales WHERE sales.sale = lines.sale)) AS n FROM people"
    ),
    "of a query further out": (
        "SELECT id FROM people WHERE id IN (SELECT line FROM lines WHERE"
        " EXISTS (SELECT 1 FROM sales WHERE person = people.id))"
    ),
    "recursive": (
        "WITH RECURSIVE r AS (SELECT id FROM people UNION SELECT r.id + 1 FROM r, people"
        " WHERE r.id < 3 AND EXISTS (SELECT 1 FROM sales WHERE person = people.id)) SELECT * FROM r"
    ),
    "a name that both may have": (
        "SELECT city FROM people JOIN cities USING (city) WHERE"
        " EXISTS (SELECT 1 FROM odd WHERE odd.city = cities.city)"
    ),
    "IN": "SELECT id FROM people WHERE id IN (SELECT person FROM sales WHERE note = people.name)",
    "NOT IN": "SELECT id FROM people WHERE id NOT IN (SELECT person FROM sales WHERE note = people.name)",
    "a view of the table": (
        "SELECT id FROM people WHERE EXISTS (SELECT 1 FROM (SELECT * FROM sales) s WHERE person = people.id)"
    ),
}


@pytest.mark.parametrize("sql", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_not_certain_stays(over: Bench, sql: str) -> None:
    assert over.rewritten(sql) is None


def test_a_name_of_the_query_further_out_does_not_become_a_column_of_the_joined_table(over: Bench) -> None:
    # `note` is a column of `lines`' outer query there, and would be one of `sales`, which only EXISTS reads here.
    sql = (
        "SELECT s.sale FROM sales AS s WHERE s.sale IN (SELECT d.line FROM (SELECT line FROM lines"
        " WHERE EXISTS (SELECT 1 FROM sales WHERE sales.sale = lines.sale) AND name = note) AS d)"
    )
    assert over.rewritten(sql) is None
