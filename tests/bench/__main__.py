"""The benchmarks: `python -m tests.bench NAME`. Each prints plain text and says what it compares with what."""

from __future__ import annotations

import os
from pathlib import Path

import click

from . import contention, load, point, route, start, stream, wide, write
from .tpch import data
from .tpch import run as tpch_run

_THREADS = os.cpu_count() or 1

_scale = click.option("--scale", default=1.0, show_default=True, help="Scale factor: gigabytes, about.")
_shards = click.option("--shards", default=4, show_default=True, help="Shards of each table.")
_threads = click.option("--threads", default=_THREADS, show_default=True, help="Threads of each database.")
_runs = click.option(
    "--runs", default=5, show_default=True, type=click.IntRange(min=1), help="Runs of each side."
)
_iterations = click.option("--iterations", default=5000, show_default=True, type=click.IntRange(min=100))
_data = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of the Parquet files; made if it is missing.",
)


class QueryNumbers(click.ParamType[tuple[int, ...]]):
    """Numbers of queries, with commas between them."""

    name = "n,n,…"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Numbers from 1 to 22. Fails with click's usage error."""
        if isinstance(value, tuple):
            return value
        words = str(value).split(",")
        known = {str(number) for number in data.QUERY_NUMBERS}
        for word in words:
            if word.strip() not in known:
                self.fail(f"{word!r} is not a number from 1 to 22", param, ctx)
        return tuple(int(word) for word in words)


@click.group()
def main() -> None:
    """Measure the sharded database beside one plain DuckDB."""


@main.command()
@_scale
@_shards
@_threads
@_runs
@click.option(
    "--queries",
    type=QueryNumbers(),
    default=tuple(data.QUERY_NUMBERS),
    help="Such as 1,6,12; all if not given.",
)
@click.option(
    "--check/--no-check", default=True, show_default=True, help="Compare the answers; exit 1 if any differs."
)
@_data
@click.pass_context
def tpch(
    context: click.Context,
    scale: float,
    shards: int,
    threads: int,
    runs: int,
    queries: tuple[int, ...],
    check: bool,
    folder: Path | None,
) -> None:
    """TPC-H queries 1–22: a ratio for each query and over all."""
    files = folder or data.default_folder(scale)
    if not tpch_run.run(scale, shards, threads, runs, queries, check, files):
        context.exit(1)


@main.command("load")
@_scale
@_shards
@_threads
@_runs
@_data
def load_command(scale: float, shards: int, threads: int, runs: int, folder: Path | None) -> None:
    """Load lineitem from Parquet."""
    load.run(scale, shards, threads, runs, folder or data.default_folder(scale))


@main.command("route")
@_shards
@_iterations
def route_command(shards: int, iterations: int) -> None:
    """Plan the selection of one row."""
    route.run(shards, iterations)


@main.command("point")
@_shards
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(min=1))
@_iterations
def point_command(shards: int, rows: int, iterations: int) -> None:
    """Select one row by its key."""
    point.run(shards, rows, iterations)


@main.command("start")
@click.option("--runs", default=11, show_default=True, type=click.IntRange(min=1))
def start_command(runs: int) -> None:
    """Start the shell, run one statement, exit."""
    start.run(runs)


@main.command("wide")
@click.option("--few", default=4, show_default=True, type=click.IntRange(min=1))
@click.option("--many", default=256, show_default=True, type=click.IntRange(min=1))
@click.option("--rows", default=10_000_000, show_default=True, type=click.IntRange(min=1))
@_threads
@_runs
def wide_command(few: int, many: int, rows: int, threads: int, runs: int) -> None:
    """The same rows in few shards and in many."""
    wide.run(few, many, rows, threads, runs)


@main.command("write")
@click.option("--shards", default=8, show_default=True, type=click.IntRange(min=2))
@click.option("--sessions", default=32, show_default=True, type=click.IntRange(min=1))
@click.option("--rows", default=2000, show_default=True, type=click.IntRange(min=8), help="Rows of each run.")
@_runs
def write_command(shards: int, sessions: int, rows: int, runs: int) -> None:
    """Insert single rows; change two rows in one transaction."""
    write.run(shards, sessions, rows, runs)


@main.command("contention")
@click.option("--shards", default=8, show_default=True, type=click.IntRange(min=1))
@click.option("--sessions", default=32, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=10.0, show_default=True, help="How long each contender updates.")
@click.pass_context
def contention_command(context: click.Context, shards: int, sessions: int, seconds: float) -> None:
    """Update one row from many sessions."""
    if not contention.run(shards, sessions, seconds):
        context.exit(1)


@main.command("stream")
@_shards
@click.option("--rows", default=50_000_000, show_default=True, type=click.IntRange(min=1))
@click.option("--memory-limit", default="256MB", show_default=True, help="DuckDB's memory_limit.")
@click.option(
    "--most", "most_mb", default=600, show_default=True, help="Megabytes; exit 1 if a process needs more."
)
@click.pass_context
def stream_command(context: click.Context, shards: int, rows: int, memory_limit: str, most_mb: int) -> None:
    """Read a large result to its end."""
    if not stream.run(rows, shards, memory_limit, most_mb):
        context.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m tests.bench")
