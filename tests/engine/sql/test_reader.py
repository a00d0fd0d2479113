"""Lexemes with their depth in brackets and CASEs."""

from __future__ import annotations

import pytest

from duckraft.engine.sql.reader import Piece, Reader, assignments


def test_words_inside_brackets_and_cases_are_not_found() -> None:
    reader = Reader("a (FROM x) CASE WHEN b THEN [FROM] {'k': FROM} END IS DISTINCT FROM c FROM d")
    found = reader.find(0, "FROM")
    assert found is not None
    assert reader.piece(found, reader.end) == Piece("FROM d", 70)
    assert reader.find(0, "WHEN") is None
    assert reader.find(0, "FROM", end=found) is None


def test_a_list_is_cut_at_its_own_commas() -> None:
    reader = Reader("f(a, b), [1, 2], CASE WHEN x THEN 1 END, 'a, b'")
    pieces = [reader.piece(*span) for span in reader.listed(0, reader.end)]
    assert [piece.text for piece in pieces if piece] == [
        "f(a, b)",
        "[1, 2]",
        "CASE WHEN x THEN 1 END",
        "'a, b'",
    ]


def test_what_lies_outside_the_text_is_empty() -> None:
    reader = Reader("a ;")
    assert (reader.word(-1), reader.word(1), reader.symbol(1)) == ("", "", "")
    assert reader.piece(1, 1) is None


@pytest.mark.parametrize(
    ("text", "columns", "values"),
    [
        ("a = 1, b = DEFAULT", ("a", "b"), ["1", None]),
        ("a=-1", ("a",), ["-1"]),
        ("(a, b) = (1, f(2, 3))", ("a", "b"), ["1", "f(2, 3)"]),
        ("(a, b) = ROW (DEFAULT, 2)", ("a", "b"), [None, "2"]),
        ("(a) = (SELECT 1)", ("a",), ["(SELECT 1)"]),
        ('"x y" = CASE WHEN a = 1 THEN 2 END', ("x y",), ["CASE WHEN a = 1 THEN 2 END"]),
    ],
)
def test_assignments(text: str, columns: tuple[str, ...], values: list[str | None]) -> None:
    reader = Reader(text)
    found = assignments(reader, 0, reader.end)
    assert found is not None
    assert (found[0], [piece and piece.text for piece in found[1]]) == (columns, values)
    assert all(piece is None or text[piece.offset or 0 :].startswith(piece.text) for piece in found[1])


@pytest.mark.parametrize("text", ["", "a", "a = ", "a.b = 1", "(a, b) = (1)", "(a, b) = f(1, 2)", "1 = a"])
def test_what_is_no_list_of_assignments_is_none(text: str) -> None:
    reader = Reader(text)
    assert assignments(reader, 0, reader.end) is None
