"""Selecting one row by its key: through a session, and by a cached statement of DuckDB on the same rows."""

from __future__ import annotations

import statistics
from itertools import count

import click
import duckdb

from duckraft.engine.database import Database

from . import accounts
from .measure import median_and_p99_us, take_turns


def run(shards: int, rows: int, iterations: int) -> None:
    """Print median and 99th percentile of the time for one row, in µs, and the ratio of the medians."""
    plain = duckdb.connect()
    try:
        accounts.fill(plain.execute, accounts.DEFINITION, rows)
        statement = plain.extract_statements(accounts.SELECT)[0]
        with Database.open(shards=shards) as database:
            session = database.session()
            accounts.fill(session.execute, f"{accounts.DEFINITION} SHARD BY HASH (id)", rows)
            keys = (number * 7919 % rows for number in count())
            contenders = {
                "DuckDB, cached statement": lambda: plain.execute(statement, [next(keys)]).fetchall(),
                "duckraft, session": lambda: session.execute(accounts.SELECT, [next(keys)]).fetchall(),
            }
            take_turns(contenders, iterations // 10)
            times = take_turns(contenders, iterations)
    finally:
        plain.close()
    one, many = (statistics.median(values) for values in times.values())
    click.echo(f"{accounts.SELECT}, {rows} rows in memory, {shards} shards, {iterations} times in turn:\n")
    click.echo(median_and_p99_us(times))
    click.echo(f"\nratio {many / one:.2f}")
