"""Loading the largest table of TPC-H from Parquet: into the shards, and into one plain DuckDB file."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import duckdb

from duckraft.engine.database import Database

from .tpch import data

TABLE = "lineitem"


def run(scale: float, shards: int, threads: int, runs: int, folder: Path) -> None:
    """Print the medians of `runs` loads each, in turn, into fresh files each time."""
    files = data.generate(scale, folder)
    copy = data.copy_sql(TABLE, files)
    click.echo(
        f"{TABLE} of TPC-H at scale {scale:g} from Parquet: one DuckDB file against {shards} shards, {threads} threads "
        f"each,\nmedians of {runs} runs in turn, fresh files each time, the system's page cache warm.\n"
    )
    data.file(TABLE, files).read_bytes()  # Into the page cache, so that the first load is not the slowest.
    copied: dict[str, list[float]] = {"DuckDB": [], "duckraft": []}
    closed: dict[str, list[float]] = {"DuckDB": [], "duckraft": []}
    for _ in range(runs):
        for name in copied:
            with tempfile.TemporaryDirectory(prefix="duckraft-bench-") as place:
                load_s, all_s = _load(name, Path(place), copy, shards, threads)
            copied[name].append(load_s)
            closed[name].append(all_s)
    _print("COPY", copied)
    _print("COPY and close, all in the files", closed)


def _load(name: str, place: Path, copy: str, shards: int, threads: int) -> tuple[float, float]:
    """Seconds until COPY was done, and until the database was closed."""
    execute, close = _open(name, place, shards, threads)
    definitions = data.plain_schema() if name == "DuckDB" else data.schema()
    execute(next(text for text in definitions.split(";") if f"CREATE TABLE {TABLE}" in text))
    start = time.perf_counter()
    execute(copy)
    copied = time.perf_counter()
    close()
    return copied - start, time.perf_counter() - start


def _open(
    name: str, place: Path, shards: int, threads: int
) -> tuple[Callable[[str], object], Callable[[], None]]:
    if name == "DuckDB":
        connection = duckdb.connect(str(place / "one.duckdb"), config={"threads": threads})
        return connection.execute, connection.close
    database = Database.open(place / "sharded", shards=shards, threads=threads)
    return database.session().execute, database.close


def _print(what: str, times: dict[str, list[float]]) -> None:
    one, many = statistics.median(times["DuckDB"]), statistics.median(times["duckraft"])
    click.echo(f"{what}: {one:.2f} s against {many:.2f} s, ratio {many / one:.2f}")
