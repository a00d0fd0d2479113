"""The shell's heart: does statements and commands one after the other, whatever they come from.

Promises: `-c`, `-f`, standard input, `\\i` and the prompt all go through here and behave alike. Each error is told
once, where it happens, with the place in the source; `exit_code` remembers the first.
Leaves to others: cutting text (`script.py`), printing (`output.py`), what commands do (`commands/`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from duckraft.engine.errors import Error, QueryCanceledError
from duckraft.engine.types import Row

from . import exit_codes
from .messages import bug_report, describe_os_error
from .output import Output
from .running import run_cancellable
from .script import CommandLine, Statement, parse
from .settings import Settings

if TYPE_CHECKING:
    from duckraft.engine.database import Database
    from duckraft.engine.executor.reading.result import Result

BATCH_ROWS = 2048
MAX_NESTING = 16
"""How deep scripts may run scripts: a script that runs itself ends with an error, not with a full stack."""


class CommandError(Exception):
    """A command of the shell was given wrongly, or could not do its work. The text is for the user."""


class StopScript(Exception):  # noqa: N818  (not an error: one was told already)
    """A script ends here because a statement or command in it failed."""


class Quit(Exception):  # noqa: N818  (not an error: the user asked for it)
    """The user asked to leave."""


class Interpreter:
    """One session with its settings and streams.

    path: of the database; None in memory. changes: grows with every statement that may have changed the schema.
    """

    def __init__(self, database: Database, settings: Settings, output: Output, path: Path | None) -> None:
        self.database = database
        self.session = database.session()
        self.settings = settings
        self.output = output
        self.path = path
        self.exit_code = exit_codes.FINE
        self.changes = 0
        self._nesting = 0
        self._cancelled = threading.Event()

    def close(self) -> None:
        """Finish the output file and the session."""
        try:
            self.output.close()
        finally:
            self.session.close()

    def run_text(self, text: str, source: str = "") -> None:
        """Do everything in `text`. source: a file's name, for messages. Raises StopScript, Quit."""
        self.run_items(parse(text).items, source)

    def run_items(self, items: Iterable[Statement | CommandLine], source: str = "") -> None:
        """Do these in order. Raises StopScript after an error, unless errors are to be passed over; Quit."""
        for item in items:
            place = f"{source}:{item.line}" if source else ""
            if self.settings.echo:
                self.output.notice(item.text)
            try:
                if isinstance(item, Statement):
                    self._run_statement(item.text)
                else:
                    self._run_command(item.text)
            except Error as error:
                self.output.error(error, item.text if isinstance(item, Statement) else "", place)
                self._failed(exit_codes.SQL_ERROR)
            except BrokenPipeError:
                raise
            except (CommandError, OSError) as error:
                self.output.problem(describe_os_error(error), place)
                self._failed(exit_codes.USAGE)
            except (Quit, StopScript):
                raise
            except Exception as error:
                self.output.error(bug_report(error), place=place)
                self._failed(exit_codes.SQL_ERROR)

    def run_file(self, path: Path) -> None:
        """Run a script. Raises StopScript, Quit, and CommandError if it cannot be read."""
        if self._nesting >= MAX_NESTING:
            raise CommandError(f"{path}: scripts run one another more than {MAX_NESTING} deep")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise CommandError(f"{path} is not UTF-8 text (byte {error.start})") from None
        self._nesting += 1
        try:
            self.run_text(text, str(path))
        finally:
            self._nesting -= 1

    def execute(self, sql: str) -> None:
        """Run one statement and print what it gives. Raises Error, OSError; KeyboardInterrupt once it is cancelled."""
        self._run_statement(sql)

    def query(self, sql: str) -> list[Row]:
        """The rows of a statement that the shell itself needs. Raises Error."""
        result = self.session.execute(sql)
        try:
            return result.fetchall()
        finally:
            result.close()

    def _failed(self, exit_code: int) -> None:
        if self.exit_code == exit_codes.FINE:
            self.exit_code = exit_code
        if self.settings.stop_on_error:
            raise StopScript

    def _run_statement(self, sql: str) -> None:
        self._cancelled.clear()
        start = time.perf_counter()
        try:
            run_cancellable(lambda: self._execute_and_print(sql), self._cancel)
        finally:
            if self.settings.timing:
                self.output.notice(f"Time: {(time.perf_counter() - start) * 1000:,.3f} ms")

    def _execute_and_print(self, sql: str) -> None:
        result = self.session.execute(sql)
        try:
            if result.plan is not None and self.output.plan(result.plan):
                pass
            elif result.columns:
                self.output.rows(result.columns, self._batches(result))
            else:
                self.changes += 1
                if result.tag and not self.settings.quiet:
                    self.output.notice(result.tag)
        finally:
            result.close()

    def _batches(self, result: Result) -> Iterator[list[Row]]:
        while batch := result.fetchmany(BATCH_ROWS):
            if self._cancelled.is_set():
                raise QueryCanceledError("the statement was cancelled")
            yield batch

    def _cancel(self) -> None:
        self._cancelled.set()
        self.session.cancel()

    def _run_command(self, line: str) -> None:
        from .commands import run_command

        run_command(self, line)
