"""Runs the tour: makes the database, goes through the chapters, cleans up.

Promises: without a terminal it is plain text, waits for nobody and exits 0; the data directory that it makes for
itself is removed at the end, whatever happens.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from duckraft.engine.errors import Error

from .. import exit_codes
from ..messages import coloured, describe
from ..running import run_cancellable
from .chapters import Chapter, Stop, chapters
from .flights import FlightsMissingError, find_flights
from .page import Page, page_for_standard_output

if TYPE_CHECKING:
    from duckraft.engine.database import Database
    from duckraft.engine.session import Session

SHOWN_ROWS = 8


def run_tour(shards: int, path: Path | None, pause: bool) -> int:
    """Show the tour and return the exit code.

    path: a directory that must not hold a database yet; None for one that is removed at the end. pause: wait for
    Enter between chapters, if there is a terminal to press it on.
    """
    if path is not None and path.exists() and any(path.iterdir()):
        return _refuse(f"{path} is not empty: the tour makes a new database")
    with tempfile.TemporaryDirectory(prefix="duckraft-tour-") as scratch_name:
        scratch = Path(scratch_name)
        try:
            files = find_flights(scratch)
        except FlightsMissingError as error:
            return _refuse(str(error))

        from duckraft.engine.database import Database

        directory = path if path is not None else scratch / "database"
        try:
            database = Database.open(directory, shards=shards)
        except Error as error:
            print(coloured(describe(error), sys.stderr), file=sys.stderr)
            return exit_codes.NO_DATABASE
        try:
            page = page_for_standard_output()
            page.title(
                f"A tour of duckraft, on {shards} shards, with the flights that left New York in 2013."
            )
            show(database, page, chapters(files, shards), pause and _someone_is_there())
            page.why(_farewell(path))
            return exit_codes.FINE
        except Error as error:
            print(coloured(describe(error), sys.stderr), file=sys.stderr)
            return exit_codes.SQL_ERROR
        finally:
            database.close()


def show(database: Database, page: Page, all_chapters: Sequence[Chapter], pause: bool) -> None:
    """Write the chapters on `page`, running their statements. Raises errors.Error."""
    session = database.session()
    try:
        for number, chapter in enumerate(all_chapters, start=1):
            if pause and number > 1:
                input("\nEnter for the next chapter, Ctrl-C to leave ")
            page.chapter(number, chapter.title, chapter.intro)
            for stop in chapter.stops:
                run_cancellable(partial(_show_stop, session, page, stop), session.cancel)
    finally:
        session.close()


def _show_stop(session: Session, page: Page, stop: Stop) -> None:
    page.why(stop.why)
    page.statement(stop.sql)
    if stop.plan:
        plan = session.execute(f"EXPLAIN {stop.sql}").fetchall()
        page.plan("\n".join(str(line) for (line,) in plan))
    start = time.perf_counter()
    result = session.execute(stop.sql)
    if not result.columns:
        page.outcome(f"{result.tag}, {_elapsed_ms(start)}")
        return
    rows = result.fetchall()
    elapsed = _elapsed_ms(start)
    page.rows(result.columns, rows[:SHOWN_ROWS], more=len(rows) > SHOWN_ROWS)
    page.outcome(f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'}, {elapsed}")


def _elapsed_ms(start_s: float) -> str:
    return f"{(time.perf_counter() - start_s) * 1000:,.1f} ms"


def _farewell(path: Path | None) -> str:
    if path is not None:
        return f"The database stays in {path}. Ask it something yourself: duckraft {shlex.quote(str(path))}"
    return "That was the tour; its database is removed now. To keep one: duckraft tour --path flights"


def _refuse(message: str) -> int:
    print(coloured(f"ERROR: {message}", sys.stderr), file=sys.stderr)
    return exit_codes.USAGE


def _someone_is_there() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
