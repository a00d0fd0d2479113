"""A statement's lexemes with their depth in brackets: what the takers-apart of statements find their way with.

Promises: a piece is the user's own text with its place in the statement.
"""

from __future__ import annotations

from dataclasses import dataclass

from .lexer import Kind, Lexeme, significant


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a statement: its text, and its 0-based offset there; None for words that the user did not write."""

    text: str
    offset: int | None


class Reader:
    """The lexemes of a text, and how deep in brackets and CASEs each stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lexemes = significant(text)
        self.end = len(self.lexemes)
        while self.end and self.lexemes[self.end - 1].text == ";":
            self.end -= 1
        self.depths: list[int] = []
        depth = 0
        for lexeme in self.lexemes:
            step = _step(lexeme)
            depth += min(step, 0)
            self.depths.append(depth)
            depth += max(step, 0)

    def word(self, index: int) -> str:
        """The bare word at `index` in upper case, or an empty string."""
        return self.lexemes[index].upper if 0 <= index < self.end else ""

    def symbol(self, index: int) -> str:
        """The symbol at `index`, or an empty string."""
        if index >= self.end or self.lexemes[index].kind is not Kind.SYMBOL:
            return ""
        return self.lexemes[index].text

    def find(self, start: int, *words: str, end: int | None = None) -> int | None:
        """The first of these words outside every bracket and CASE. The FROM of `IS DISTINCT FROM` does not count."""
        for index in range(start, self.end if end is None else end):
            if self.depths[index] == 0 and self.word(index) in words:
                if self.word(index) == "FROM" and self.word(index - 1) == "DISTINCT":
                    continue
                return index
        return None

    def piece(self, start: int, end: int) -> Piece | None:
        """The text of the lexemes from `start` to before `end`; None if there are none."""
        if start >= end:
            return None
        first, last = self.lexemes[start], self.lexemes[end - 1]
        return Piece(self.text[first.start : last.end], first.start)

    def listed(self, start: int, end: int) -> list[tuple[int, int]]:
        """The spans between the commas from `start` to before `end`, at the depth of the first lexeme."""
        spans = []
        depth = self.depths[start] if start < end else 0
        for index in range(start, end):
            if self.symbol(index) == "," and self.depths[index] == depth:
                spans.append((start, index))
                start = index + 1
        return [*spans, (start, end)] if start < end else spans

    def closing(self, opening: int) -> int | None:
        """The index of the bracket that closes the one at `opening`, or None."""
        depth = self.depths[opening]
        return next((at for at in range(opening + 1, self.end) if self.depths[at] == depth), None)

    def names(self, start: int, end: int) -> tuple[str, ...] | None:
        """The names of a list such as `a, "b"`; None if there is anything else."""
        spans = self.listed(start, end)
        if any(last - first != 1 for first, last in spans):
            return None
        found = [self.lexemes[first] for first, _ in spans]
        if any(lexeme.kind not in (Kind.WORD, Kind.QUOTED) for lexeme in found):
            return None
        return tuple(lexeme.identifier for lexeme in found)

    def value(self, start: int, end: int) -> Piece | None:
        """The expression of a list; None for DEFAULT."""
        return None if end - start == 1 and self.word(start) == "DEFAULT" else self.piece(start, end)


def _step(lexeme: Lexeme) -> int:
    if lexeme.kind is Kind.SYMBOL:
        return {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(lexeme.text, 0)
    return {"CASE": 1, "END": -1}.get(lexeme.upper, 0)


def assignments(
    reader: Reader, start: int, end: int
) -> tuple[tuple[str, ...], tuple[Piece | None, ...]] | None:
    """The columns and the values of `a = 1, (b, c) = (2, DEFAULT)`; None if it is no such list."""
    columns: list[str] = []
    values: list[Piece | None] = []
    for span in reader.listed(start, end):
        found = _assignment(reader, *span)
        if found is None:
            return None
        columns += found[0]
        values += found[1]
    return (tuple(columns), tuple(values)) if columns else None


def _assignment(reader: Reader, first: int, end: int) -> tuple[tuple[str, ...], list[Piece | None]] | None:
    """The columns and the values of one assignment: several columns are given a row of values."""
    closing = reader.closing(first) if reader.symbol(first) == "(" else None
    names = reader.names(first, first + 1) if closing is None else reader.names(first + 1, closing)
    equals = first + 1 if closing is None else closing + 1
    # `=-1` is one lexeme: what stands behind the sign of equality belongs to the value.
    sign = reader.symbol(equals)
    if names is None or not sign.startswith("=") or (sign == "=" and equals + 1 == end):
        return None
    if len(names) == 1:
        return names, [_assigned(reader, equals, end)]
    opening = equals + (2 if reader.word(equals + 1) == "ROW" else 1)
    if sign != "=" or reader.symbol(opening) != "(" or reader.closing(opening) != end - 1:
        return None
    spans = reader.listed(opening + 1, end - 1)
    return (names, [reader.value(*span) for span in spans]) if len(spans) == len(names) else None


def _assigned(reader: Reader, equals: int, end: int) -> Piece | None:
    sign = reader.lexemes[equals]
    if sign.text == "=":
        return reader.value(equals + 1, end)
    return Piece(reader.text[sign.start + 1 : reader.lexemes[end - 1].end], sign.start + 1)
