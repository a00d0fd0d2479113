"""Where the shell writes: rows to standard output or a file, everything else to standard error.

Promises: rows are written as they come, batch by batch, and flushed at the end of each result. A reader that went away
shows as BrokenPipeError, which ends the program quietly (`cli.py`).
Leaves to others: how rows look (`formats/`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from duckraft.engine.errors import Error
from duckraft.engine.types import Column

from .formats import FORMATS, Style
from .formats.format import Batch
from .messages import coloured, describe, wants_colour
from .settings import Settings


class Output:
    """The two streams of one shell. `redirect` sends rows into a file."""

    def __init__(self, settings: Settings, interactive: bool = False) -> None:
        self.settings = settings
        self.interactive = interactive
        self._file: TextIO | None = None

    @property
    def rows_stream(self) -> TextIO:
        """Where rows go now."""
        return sys.stdout if self._file is None else self._file

    def redirect(self, path: Path | None) -> None:
        """Send rows into a new file at `path`; None: to standard output again. Raises OSError."""
        self.close()
        if path is not None:
            self._file = path.open("w", encoding="utf-8", newline="")

    def close(self) -> None:
        """Finish the file, if rows go into one. Raises OSError if its last rows cannot be written."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def rows(self, columns: Sequence[Column], batches: Iterable[Batch]) -> None:
        """Print a result."""
        settings, stream = self.settings, self.rows_stream
        form = FORMATS[settings.effective_format]
        count = 0

        def counted() -> Iterator[Batch]:
            nonlocal count
            for batch in batches:
                count += len(batch)
                yield batch

        style = Style(settings.header, settings.null, _terminal_width_chars(stream))
        for text in form.render(columns, counted(), style):
            stream.write(text)
        stream.flush()
        if self.interactive and form.counts_rows and not settings.quiet:
            self.notice(f"({count:,} {'row' if count == 1 else 'rows'})")

    def plan(self, values: dict[str, Any]) -> bool:
        """Draw the plan of an EXPLAIN as a tree. False, and nothing, where rows do not go to a terminal as a table."""
        stream = self.rows_stream
        width = _terminal_width_chars(stream)
        if width is None or self.settings.effective_format != "table":
            return False
        from .plan_tree import render

        stream.write(render(values, width, wants_colour(stream)))
        stream.flush()
        return True

    def text(self, text: str) -> None:
        """Print text that a command was asked for, where rows go."""
        self.rows_stream.write(text + "\n")
        self.rows_stream.flush()

    def notice(self, text: str) -> None:
        """Tell something that is not data."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def error(self, error: Error, statement: str = "", place: str = "") -> None:
        """Tell an error about `statement`."""
        self.notice(coloured(describe(error, statement, place), sys.stderr))

    def problem(self, message: str, place: str = "") -> None:
        """Tell something that went wrong outside the database: a file, a command."""
        self.notice(coloured(f"{place}: ERROR: {message}" if place else f"ERROR: {message}", sys.stderr))


def _terminal_width_chars(stream: TextIO) -> int | None:
    """How wide the terminal behind `stream` is; None if there is none."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return None
