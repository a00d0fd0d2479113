"""The options of EXPLAIN."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import ProgrammingError
from duckraft.engine.sql.explain import parse_explain


@pytest.mark.parametrize(
    ("sql", "analyze", "form"),
    [
        ("EXPLAIN SELECT 1", False, "text"),
        ("explain analyze SELECT 1", True, "text"),
        ("EXPLAIN (ANALYZE) SELECT 1", True, "text"),
        ("EXPLAIN (analyze true, format JSON) SELECT 1", True, "json"),
        ("EXPLAIN (FORMAT 'json', ANALYZE off) SELECT 1", False, "json"),
        ("EXPLAIN (FORMAT text, ANALYZE 1) SELECT 1", True, "text"),
        ("EXPLAIN /* (FORMAT json) */ (ANALYZE 0) SELECT 1", False, "text"),
    ],
)
def test_options(sql: str, analyze: bool, form: str) -> None:
    parts = parse_explain(sql)
    assert (sql[parts.body_start :], parts.analyze, parts.format) == ("SELECT 1", analyze, form)


@pytest.mark.parametrize("query", ["(SELECT 1)", "((SELECT 1) UNION (SELECT 2))", "(FROM t)", "(VALUES (1))"])
def test_a_query_in_parentheses_is_no_list_of_options(query: str) -> None:
    assert parse_explain(f"EXPLAIN {query}").body_start == len("EXPLAIN ")


@pytest.mark.parametrize("sql", ["EXPLAIN", "EXPLAIN ANALYZE", "EXPLAIN (FORMAT json)"])
def test_without_a_statement_there_is_nothing_behind(sql: str) -> None:
    assert sql[parse_explain(sql).body_start :] == ""


@pytest.mark.parametrize(
    ("options", "sqlstate", "at"),
    [
        ("nosuch", "42601", "nosuch"),
        ("ANALYZE, nosuch 1", "42601", "nosuch"),
        ("ANALYZE maybe", "42601", "maybe"),
        ("ANALYZE true false", "42601", "false"),
        ("FORMAT xml", "22023", "xml"),
        ("FORMAT", "42601", "FORMAT"),
        ("ANALYZE,", "42601", ")"),
        ("", "42601", ")"),
    ],
)
def test_what_is_no_option_is_refused_where_it_stands(options: str, sqlstate: str, at: str) -> None:
    sql = f"EXPLAIN ({options}) SELECT 1"
    with pytest.raises(ProgrammingError) as caught:
        parse_explain(sql)
    assert (caught.value.sqlstate, caught.value.position) == (sqlstate, sql.index(at) + 1)
