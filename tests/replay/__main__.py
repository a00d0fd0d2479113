"""`python -m tests.replay`: hunt for changes that a log does not tell rightly. The exit code is 1 if there is one."""

from __future__ import annotations

import time

import click

from .hunting import Tally, hunt


@click.command()
@click.option(
    "--seconds", default=60.0, show_default=True, help="How long; a seed that was begun is finished."
)
@click.option("--seed", default=0, show_default=True, help="The first seed; the next ones follow.")
@click.option("--changes", default=150, show_default=True, help="How many for each seed.")
def main(seconds: float, seed: int, changes: int) -> None:
    """Make random changes, and compare copies made of the logs with what was there."""
    tally, faults, first = Tally(), 0, seed
    end = time.monotonic() + seconds
    while seed == first or time.monotonic() < end:
        fault = hunt(seed, changes, tally)
        if fault is not None:
            faults += 1
            click.echo(f"{fault}\n")
        seed += 1
    click.echo(f"{seed - first} seeds: {tally}; {faults} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
