"""Small writes on disk: rows inserted one by one from one session and from many, beside one DuckDB file with as many
threads; and transactions over two shards beside such on one.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
import duckdb

from duckraft.engine.database import Database

from . import accounts
from .measure import median_and_p99_us, take_turns
from .sessions import Crowd, Work, all_at_once

_INSERT = "INSERT INTO account VALUES (?, ?, ?)"
_ADD = "UPDATE account SET balance = balance + 1 WHERE id = ?"
_KEYS = 64


def run(shards: int, sessions: int, rows: int, runs: int) -> None:
    """Print rates of inserts of one row, and times of transactions, as medians of `runs` in turn."""
    with tempfile.TemporaryDirectory(prefix="duckraft-bench-") as folder:
        plain = duckdb.connect(str(Path(folder) / "one.duckdb"))
        try:
            with Database.open(Path(folder) / "sharded", shards=shards) as database:
                plain.execute(accounts.DEFINITION)
                database.session().execute(f"{accounts.DEFINITION} SHARD BY HASH (id) SHARDS {shards}")
                numbers = itertools.count()
                for many in dict.fromkeys((1, sessions)):
                    _inserts(plain, database, numbers, many, rows, runs)
                _transactions(database, shards, rows)
        finally:
            plain.close()


def _inserts(
    plain: duckdb.DuckDBPyConnection,
    database: Database,
    numbers: itertools.count[int],
    sessions: int,
    rows: int,
    runs: int,
) -> None:
    """Inserts of one row, each its own transaction."""

    def insert(execute: Callable[..., object]) -> Work:
        def work() -> None:
            number = next(numbers)
            execute(_INSERT, [number, f"owner {number}", number % 1000])

        return work

    sides: Mapping[str, Sequence[Work]] = {
        "DuckDB": [insert(plain.cursor().execute) for _ in range(sessions)],
        "duckraft": [insert(database.session().execute) for _ in range(sessions)],
    }
    each = max(1, rows // sessions)
    crowds: dict[str, list[Crowd]] = {name: [] for name in sides}
    for turn in range(runs + 1):
        for name, works in sides.items():
            crowd = all_at_once(works, each)
            if turn:  # The first turn only warms up.
                crowds[name].append(crowd)
    click.echo(f"{_INSERT}, {each} times from each of {sessions} sessions, median of {runs} runs in turn:\n")
    rates = {name: statistics.median(crowd.rate for crowd in found) for name, found in crowds.items()}
    times = {name: [took for crowd in found for took in crowd.took_s] for name, found in crowds.items()}
    for name, line in zip(rates, median_and_p99_us(times).splitlines(), strict=True):
        cpu_us = statistics.median(crowd.cpu_s / len(crowd.took_s) for crowd in crowds[name]) * 1e6
        click.echo(f"{line}   {rates[name]:8.0f} a second   processors {cpu_us:7.0f} µs each")
    click.echo(f"\nratio {rates['duckraft'] / rates['DuckDB']:.2f} × DuckDB's rate\n")


def _transactions(database: Database, shards: int, rows: int) -> None:
    """Transactions that change two rows, on one shard and on two."""
    session = database.session()
    keys = [f"({10**9 + number}, 'somebody', 0)" for number in range(_KEYS * shards)]
    session.execute(f"INSERT INTO account VALUES {', '.join(keys)}")
    by_shard: dict[int, list[int]] = {}
    table = database.catalog.table("main", "account")
    assert table is not None
    for number in range(10**9, 10**9 + _KEYS * shards):
        by_shard.setdefault(table.strategy.shard_of((number,)), []).append(number)
    one, other, *_ = by_shard.values()

    def change(first: Sequence[int], second: Sequence[int]) -> Work:
        pairs = itertools.cycle(zip(first, second, strict=False))

        def work() -> None:
            session.execute("BEGIN")
            for key in next(pairs):
                session.execute(_ADD, [key])
            session.execute("COMMIT")

        return work

    contenders = {"one shard": change(one, one[1:]), "two shards": change(one, other)}
    take_turns(contenders, max(1, rows // 20))
    times = take_turns(contenders, max(2, rows // 4))
    click.echo(f"BEGIN, twice {_ADD}, COMMIT; one session, {max(2, rows // 4)} times in turn:\n")
    click.echo(median_and_p99_us(times))
    medians = [statistics.median(values) for values in times.values()]
    click.echo(f"\nratio {medians[1] / medians[0]:.2f} × the time of one shard")
