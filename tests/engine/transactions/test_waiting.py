"""Locks between threads: how waits end, that nothing is left of them, deadlocks, and everything at once under load."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from duckraft.engine.errors import (
    DeadlockError,
    Error,
    LockTimeoutError,
    OperationalError,
    QueryCanceledError,
)
from duckraft.engine.storage.interruption import Running
from duckraft.engine.transactions import deadlock, waiting
from duckraft.engine.transactions.locks import LockTable, Mode, Request, Resource
from duckraft.engine.transactions.waiting import Locks, mode_text, resource_text

_IX, _S, _X = Mode.INTENTION_EXCLUSIVE, Mode.SHARED, Mode.EXCLUSIVE
_SOON_S = 20
"""Longer than anything here takes on a slow machine; nothing waits for it unless it is broken."""


@pytest.fixture(autouse=True)
def _no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not woken sleeps on, so that a wake-up that is missing is seen."""
    monkeypatch.setattr(waiting, "_AGAIN_S", 1000.0)


@pytest.fixture
def locks() -> Locks:
    return Locks(lambda owner: f"statement of {owner}")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _SOON_S
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.001)


def _waiting(locks: Locks, *owners: str) -> None:
    """Wait until these wait."""
    _until(lambda: {line.owner for line in locks.snapshot() if not line.granted} >= set(owners))


def _error(future: Future[bool]) -> Error:
    error = future.exception(_SOON_S)
    assert isinstance(error, Error)
    return error


def test_a_lock_that_is_free_is_had_at_once_and_again(locks: Locks) -> None:
    assert locks.acquire("t1", ("x",), _X)
    assert locks.acquire("t1", ("x",), _S)
    assert locks.held("t1") == {("x",): _X}
    locks.release_all("t1")
    assert locks.snapshot() == []


def test_who_waits_goes_on_when_the_lock_is_given_back(locks: Locks, pool: ThreadPoolExecutor) -> None:
    locks.acquire("t1", ("x",), _X)
    readers = [pool.submit(locks.acquire, f"r{number}", ("x",), _S) for number in range(5)]
    _waiting(locks, *(f"r{number}" for number in range(5)))
    locks.release_all("t1")
    assert all(reader.result(_SOON_S) for reader in readers)


def test_who_does_not_wait_raises_or_does_without(locks: Locks) -> None:
    locks.acquire("t1", (("rows", "main", "t", 3), (1, "a")), _X)
    with pytest.raises(LockTimeoutError, match=r"lock on key \(1, 'a'\) of main\.t$") as caught:
        locks.acquire("t2", (("rows", "main", "t", 3), (1, "a")), _S, wait="nowait")
    assert caught.value.sqlstate == "55P03"
    assert not locks.acquire("t2", (("rows", "main", "t", 3), (1, "a")), _S, wait="skip")
    assert not locks.try_acquire("t2", (("rows", "main", "t", 3), (1, "a")), _S)
    assert locks.try_acquire("t2", (("rows", "main", "t", 3), (2, "a")), _S)
    assert [line.owner for line in locks.snapshot()] == ["t1", "t2"]


def test_time_that_is_up_ends_a_wait_and_lets_those_behind_go_on(
    locks: Locks, pool: ThreadPoolExecutor
) -> None:
    locks.acquire("t1", ("x",), _S)
    writer = pool.submit(locks.acquire, "t2", ("x",), _X, timeout_s=0.5)
    _waiting(locks, "t2")
    reader = pool.submit(locks.acquire, "t3", ("x",), _S)
    error = _error(writer)
    assert (error.sqlstate, error.message) == ("55P03", "canceling statement due to lock timeout")
    assert error.detail == "It waited for x, which t1 locked."
    assert reader.result(_SOON_S)
    assert [(line.owner, line.granted) for line in locks.snapshot()] == [("t1", True), ("t3", True)]


def _as_statement(running: Running, wait: Callable[[], bool]) -> bool:
    running.enter()
    try:
        return wait()
    finally:
        running.leave()
        running.end()


