"""Rewriting as a whole: when it is done, what guards it, and what it gives over shards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duckraft.engine.database import Database
from duckraft.engine.planner.analysis import analyse
from duckraft.engine.planner.plan import Tier
from duckraft.engine.planner.rewrite.rules import rewrite
from duckraft.engine.session import Session
from duckraft.engine.types import Column
from tests.engine.planner.rewrite.rewriting import Bench, bench

BOTH = (
    "SELECT d.id, d.name, d.n FROM (SELECT id, name, count(sale) AS n FROM people LEFT JOIN sales ON id = person"
    " GROUP BY id, name) AS d, cities WHERE cities.mayor = d.id"
    " AND NOT EXISTS (SELECT 1 FROM lines WHERE lines.name = d.name AND line > 1)"
)


@pytest.fixture(scope="module")
def over() -> Iterator[Bench]:
    with bench() as opened:
        yield opened


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Database.open() as database, database.session() as session:
        session.execute("CREATE TABLE people (id INTEGER, city VARCHAR) SHARD BY HASH (id) SHARDS 4")
        session.execute(
            "CREATE TABLE sales (person INTEGER, sale INTEGER, price DOUBLE) SHARD BY HASH (person) SHARDS 4"
        )
        session.execute("CREATE TABLE lines (sale INTEGER, line INTEGER) SHARD BY HASH (line) SHARDS 3")
        session.execute("INSERT INTO people SELECT i, if(i % 2 = 0, 'Bern', 'Oslo') FROM range(100) AS r (i)")
        session.execute("INSERT INTO sales SELECT i % 50, i, i / 4 FROM range(100) AS r (i)")
        session.execute("INSERT INTO lines SELECT i % 30, i FROM range(60) AS r (i)")
        yield session


def test_both_rules_are_applied_to_one_statement(over: Bench) -> None:
    found = over.rewritten(BOTH)
    assert found is not None
    assert found.reason == (
        "EXISTS is rewritten as a semi or anti join; rows are aggregated by the join key before they are joined"
    )
    assert over.assert_same(BOTH, found.analysis.text)


def test_nothing_is_rewritten_if_sqlglot_does_not_write_what_it_read(
    over: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(over.binder, "same_meaning", lambda one, other: False)
    assert over.rewritten(BOTH) is None


def test_nothing_is_rewritten_if_a_column_would_get_another_type(
    over: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = over.binder.describe

    def other_type(sql: str) -> tuple[Column, ...] | None:
        return (Column("id", "BIGINT"),) if "early_1" in sql or "exists_1" in sql else describe(sql)

    monkeypatch.setattr(over.binder, "describe", other_type)
    assert over.rewritten(BOTH) is None


def test_parameters_whose_types_are_open_are_left_alone(over: Bench) -> None:
    text = "SELECT id FROM people WHERE id > $1 AND EXISTS (SELECT 1 FROM sales WHERE person = id)"
    analysis = analyse(text, over.catalog)
    assert analysis is not None
    assert rewrite(analysis, over.catalog, over.binder) is None


def test_a_macro_may_hide_anything(over: Bench) -> None:
    over.connection.execute("CREATE TEMP MACRO first_of(x) AS x[1]")
    over.binder.forget_functions()
    sql = "SELECT first_of(name) AS f FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = id)"
    assert over.rewritten(sql) is None


def test_a_semi_join_on_the_shard_key_goes_under_the_shards(session: Session) -> None:
    sql = (
        "SELECT city, count(*) AS n FROM people WHERE EXISTS (SELECT 1 FROM sales WHERE person = id AND price > 5)"
        " GROUP BY city ORDER BY city"
    )
    plan = session.plan(sql)
    assert plan.tier is Tier.SPLIT
    assert plan.reason.startswith("EXISTS is rewritten as a semi or anti join; each shard aggregates")
    assert len(plan.fragments()) == 1
    assert session.execute(sql).fetchall() == [("Bern", 25), ("Oslo", 25)]


def test_what_is_aggregated_first_goes_under_the_shards(session: Session) -> None:
    sql = (
        "SELECT sales.sale, city, count(line) AS n FROM people, sales, lines"
        " WHERE id = person AND lines.sale = sales.sale GROUP BY sales.sale, city"
    )
    plan = session.plan(sql)
    assert "rows are aggregated by the join key" in plan.reason
    assert any("GROUP BY" in fragment.sql(lambda table: table.name) for fragment in plan.fragments())
    found = session.execute(f"SELECT count(*), sum(n), min(sale), max(sale) FROM ({sql})").fetchall()
    assert found == [(30, 60, 0, 29)]


def test_explain_shows_the_text_that_is_run(session: Session) -> None:
    sql = "SELECT id FROM people WHERE NOT EXISTS (SELECT 1 FROM lines WHERE line = id)"
    lines = [str(row[0]) for row in session.execute(f"EXPLAIN {sql}").fetchall()]
    assert "EXISTS is rewritten as a semi or anti join" in lines[1]
    assert any("ANTI JOIN fragment_2 AS exists_1 ON exists_1.line = id" in line for line in lines)
    assert len(session.execute(sql).fetchall()) == 40


def test_a_statement_for_one_shard_is_not_touched(session: Session) -> None:
    sql = (
        "SELECT id FROM people WHERE id = 3 AND EXISTS (SELECT 1 FROM sales WHERE person = 3 AND person = id)"
    )
    assert session.plan(sql).tier is Tier.ROUTE


def test_rows_that_an_anti_join_looks_for_do_not_choose_the_shards(session: Session) -> None:
    sql = "SELECT count(*) AS n FROM people WHERE NOT EXISTS (SELECT 1 FROM sales WHERE person = id AND person = 5)"
    assert session.execute(sql).fetchall() == [(99,)]
