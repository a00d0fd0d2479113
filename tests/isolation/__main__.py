"""`python -m tests.isolation`: hunt for what an isolation level or a crash must not let happen.

The exit code is 1 if something was found; it is printed with the transactions that it takes.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click

from . import bank
from .checker import Report, check
from .clients import Plain, Sharded, Store
from .history import Level
from .runner import Run, Settings, atomic_reads, run

_SHOWN = 3
"""How many anomalies of each kind are printed."""


@click.group()
def main() -> None:
    """Run random transactions and check what they saw."""


@main.command("list-append")
@click.option(
    "--level",
    "names",
    multiple=True,
    type=click.Choice([str(level) for level in Level]),
    help="May be given more than once; all if not given.",
)
@click.option("--transactions", default=10_000, show_default=True, type=click.IntRange(min=1))
@click.option("--sessions", default=8, show_default=True, type=click.IntRange(min=1))
@click.option("--shards", default=4, show_default=True, type=click.IntRange(min=1))
@click.option("--keys", default=12, show_default=True, type=click.IntRange(min=4), help="In use at a time.")
@click.option("--seed", default=0, show_default=True)
@click.option("--memory", is_flag=True, help="A database in memory instead of one on disk.")
@click.option("--plain", is_flag=True, help="One plain DuckDB instead, to see what the checker says of it.")
def list_append(
    names: tuple[str, ...],
    transactions: int,
    sessions: int,
    shards: int,
    keys: int,
    seed: int,
    memory: bool,
    plain: bool,
) -> None:
    """Append to lists and read them from many sessions; search the history for cycles."""
    levels = [level for level in Level if str(level) in names or not names]
    good = True
    for level in levels:
        with tempfile.TemporaryDirectory(prefix="duckraft-isolation-") as folder:
            place = None if memory else Path(folder) / "database"
            store: Store = Plain() if plain else Sharded(place, shards)
            try:
                found = run(store, Settings(level, transactions, sessions, keys, seed))
            finally:
                store.close()
        good &= _judge(level, found)
    raise SystemExit(0 if good else 1)


@main.command("bank")
@click.option("--seconds", default=600.0, show_default=True, help="After which no new life begins.")
@click.option("--kills", default=500, show_default=True, help="0: one life that lasts all the seconds.")
@click.option("--accounts", default=64, show_default=True, type=click.IntRange(min=2))
@click.option("--writers", default=4, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True)
@click.option("--plain", is_flag=True, help="One plain DuckDB file instead.")
def bank_command(seconds: float, kills: int, accounts: int, writers: int, seed: int, plain: bool) -> None:
    """Move money between accounts on all shards, with SIGKILL at any moment; audit after each."""
    begun = time.monotonic()
    books = bank.run(bank.Settings(seconds, kills, accounts, writers, seed, plain), click.echo)
    click.echo(f"{books}, {time.monotonic() - begun:.0f} s")
    for line in books.wrong[:20]:
        click.echo(f"  {line}")
    raise SystemExit(1 if books.wrong else 0)


def _judge(level: Level, found: Run) -> bool:
    """Print what the checker says of a run, and return whether the level held."""
    retried = ", ".join(f"{count} × {state}" for state, count in sorted(found.retried.items())) or "none"
    click.echo(
        f"{level}: {len(found.history)} attempts in {found.seconds:.1f} s"
        f" ({len(found.history) / found.seconds:.0f} a second), retried: {retried}"
    )
    begun = time.monotonic()
    report = check(found.history, real_time=True)
    single = check(atomic_reads(found.history), real_time=True)
    click.echo(f"  {report}\n  single statements: {single}\n  checked in {time.monotonic() - begun:.1f} s")
    # Read uncommitted is served as read committed.
    return _tell(report, max(level, Level.READ_COMMITTED)) & _tell(single, Level.SERIALIZABLE)


def _tell(report: Report, level: Level) -> bool:
    """Print the first anomalies of each kind that the level excludes; whether there are none."""
    told: dict[str, int] = {}
    for anomaly in report.against(level):
        told[anomaly.kind.label] = told.get(anomaly.kind.label, 0) + 1
        if told[anomaly.kind.label] <= _SHOWN:
            click.echo(f"\n{anomaly}")
    return not told


if __name__ == "__main__":
    main(prog_name="python -m tests.isolation")
