"""Errors as text."""

from __future__ import annotations

import io

import pytest

from duckraft.engine.errors import Error
from duckraft.shell.messages import bug_report, coloured, describe, describe_os_error


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_an_error_shows_code_place_caret_and_hint() -> None:
    error = Error("no such table", sqlstate="42P01", hint="Create it.", detail="There are none.", position=22)
    assert describe(error, "select 1,\n  * from\tdüxk", "a.sql:7").splitlines() == [
        "a.sql:7: ERROR 42P01: no such table",
        "LINE 2:   * from\\tdüxk",
        "                    ^",
        "DETAIL: There are none.",
        "HINT: Create it.",
    ]


def test_a_long_line_is_cut_around_the_error() -> None:
    statement = "select " + "a, " * 1000 + "? " + "b, " * 1000
    text, caret = describe(Error("bad", position=statement.index("?") + 1), statement).splitlines()[1:]
    assert len(text) < 150
    assert text[caret.index("^")] == "?"


def test_a_position_outside_the_statement_shows_no_line() -> None:
    assert describe(Error("bad", position=100), "select 1") == "ERROR XX000: bad"


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("ERROR 1: x", Terminal()) == "\x1b[1;31mERROR\x1b[0m 1: x"
    assert coloured("ERROR 1: x", io.StringIO()) == "ERROR 1: x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("ERROR 1: x", Terminal()) == "ERROR 1: x"


def test_no_colour_for_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("ERROR 1: x", Terminal()) == "ERROR 1: x"


def test_a_file_error_names_the_file() -> None:
    assert describe_os_error(FileNotFoundError(2, "", "a.sql")) == "a.sql: No such file or directory"


def test_a_bug_shows_where_it_is_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DUCKRAFT_DEBUG", raising=False)
    assert bug_report(KeyError("x")).detail is None
    assert bug_report(KeyError("x")).sqlstate == "XX000"
    monkeypatch.setenv("DUCKRAFT_DEBUG", "1")
    assert "KeyError" in str(bug_report(KeyError("x")).detail)
