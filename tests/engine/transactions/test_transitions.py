"""The table of states and inputs is complete, and all of it is used."""

from __future__ import annotations

import pytest

from duckraft.engine.transactions import transitions
from duckraft.engine.transactions.protocol import ParticipantEffects
from duckraft.engine.transactions.transitions import TRANSITIONS, Input, State, Step, Transition
from tests.golden import read_cases
from tests.simulation.two_phase import Simulation

from .two_phase_scripts import SCRIPTS, run_participant


def test_every_input_has_its_row_and_every_state_its_line_in_the_docstring() -> None:
    assert set(TRANSITIONS) == set(Input)
    documented = {line.split()[0] for line in (transitions.__doc__ or "").splitlines() if line.strip()}
    assert {state.name for state in State} <= documented


def test_every_pair_of_the_table_happens_in_a_script_or_a_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    """So none is there that cannot happen. One that happens and is not there would raise in a simulation."""
    reached: set[tuple[Input, State]] = set()

    def noting(kind: Input, state: State, transition: Transition) -> Transition:
        def note(step: Step) -> ParticipantEffects:
            reached.add((kind, state))
            return transition(step)

        return note

    table = {
        kind: {state: noting(kind, state, transition) for state, transition in row.items()}
        for kind, row in TRANSITIONS.items()
    }
    monkeypatch.setattr("duckraft.engine.transactions.participant.TRANSITIONS", table)
    for case in read_cases(SCRIPTS / "participant.test"):
        run_participant(case.command)
    for seed in range(1, 31):
        Simulation(seed).run()
    assert {(kind, state) for kind, row in TRANSITIONS.items() for state in row} - reached == set()
