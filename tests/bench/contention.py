"""Many sessions that all update one row: whether every one of them gets on, and how long it waits."""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click
import duckdb

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.storage import duck

from .measure import percentile
from .sessions import Crowd, all_at_once

_DEFINITION = "CREATE TABLE counter (id BIGINT PRIMARY KEY, n BIGINT)"
_UPDATE = "UPDATE counter SET n = n + 1 WHERE id = 0"
_OWN = "UPDATE counter SET n = n + 1 WHERE id = ?"
_RETRYABLE = frozenset({"40001", "40P01"})


def run(shards: int, sessions: int, seconds: float) -> bool:
    """Print updates for each second, and how long they took. Returns whether every second and session got on."""
    fine = True
    with tempfile.TemporaryDirectory(prefix="duckraft-bench-") as folder:
        with Database.open(Path(folder) / "sharded", shards=shards) as database:
            _fill(database.session().execute, f"{_DEFINITION} SHARD BY HASH (id) SHARDS {shards}", sessions)
            for name, transactions in (("one UPDATE", False), ("a transaction with two", True)):
                workers = [
                    _Worker(database.session().execute, number + 1, transactions)
                    for number in range(sessions)
                ]
                before = database.session().execute("SELECT n FROM counter WHERE id = 0").fetchall()[0][0]
                crowd = all_at_once(workers, None, seconds)
                after = database.session().execute("SELECT n FROM counter WHERE id = 0").fetchall()[0][0]
                fine &= _print(f"duckraft, {name}", crowd, workers)
                if after - before != len(crowd.took_s):
                    click.echo(f"  {len(crowd.took_s)} updates, but the row counts {after - before}")
                    fine = False
        plain = duckdb.connect(str(Path(folder) / "one.duckdb"))
        try:
            _fill(plain.execute, _DEFINITION, sessions)
            workers = [_Worker(_plain(plain), number + 1, False) for number in range(sessions)]
            _print(
                "DuckDB, one UPDATE, again after each conflict", all_at_once(workers, None, seconds), workers
            )
        finally:
            plain.close()
    return fine


class _Worker:
    """The work of one session: one update of the hot row, again until it succeeds."""

    def __init__(self, execute: Callable[..., object], own: int, transactions: bool) -> None:
        self._execute = execute
        self._own = own
        self._transactions = transactions
        self.retries = 0

    def __call__(self) -> None:
        while True:
            try:
                self._once()
                return
            except Error as error:
                if error.sqlstate not in _RETRYABLE:
                    raise
                self.retries += 1
                if self._transactions:
                    self._execute("ROLLBACK")

    def _once(self) -> None:
        if not self._transactions:
            self._execute(_UPDATE)
            return
        self._execute("BEGIN")
        self._execute(_OWN, [self._own])
        self._execute(_UPDATE)
        self._execute("COMMIT")


def _fill(execute: Callable[[str], object], definition: str, sessions: int) -> None:
    """The hot row, 0, and one of its own for each session."""
    execute(definition)
    execute(f"INSERT INTO counter SELECT i, 0 FROM range({sessions + 1}) AS numbers (i)")


def _plain(connection: duckdb.DuckDBPyConnection) -> Callable[..., object]:
    cursor = connection.cursor()
    return lambda sql, parameters=None: duck.execute(cursor, sql, parameters)


def _print(title: str, crowd: Crowd, workers: list[_Worker]) -> bool:
    """Whether there was progress in every whole second, and every session got some."""
    by_second = Counter(int(ended) for ended in crowd.ended_s)
    per_second = [by_second[second] for second in range(int(crowd.seconds))]
    took_ms = [took * 1e3 for took in crowd.took_s]
    click.echo(f"{title}, one row, {len(workers)} sessions: {crowd.rate:.0f} a second")
    click.echo(f"  each second: {' '.join(map(str, per_second))}")
    click.echo(
        f"  median {statistics.median(took_ms):.1f} ms, p99 {percentile(took_ms, 99):.1f} ms, "
        f"longest {max(took_ms):.1f} ms; a session did {min(crowd.by_session)} to {max(crowd.by_session)}; "
        f"{sum(worker.retries for worker in workers)} retries"
    )
    fine = bool(per_second) and min(per_second) > 0 and min(crowd.by_session) > 0
    if not fine:
        click.echo("  no progress in some second, or of some session")
    return fine
