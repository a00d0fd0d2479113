"""A failing statement made smaller, by leaving out or replacing parts of its text.

No grammar: the text is cut into lexemes, and what stands in brackets, between commas, between clauses or on a side of
AND is left out. A text that makes no sense fails on both databases alike, so it is not taken for a failing one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from .harness import Statement

_LEXEME = re.compile(
    r"\s+|'(?:[^']|'')*'|\"[^\"]*\"|[A-Za-z_$][\w$]*(?:\.\w+)*|\d+(?:\.\d+)?|::|<=|>=|<>|.", re.DOTALL
)
_CLAUSES = frozenset(
    [
        *("WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER", "LIMIT", "OFFSET", "WINDOW"),
        *("UNION", "INTERSECT", "EXCEPT", "FILTER", "ROWS", "RANGE", "GROUPS", "EXCLUDE"),
        *("PARTITION", "JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "SEMI"),
        *("ANTI", "ASOF", "POSITIONAL", "NATURAL", "TABLESAMPLE", "DISTINCT", "AND", "OR"),
        *("NOT", "REPEATABLE", "WITH", "USING"),
    ]
)
_SMALLER = ("NULL", "1", "true", "")
MOST_TRIES = 600


def shrink(statement: Statement, fails: Callable[[Statement], bool]) -> Statement:
    """A smaller statement that still fails, if leaving out parts leads to one."""
    tries = 0
    found = True
    while found and tries < MOST_TRIES:
        found = False
        for text in candidates(statement.sql):
            tries += 1
            smaller = replace(statement, sql=text, parameters=_needed(statement, text))
            if fails(smaller):
                statement, found = smaller, True
                break
            if tries >= MOST_TRIES:
                break
    return statement


def _needed(
    statement: Statement, text: str
) -> Mapping[str, object] | list[object] | tuple[object, ...] | None:
    """The named parameters that the text still has; others stay as they are."""
    if isinstance(statement.parameters, Mapping):
        return {name: value for name, value in statement.parameters.items() if f"${name}" in text}
    return list(statement.parameters) if statement.parameters is not None else None


def candidates(sql: str) -> Iterator[str]:
    """Texts with something less, the largest parts first."""
    lexemes = _LEXEME.findall(sql)
    seen: set[str] = {sql}
    for start, end, instead in sorted(_spans(lexemes), key=lambda span: span[0] - span[1]):
        for text in instead:
            smaller = re.sub(
                r"\s+", " ", " ".join(["".join(lexemes[:start]), text, "".join(lexemes[end:])])
            ).strip()
            if len(smaller) < len(sql) and smaller not in seen:
                seen.add(smaller)
                yield smaller


def _spans(lexemes: list[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """(first lexeme, behind the last, texts that may stand in their place) of each part that may be left out."""
    closing = _closing(lexemes)
    for start, lexeme in enumerate(lexemes):
        if lexeme in "([{" and start in closing:
            end = closing[start] + 1
            inner = "".join(lexemes[start + 1 : end - 1])
            yield start, end, (*_SMALLER, inner)
            if start and lexeme == "(" and re.fullmatch(r"[a-z_]\w*", lexemes[start - 1]):
                yield start - 1, end, (inner, "NULL", "1")
        if lexeme.upper() in _CLAUSES:
            for end in _ends(lexemes, closing, start):
                yield start, end, ("",)
        if lexeme == ",":
            end = next(_ends(lexemes, closing, start, (",",)), len(lexemes))
            yield start, end, ("",)
        if lexeme.upper() in ("SELECT", "BY", "ON", "(", "DISTINCT", "VALUES", "WITH"):
            yield from _first_of_list(lexemes, closing, start)


def _first_of_list(
    lexemes: list[str], closing: dict[int, int], start: int
) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """The first item of a list, with its comma."""
    for end in _ends(lexemes, closing, start, (",",)):
        if end < len(lexemes) and lexemes[end] == ",":
            yield start + 1, end + 1, (" ",)
        return


def _closing(lexemes: list[str]) -> dict[int, int]:
    """The place of the closing bracket for that of each opening one."""
    opened: list[int] = []
    found: dict[int, int] = {}
    for place, lexeme in enumerate(lexemes):
        if lexeme in "([{":
            opened.append(place)
        elif lexeme in ")]}" and opened:
            found[opened.pop()] = place
    return found


def _ends(
    lexemes: list[str], closing: dict[int, int], start: int, marks: tuple[str, ...] = ()
) -> Iterator[int]:
    """Where a part that starts here may end: before the next clauses at its level, or where its level ends."""
    place, found = start + 1, 0
    while place < len(lexemes) and found < 4:
        lexeme = lexemes[place]
        if place in closing:
            place = closing[place]
        elif lexeme in ")]}":
            yield place
            return
        elif lexeme.upper() in _CLAUSES or lexeme in marks:
            found += 1
            yield place
        place += 1
    if place >= len(lexemes):
        yield len(lexemes)
