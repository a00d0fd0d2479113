"""Scripts cut into statements, and the check that a text is one statement."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import ProgrammingError
from duckraft.engine.sql.split import single_statement, split_script


def test_semicolons_in_quotes_and_comments_do_not_cut() -> None:
    script = split_script("select ';', \";\", $$;$$ -- ;\n; /* ; */ select 2;")
    assert [each.text for each in script.statements] == ["select ';', \";\", $$;$$ -- ;", "select 2"]
    assert script.rest == ""


def test_each_statement_knows_its_line_and_its_offset() -> None:
    text = "\n-- a comment\nselect 1;\n\nselect\n2;"
    first, second = split_script(text).statements
    assert (first.line, second.line) == (3, 5)
    assert text[second.start :] == "select\n2;"


def test_empty_statements_are_left_out() -> None:
    assert split_script(";;\n; -- nothing\n /* at all */;").all_statements() == ()


def test_what_follows_the_last_semicolon_is_the_rest() -> None:
    script = split_script("select 1; select 2 -- two")
    assert script.rest == "select 2"
    assert [each.text for each in script.all_statements()] == ["select 1", "select 2"]
    assert not script.unfinished


@pytest.mark.parametrize("text", ["select 'a;", 'select "a;', "select $$ ; ", "select 1 /* ; "])
def test_a_text_that_ends_inside_a_quote_is_unfinished(text: str) -> None:
    script = split_script(text)
    assert script.unfinished
    assert script.statements == ()


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("select 1", "select 1"),
        (" select 1 ; -- done\n;", " select 1"),
        ("-- first\nselect 1", "         select 1"),
        (";select 1;", " select 1"),
        ("  -- nothing", ""),
    ],
)
def test_one_statement_keeps_its_place(text: str, statement: str) -> None:
    assert single_statement(text) == statement


def test_a_second_statement_is_refused_at_its_place() -> None:
    with pytest.raises(ProgrammingError) as caught:
        single_statement("select ';'; drop table t")
    assert (caught.value.sqlstate, caught.value.position) == ("42601", 13)
