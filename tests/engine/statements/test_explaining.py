"""EXPLAIN in its formats; EXPLAIN ANALYZE: what each shard did, of queries and of changes that it makes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows


@pytest.fixture
def shop(session: Session) -> Session:
    """orders and people by hash of the person, co-located; towns: a reference table."""
    session.execute("CREATE TABLE people (id BIGINT PRIMARY KEY, town VARCHAR) SHARD BY HASH (id)")
    session.execute(
        "CREATE TABLE orders (person BIGINT, amount BIGINT) SHARD BY HASH (person) COLOCATE WITH people"
    )
    session.execute("CREATE TABLE towns (code VARCHAR PRIMARY KEY, name VARCHAR) REFERENCE")
    session.execute("INSERT INTO people SELECT range, 't' || range % 5 FROM range(1000)")
    session.execute("INSERT INTO orders SELECT range % 1000, range % 77 FROM range(20000)")
    session.execute("INSERT INTO towns SELECT 't' || range, 'town ' || range FROM range(5)")
    return session


def _values(session: Session, sql: str, analyze: bool = True) -> dict[str, Any]:
    options = "ANALYZE, FORMAT json" if analyze else "FORMAT json"
    values: dict[str, Any] = json.loads(rows(session, f"EXPLAIN ({options}) {sql}")[0][0])
    return values


def _counts(session: Session, table: str) -> dict[int, int]:
    """The rows of each shard."""
    return dict(rows(session, "SELECT shard, rows FROM duckraft.shards WHERE table_name = ?", [table]))


def _done(fragment: dict[str, Any], name: str) -> dict[int, int]:
    return {shard["shard"]: shard[name] for shard in fragment["shards"]}


def test_each_fragment_tells_what_its_shards_read_and_gave(shop: Session) -> None:
    values = _values(shop, "SELECT town, stddev(amount) FROM people JOIN orders ON id = person GROUP BY town")
    assert (values["tier"], values["rows"], values["merge"]["rows"]) == ("split", 5, 5)
    (fragment,) = values["fragments"]
    people, orders = _counts(shop, "people"), _counts(shop, "orders")
    assert _done(fragment, "rows_scanned") == {shard: people[shard] + orders[shard] for shard in people}
    assert _done(fragment, "rows") == dict.fromkeys(people, 5)
    assert {shard["node"] for shard in fragment["shards"]} == {"local"}
    assert all(shard["bytes"] > 0 and shard["work_ms"] >= 0 for shard in fragment["shards"])
    assert values["execution_ms"] > 0
    assert values["merge"]["work_ms"] >= 0


def test_every_fragment_of_a_gathered_query_has_its_own_count(shop: Session) -> None:
    values = _values(shop, "SELECT count(*) OVER () FROM people p JOIN orders o ON o.amount = p.id")
    by_table = {fragment["tables"][0]["table"]: fragment for fragment in values["fragments"]}
    # What one side finds rules rows of the other out before they are scanned.
    assert 0 < sum(_done(by_table["main.people"], "rows_scanned").values()) <= 1000
    assert _done(by_table["main.orders"], "rows_scanned") == _counts(shop, "orders")
    assert not any("counted_with" in fragment for fragment in values["fragments"])


def test_fragments_that_read_the_same_tables_are_counted_together(shop: Session) -> None:
    sql = "SELECT count(*) OVER () FROM orders a JOIN orders b ON a.amount = b.amount + 50 WHERE a.person = a.amount"
    values = _values(shop, sql)
    first, second = values["fragments"]
    assert (first["counted_with"], second["counted_with"]) == (["fragment_2"], ["fragment_1"])
    twice = {shard: 2 * count for shard, count in _counts(shop, "orders").items()}
    assert _done(first, "rows_scanned") == twice
    assert "work_ms" not in second["shards"][0]
    text = "\n".join(line for (line,) in rows(shop, f"EXPLAIN ANALYZE {sql}"))
    assert "with fragment_2, which read the same tables:" in text
    assert "counted with fragment_1: they read the same tables" in text


def test_branches_that_duckdb_answers_from_its_statistics_have_their_shards(shop: Session) -> None:
    (fragment,) = _values(shop, "SELECT count(*) FROM orders")["fragments"]
    assert _done(fragment, "rows") == dict.fromkeys(_counts(shop, "orders"), 1)
    assert set(_done(fragment, "rows_scanned").values()) == {0}


def test_a_union_has_the_rows_of_its_branches(shop: Session) -> None:
    values = _values(shop, "SELECT person FROM orders UNION ALL SELECT id FROM people")
    assert values["rows"] == 21_000


def test_names_that_need_quotes_are_found(session: Session) -> None:
    session.execute('CREATE SCHEMA "My Schema"')
    session.execute('CREATE TABLE "My Schema"."a ""b" (i BIGINT) SHARD BY HASH (i)')
    session.execute('INSERT INTO "My Schema"."a ""b" FROM range(300)')
    (fragment,) = _values(session, 'SELECT sum(i), row_number() OVER () FROM "My Schema"."a ""b"')[
        "fragments"
    ]
    assert sum(_done(fragment, "rows_scanned").values()) == 300


@pytest.mark.parametrize(
    ("sql", "parameters", "tier"),
    [
        ("SELECT * FROM orders WHERE person = ?", [5], "route"),
        ("SELECT count(*) FROM orders WHERE amount > $1", [5], "split"),
        ("SELECT $a + $b", {"a": 1, "b": 2}, "local"),
    ],
)
def test_parameters_are_taken(shop: Session, sql: str, parameters: Any, tier: str) -> None:
    values = json.loads(rows(shop, f"EXPLAIN (ANALYZE, FORMAT json) {sql}", parameters)[0][0])
    assert (values["tier"], values["rows"]) == (tier, len(rows(shop, sql, parameters)))


def test_the_text_says_what_the_values_say(shop: Session) -> None:
    lines = [
        line for (line,) in rows(shop, "EXPLAIN ANALYZE SELECT town, count(*) FROM people GROUP BY town")
    ]
    assert re.fullmatch(
        r"  total: 5 rows in [\d.]+ ms, after [\d.]+ ms of planning; [\d.]+ ms of work .*", lines[2]
    )
    assert any(re.fullmatch(r"  merged: 5 rows, \d+ bytes, [\d.]+ ms of work", line) for line in lines)
    counts = _counts(shop, "people")
    for shard, count in counts.items():
        pattern = rf"     shard {shard} on local: 5 rows, \d+ bytes, {count} rows scanned, [\d.]+ ms of work"
        assert any(re.fullmatch(pattern, line) for line in lines)


def test_streamed_fragments_are_counted_where_they_run(shop: Session) -> None:
    shop.execute("SET duckraft_binding = streamed")
    values = _values(shop, "SELECT person, amount, row_number() OVER () FROM orders")
    (fragment,) = values["fragments"]
    assert values["rows"] == 20_000
    assert _done(fragment, "rows") == _counts(shop, "orders")
    assert all(shard["bytes"] > 0 for shard in fragment["shards"])


def test_profiling_is_off_again(shop: Session) -> None:
    rows(shop, "EXPLAIN ANALYZE SELECT count(*) FROM orders")
    assert rows(shop, "SELECT current_setting('enable_profiling')") == [(None,)]


@pytest.mark.parametrize(
    ("sql", "changed"),
    [
        ("INSERT INTO orders SELECT range, 1 FROM range(300)", 300),
        ("INSERT INTO orders VALUES (1, 1), (2, 1), (3, 1), (4, 1)", 4),
        ("INSERT INTO orders VALUES (1, 1)", 1),
        ("UPDATE orders SET amount = amount + 1 WHERE person < 10", 200),
        ("UPDATE orders SET person = person + 1 WHERE person < 10", 200),
        ("DELETE FROM orders WHERE person = 3", 20),
        ("INSERT INTO towns VALUES ('x', 'y')", 1),
        ("TRUNCATE orders", 20000),
    ],
)
def test_analyze_of_a_change_makes_it_and_tells_the_rows_of_each_shard(
    shop: Session, sql: str, changed: int
) -> None:
    before = rows(shop, "SELECT (SELECT count(*) FROM orders), (SELECT sum(hash(orders)) FROM orders)")
    towns = rows(shop, "SELECT count(*) FROM towns")
    rows(shop, f"EXPLAIN {sql}")
    assert (
        rows(shop, "SELECT (SELECT count(*) FROM orders), (SELECT sum(hash(orders)) FROM orders)") == before
    )
    values = _values(shop, sql)
    assert (values["tier"], values["rows"]) == ("change", changed)
    assert sum(shard["rows"] for shard in values["shards"]) == changed
    after = rows(shop, "SELECT (SELECT count(*) FROM orders), (SELECT sum(hash(orders)) FROM orders)")
    assert after != before or rows(shop, "SELECT count(*) FROM towns") != towns


def test_a_change_that_fails_under_analyze_changes_nothing(shop: Session) -> None:
    error = error_of(shop, "EXPLAIN ANALYZE INSERT INTO people SELECT range % 2, 'x' FROM range(10)")
    assert error.sqlstate == "23505"
    assert rows(shop, "SELECT count(*) FROM people") == [(1000,)]


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE x (i INT)", "DROP TABLE orders", "SET threads = 1", "CHECKPOINT"]
)
@pytest.mark.parametrize("explain", ["EXPLAIN", "EXPLAIN ANALYZE", "EXPLAIN (FORMAT json)"])
def test_what_has_no_plan_is_refused(shop: Session, explain: str, sql: str) -> None:
    error = error_of(shop, f"{explain} {sql}")
    assert (error.sqlstate, error.position) == ("0A000", len(explain) + 2)
    assert rows(shop, "SELECT count(*) FROM orders") == [(20000,)]


def test_values_come_with_the_text_and_hold_for_json(shop: Session) -> None:
    sql = "SELECT town, count(*) FROM people JOIN towns ON code = town GROUP BY town"
    result = shop.execute(f"EXPLAIN {sql}")
    assert result.plan == _values(shop, sql, analyze=False)
    assert shop.execute(f"EXPLAIN (FORMAT json) {sql}").plan is None
    assert result.plan is not None
    assert "execution_ms" not in result.plan
