"""Two-phase commit holds in simulations, and a fault in it would be found."""

from __future__ import annotations

from collections import Counter

import pytest
from click.testing import CliRunner

from .__main__ import main
from .events import Violation
from .two_phase import Simulation
from .two_phase_faults import Bug, CrashAt, Faults

SEEDS = range(1, 61)


def test_everything_holds_under_faults_of_all_kinds() -> None:
    counts: Counter[str] = Counter()
    for seed in SEEDS:
        simulation = Simulation(seed)
        simulation.run()
        counts += simulation.counts
    # A simulation in which nothing goes wrong, or nothing is ever committed, would show nothing.
    assert (
        min(counts[what] for what in ("committed", "aborted", "unknown", "crashes", "deaths", "failed logs"))
        > 9
    )


@pytest.mark.parametrize("bug", Bug)
def test_a_planted_fault_is_found(bug: Bug) -> None:
    def live_through_all() -> None:
        for seed in range(1, 200):
            Simulation(seed, bug).run()

    with pytest.raises(Violation):
        live_through_all()


@pytest.mark.parametrize("actor", ["session", "shard 0", "shard 1"])
def test_a_single_crash_before_any_effect_is_survived(actor: str) -> None:
    def live_through(step: int) -> Simulation:
        """Three transactions on three shards; the first of them decides."""
        simulation = Simulation(
            3, faults=Faults(), crash_at=CrashAt(actor, step), shards_count=3, sessions_count=3
        )
        simulation.run()
        return simulation

    step, in_the_end = 0, set()
    crashed = True
    while crashed:
        step += 1
        simulation = live_through(step)
        crashed = simulation.steps[actor] >= step
        in_the_end.add(simulation.counts["in the end"])
    assert step > 12  # The deciding shard has four effects for each of the three transactions.
    # Some crashes come before the decision, others after it.
    assert in_the_end == {2, 3}


def test_without_faults_everything_is_committed() -> None:
    simulation = Simulation(1, faults=Faults())
    simulation.run()
    assert simulation.counts == {"committed": 100, "in the end": 100}


def test_a_seed_is_one_simulation() -> None:
    def trace(seed: int) -> list[str]:
        lines: list[str] = []
        Simulation(seed, trace=lines.append).run()
        return lines

    assert trace(5) == trace(5)
    assert trace(5) != trace(6)


def test_the_command_says_which_seed_failed_and_how_to_replay_it() -> None:
    good = CliRunner().invoke(main, ["two_phase", "--seed", "1", "--seconds", "0"])
    assert good.exit_code == 0
    assert "1 simulations" in good.output
    bad = CliRunner().invoke(main, ["two_phase", "--bug", Bug.PRESUMED_COMMIT.name])
    assert bad.exit_code == 1
    assert "two_phase --seed 1 --seconds 0 --trace" in bad.output
