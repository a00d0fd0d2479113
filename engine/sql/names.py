"""Qualified names in a statement, found by its lexemes."""

from __future__ import annotations

from collections.abc import Sequence

from .lexer import Kind, Lexeme, significant

_BETWEEN = frozenset({"IF", "NOT", "EXISTS"})


def name_at(lexemes: Sequence[Lexeme], index: int) -> tuple[tuple[str, ...], int] | None:
    """The parts of the qualified name that starts at `index`, and the index behind it; None if there is no name."""
    parts: list[str] = []
    while index < len(lexemes) and lexemes[index].kind in (Kind.WORD, Kind.QUOTED):
        parts.append(lexemes[index].identifier)
        index += 1
        if index >= len(lexemes) or lexemes[index].text != ".":
            return tuple(parts), index
        index += 1
    return None


def object_name(text: str, kind: str) -> tuple[str, ...]:
    """The name behind `CREATE … kind [IF NOT EXISTS]` or `DROP … kind [IF EXISTS]`; `("",)` if there is none.

    kind: the last word before the name, in upper case.
    """
    lexemes = [lexeme for lexeme in significant(text) if lexeme.upper not in _BETWEEN]
    for index, lexeme in enumerate(lexemes):
        if lexeme.upper == kind:
            found = name_at(lexemes, index + 1)
            return found[0] if found is not None else ("",)
    return ("",)
