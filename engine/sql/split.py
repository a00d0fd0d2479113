"""A script cut into statements at its semicolons.

Promises: each statement's text is verbatim, from its first lexeme to its last; a semicolon inside quotes or comments
does not cut; statements that hold nothing but comments are left out.
Leaves to others: whether a statement means anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ProgrammingError
from .lexer import Kind, scan


@dataclass(frozen=True, slots=True)
class StatementText:
    """One statement without its semicolon: its text, the offset and the line (from 1) of its first lexeme."""

    text: str
    start: int
    line: int


@dataclass(frozen=True, slots=True)
class Script:
    """The finished statements of a text, and what follows the last semicolon.

    rest is empty if only blanks and comments follow. unfinished tells that it ends inside a quote or a comment.
    """

    statements: tuple[StatementText, ...]
    rest: str
    rest_start: int
    rest_line: int
    unfinished: bool

    def all_statements(self) -> tuple[StatementText, ...]:
        """The statements with the rest taken as one more, as for a file that lacks its last semicolon."""
        if not self.rest:
            return self.statements
        return (*self.statements, StatementText(self.rest, self.rest_start, self.rest_line))


def split_script(text: str) -> Script:
    """Cut `text` at its top-level semicolons."""
    statements: list[StatementText] = []
    first: int | None = None
    end = 0
    unfinished = False
    line, counted_to = 1, 0

    def line_of(offset: int) -> int:
        nonlocal line, counted_to
        line += text.count("\n", counted_to, offset)
        counted_to = offset
        return line

    for lexeme in scan(text):
        if lexeme.kind is Kind.SYMBOL and lexeme.text == ";":
            if first is not None:
                statements.append(StatementText(text[first : lexeme.start].rstrip(), first, line_of(first)))
            first = None
        elif lexeme.kind is not Kind.COMMENT:
            if first is None:
                first = lexeme.start
            end = lexeme.end
            unfinished = lexeme.kind is Kind.UNFINISHED
    if first is None:
        return Script(tuple(statements), "", len(text), line_of(len(text)), False)
    return Script(tuple(statements), text[first:end], first, line_of(first), unfinished)


def single_statement(text: str) -> str:
    """The one statement in `text`, with blanks in the place of what stands before it, so that positions stay right.

    An empty string if there is none. Raises ProgrammingError 42601 if there are several.
    """
    statements = split_script(text).all_statements()
    if len(statements) > 1:
        raise ProgrammingError(
            "several statements where one is expected",
            sqlstate="42601",
            hint="Send them one by one.",
            position=statements[1].start + 1,
        )
    return " " * statements[0].start + statements[0].text if statements else ""