def test_a_statement_that_is_cancelled_waits_no_more(locks: Locks, pool: ThreadPoolExecutor) -> None:
    locks.acquire("t1", ("x",), _X)
    running = Running(lambda: None)
    waiter = pool.submit(_as_statement, running, lambda: locks.acquire("t2", ("x",), _X))
    _waiting(locks, "t2")
    running.cancel()
    error = _error(waiter)
    assert isinstance(error, QueryCanceledError)
    assert error.message == "canceling statement due to user request"
    assert [line.owner for line in locks.snapshot()] == ["t1"]


def test_a_statement_whose_time_is_up_waits_no_more(locks: Locks, pool: ThreadPoolExecutor) -> None:
    locks.acquire("t1", ("x",), _X)
    running = Running(lambda: None, timeout_s=0.05)
    waiter = pool.submit(_as_statement, running, lambda: locks.acquire("t2", ("x",), _X))
    assert _error(waiter).message == "canceling statement due to statement timeout"
    assert [line.owner for line in locks.snapshot()] == ["t1"]


def test_a_statement_that_was_cancelled_before_does_not_wait(locks: Locks) -> None:
    locks.acquire("t1", ("x",), _X)
    running = Running(lambda: None)

    def cancelled() -> bool:
        running.cancel()
        return locks.acquire("t2", ("x",), _X)

    with pytest.raises(QueryCanceledError):
        _as_statement(running, cancelled)
    assert [line.owner for line in locks.snapshot()] == ["t1"]


def test_what_cannot_be_stopped_waits_until_it_has_the_lock(locks: Locks, pool: ThreadPoolExecutor) -> None:
    locks.acquire("t1", ("x",), _X)
    interrupted = threading.Semaphore(0)
    running = Running(interrupted.release)

    def decided() -> bool:
        running.decide()
        return locks.acquire("t2", ("x",), _X)

    waiter = pool.submit(_as_statement, running, decided)
    _waiting(locks, "t2")
    running.cancel()
    time.sleep(0.05)
    assert not waiter.done()
    locks.release_all("t1")
    assert waiter.result(_SOON_S)


def test_a_killed_transaction_waits_no_more_and_gets_nothing_more(
    locks: Locks, pool: ThreadPoolExecutor
) -> None:
    locks.enlist("t2", "s2")
    locks.acquire("t1", ("x",), _X)
    waiter = pool.submit(locks.acquire, "s2", ("x",), _X)
    _waiting(locks, "s2")
    why = OperationalError("terminated", sqlstate="57P01")
    assert locks.kill("t2", why)
    assert _error(waiter) is why
    for owner in ("t2", "s2"):
        with pytest.raises(OperationalError, match="terminated"):
            locks.acquire(owner, ("free",), _X)
    locks.release_all("t2")
    assert locks.try_acquire("t2", ("free",), _S), "nothing is remembered of what is over"
    locks.release_all("t2")
    locks.enlist("t3", "s2")
    assert locks.acquire("t3", ("free",), _X)
    assert locks.acquire("s2", ("free",), _X)


def test_nobody_is_killed_who_is_not_there(locks: Locks) -> None:
    locks.enlist("t1", "s1")
    locks.release_all("t1")
    assert not locks.kill("t1")
    assert locks.acquire("t1", ("x",), _X)


def test_killing_one_who_waits_without_a_transaction_ends_that_wait_only(
    locks: Locks, pool: ThreadPoolExecutor
) -> None:
    locks.acquire("s1", ("x",), _X)
    waiter = pool.submit(locks.acquire, "s2", ("x",), _X)
    _waiting(locks, "s2")
    assert locks.kill("s2")
    assert _error(waiter).sqlstate == "57014"
    locks.release("s1", ("x",))
    assert locks.acquire("s2", ("x",), _X)


