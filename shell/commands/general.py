"""Commands about the shell itself: help, leaving, what it is connected to, printing a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..interpreter import CommandError, Quit
from .command import Command

if TYPE_CHECKING:
    from ..interpreter import Interpreter


def _help(shell: Interpreter, words: list[str]) -> None:
    from . import BY_NAME, COMMANDS

    if words:
        name = words[0]
        command = BY_NAME.get(name) or BY_NAME.get("\\" + name) or BY_NAME.get("." + name)
        if command is None:
            raise CommandError(f"unknown command {name}: \\? lists all commands")
        shell.output.text(f"{command.usage}\n  {command.help}\n  Example: {command.example}")
        return
    width = max(len(command.usage) for command in COMMANDS)
    lines = [f"  {command.usage:{width}}  {command.help}" for command in COMMANDS]
    shell.output.text(
        "A statement of SQL ends with a semicolon. A command is one line:\n"
        + "\n".join(lines)
        + "\nTab completes, Ctrl-C cancels, Ctrl-D leaves. \\? COMMAND shows an example."
    )


def _quit(_: Interpreter, __: list[str]) -> None:
    raise Quit


def _connection(shell: Interpreter, _: list[str]) -> None:
    where = "an in-memory database" if shell.path is None else f"the database in {shell.path}"
    shell.output.text(f"Connected to {where}, in this process.")


def _echo(shell: Interpreter, words: list[str]) -> None:
    shell.output.text(" ".join(words))


COMMANDS = (
    Command(
        ("\\?", "\\help", ".help"),
        "[COMMAND]",
        "Show the commands, or one of them.",
        "\\? \\timing",
        _help,
        0,
        1,
    ),
    Command(("\\q", "\\quit", ".quit", ".exit"), "", "Leave the shell.", "\\q", _quit),
    Command(("\\conninfo",), "", "Tell which database this is.", "\\conninfo", _connection),
    Command(("\\echo", ".print"), "[TEXT ...]", "Print a text.", "\\echo 'load done'", _echo, 0, 1000),
)
