"""`python -m tests.differential`: hunt for wrong answers with generated statements, or run the whole curated corpus.

Each seed makes a schema, its data and some hundred statements. A mismatch is printed with its seed and the shrunk
statement; `--seed S --seconds 0` runs one seed alone. The exit code is 1 if there was a mismatch.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import closing
from functools import partial
from multiprocessing import get_context

import click

from .corpus import load_plain, load_sharded, statements, themes
from .harness import ask_plain, connect_plain
from .hunting import STATEMENTS_PER_SCHEMA, Tally, hunt
from .layouts import LAYOUTS, SHARD_COUNTS


@click.command()
@click.option(
    "--seconds", default=60.0, show_default=True, help="How long to hunt; a seed that was begun is finished."
)
@click.option("--seed", default=0, show_default=True, help="The first seed; the next ones follow.")
@click.option(
    "--statements", "count", default=STATEMENTS_PER_SCHEMA, show_default=True, help="How many for each seed."
)
@click.option(
    "--workers", default=1, show_default=True, help="Processes that hunt, each with seeds of its own."
)
@click.option(
    "--corpus", is_flag=True, help="Run the curated queries on every layout and shard count instead."
)
@click.option(
    "--in-transaction",
    is_flag=True,
    help="Run all statements of a seed in a transaction that has changed rows.",
)
def main(seconds: float, seed: int, count: int, workers: int, corpus: bool, in_transaction: bool) -> None:
    """Compare duckraft with one plain DuckDB."""
    if corpus:
        compared, wrong = run_corpus()
        click.echo(f"{compared} answers compared, {wrong} mismatches")
        raise SystemExit(1 if wrong else 0)
    tally = run_seeds(seconds, seed, count, workers, in_transaction=in_transaction)
    click.echo(str(tally))
    raise SystemExit(1 if tally.wrong or tally.undefined else 0)


def run_seeds(seconds: float, seed: int, count: int, workers: int, *, in_transaction: bool = False) -> Tally:
    """Hunt seed after seed until the time is over; what is found is printed at once."""
    begun = time.monotonic()
    total, seeds = Tally(), 0
    run = partial(hunt, statements=count, in_transaction=in_transaction)
    try:
        for tally, texts in _rounds(seed, workers, begun + seconds, run):
            total, seeds = total + tally, seeds + 1
            for text in texts:
                click.echo(f"{text}\n")
    except KeyboardInterrupt:
        click.echo("interrupted")
    took_s = time.monotonic() - begun
    click.echo(
        f"{seeds} seeds from {seed} on, {took_s:.0f} s, {total.statements / took_s:.0f} statements a second"
    )
    return total


def _rounds(
    seed: int, workers: int, end: float, run: Callable[[int], tuple[Tally, list[str]]]
) -> Iterator[tuple[Tally, list[str]]]:
    """What each seed gave, until the time is over."""
    if workers == 1:
        for current in itertools.count(seed):
            yield run(current)
            if time.monotonic() >= end:
                return
    # Spawned, not forked: DuckDB has threads.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        seeds = itertools.count(seed)
        running = {pool.submit(run, next(seeds)) for _ in range(workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
                if time.monotonic() < end:
                    running.add(pool.submit(run, next(seeds)))


def run_corpus() -> tuple[int, int]:
    """All curated queries on all layouts. Returns the numbers of (query, database) pairs and of mismatches."""
    compared = wrong = 0
    with closing(connect_plain()) as plain:
        load_plain(plain)
        asked = [(each, ask_plain(plain, each)) for theme in themes() for each in statements(theme)]
    for layout, shards in itertools.product(LAYOUTS, SHARD_COUNTS):
        with closing(load_sharded(layout, shards)) as sharded:
            for statement, expected in asked:
                compared += 1
                for mismatch in sharded.mismatches(statement, expected):
                    wrong += 1
                    click.echo(f"{mismatch}\n")
        click.echo(f"{layout}, {shards} shards: done")
    return compared, wrong


if __name__ == "__main__":  # Not in the processes that are spawned.
    main()
