"""Qualified names found in a statement."""

from __future__ import annotations

import pytest

from duckraft.engine.sql.lexer import significant
from duckraft.engine.sql.names import name_at, object_name


def test_a_name_ends_where_no_dot_follows() -> None:
    lexemes = significant('a . "b.c" . d (e)')
    assert name_at(lexemes, 0) == (("a", "b.c", "d"), 5)
    assert name_at(lexemes, 6) == (("e",), 7)


@pytest.mark.parametrize("text", ["", "(a)", "'a'", "a.", "a.'b'"])
def test_no_name(text: str) -> None:
    assert name_at(significant(text), 0) is None


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("create view if not exists s.v as select 1", "VIEW", ("s", "v")),
        ('drop macro table if exists "F" cascade', "TABLE", ("F",)),
        ("drop view", "VIEW", ("",)),
        ("create thing x", "VIEW", ("",)),
    ],
)
def test_the_name_of_an_object(text: str, kind: str, name: tuple[str, ...]) -> None:
    assert object_name(text, kind) == name
