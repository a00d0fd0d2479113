"""`python -m tests.differential`: hunt for wrong answers with generated queries, or run the whole curated corpus.

Each seed makes a schema, its data and some queries. A mismatch is printed with its seed and the shrunk statement;
`--seed S --seconds 0` runs one seed alone. The exit code is 1 if there was a mismatch.
"""

from __future__ import annotations

import itertools
import time
from contextlib import closing

import click

from .corpus import load_plain, load_sharded, statements, themes
from .harness import ask_plain, connect_plain
from .hunting import hunt
from .layouts import LAYOUTS, SHARD_COUNTS


@click.command()
@click.option(
    "--seconds", default=60.0, show_default=True, help="How long to hunt; one seed is always finished."
)
@click.option("--seed", default=0, show_default=True, help="The first seed; the next ones follow.")
@click.option(
    "--corpus", is_flag=True, help="Run the curated queries on every layout and shard count instead."
)
def main(seconds: float, seed: int, corpus: bool) -> None:
    """Compare duckraft with one plain DuckDB."""
    compared, wrong = run_corpus() if corpus else run_seeds(seconds, seed)
    click.echo(f"{compared} answers compared, {wrong} mismatches")
    raise SystemExit(1 if wrong else 0)


def run_seeds(seconds: float, seed: int) -> tuple[int, int]:
    """Hunt seed after seed. Returns the numbers of queries and of mismatches."""
    end = time.monotonic() + seconds
    compared = wrong = 0
    for current in itertools.count(seed):
        for mismatch in hunt(current):
            compared += 1
            if mismatch is not None:
                wrong += 1
                click.echo(f"{mismatch}\n")
        if time.monotonic() >= end:
            click.echo(f"seeds {seed} to {current}")
            break
    return compared, wrong


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


main()