def test_locks_of_a_session_are_counted_and_outlive_its_transactions(locks: Locks) -> None:
    locks.enlist("t1", "s1")
    locks.acquire("s1", ("advisory", 7), _X)
    locks.acquire("s1", ("advisory", 7), _X)
    locks.acquire("t1", ("advisory", 7), _X)
    locks.release_all("t1")
    assert locks.release("s1", ("advisory", 7), _X)
    assert not locks.try_acquire("s2", ("advisory", 7), _X)
    assert locks.release("s1", ("advisory", 7), _X)
    assert not locks.release("s1", ("advisory", 7), _X)
    assert locks.try_acquire("s2", ("advisory", 7), _X)


def _chain(locks: Locks, owner: str, *resources: Resource, after: threading.Barrier) -> bool:
    """A transaction that locks some things, the first of them before anybody goes on, and ends."""
    try:
        locks.acquire(owner, resources[0], _X)
        after.wait(_SOON_S)
        return all(locks.acquire(owner, resource, _X) for resource in resources[1:])
    finally:
        locks.release_all(owner)


@pytest.mark.parametrize("size", [2, 3, 12])
def test_of_a_circle_the_youngest_gives_way_and_the_others_go_on(
    locks: Locks, pool: ThreadPoolExecutor, size: int
) -> None:
    owners = [f"t{number:02}" for number in range(size)]
    random.Random(size).shuffle(owners)
    barrier = threading.Barrier(size)
    futures = {
        owner: pool.submit(_chain, locks, owner, (owner,), (after,), after=barrier)
        for owner, after in zip(owners, owners[1:] + owners[:1], strict=True)
    }
    error = _error(futures.pop(max(owners)))
    assert isinstance(error, DeadlockError)
    assert (error.sqlstate, error.retryable) == ("40P01", True)
    assert f"{max(owners)} waits for EXCLUSIVE on" in (error.detail or "")
    assert all(future.result(_SOON_S) for future in futures.values())
    [found] = locks.deadlocks()
    assert found.victim == max(owners)
    assert {wait.transaction: wait.statement for wait in found.waits} == {
        owner: f"statement of {owner}" for owner in owners
    }
    assert locks.snapshot() == []


def test_no_time_to_wait_is_time_enough_to_see_a_deadlock(locks: Locks, pool: ThreadPoolExecutor) -> None:
    locks.acquire("t1", ("x",), _X)
    locks.acquire("t2", ("y",), _X)
    with pytest.raises(LockTimeoutError):
        locks.acquire("t2", ("x",), _X, timeout_s=0)
    older = pool.submit(locks.acquire, "t1", ("y",), _X)
    _waiting(locks, "t1")
    with pytest.raises(DeadlockError):
        locks.acquire("t2", ("x",), _X, timeout_s=0)
    locks.release_all("t2")
    assert older.result(_SOON_S)


def test_of_two_who_read_and_both_want_to_write_one_gives_way(locks: Locks, pool: ThreadPoolExecutor) -> None:
    for owner in ("t1", "t2"):
        locks.acquire(owner, ("x",), _S)
    younger = pool.submit(locks.acquire, "t2", ("x",), _X)
    _waiting(locks, "t2")
    older = pool.submit(locks.acquire, "t1", ("x",), _X)
    assert isinstance(_error(younger), DeadlockError)
    assert locks.held("t2") == {("x",): _S}
    locks.release_all("t2")
    assert older.result(_SOON_S)


def test_those_behind_one_who_gives_way_go_on(locks: Locks, pool: ThreadPoolExecutor) -> None:
    locks.acquire("t1", ("x",), _S)
    locks.acquire("t2", ("y",), _X)
    younger = pool.submit(locks.acquire, "t2", ("x",), _X)
    _waiting(locks, "t2")
    behind = pool.submit(locks.acquire, "t3", ("x",), _S)
    _waiting(locks, "t3")
    older = pool.submit(locks.acquire, "t1", ("y",), _X)
    assert isinstance(_error(younger), DeadlockError)
    assert behind.result(_SOON_S)
    locks.release_all("t2")
    assert older.result(_SOON_S)


