"""The participant, by golden scripts, and what it holds to be impossible."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import InternalError, LogDamagedError
from duckraft.engine.storage.log import Entry, EntryKind
from duckraft.engine.transactions import records
from duckraft.engine.transactions.participant import Participant
from duckraft.engine.transactions.protocol import Append, Decide, Finish, Prepare
from tests.golden import check_file

from .two_phase_scripts import SCRIPTS, run_participant


@pytest.mark.parametrize("name", ["participant", "recovery"])
def test_each_script_has_the_effects_it_says(name: str, rewrite: bool) -> None:
    check_file(SCRIPTS / f"{name}.test", run_participant, rewrite)


def test_entries_say_who_decides_who_takes_part_and_what_was_done() -> None:
    participant = Participant(1)
    participant.begin("t")
    (prepare,) = participant.receive(Prepare("t", 1, 0, (0, 1), b"done"))
    assert isinstance(prepare, Append)
    assert records.decode_prepare(b"".join(prepare.body)) == records.PrepareBody(0, (0, 1), b"done")
    participant.logged("t", EntryKind.PREPARE, 300)
    (outcome,) = participant.receive(Finish("t", 1, 0, committed=True))
    assert isinstance(outcome, Append)
    assert records.decode_commit_prepared(b"".join(outcome.body)) == 300
    participant.begin("u")
    (commit,) = participant.receive(Decide("u", 1, (1, 2), b"decided"))
    assert isinstance(commit, Append)
    assert records.decode_commit(b"".join(commit.body)) == records.CommitBody((1, 2), b"decided")


def test_operations_are_not_copied_on_their_way_to_the_log() -> None:
    operations = b"x" * 100
    participant = Participant(1)
    participant.begin("t")
    (append,) = participant.receive(Decide("t", 1, (1,), operations))
    assert isinstance(append, Append)
    assert append.body[-1] is operations


def test_a_transaction_begins_once() -> None:
    participant = Participant(1)
    participant.begin("t")
    with pytest.raises(InternalError):
        participant.begin("t")


@pytest.mark.parametrize(
    "script",
    [
        "begin t\ncommitted t from 0",
        "begin t\nprepare t deciding 0 of 0,1\ncommitted t from 0",
        "begin t\nprepare t deciding 0 of 0,1\nlogged t PREPARE 1\ndecide t of 1,2",
        "begin t\ndecide t of 1,2\naborted t from 1",
        "begin t\ndecide t of 1,2\nlogged t COMMIT 1\naborted t from 1",
        "begin t\nprepare t deciding 0 of 0,1\nlogged t PREPARE 1\ncommitted t from 0\naborted t from 0",
        "begin t\nprepare t deciding 0 of 0,1\nask t from 2",
        "begin t\nlogged t PREPARE 1",
        "begin t\nprepare t deciding 0 of 0,1\nwrote t 2",
        "wrote t 2",
    ],
)
def test_what_the_protocol_excludes_is_not_believed(script: str) -> None:
    with pytest.raises(InternalError):
        run_participant(script)


def test_an_entry_that_is_malformed_is_damage() -> None:
    with pytest.raises(LogDamagedError):
        Participant(1).recover(Entry(1, 0, EntryKind.PREPARE, "t", b"\0"))
