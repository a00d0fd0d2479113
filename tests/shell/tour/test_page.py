"""What the tour writes on."""

from __future__ import annotations

import io
import sys

import pytest

from duckraft.engine.types import Column
from duckraft.shell.tour.page import Page, PlainPage, TerminalPage, page_for_standard_output


def fill(page: Page) -> None:
    page.title("The tour")
    page.chapter(1, "Chapter", "An introduction.")
    page.why("Because [it] matters.")
    page.statement("SELECT 1")
    page.plan("Route\n  shard: 1")
    page.rows([Column("a", "INTEGER")], [(1,), (2,)], more=True)
    page.outcome("2 rows")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_plain_page(capsys: pytest.CaptureFixture[str]) -> None:
    fill(PlainPage())
    assert capsys.readouterr().out == (
        "The tour\n\n\n1. Chapter\n==========\nAn introduction.\n\n* Because [it] matters.\n  SELECT 1;\n"
        "  | Route\n  |   shard: 1\n   a\n  ---\n   1\n   2\n   ...\n  (2 rows)\n"
    )


def test_a_terminal_page_has_everything_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    page = page_for_standard_output()
    assert isinstance(page, TerminalPage)
    fill(page)
    text = terminal.getvalue()
    assert "\x1b[" in text
    for part in (
        "The tour",
        "1. Chapter",
        "An introduction.",
        "Because [it] matters.",
        "shard: 1",
        " ...",
        "2 rows",
    ):
        assert part in text


def test_no_colour_means_a_plain_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert isinstance(page_for_standard_output(), PlainPage)
