"""Text cut into what the shell does one after the other: SQL statements, and commands that begin with `\\` or `.`.

Promises: a command is a line that begins, after blanks, with `\\` or `.` and a letter (or `?` or `!`), where no
statement is unfinished; inside a statement or a quote such a line is SQL. Positions count from the start of the source.
Leaves to others: doing it (`interpreter.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from duckraft.engine.sql.split import split_script

_COMMAND_LINE = re.compile(r"^[ \t]*(?P<command>(?:\\|\.(?=[a-z]))[^\n]*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """An SQL statement without its semicolon. line: of its first word in the source, from 1."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command of the shell, with its `\\` or `.`. line: in the source, from 1."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """What is finished in a text, and where the unfinished rest begins (at the text's end if there is none)."""

    items: tuple[Statement | CommandLine, ...]
    rest_start: int
    rest_line: int


def parse(text: str, first_line: int = 1, at_end: bool = True) -> Parsed:
    """The statements and commands of `text`.

    first_line: the number of its first line. at_end: nothing follows, so that a last statement without a semicolon is
    finished as well; otherwise a last line without its line break waits for the rest of it.
    """
    if not at_end:
        text = text[: text.rfind("\n") + 1]
    items: list[Statement | CommandLine] = []
    start = 0
    for match in _COMMAND_LINE.finditer(text):
        if match.start() < start:
            continue
        before = split_script(text[start : match.start()])
        if before.rest:
            continue
        line = first_line + text.count("\n", 0, start)
        items += [Statement(s.text, line + s.line - 1) for s in before.statements]
        line += text.count("\n", start, match.start("command"))
        items.append(CommandLine(match["command"].rstrip(), line))
        start = match.end()
    line = first_line + text.count("\n", 0, start)
    tail = split_script(text[start:])
    statements = tail.all_statements() if at_end else tail.statements
    items += [Statement(s.text, line + s.line - 1) for s in statements]
    if at_end or not tail.rest:
        return Parsed(tuple(items), len(text), first_line + text.count("\n"))
    return Parsed(tuple(items), start + tail.rest_start, line + tail.rest_line - 1)


def is_complete(text: str) -> bool:
    """Whether Enter should run `text`: every statement in it has its semicolon, or it is a command or nothing."""
    if _COMMAND_LINE.match(text):
        return True
    parsed = parse(text + "\n", at_end=False)
    return not text[parsed.rest_start :].strip()


def parse_stream(pieces: Iterator[str]) -> Iterator[Statement | CommandLine]:
    """The items of a text that arrives piece by piece, each as soon as it is finished."""
    pending, line = "", 1
    for piece in pieces:
        pending += piece
        if "\n" not in piece:
            continue
        parsed = parse(pending, line, at_end=False)
        yield from parsed.items
        pending, line = pending[parsed.rest_start :], parsed.rest_line
    yield from parse(pending, line).items
