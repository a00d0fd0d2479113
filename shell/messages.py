"""Errors as text for a person: code, message, the place in the statement, what to do."""

from __future__ import annotations

import os
import traceback
from typing import TextIO

from duckraft.engine.errors import Error, InternalError

_CONTEXT_CHARS = 60
"""How much of a long line is shown on each side of the place of an error."""


def describe(error: Error, statement: str = "", place: str = "") -> str:
    """`error` in a few lines, without colour.

    statement: the text it is about, in which its position counts. place: such as `load.sql:12`, or nothing.
    """
    lines = [f"{place}: " if place else ""]
    lines[0] += f"ERROR {error.sqlstate}: {error.message}"
    if error.position is not None and "\nLINE " not in error.message:
        lines += _pointer(statement, error.position)
    if error.detail:
        lines.append(f"DETAIL: {error.detail}")
    if error.hint:
        lines.append(f"HINT: {error.hint}")
    return "\n".join(lines)


def bug_report(error: Exception) -> InternalError:
    """What a user is told about an exception that nobody foresaw. DUCKRAFT_DEBUG=1 adds where it comes from."""
    detail = "".join(traceback.format_exception(error)) if os.environ.get("DUCKRAFT_DEBUG") else None
    return InternalError(
        f"{type(error).__name__}: {error}",
        detail=detail,
        hint="This is a bug in duckraft. Please report it with what DUCKRAFT_DEBUG=1 prints.",
    )


def describe_os_error(error: Exception) -> str:
    """What went wrong, in the words of the operating system: `/x/y: No such file or directory`."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    reason = os.strerror(error.errno)
    return f"{error.filename}: {reason}" if error.filename else reason


def _pointer(statement: str, position: int) -> list[str]:
    """The line of `statement` that holds the character `position` (from 1), and a caret under that character."""
    from .formats.cells import display_width, show_controls

    offset = position - 1
    if not 0 <= offset <= len(statement):
        return []
    start = statement.rfind("\n", 0, offset) + 1
    end = statement.find("\n", offset)
    before, after = statement[start:offset], statement[offset : len(statement) if end < 0 else end]
    if len(before) > _CONTEXT_CHARS:
        before = "..." + before[-_CONTEXT_CHARS:]
    if len(after) > _CONTEXT_CHARS:
        after = after[:_CONTEXT_CHARS] + "..."
    head = f"LINE {statement.count(chr(10), 0, offset) + 1}: "
    before = show_controls(before)
    return [head + before + show_controls(after), " " * (len(head) + display_width(before)) + "^"]


def wants_colour(stream: TextIO) -> bool:
    """Whether escape codes are welcome on `stream`: a terminal that knows them, and no NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def coloured(text: str, stream: TextIO) -> str:
    """An error text with its first word in red where `stream` wants colour."""
    if not wants_colour(stream):
        return text
    return text.replace("ERROR", "\x1b[1;31mERROR\x1b[0m", 1)
