"""Commands that change how results look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formats import FORMATS
from ..interpreter import CommandError
from .command import Command

if TYPE_CHECKING:
    from ..interpreter import Interpreter

_SWITCH = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}

_ALIASES = {"aligned": "table", "column": "table", "tabs": "tsv", "jsonlines": "jsonl", "ndjson": "jsonl"}
"""What psql and DuckDB call some of the formats."""


def _switched(words: list[str], before: bool) -> bool:
    """The new state of a switch: the one given, or the other one."""
    if not words:
        return not before
    try:
        return _SWITCH[words[0].lower()]
    except KeyError:
        raise CommandError(f"{words[0]} is neither on nor off") from None


def _set_timing(shell: Interpreter, words: list[str]) -> None:
    shell.settings.timing = _switched(words, shell.settings.timing)
    shell.output.notice(f"Timing is {'on' if shell.settings.timing else 'off'}.")


def _set_expanded(shell: Interpreter, words: list[str]) -> None:
    shell.settings.expanded = _switched(words, shell.settings.expanded)
    shell.output.notice(f"Expanded display is {'on' if shell.settings.expanded else 'off'}.")


def _set_header(shell: Interpreter, words: list[str]) -> None:
    shell.settings.header = _switched(words, shell.settings.header)
    shell.output.notice(f"Headers are {'on' if shell.settings.header else 'off'}.")


def _set_format(shell: Interpreter, words: list[str]) -> None:
    if words:
        name = _ALIASES.get(words[0].lower(), words[0].lower())
        if name not in FORMATS:
            raise CommandError(f"unknown format {words[0]}: known are {', '.join(FORMATS)}")
        shell.settings.format, shell.settings.expanded = name, False
    shell.output.notice(f"Output format is {shell.settings.effective_format}.")


def _set_null(shell: Interpreter, words: list[str]) -> None:
    shell.settings.null = words[0] if words else None
    shown = "what the format prints" if shell.settings.null is None else f"'{shell.settings.null}'"
    shell.output.notice(f"NULL is shown as {shown}.")


_OPTIONS = {
    "format": _set_format,
    "null": _set_null,
    "expanded": _set_expanded,
    "header": _set_header,
}


def _set_option(shell: Interpreter, words: list[str]) -> None:
    option = _OPTIONS.get(words[0])
    if option is None:
        raise CommandError(f"unknown option {words[0]}: known are {', '.join(_OPTIONS)}")
    option(shell, words[1:])


COMMANDS = (
    Command(
        ("\\timing", ".timer"),
        "[on|off]",
        "Tell after each statement how long it took.",
        "\\timing on",
        _set_timing,
        0,
        1,
        "switch",
    ),
    Command(
        ("\\x",),
        "[on|off]",
        "Show one value a line in place of a table.",
        "\\x on",
        _set_expanded,
        0,
        1,
        "switch",
    ),
    Command(
        (".mode",),
        "[FORMAT]",
        f"Set the output format: {', '.join(FORMATS)}.",
        ".mode json",
        _set_format,
        0,
        1,
        "formats",
    ),
    Command(
        ("\\pset",),
        "OPTION [VALUE]",
        f"Set an option of the output: {', '.join(_OPTIONS)}.",
        "\\pset format csv",
        _set_option,
        1,
        2,
        "options",
    ),
    Command(
        (".headers", ".header"),
        "[on|off]",
        "Show the names of the columns, or not.",
        ".headers off",
        _set_header,
        0,
        1,
        "switch",
    ),
    Command((".nullvalue",), "[TEXT]", "Set the text for NULL.", ".nullvalue -", _set_null, 0, 1),
)
