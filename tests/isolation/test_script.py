"""Scripts of several sessions, played with nothing but locks behind them."""

from __future__ import annotations

import pytest

from duckraft.engine.executor.reading.result import Result
from duckraft.engine.transactions.locks import Mode
from duckraft.engine.transactions.waiting import Locks

from . import script
from .history import Level
from .script import Event, Script, play, transcript


class Holder:
    """A session that knows `LOCK name` and `UNLOCK`, and tells other statements back."""

    def __init__(self, locks: Locks, name: str) -> None:
        self.locks = locks
        self.name = name

    def execute(self, sql: str) -> Result:
        word, _, rest = sql.partition(" ")
        if word == "LOCK":
            self.locks.acquire(self.name, ("advisory", rest), Mode.EXCLUSIVE)
        elif word == "UNLOCK":
            self.locks.release_all(self.name)
        return Result((), sql)

    def cancel(self) -> None:
        self.locks.kill(self.name)

    def close(self) -> None:
        self.locks.release_all(self.name)


def played(text: str) -> list[Event]:
    locks = Locks()
    names = iter("abc")
    return play(Script.parse(text), Level.SERIALIZABLE, lambda: Holder(locks, next(names)), locks.snapshot)


def test_a_session_waits_and_goes_on_when_it_can() -> None:
    events = played("T1: LOCK x\nT2: LOCK x\nT1: UNLOCK\nT2: UNLOCK")
    assert transcript(events).splitlines() == [
        "T1: LOCK x  -> LOCK x",
        "T2: LOCK x  -> waits",
        "T1: UNLOCK  -> UNLOCK",
        "T2: LOCK x  -> LOCK x",
        "T2: UNLOCK  -> UNLOCK",
    ]


def test_what_a_waiting_session_is_to_do_next_is_kept_until_it_can() -> None:
    events = played("T1: LOCK x\nT2: LOCK x\nT2: UNLOCK\nT1: SELECT\nT1: UNLOCK")
    assert [(event.session, event.outcome) for event in events] == [
        ("T1", "LOCK x"),
        ("T2", "waits"),
        ("T1", "SELECT"),
        ("T1", "UNLOCK"),
        ("T2", "LOCK x"),
        ("T2", "UNLOCK"),
    ]


def test_the_victim_of_a_deadlock_gets_its_error_and_the_other_goes_on() -> None:
    events = played("T1: LOCK x\nT2: LOCK y\nT1: LOCK y\nT2: LOCK x\nT2: UNLOCK\nT1: SELECT\nT1: UNLOCK")
    assert [(event.session, event.outcome) for event in events] == [
        ("T1", "LOCK x"),
        ("T2", "LOCK y"),
        ("T1", "waits"),
        ("T2", "ERROR 40P01"),
        ("T2", "UNLOCK"),
        ("T1", "LOCK y"),
        ("T1", "SELECT"),
        ("T1", "UNLOCK"),
    ]


def test_several_sessions_that_one_lets_go_on_are_told_in_their_order() -> None:
    events = played("T1: LOCK x\nT1: LOCK y\nT3: LOCK x\nT2: LOCK y\nT1: UNLOCK\nT2: UNLOCK\nT3: UNLOCK")
    assert [event.session for event in events] == ["T1", "T1", "T3", "T2", "T1", "T3", "T2", "T2", "T3"]


def test_the_level_is_put_into_begin() -> None:
    assert [event.outcome for event in played("T1: BEGIN\nT1: COMMIT")] == [
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "COMMIT",
    ]


def test_a_session_that_waits_for_ever_is_an_error() -> None:
    with pytest.raises(TimeoutError, match="T2 wait when all is over"):
        played("T1: LOCK x\nT2: LOCK x")


def test_a_statement_that_neither_ends_nor_waits_for_a_lock_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(script, "_GIVE_UP_S", 0.01)
    locks = Locks()
    with pytest.raises(TimeoutError, match="neither done nor waiting"):
        play(
            Script.parse("T1: LOCK x\nT2: LOCK x"),
            Level.SERIALIZABLE,
            iter([Holder(locks, "a"), Holder(locks, "b")]).__next__,
            list,
        )


def test_an_anomaly_is_seen_only_in_its_order() -> None:
    anomaly = Script.parse("T1: SELECT\nanomaly: T1 (1, 12) then T2 COMMIT\nanomaly: T1 nothing")
    seen = [Event("T1", "SELECT", "(1, 12) (2, 20)"), Event("T2", "COMMIT", "COMMIT")]
    assert anomaly.happened(seen)
    assert not anomaly.happened(seen[::-1])
    assert not anomaly.happened(seen[:1])
    assert not anomaly.happened([seen[0], Event("T2", "COMMIT", "ROLLBACK")])


def test_a_line_that_is_no_step_is_refused() -> None:
    with pytest.raises(ValueError, match="not a line of a script"):
        Script.parse("T1 SELECT")
