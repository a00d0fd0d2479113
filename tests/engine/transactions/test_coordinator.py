"""The coordinator, by golden scripts, and what it holds to be impossible."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import InternalError
from duckraft.engine.transactions.coordinator import Coordinator
from duckraft.engine.transactions.protocol import Decide, Prepare, Prepared, Send
from tests.golden import check_file

from .two_phase_scripts import SCRIPTS, run_coordinator


def test_each_script_has_the_effects_it_says(rewrite: bool) -> None:
    check_file(SCRIPTS / "coordinator.test", run_coordinator, rewrite)


def test_operations_go_to_the_shard_on_which_they_were_done() -> None:
    coordinator = Coordinator("t", {4: b"four", 2: b"two"})
    assert coordinator.commit() == (Send(4, Prepare("t", 4, 2, (2, 4), b"four")),)
    assert coordinator.receive(Prepared("t", 4)) == (Send(2, Decide("t", 2, (2, 4), b"two")),)


def test_a_transaction_commits_once() -> None:
    coordinator = Coordinator("t", {0: b""})
    coordinator.commit()
    with pytest.raises(InternalError):
        coordinator.commit()


def test_messages_of_another_transaction_are_refused() -> None:
    coordinator = Coordinator("t", {0: b"", 1: b""})
    coordinator.commit()
    with pytest.raises(InternalError):
        coordinator.receive(Prepared("u", 1))
