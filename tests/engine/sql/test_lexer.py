"""The lexer: nothing is lost, and quotes, dollar quotes and comments are seen as DuckDB sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duckraft.engine.sql.lexer import Kind, matching_parenthesis, scan, significant

NASTY = "'\"$;/*-()[]{}a1_eExXuU&\\\n ?.é鸭,="


@given(st.text(st.sampled_from(NASTY), max_size=40) | st.text(max_size=40))
def test_lexemes_and_blanks_add_up_to_any_text(text: str) -> None:
    position = 0
    for lexeme in scan(text):
        assert text[position : lexeme.start].strip() == ""
        assert text[lexeme.start : lexeme.end] == lexeme.text
        assert lexeme.text
        position = lexeme.end
    assert text[position:].strip() == ""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("word", Kind.WORD),
        ("größe_1", Kind.WORD),
        ("鸭", Kind.WORD),
        ('"a ""quoted"" name;"', Kind.QUOTED),
        ("'it''s; -- not /* a comment'", Kind.STRING),
        (r"e'a\'; b'", Kind.STRING),
        ("x'00ff'", Kind.STRING),
        ("$$ ; ' \" $$", Kind.STRING),
        ("$tag$ $$ ; $other$ $tag$", Kind.STRING),
        ("''", Kind.STRING),
        ("12", Kind.NUMBER),
        ("1_000.5e-3", Kind.NUMBER),
        (".5", Kind.NUMBER),
        ("0xFF", Kind.NUMBER),
        ("?", Kind.PARAMETER),
        ("?2", Kind.PARAMETER),
        ("$1", Kind.PARAMETER),
        ("$name", Kind.PARAMETER),
        ("-- to the end ; '", Kind.COMMENT),
        ("/* one /* two */ ; */", Kind.COMMENT),
        ("->>", Kind.SYMBOL),
        (";", Kind.SYMBOL),
        ("'never closed ; ", Kind.UNFINISHED),
        ('"never closed ; ', Kind.UNFINISHED),
        ("$$ never closed ' ", Kind.UNFINISHED),
        ("/* one /* two */ ", Kind.UNFINISHED),
        (r"e'never closed\'", Kind.UNFINISHED),
    ],
)
def test_a_text_that_is_one_lexeme(text: str, kind: Kind) -> None:
    assert [(lexeme.kind, lexeme.text) for lexeme in scan(text)] == [(kind, text)]


def test_an_operator_ends_where_a_comment_begins() -> None:
    assert [lexeme.text for lexeme in scan("a+--b\n-/*c*/1")] == ["a", "+", "--b", "-", "/*c*/", "1"]


def test_a_parameter_is_not_the_start_of_a_dollar_quote() -> None:
    assert [lexeme.kind for lexeme in scan("$1 + $2")] == [Kind.PARAMETER, Kind.SYMBOL, Kind.PARAMETER]


def test_upper_and_identifier_tell_words_from_names() -> None:
    word, quoted, string = scan("""Select "Se""lect" 'select'""")
    assert (word.upper, quoted.upper, string.upper) == ("SELECT", "", "")
    assert (word.identifier, quoted.identifier) == ("Select", 'Se"lect')


def test_parentheses_are_matched_outside_of_quotes_and_comments() -> None:
    lexemes = significant("f(a, ')', /* ) */ g(b), \")\") x")
    opening = next(index for index, lexeme in enumerate(lexemes) if lexeme.text == "(")
    closing = matching_parenthesis(lexemes, opening)
    assert closing is not None
    assert lexemes[closing + 1].text == "x"
    assert matching_parenthesis(significant("(a (b)"), 0) is None
