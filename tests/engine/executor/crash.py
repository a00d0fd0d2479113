"""A process that is killed at a chosen step of a statement: `python crash.py SCRIPT`, where SCRIPT is JSON.

    {"directory": …, "before": [sql, …], "statement": sql, "check": [sql, …]}

A database is made once, by running `before`. For each step in turn, a child opens a copy of it and is killed by SIGKILL
at that step of `statement`; another child opens what is left and prints one JSON line: the step, and the answer or
error of each `check`. A step is a change of the catalog file, or a CREATE, DROP, ALTER or COMMIT in DuckDB. The last
line is of a run that ended well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy
import pyarrow

# The children are forked from here: what is imported now is not imported again by each of them.
from duckraft.engine.catalog import store
from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.executor import recovery
from duckraft.engine.executor.changes import dml, scatter
from duckraft.engine.executor.definitions import ddl
from duckraft.engine.planner import cache, explain
from duckraft.engine.storage import duck

IMPORTED_BEFORE_FORKING = (ddl, dml, recovery, scatter, cache, explain, numpy, pyarrow)
_STEP = re.compile(r"CREATE|DROP|ALTER|COMMIT")


class _Steps:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, last: int) -> None:
        self._left = last

    def step(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def _die_at(number: int) -> None:
    """Make this process die at that step from now on: before it if it is a statement, before or after if a save."""
    steps = _Steps(number)
    execute, save = duck.execute, store.CatalogStore.save

    def counted_execute(connection: Any, sql: str, parameters: Any = None, parsed: Any = None) -> Any:
        if _STEP.match(sql):
            steps.step()
        return execute(connection, sql, parameters, parsed)

    def counted_save(self: Any, catalog: Any) -> None:
        steps.step()
        save(self, catalog)
        steps.step()

    duck.execute = counted_execute
    store.CatalogStore.save = counted_save  # type: ignore[method-assign]


def _prepare(job: dict[str, Any], _: int) -> None:
    with Database.open(_original(job), shards=2, threads=1) as database:
        session = database.session()
        for sql in job["before"]:
            session.execute(sql)


def _attempt(job: dict[str, Any], step: int) -> None:
    shutil.rmtree(job["directory"], ignore_errors=True)
    shutil.copytree(_original(job), job["directory"])
    session = Database.open(job["directory"], threads=1).session()
    _die_at(step)
    session.execute(job["statement"])


def _original(job: dict[str, Any]) -> str:
    return f"{job['directory']}-before"


def _report(job: dict[str, Any], step: int) -> None:
    answers: list[Any] = []
    with Database.open(job["directory"], threads=1) as database:
        for sql in job["check"]:
            try:
                answers.append([list(row) for row in database.session().execute(sql).fetchall()])
            except Error as error:
                answers.append(error.sqlstate)
    sys.stdout.write(json.dumps([step, answers], default=str) + "\n")
    sys.stdout.flush()


def _child(run: Any, job: dict[str, Any], step: int) -> int:
    """The exit status of a forked process that runs this; 0 if it came to its end."""
    pid = os.fork()
    if pid == 0:
        run(job, step)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    if _child(_prepare, job, 0):
        raise SystemExit("the database could not be made")
    step, status = 0, 1
    while status:
        status = _child(_attempt, job, step)
        if status not in (0, signal.SIGKILL) or _child(_report, job, step):
            raise SystemExit(f"step {step} failed")
        step += 1


if __name__ == "__main__":
    main()
