"""One run of the shell: opens the database, does the steps of the command line or the prompt, closes everything."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from duckraft.engine.errors import Error

from . import exit_codes
from .interpreter import CommandError, Interpreter, Quit, StopScript
from .messages import describe_os_error
from .output import Output
from .script import parse_stream
from .settings import Settings

_PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Step:
    """One `-c` (text: the SQL) or one `-f` (text: the file's name, `-` for standard input)."""

    text: str
    is_file: bool


def run_program(
    path: Path | None, shards: int | None, steps: Sequence[Step], settings: Settings, rows_file: Path | None
) -> int:
    """Run the shell and return its exit code. Raises KeyboardInterrupt, SystemExit, BrokenPipeError."""
    interactive = not steps and sys.stdin.isatty()
    _write_utf8_to_pipes()
    output = Output(settings, interactive)
    try:
        output.redirect(rows_file)
    except OSError as error:
        output.problem(describe_os_error(error))
        return exit_codes.USAGE

    from duckraft.engine.database import Database

    try:
        database = Database.open(path, shards=shards)
    except Error as error:
        output.error(error)
        return exit_codes.NO_DATABASE
    except OSError as error:
        output.problem(describe_os_error(error))
        return exit_codes.NO_DATABASE
    try:
        return _run(Interpreter(database, settings, output, path), steps, interactive)
    finally:
        database.close()


def _run(shell: Interpreter, steps: Sequence[Step], interactive: bool) -> int:
    try:
        if interactive:
            from .repl import run_repl

            return run_repl(shell)
        run_steps(shell, steps or [Step("-", is_file=True)])
        return shell.exit_code
    finally:
        _close(shell)


def run_steps(shell: Interpreter, steps: Sequence[Step]) -> None:
    """Do the steps in order, until one fails or leaves."""
    for step in steps:
        try:
            if not step.is_file:
                shell.run_text(step.text)
            elif step.text == "-":
                shell.run_items(parse_stream(_standard_input()), "<stdin>")
            else:
                shell.run_file(Path(step.text))
        except Quit:
            return
        except StopScript:
            return
        except BrokenPipeError:
            raise
        except (CommandError, OSError) as error:
            shell.output.problem(describe_os_error(error))
            shell.exit_code = shell.exit_code or exit_codes.USAGE
            return


def _close(shell: Interpreter) -> None:
    try:
        shell.close()
    except BrokenPipeError:
        raise
    except OSError as error:
        shell.output.problem(describe_os_error(error))
        shell.exit_code = shell.exit_code or exit_codes.USAGE


def _standard_input() -> Iterator[str]:
    """Standard input as text, each piece as soon as it is there. Raises CommandError if it is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        while piece := os.read(sys.stdin.fileno(), _PIECE_BYTES):
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise CommandError("standard input is not UTF-8 text") from None


def _write_utf8_to_pipes() -> None:
    """Rows are UTF-8 in files and pipes, whatever the locale says; a terminal keeps the encoding it asked for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and not stream.isatty():
            stream.reconfigure(encoding="utf-8", newline="\n")
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