def test_a_wait_that_closes_two_circles_ends_both(locks: Locks, pool: ThreadPoolExecutor) -> None:
    for owner in ("t2", "t3"):
        locks.acquire(owner, ("shared",), _S)
    locks.acquire("t1", ("x",), _X)
    readers = [pool.submit(locks.acquire, owner, ("x",), _S) for owner in ("t2", "t3")]
    _waiting(locks, "t2", "t3")
    oldest = pool.submit(locks.acquire, "t1", ("shared",), _X)
    assert all(isinstance(_error(reader), DeadlockError) for reader in readers)
    locks.release_all("t2")
    locks.release_all("t3")
    assert oldest.result(_SOON_S)
    assert {found.victim for found in locks.deadlocks()} == {"t2", "t3"}


def test_a_deadlock_through_the_lock_of_a_session_is_found(locks: Locks, pool: ThreadPoolExecutor) -> None:
    locks.enlist("t1", "s1")
    locks.enlist("t2", "s2")
    locks.acquire("s1", ("advisory", "a"), _X)
    locks.acquire("t2", ("row",), _X)
    row = pool.submit(locks.acquire, "t1", ("row",), _X)
    _waiting(locks, "t1")
    with pytest.raises(DeadlockError):
        locks.acquire("s2", ("advisory", "a"), _X)
    assert locks.deadlocks()[-1].victim == "t2"
    locks.release_all("t2")
    assert row.result(_SOON_S)


