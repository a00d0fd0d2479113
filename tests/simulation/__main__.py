"""The simulations: `python -m tests.simulation NAME --seed N --seconds S`. One seed replays one simulation exactly."""

from __future__ import annotations

import sys
import time
from collections import Counter

import click

from .events import Violation
from .two_phase import Simulation
from .two_phase_faults import Bug


@click.group()
def main() -> None:
    """Run protocols through faults, in virtual time."""


@main.command("two_phase")
@click.option(
    "--seed", default=1, show_default=True, help="Seed of the first simulation; the next have the next."
)
@click.option(
    "--seconds", default=10.0, show_default=True, help="How long to go on; 0 is a single simulation."
)
@click.option("--bug", type=click.Choice([bug.name for bug in Bug]), help="Plant a fault.")
@click.option("--trace", is_flag=True, help="Print everything that happens.")
def run_two_phase(seed: int, seconds: float, bug: str | None, trace: bool) -> None:
    """Two-phase commit, with crashes, deaths, bad networks and failing logs."""
    planted = None if bug is None else Bug[bug]
    end_s = time.monotonic() + seconds
    counts: Counter[str] = Counter()
    while True:
        simulation = Simulation(seed, planted, trace=click.echo if trace else None)
        try:
            simulation.run()
        except Violation as violation:
            click.echo(f"seed {seed}: {violation}")
            click.echo(f"python -m tests.simulation two_phase --seed {seed} --seconds 0 --trace replays it")
            sys.exit(1)
        counts += simulation.counts
        counts["simulations"] += 1
        if time.monotonic() >= end_s:
            break
        seed += 1
    click.echo(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
