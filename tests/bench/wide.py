"""The same rows in few shards and in many: what planning, queries, definitions and opening cost with the number."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.engine.types import Row

from .measure import Times, take_turns

DEFINITIONS = (
    "CREATE TABLE sale (customer BIGINT, day INTEGER, price DOUBLE, tax DECIMAL(15, 2), note VARCHAR)"
    " SHARD BY HASH (customer)",
    "CREATE TABLE customer (customer BIGINT PRIMARY KEY, city VARCHAR) SHARD BY HASH (customer)",
)
LOADS = (
    "INSERT INTO sale SELECT i % {customers}, i % 1000, i * 7919 % 100003 / 100, i % 777, 'sale ' || i"
    " FROM range({rows}) AS numbers (i)",
    "INSERT INTO customer SELECT i, 'city ' || i % 50 FROM range({customers}) AS numbers (i)",
)
POINT = "SELECT city FROM customer WHERE customer = {}"
QUERIES = {
    "count": "SELECT count(*) FROM sale",
    "filter": "SELECT sum(price), avg(tax) FROM sale WHERE day < 500",
    "group": "SELECT day % 100 AS part, count(*), sum(tax) FROM sale GROUP BY part ORDER BY part",
    "join": "SELECT c.city, sum(s.tax) FROM sale s JOIN customer c ON c.customer = s.customer"
    " WHERE s.day < 300 GROUP BY c.city ORDER BY 2 DESC, 1 LIMIT 5",
    "top": "SELECT customer, day, price FROM sale ORDER BY price DESC, customer, day LIMIT 10",
    "distinct": "SELECT count(DISTINCT note) FROM sale",
}


def run(few: int, many: int, rows: int, threads: int, runs: int) -> None:
    """Print what each thing takes in the database of `few` shards and in that of `many`, and the ratio."""
    with ExitStack() as stack:
        sessions: dict[int, Session] = {}
        click.echo(
            f"{rows} rows in {few} and in {many} shards, {threads} threads, files on disk, medians of {runs} runs."
        )
        once: dict[str, dict[int, float]] = {}
        for shards in (few, many):
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="duckraft-bench-")))
            database, times = _fill(place / "db", shards, rows, threads)
            stack.callback(database.close)
            sessions[shards] = database.session()
            for name, seconds in times.items():
                once.setdefault(name, {})[shards] = seconds
        _print("Once", once)
        _print("Planning", _ratios(sessions, _plans, runs * 20))
        _check(sessions)
        _print("Queries", _ratios(sessions, _queries, runs))


def _fill(place: Path, shards: int, rows: int, threads: int) -> tuple[Database, dict[str, float]]:
    """A database of this many shards, opened anew after loading, and the seconds that each step took."""
    times: dict[str, float] = {}

    def timed(name: str, step: Callable[[], object]) -> None:
        start = time.perf_counter()
        step()
        times[name] = time.perf_counter() - start

    database = Database.open(place, shards=shards, threads=threads)
    session = database.session()
    for name, sql in zip(
        ("create the first table, and the files", "create another table"), DEFINITIONS, strict=True
    ):
        timed(name, partial(session.execute, sql))
    timed("insert one row", lambda: session.execute("INSERT INTO customer VALUES (-1, 'nowhere')"))
    session.execute("DELETE FROM customer")
    for name, sql in zip(("load the rows", "load 100,000 rows"), LOADS, strict=True):
        timed(name, partial(session.execute, sql.format(rows=rows, customers=100_000)))
    timed("close", database.close)
    opened: list[Database] = []
    timed("open again", lambda: opened.append(Database.open(place, threads=threads)))
    return opened[0], times


def _plans(session: Session) -> dict[str, Callable[[], object]]:
    def anew() -> object:
        session.database.plans.clear()
        return session.plan(POINT.format(77))

    return {
        "routed statement, not cached": anew,
        "routed statement, cached shape": lambda: session.plan(POINT.format(77)),
        "routed statement, run": lambda: session.execute(POINT.format(77)).fetchall(),
    }


def _queries(session: Session) -> dict[str, Callable[[], object]]:
    return {name: partial(_rows, session, sql) for name, sql in QUERIES.items()}


def _rows(session: Session, sql: str) -> list[Row]:
    return session.execute(sql).fetchall()


def _check(sessions: dict[int, Session]) -> None:
    """Raise AssertionError if the databases do not answer alike."""
    for name, sql in QUERIES.items():
        answers = [
            [tuple(round(value, 3) if isinstance(value, float) else value for value in row) for row in rows]
            for rows in (session.execute(sql).fetchall() for session in sessions.values())
        ]
        if answers[0] != answers[1]:
            raise AssertionError(f"{name}: the answers differ")


def _ratios(
    sessions: dict[int, Session], contenders: Callable[[Session], dict[str, Callable[[], object]]], runs: int
) -> dict[str, dict[int, float]]:
    """The median seconds of each contender on each database, the databases taking turns."""
    by_shards = {shards: contenders(session) for shards, session in sessions.items()}
    found: dict[str, dict[int, float]] = {}
    for name in next(iter(by_shards.values())):
        pair = {str(shards): calls[name] for shards, calls in by_shards.items()}
        take_turns(pair, 2)
        times: Times = take_turns(pair, runs)
        found[name] = {shards: statistics.median(times[str(shards)]) for shards in sessions}
    return found


def _print(title: str, rows: dict[str, dict[int, float]]) -> None:
    click.echo(
        f"\n{title:<38}" + "".join(f"{shards:>9} sh." for shards in next(iter(rows.values()))) + "    ratio"
    )
    for name, seconds in rows.items():
        few, many = seconds.values()
        click.echo(f"  {name:<36}{few * 1e3:>10.2f} ms{many * 1e3:>10.2f} ms{many / few:>9.2f}")