def test_a_circle_that_resolves_itself_before_it_is_looked_at_again_kills_nobody(
    locks: Locks, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def statement(owner: str) -> str:
        locks.release("t1", ("x",))  # What t2 waits for: the circle was found, but is no more.
        return owner

    monkeypatch.setattr(locks, "_statement", statement)
    locks.acquire("t1", ("x",), _X)
    locks.acquire("t2", ("y",), _X)
    first = pool.submit(locks.acquire, "t1", ("y",), _X)
    _waiting(locks, "t1")
    assert locks.acquire("t2", ("x",), _X)
    locks.release_all("t2")
    assert first.result(_SOON_S)
    assert locks.deadlocks() == []


def test_a_circle_that_is_only_the_order_of_a_queue_kills_nobody(
    locks: Locks, pool: ThreadPoolExecutor
) -> None:
    locks.acquire("t1", ("shard",), _IX)
    locks.acquire("t3", ("key",), _X)
    reader = pool.submit(locks.acquire, "t2", ("shard",), _S)
    _waiting(locks, "t2")
    writer = pool.submit(locks.acquire, "t1", ("key",), _X)
    _waiting(locks, "t1")
    assert locks.acquire("t3", ("shard",), _IX)
    locks.release_all("t3")
    assert writer.result(_SOON_S)
    locks.release_all("t1")
    assert reader.result(_SOON_S)
    assert locks.deadlocks() == []


def test_a_circle_that_was_missed_is_found_at_the_second_look(
    locks: Locks, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = threading.Event()

    def short_sighted(table: LockTable, start: Request) -> list[Request] | None:
        return find(table, start) if seen.is_set() else None

    find = deadlock.find_circle
    monkeypatch.setattr(deadlock, "find_circle", short_sighted)
    monkeypatch.setattr(waiting, "_AGAIN_S", 0.01)
    barrier = threading.Barrier(2)
    older = pool.submit(_chain, locks, "t1", ("x",), ("y",), after=barrier)
    younger = pool.submit(_chain, locks, "t2", ("y",), ("x",), after=barrier)
    _waiting(locks, "t1", "t2")
    assert locks.deadlocks() == []
    seen.set()
    assert isinstance(_error(younger), DeadlockError)
    assert older.result(_SOON_S)


def test_the_last_deadlocks_are_remembered(locks: Locks, pool: ThreadPoolExecutor) -> None:
    for number in range(70):
        locks.acquire("t1", ("x",), _X)
        locks.acquire(f"v{number:02}", ("y",), _X)
        waiter = pool.submit(locks.acquire, "t1", ("y",), _X)
        _waiting(locks, "t1")
        with pytest.raises(DeadlockError):
            locks.acquire(f"v{number:02}", ("x",), _X)
        locks.release_all(f"v{number:02}")
        assert waiter.result(_SOON_S)
        locks.release_all("t1")
    assert [found.victim for found in locks.deadlocks()] == [f"v{number:02}" for number in range(6, 70)]


class _Guarded:
    """Sixteen numbers that only who holds the lock may touch, and what was seen of others who did, too."""

    def __init__(self) -> None:
        self.numbers = [0] * 16
        self.offences: list[str] = []
        self._readers = [0] * 16
        self._writers = [0] * 16

    def read(self, index: int) -> None:
        """Touch it under a shared lock."""
        self._readers[index] += 1
        if self._writers[index]:
            self.offences.append(f"{index} is read while it is written")
        time.sleep(0)
        self._readers[index] -= 1

    def write(self, index: int) -> None:
        """Touch it under an exclusive lock."""
        self._writers[index] += 1
        before = self.numbers[index]
        if self._writers[index] > 1:
            self.offences.append(f"{index} is written twice at a time")
        time.sleep(0)
        self.numbers[index] = before + 1
        self._writers[index] -= 1


def _busy_session(locks: Locks, guarded: _Guarded, number: int, written: list[int]) -> None:
    """Transactions of all kinds. Each ends with a lock or a known error, and what it wrote is counted."""
    chance = random.Random(number)
    session = f"s{number:02}"
    for count in range(60):
        transaction = f"t{count:03}-{number:02}"
        locks.enlist(transaction, session)
        running = Running(lambda: None, chance.choice([None, None, None, 0.002]))
        running.enter()
        try:
            for index in chance.choices(range(16), k=chance.randint(1, 4)):
                mode = chance.choice([_S, _X])
                timeout_s = chance.choice([None, None, 0.001, 0.1])
                owner = chance.choice([transaction, transaction, session])
                if not locks.acquire(
                    owner, (index,), mode, timeout_s=timeout_s, wait=chance.choice(["wait", "wait", "skip"])
                ):
                    continue
                if mode is _X:
                    guarded.write(index)
                    written[index] += 1
                elif locks.held(transaction).get((index,)) is not _X:
                    guarded.read(index)
                if owner == session:
                    locks.release(session, (index,), mode)
        except (DeadlockError, LockTimeoutError, QueryCanceledError):
            pass
        finally:
            running.leave()
            running.end()
            locks.release_all(transaction)
    locks.release_all(session)


def test_many_threads_with_errors_of_all_kinds_lose_nothing(locks: Locks, pool: ThreadPoolExecutor) -> None:
    guarded = _Guarded()
    written = [[0] * 16 for _ in range(16)]
    sessions = [pool.submit(_busy_session, locks, guarded, number, written[number]) for number in range(16)]
    for session in sessions:
        session.result(60)
    assert guarded.offences == []
    assert guarded.numbers == [sum(counts) for counts in zip(*written, strict=True)]
    assert locks.snapshot() == []


def test_a_hot_lock_is_handed_on_in_the_order_of_its_queue(locks: Locks, pool: ThreadPoolExecutor) -> None:
    order: list[int] = []

    def take(number: int) -> None:
        locks.acquire(f"w{number}", ("hot",), _X)
        order.append(number)
        locks.release_all(f"w{number}")

    locks.acquire("first", ("hot",), _X)
    waiters = []
    for number in range(32):
        waiters.append(pool.submit(take, number))
        _waiting(locks, f"w{number}")
    locks.release_all("first")
    for waiter in waiters:
        waiter.result(_SOON_S)
    assert order == list(range(32))


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (("rows", "main", "t", 3), "rows of main.t on shard 3"),
        ((("rows", "main", "t", 3), (7,)), "key (7) of main.t"),
        (("advisory", "job"), "resource 'job'"),
        (("advisory", 1, 2), "resource 1, 2"),
        (("catalog",), "the catalog"),
        (("other", 1), "other 1"),
    ],
)
def test_messages_name_resources(resource: Resource, text: str) -> None:
    assert resource_text(resource) == text
    assert mode_text(Mode.SHARED_INTENTION_EXCLUSIVE) == "SHARED INTENTION EXCLUSIVE"
