"""The prompt, with keys from a pipe in place of a keyboard."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input

from duckraft.shell import repl
from duckraft.shell.interpreter import Interpreter

Capture = pytest.CaptureFixture[str]

CTRL_C = "\x03"
CTRL_D = "\x04"
ENTER = "\r"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PipeInput]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    with create_pipe_input() as pipe, create_app_session(input=pipe):
        yield pipe


def type_and_leave(keys: PipeInput, shell: Interpreter, text: str) -> None:
    shell.settings.format, shell.settings.header, shell.settings.quiet = "csv", False, True
    keys.send_text(text + CTRL_D)
    assert repl.run_repl(shell) == 0


def test_a_statement_runs_at_its_semicolon(keys: PipeInput, shell: Interpreter, capsys: Capture) -> None:
    type_and_leave(keys, shell, f"select 40 +{ENTER}2;{ENTER}")
    assert "\n42\n" in capsys.readouterr().out


def test_a_command_needs_no_semicolon(keys: PipeInput, shell: Interpreter, capsys: Capture) -> None:
    type_and_leave(keys, shell, f"\\echo here{ENTER}")
    assert "\nhere\n" in capsys.readouterr().out


def test_an_error_comes_back_to_the_prompt(keys: PipeInput, shell: Interpreter, capsys: Capture) -> None:
    type_and_leave(keys, shell, f"selec;{ENTER}select 7;{ENTER}")
    out, err = capsys.readouterr()
    assert "ERROR 42601" in err
    assert "\n7\n" in out


def test_ctrl_c_drops_the_line_and_stays(keys: PipeInput, shell: Interpreter, capsys: Capture) -> None:
    type_and_leave(keys, shell, f"select 'dropped'{CTRL_C}select 7;{ENTER}")
    assert "\n7\n" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["exit", "quit", "QUIT;", "\\q", ".exit"])
def test_leaving_by_a_word(keys: PipeInput, shell: Interpreter, word: str) -> None:
    keys.send_text(f"{word}{ENTER}")
    assert repl.run_repl(shell) == 0


def test_history_is_private_and_leaves_out_what_begins_with_a_blank(
    keys: PipeInput, shell: Interpreter, tmp_path: Path
) -> None:
    type_and_leave(keys, shell, f"select 'kept';{ENTER} select 'secret';{ENTER}")
    path = tmp_path / "duckraft" / "history"
    assert repl.history_path() == path
    assert "kept" in path.read_text()
    assert "secret" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_history_that_cannot_be_kept_is_told_and_no_obstacle(
    keys: PipeInput, shell: Interpreter, capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "duckraft").write_text("in the way")
    type_and_leave(keys, shell, f"select 7;{ENTER}")
    out, err = capsys.readouterr()
    assert "History is not kept" in err
    assert "\n7\n" in out


def test_a_cancelled_statement_comes_back_to_the_prompt(
    shell: Interpreter, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(text: str, source: str = "") -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shell, "run_text", cancelled)
    repl.run_input(shell, "select 1;")
    assert capsys.readouterr().err == "Cancelled.\n"


def test_the_greeting_tells_where_the_data_goes(shell: Interpreter) -> None:
    assert "in memory" in repl.greeting(shell)
    shell.path = Path("flights")
    assert ", flights." in repl.greeting(shell)
