"""How long the command `duckraft -c 'select 1'` takes from start to exit, beside what of it is Python and DuckDB."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click

from .measure import take_turns


def run(runs: int) -> None:
    """Print the median wall time of each command in seconds; the files are in the system's page cache."""
    commands = {
        "duckraft -c 'select 1'": [str(Path(sys.executable).with_name("duckraft")), "-c", "select 1"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import duckdb'": [sys.executable, "-c", "import duckdb"],
    }
    contenders = {name: _process(command) for name, command in commands.items()}
    take_turns(contenders, 1)
    click.echo(f"Wall time from start to exit, median of {runs} runs in turn, warm disk:\n")
    for name, values in take_turns(contenders, runs).items():
        click.echo(f"{name:<25} {statistics.median(values):6.3f} s")


def _process(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
