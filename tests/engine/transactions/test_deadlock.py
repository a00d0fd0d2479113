"""Deadlocks in a lock table: circles of any length are found, their youngest is named, and only while they exist."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckraft.engine.transactions import deadlock
from duckraft.engine.transactions.locks import LockTable, Mode, Request, compatible


def _ring(table: LockTable, owners: list[str]) -> list[Request]:
    """Each has its own resource and waits for that of the next one; the last request closes the circle."""
    for owner in owners:
        assert table.try_acquire(owner, (owner,), Mode.EXCLUSIVE)
    requests = []
    for owner, after in zip(owners, owners[1:] + owners[:1], strict=True):
        request = table.request(owner, (after,), Mode.EXCLUSIVE)
        assert request is not None
        requests.append(request)
    return requests


@pytest.mark.parametrize("size", [2, 3, 4, 17, 500])
def test_a_circle_of_any_length_is_found_from_the_request_that_closes_it(size: int) -> None:
    table = LockTable()
    owners = [f"t{number:03}" for number in range(size)]
    random.Random(size).shuffle(owners)
    requests = _ring(table, owners)
    circle = deadlock.find_circle(table, requests[-1])
    assert circle is not None
    assert set(circle) == set(requests)
    assert deadlock.youngest(circle).owner == max(owners)
    assert deadlock.still_exists(table, circle)


def test_a_chain_is_no_circle() -> None:
    table = LockTable()
    requests = _ring(table, ["t1", "t2", "t3"])
    table.withdraw(requests[0])
    assert deadlock.find_circle(table, requests[-1]) is None


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_circle_that_has_dissolved_meanwhile_kills_nobody(gone: int) -> None:
    table = LockTable()
    requests = _ring(table, ["t1", "t2", "t3"])
    circle = deadlock.find_circle(table, requests[-1])
    assert circle is not None
    table.withdraw(requests[gone])
    assert not deadlock.still_exists(table, circle)


def test_the_same_transactions_that_wait_for_each_other_no_more_are_left_alone() -> None:
    """t1 has given back what t2 waited for and t2 waits again, for somebody else: all are waiting, but in no circle."""
    table = LockTable()
    first, second = _ring(table, ["t1", "t2"])
    circle = deadlock.find_circle(table, second)
    assert circle is not None
    assert table.release("t1", ("t1",)) == [second]
    assert table.try_acquire("t3", ("z",), Mode.EXCLUSIVE)
    assert table.request("t2", ("z",), Mode.EXCLUSIVE) is not None
    assert table.is_waiting(first)
    assert not deadlock.still_exists(table, circle)


def test_those_who_all_wait_but_not_for_each_other_any_more_are_left_alone() -> None:
    table = LockTable()
    assert table.try_acquire("t1", ("x",), Mode.SHARED)
    assert table.try_acquire("t3", ("x",), Mode.SHARED)
    assert table.try_acquire("t2", ("y",), Mode.EXCLUSIVE)
    assert table.request("t2", ("x",), Mode.EXCLUSIVE) is not None
    closing = table.request("t1", ("y",), Mode.EXCLUSIVE)
    assert closing is not None
    circle = deadlock.find_circle(table, closing)
    assert circle is not None
    assert table.release("t1", ("x",)) == []
    assert all(table.is_waiting(request) for request in circle)
    assert not deadlock.still_exists(table, circle)


def test_one_who_waits_for_a_circle_is_not_part_of_it() -> None:
    table = LockTable()
    _ring(table, ["t1", "t2"])
    bystander = table.request("t9", ("t1",), Mode.SHARED)
    assert bystander is not None
    assert deadlock.find_circle(table, bystander) is None


def test_a_record_says_who_waited_for_what_and_ran_what() -> None:
    table = LockTable()
    circle = deadlock.find_circle(table, _ring(table, ["t1", "t2"])[-1])
    assert circle is not None
    found = deadlock.record(circle, lambda owner: f"UPDATE of {owner}", at=12.5)
    assert found == deadlock.Deadlock(
        12.5,
        "t2",
        (
            deadlock.Wait("t2", "UPDATE of t2", ("t1",), Mode.EXCLUSIVE, "t1"),
            deadlock.Wait("t1", "UPDATE of t1", ("t2",), Mode.EXCLUSIVE, "t2"),
        ),
    )


def _stuck(table: LockTable) -> set[str]:
    """By brute force: who can never go on, since among those he waits for are such as can never go on.

    Sessions that do not wait end in time, and those behind them go on, until nothing changes any more.
    """
    waits: dict[str, set[str]] = {}
    for line in table.snapshot():
        if not line.granted:
            waits.setdefault(line.session, set()).update(line.blockers)
    while free := [session for session, blockers in waits.items() if not blockers & waits.keys()]:
        for session in free:
            del waits[session]
    return set(waits)


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from("wxyz"), st.sampled_from(Mode)), min_size=4, max_size=60
    )
)
@settings(max_examples=300)
def test_looking_when_a_wait_begins_finds_every_deadlock(steps: list[tuple[int, str, Mode]]) -> None:
    table = LockTable()
    for number, name, mode in steps:
        owner = f"t{number}"
        if table.waits_of(owner):
            continue
        request = table.request(owner, (name,), mode)
        if request is None:
            continue
        stuck = _stuck(table)
        circle = deadlock.find_circle(table, request)
        assert (circle is not None) == bool(stuck), "each deadlock is resolved before the next can arise"
        if circle is None:
            continue
        assert table.is_waited_for(request.session), "the cheap question must not hide a circle"
        assert {one.session for one in circle} <= stuck
        assert len({one.session for one in circle}) == len(circle)
        while circle is not None:
            assert deadlock.still_exists(table, circle)
            if not any(table.overtake(one) for one in circle):
                table.withdraw(deadlock.youngest(circle))
            circle = deadlock.find_circle(table, request)
        assert not _stuck(table)
        held = [line for line in table.snapshot() if line.granted]
        assert all(
            compatible(one.mode, other.mode)
            for one in held
            for other in held
            if one.resource == other.resource and one.session != other.session
        )
