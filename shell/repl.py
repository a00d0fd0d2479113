"""The interactive shell: a prompt with history, completion and highlighting, over the interpreter.

Promises: Ctrl-C clears the line or cancels the statement and never leaves; Ctrl-D leaves; no escape codes on a terminal
that does not know them, and no questions to the terminal whose answers could end up in the input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from duckraft.engine.version import __version__

from . import exit_codes
from .interpreter import Interpreter, Quit, StopScript
from .messages import describe_os_error, wants_colour
from .script import is_complete

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.lexers import Lexer

PROMPT = "duckraft> "
CONTINUATION = "      -> "
_PLAIN_WORDS = {"exit": "\\q", "quit": "\\q", "help": "\\?"}
"""What people type first when they do not know the commands yet."""


def run_repl(shell: Interpreter) -> int:
    """Read and run until the user leaves. Returns the exit code: 0, whatever the statements did."""
    # The terminal is not asked where its cursor is: some never answer, and an answer can arrive as typed text.
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
    if not shell.settings.quiet:
        shell.output.notice(greeting(shell))
    session = _prompt_session(shell)
    while True:
        try:
            text = session.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return exit_codes.FINE
        try:
            run_input(shell, text)
        except Quit:
            return exit_codes.FINE


def greeting(shell: Interpreter) -> str:
    """The first lines of an interactive shell."""
    where = "in memory: nothing is kept" if shell.path is None else str(shell.path)
    return (
        f"duckraft {__version__}, {where}.\nType SQL and end it with a semicolon, \\? for help, \\q to leave."
    )


def run_input(shell: Interpreter, text: str) -> None:
    """Do what was typed; errors were told, and the prompt comes back. Raises Quit."""
    text = _PLAIN_WORDS.get(text.strip().rstrip(";").lower(), text)
    try:
        shell.run_text(text)
    except StopScript:
        pass
    except KeyboardInterrupt:
        shell.output.notice("Cancelled.")


def _prompt_session(shell: Interpreter) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.output import create_output

    from .completion import ShellCompleter

    fancy = wants_colour(sys.stderr if not sys.stdout.isatty() else sys.stdout)
    return PromptSession(
        message=PROMPT,
        multiline=True,
        prompt_continuation=CONTINUATION,
        key_bindings=_enter_runs_finished_statements(),
        completer=ShellCompleter(shell),
        complete_while_typing=False,
        enable_history_search=True,
        auto_suggest=AutoSuggestFromHistory() if fancy else None,
        lexer=_lexer() if fancy else None,
        history=_history(shell),
        output=create_output(always_prefer_tty=True),
        reserve_space_for_menu=6,
    )


def _enter_runs_finished_statements() -> KeyBindings:
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition, has_focus
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    @Condition
    def finished() -> bool:
        document = get_app().current_buffer.document
        return is_complete(document.text) or document.text.strip().rstrip(";").lower() in _PLAIN_WORDS

    bindings = KeyBindings()

    @bindings.add("enter", filter=finished & has_focus("DEFAULT_BUFFER"))
    def _run(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return bindings


def _lexer() -> Lexer:
    from prompt_toolkit.lexers import PygmentsLexer

    return PygmentsLexer.from_filename("statement.sql")


def history_path() -> Path:
    """Where what was typed is kept: `duckraft/history` in the XDG state directory."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "duckraft" / "history"


def _history(shell: Interpreter) -> History:
    """The history on disk, readable by its owner alone; in memory if it cannot be written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class PrivateHistory(FileHistory):
        """History that leaves out what begins with a blank, as bash does: passwords, for example."""

        def append_string(self, string: str) -> None:
            if not string.startswith(" "):
                super().append_string(string)

    path = history_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        shell.output.notice(f"History is not kept: {describe_os_error(error)}")
        return InMemoryHistory()
    return PrivateHistory(str(path))
