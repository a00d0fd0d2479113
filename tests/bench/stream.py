"""Reading a result to its end that is far larger than the memory there is.

Each reading happens in a fresh process, which tells its own peak; DuckDB's `memory_limit` is part of that.
As a program it is one reading: `python -m tests.bench.stream DIRECTORY WAY MEMORY_LIMIT SQL`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from duckraft.engine.database import Database
from duckraft.engine.dbapi import Connection
from duckraft.engine.types import Row

BATCH_ROWS = 10_000

_TABLE = "CREATE TABLE events (id BIGINT, value DOUBLE, kind VARCHAR) SHARD BY HASH (id)"
_ROWS = "INSERT INTO events SELECT range, range * 0.5, 'kind ' || range % 1000 FROM range({rows})"
READINGS = (
    ("as it lies", "SELECT * FROM events"),
    ("sorted", "SELECT * FROM events ORDER BY value DESC"),
)
"""What is read: a name, and a statement that gives all rows of the table."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading found. total: the sum of the first column."""

    rows: int
    total: int
    seconds: float
    first_row_s: float
    peak_mb: float


def run(rows: int, shards: int, memory_limit: str, most_mb: int) -> bool:
    """Make the table, read it to the end in several ways, print each; whether all stayed under `most_mb`."""
    with tempfile.TemporaryDirectory(prefix="duckraft-stream-") as folder:
        directory = str(Path(folder) / "database")
        with Database.open(directory, shards=shards, memory_limit=memory_limit) as database:
            session = database.session()
            session.execute(_TABLE)
            session.execute(_ROWS.format(rows=rows))
        click.echo(f"{rows:,} rows of 3 columns in {shards} shards on disk, memory_limit {memory_limit}:\n")
        fine = True
        for name, sql in READINGS:
            for way in ("session", "dbapi"):
                reading = read_afresh(directory, way, memory_limit, sql)
                if (reading.rows, reading.total) != (rows, rows * (rows - 1) // 2):
                    raise RuntimeError(f"{name}, {way}: not the rows of the table, but {reading}")
                fine = fine and reading.peak_mb < most_mb
                click.echo(
                    f"{name:10}  {way:7}  peak {reading.peak_mb:6.0f} MB   {reading.seconds:6.1f} s"
                    f"   {reading.rows / reading.seconds / 1e6:5.2f} M rows/s   first row {reading.first_row_s:6.2f} s"
                )
    click.echo(f"\nthe process {'stayed' if fine else 'did not stay'} under {most_mb} MB")
    return fine


def read_afresh(*arguments: str) -> Reading:
    """One reading in a process of its own. arguments: as for this module as a program."""
    command = [sys.executable, "-m", "tests.bench.stream", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Reading(**json.loads(done.stdout))


def _read(directory: str, way: str, memory_limit: str, sql: str) -> Reading:
    """Read the answer of a statement to its end. way: `session` or `dbapi`."""
    start = time.perf_counter()
    rows = total = 0
    first_row_s = 0.0
    with Database.open(directory, memory_limit=memory_limit) as database:
        for batch in _batches(database, way, sql):
            first_row_s = first_row_s or time.perf_counter() - start
            rows += len(batch)
            total += sum(row[0] for row in batch)
    return Reading(rows, total, time.perf_counter() - start, first_row_s, _peak_mb())


def _batches(database: Database, way: str, sql: str) -> Iterator[list[Row]]:
    if way == "session":
        result = database.session().execute(sql)
        while batch := result.fetchmany(BATCH_ROWS):
            yield batch
    else:
        cursor = Connection(database).cursor().execute(sql)
        while batch := cursor.fetchmany(BATCH_ROWS):
            yield batch


def _peak_mb() -> float:
    """The most memory that this process ever had resident. Not `ru_maxrss`: that remembers the parent's."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    print(json.dumps(asdict(_read(*sys.argv[1:5]))))
