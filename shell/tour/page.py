"""What the tour writes on: plain lines for files and pipes, colour and boxes for a terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import Protocol

from duckraft.engine.types import Column, Row

from ..formats import FORMATS, Style
from ..messages import wants_colour

PLAIN_WIDTH_CHARS = 100


class Page(Protocol):
    """The kinds of text in a tour."""

    def title(self, text: str) -> None:
        """The tour's first line."""

    def chapter(self, number: int, title: str, intro: str) -> None:
        """The beginning of a chapter."""

    def why(self, text: str) -> None:
        """Why the next statement is worth a look."""

    def statement(self, sql: str) -> None:
        """A statement that is about to run."""

    def plan(self, text: str) -> None:
        """A plan, of several lines."""

    def rows(self, columns: Sequence[Column], rows: Sequence[Row], more: bool) -> None:
        """The first rows of a result. more: there are others."""

    def outcome(self, text: str) -> None:
        """What a statement did and how long it took."""


def table_text(columns: Sequence[Column], rows: Sequence[Row], width_chars: int | None) -> str:
    """Rows as the format `table` prints them."""
    return "".join(FORMATS["table"].render(columns, [rows], Style(width_chars=width_chars)))


def _filled(text: str, first_indent: str = "", indent: str = "") -> str:
    """`text` in lines of at most PLAIN_WIDTH_CHARS; paths and names stay whole, so that they can be copied."""
    return textwrap.fill(
        text,
        PLAIN_WIDTH_CHARS,
        initial_indent=first_indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


class PlainPage:
    """Lines of text without any escape codes."""

    def title(self, text: str) -> None:
        print(text)

    def chapter(self, number: int, title: str, intro: str) -> None:
        heading = f"{number}. {title}"
        print(f"\n\n{heading}\n{'=' * len(heading)}\n{_filled(intro)}")

    def why(self, text: str) -> None:
        print("\n" + _filled(text, "* ", "  "))

    def statement(self, sql: str) -> None:
        print(textwrap.indent(sql + ";", "  "))

    def plan(self, text: str) -> None:
        print(textwrap.indent(text.rstrip(), "  | "))

    def rows(self, columns: Sequence[Column], rows: Sequence[Row], more: bool) -> None:
        print(textwrap.indent(table_text(columns, rows, None) + (" ...\n" if more else ""), "  "), end="")

    def outcome(self, text: str) -> None:
        print(f"  ({text})", flush=True)


class TerminalPage:
    """Colours and boxes, by rich."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False)

    def title(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text(text, style="bold"))

    def chapter(self, number: int, title: str, intro: str) -> None:
        from rich.panel import Panel
        from rich.text import Text

        self._console.print()
        self._console.print(
            Panel(Text(intro), title=f"{number}. {title}", title_align="left", border_style="cyan")
        )

    def why(self, text: str) -> None:
        from rich.text import Text

        self._console.print()
        self._console.print(Text(text, style="yellow"))

    def statement(self, sql: str) -> None:
        from rich.syntax import Syntax

        self._console.print(
            Syntax(sql + ";", "sql", theme="ansi_dark", background_color="default", word_wrap=True)
        )

    def plan(self, text: str) -> None:
        from rich.padding import Padding
        from rich.text import Text

        self._console.print(Padding(Text(text.rstrip(), style="dim"), (0, 0, 0, 2)))

    def rows(self, columns: Sequence[Column], rows: Sequence[Row], more: bool) -> None:
        from rich.text import Text

        text = table_text(columns, rows, self._console.width)
        self._console.print(Text(text.rstrip("\n") + ("\n ..." if more else "")), soft_wrap=True)

    def outcome(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text(text, style="green"))


def page_for_standard_output() -> Page:
    """The page that suits what standard output is."""
    return TerminalPage() if wants_colour(sys.stdout) else PlainPage()
