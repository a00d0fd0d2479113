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


def _bare(text: str) -> str:
    return text.strip().rstrip(";").lower()


def is_plain_word(text: str) -> bool:
    """Whether `text` is one of the words that stand for a command: `exit`, `quit`, `help`."""
    return _bare(text) in _PLAIN_WORDS


def run_input(shell: Interpreter, text: str) -> None:
    """Do what was typed; errors were told, and the prompt comes back. Raises Quit."""
    text = _PLAIN_WORDS.get(_bare(text), text)
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
        prompt_continuation=_continuation,
        key_bindings=_key_bindings(),
        completer=ShellCompleter(shell),
        complete_while_typing=False,
        enable_history_search=True,
        auto_suggest=AutoSuggestFromHistory() if fancy else None,
        lexer=_lexer() if fancy else None,
        history=_history(shell),
        output=create_output(always_prefer_tty=True),
        reserve_space_for_menu=6,
    )


def _continuation(width: int, _: int, wrap_count: int) -> str:
    """The prompt of a further line; blanks where the terminal goes on with a long one."""
    return " " * width if wrap_count else CONTINUATION


def _key_bindings() -> KeyBindings:
    """Enter runs what is finished, and begins a new line otherwise."""
    from prompt_toolkit.filters import has_focus
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    bindings = KeyBindings()

    @bindings.add("enter", filter=has_focus("DEFAULT_BUFFER"))
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_complete(buffer.text) or is_plain_word(buffer.text):
            buffer.validate_and_handle()
        else:
            # Without the indentation of the line above: pasted text has its own.
            buffer.newline(copy_margin=False)

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
