"""INSERT and COPY … FROM taken apart."""

from __future__ import annotations

import pytest

from duckraft.engine.sql.insert import parse_copy, parse_insert


def test_the_parts_of_an_insert() -> None:
    text = (
        'with c as (select 1) insert or replace into s."T" as x (a, "b c") select * from c '
        "on conflict (a) do update set b = 1 returning *"
    )
    parts = parse_insert(text)
    assert parts is not None
    assert (parts.verb, parts.prefix) == ("INSERT OR REPLACE INTO", "with c as (select 1) ")
    assert (parts.name, parts.alias, parts.columns) == (("s", "T"), "x", ("a", "b c"))
    assert parts.query == "with c as (select 1) SELECT * FROM (select * from c\n)"
    assert parts.tail == "on conflict (a) do update set b = 1 returning *"
    assert text[parts.body_start :].startswith(parts.body)
    assert (parts.is_values, parts.returning, parts.by_name) == (False, True, False)


@pytest.mark.parametrize(
    ("text", "columns", "query", "is_values"),
    [
        ("insert into t values (1)", None, "values (1)", True),
        ("insert into t default values", None, "default values", True),
        ("insert into t (a) (select 1)", ("a",), "(select 1)", False),
        ("insert into t (select a from u)", None, "(select a from u)", False),
        ("insert into t (from u)", None, "(from u)", False),
        ("insert into t from u", None, "from u", False),
        ("insert into t select 'on conflict', \"returning\" from u", None, None, False),
        ("insert into t select (select 1 returning), $$ ; $$", None, None, False),
        ("insert into t with x as (select 1) from x", None, "with x as (select 1) from x", False),
    ],
)
def test_forms_of_the_rows(
    text: str, columns: tuple[str, ...] | None, query: str | None, is_values: bool
) -> None:
    parts = parse_insert(text)
    assert parts is not None
    assert (parts.columns, parts.is_values, parts.tail) == (columns, is_values, "")
    if query is not None:
        assert parts.query == query


def test_by_name_and_by_position() -> None:
    for text, by_name in (
        ("insert into t by name from u", True),
        ("insert into t by position from u", False),
    ):
        parts = parse_insert(text)
        assert parts is not None
        assert (parts.by_name, parts.query) == (by_name, "from u")


@pytest.mark.parametrize(
    "text",
    [
        "insert",
        "insert into",
        "insert into t",
        "insert t values (1)",
        "insert into 'x' values (1)",
        "select 1",
    ],
)
def test_what_is_no_insert_is_left_to_duckdb(text: str) -> None:
    assert parse_insert(text) is None


def test_an_unfinished_text_is_still_taken_apart() -> None:
    parts = parse_insert("insert into t values ('a")
    assert parts is not None
    assert parts.body == "values ('a"


def test_the_parts_of_a_copy() -> None:
    parts = parse_copy(
        "copy s.t (a, b) from 'x;y.csv' with (format csv, header, delimiter '|', nullstr ['a', 'b'])"
    )
    assert parts is not None
    assert (parts.name, parts.columns, parts.file) == (("s", "t"), ("a", "b"), "'x;y.csv'")
    assert dict(parts.options) == {
        "format": "csv",
        "header": "true",
        "delimiter": "'|'",
        "nullstr": "['a', 'b']",
    }


@pytest.mark.parametrize(
    "text", ["copy t from", "copy t from x", "copy t from 'x' (header", "copy t from 'x' (,)"]
)
def test_what_is_no_copy_is_left_to_duckdb(text: str) -> None:
    assert parse_copy(text) is None
