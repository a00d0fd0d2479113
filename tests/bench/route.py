"""What planning the selection of one row costs, with and without the plan cache."""

from __future__ import annotations

import time

import click

from duckraft.engine.database import Database
from duckraft.engine.session import Session

from . import accounts
from .measure import Times, median_and_p99_us


def run(shards: int, iterations: int) -> None:
    """Print median and 99th percentile of the time to plan, in µs."""
    with Database.open(shards=shards) as database:
        session = database.session()
        accounts.fill(session.execute, f"{accounts.DEFINITION} SHARD BY HASH (id)", 1000)
        click.echo(f"Planning {accounts.SELECT}, {shards} shards, {iterations} times:\n")
        click.echo(median_and_p99_us(_times(session, iterations)))


def _times(session: Session, iterations: int) -> Times:
    literal = accounts.SELECT.replace("?", "{}")
    times: Times = {"cached, new parameter": [], "cached, new literal": [], "not cached": []}
    session.plan(accounts.SELECT, [0])
    session.plan(literal.format(0))
    for number in range(iterations):
        times["cached, new parameter"].append(_plan_s(session, accounts.SELECT, [number]))
        times["cached, new literal"].append(_plan_s(session, literal.format(number), None))
    for number in range(iterations):
        session.database.plans.clear()
        times["not cached"].append(_plan_s(session, accounts.SELECT, [number]))
    return times


def _plan_s(session: Session, sql: str, parameters: list[int] | None) -> float:
    start = time.perf_counter()
    session.plan(sql, parameters)
    return time.perf_counter() - start
