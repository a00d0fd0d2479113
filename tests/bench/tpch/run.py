"""TPC-H on the sharded database and on one plain DuckDB file, in turn, in one process with as many threads."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import duckdb

from duckraft.engine.database import Database
from duckraft.engine.session import Session

from ..answers import Answer, difference, ordering
from ..measure import take_turns
from . import data

_HEADING = f"{'query':>5} {'DuckDB':>10} {'duckraft':>10} {'ratio':>6}"


def run(
    scale: float, shards: int, threads: int, runs: int, queries: Sequence[int], check: bool, folder: Path
) -> bool:
    """Print a line for each query and the totals; whether all answers agreed (True if they were not compared)."""
    files = data.generate(scale, folder)
    with tempfile.TemporaryDirectory(prefix="duckraft-bench-") as place:
        plain = duckdb.connect(str(Path(place) / "one.duckdb"), config={"threads": threads})
        try:
            with Database.open(Path(place) / "sharded", shards=shards, threads=threads) as database:
                session = database.session()
                data.load(plain.execute, data.plain_schema(), files)
                plain.execute("CHECKPOINT")
                data.load(session.execute, data.schema(), files)
                click.echo(_conditions(scale, shards, threads, runs))
                return _measure(plain, session, runs, queries, check)
        finally:
            plain.close()


def plain_answer(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    """Plain DuckDB's answer."""
    rows = connection.execute(sql).fetchall()
    return Answer(tuple(column[0] for column in connection.description or ()), tuple(rows))


def sharded_answer(session: Session, sql: str) -> Answer:
    """The sharded database's answer."""
    result = session.execute(sql)
    return Answer(tuple(column.name for column in result.columns), tuple(result.fetchall()))


def _conditions(scale: float, shards: int, threads: int, runs: int) -> str:
    return (
        f"TPC-H, scale {scale:g}: one DuckDB file against {shards} shards, {threads} threads each, "
        f"medians of {runs} runs in turn.\n"
        "Both start each measurement warm: one run before it fills their buffer pools and the system's page cache.\n"
        "Results are cached nowhere; every run reads its tables and gives all its rows to Python.\n"
    )


def _measure(
    plain: duckdb.DuckDBPyConnection, session: Session, runs: int, queries: Sequence[int], check: bool
) -> bool:
    medians: list[tuple[float, float]] = []
    agreed = True
    click.echo(_HEADING)
    for number in queries:
        sql = data.query(number)
        contenders: dict[str, Callable[[], Answer]] = {
            "plain": lambda sql=sql: plain_answer(plain, sql),  # type: ignore[misc]
            "sharded": lambda sql=sql: sharded_answer(session, sql),  # type: ignore[misc]
        }
        expected, got = contenders["plain"](), contenders["sharded"]()
        wrong = difference(expected, got, ordering(sql, expected.names)) if check else None
        times = take_turns(contenders, runs)
        one, many = statistics.median(times["plain"]), statistics.median(times["sharded"])
        medians.append((one, many))
        click.echo(_line(f"{number}", one, many) + (f"  WRONG: {wrong}" if wrong else ""))
        agreed = agreed and wrong is None
    _print_totals(medians)
    return agreed


def _print_totals(medians: Sequence[tuple[float, float]]) -> None:
    """medians: in seconds, of plain DuckDB and of the sharded database, for each query."""
    one, many = (math.fsum(side) for side in zip(*medians, strict=True))
    mean = statistics.geometric_mean(sharded / plain for plain, sharded in medians)
    click.echo(f"\ngeometric mean of the ratios {mean:.3f}")
    click.echo(f"total {one * 1e3:.1f} ms against {many * 1e3:.1f} ms, ratio {many / one:.3f}")


def _line(name: str, one: float, many: float) -> str:
    return f"{name:>5} {one * 1e3:7.1f} ms {many * 1e3:7.1f} ms {many / one:6.2f}"
