"""Commands that read scripts from files and write results to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .command import Command

if TYPE_CHECKING:
    from ..interpreter import Interpreter


def _read(shell: Interpreter, words: list[str]) -> None:
    shell.run_file(Path(words[0]).expanduser())


def _write(shell: Interpreter, words: list[str]) -> None:
    if not words or words[0] in ("-", "stdout"):
        shell.output.redirect(None)
    else:
        shell.output.redirect(Path(words[0]).expanduser())


COMMANDS = (
    Command(("\\i", "\\include", ".read"), "FILE", "Run a script.", "\\i load.sql", _read, 1, 1, "files"),
    Command(
        ("\\o", "\\out", ".output"),
        "[FILE]",
        "Write results to a file; without one, to standard output again.",
        "\\o result.csv",
        _write,
        0,
        1,
        "files",
    ),
)
