"""The commands of the shell, `\\…` as in psql and `.…` as in DuckDB: one registry, from which help is made.

Promises: every command has its help and an example; a name means one command. Words of a command may be quoted, and a
semicolon at its end is passed over, since fingers put it there.
"""

from __future__ import annotations

import difflib
import shlex
from typing import TYPE_CHECKING

from . import display, files, general, schema
from .command import Command

if TYPE_CHECKING:
    from ..interpreter import Interpreter

COMMANDS: tuple[Command, ...] = (*general.COMMANDS, *schema.COMMANDS, *display.COMMANDS, *files.COMMANDS)
"""Every command, in the order in which help lists them."""

BY_NAME: dict[str, Command] = {name: command for command in COMMANDS for name in command.names}


def run_command(shell: Interpreter, line: str) -> None:
    """Do one command line. Raises CommandError, Quit, StopScript, and what its statements raise."""
    from ..interpreter import CommandError

    name, _, rest = line.strip().rstrip(";").rstrip().partition(" ")
    command = BY_NAME.get(name)
    if command is None:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        suggestion = f"did you mean {near[0]}? " if near else ""
        raise CommandError(f"unknown command {name}: {suggestion}\\? lists all commands")
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise CommandError(f"{name}: {str(error).lower()}") from None
    if not command.words_min <= len(words) <= command.words_max:
        raise CommandError(f"usage: {name} {command.arguments}".rstrip())
    command.run(shell, words)


__all__ = ["BY_NAME", "COMMANDS", "Command", "run_command"]
