"""Running statements: cancelled busy or idle, expired, decided, undisturbed; locks whose waiting ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from duckraft.engine.errors import QueryCanceledError
from duckraft.engine.storage import interruption
from duckraft.engine.storage.interruption import CancellableLock, Running

_SOON_S = 20
"""Longer than anything here takes on a slow machine; nothing waits for it unless it is broken."""


class _Interrupts:
    """Counts interrupts, and lets a test wait for them."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def wait_for(self, count: int) -> bool:
        """Wait until there were that many."""
        with self._changed:
            return self._changed.wait_for(lambda: self.count >= count, _SOON_S)


@contextmanager
def _busy(interrupt: Callable[[], None], timeout_s: float | None = None) -> Iterator[Running]:
    running = Running(interrupt, timeout_s)
    running.enter()
    try:
        yield running
    finally:
        running.leave()
        running.end()


def test_a_busy_statement_is_interrupted_until_it_notices() -> None:
    interrupts = _Interrupts()
    with _busy(interrupts) as running:
        running.cancel()
        assert interrupts.wait_for(3)
        error = interruption.notice()
        assert error is not None
        assert error.message == "canceling statement due to user request"
        seen = interrupts.count
        running.cancel()
        assert interrupts.count == seen
        interruption.check()


def test_time_that_is_up_interrupts_too() -> None:
    interrupts = _Interrupts()
    with _busy(interrupts, timeout_s=0.001) as running:
        assert interrupts.wait_for(2)
        with pytest.raises(QueryCanceledError, match="due to statement timeout") as caught:
            interruption.check()
        assert caught.value.sqlstate == "57014"
        assert running.error is caught.value


def test_an_idle_statement_raises_when_it_is_asked_again() -> None:
    interrupts = _Interrupts()
    running = Running(interrupts)
    running.enter()
    running.leave()
    running.cancel()
    assert interrupts.count == 0
    with pytest.raises(QueryCanceledError):
        running.enter()
    interruption.check()
    running.end()


def test_a_statement_that_is_over_is_left_alone() -> None:
    interrupts = _Interrupts()
    with _busy(interrupts) as running:
        running.end()
        running.cancel()
        running.expire()
        assert interrupts.count == 0
        assert running.error is None


def test_what_is_decided_goes_through_and_the_next_step_stops() -> None:
    interrupts = _Interrupts()
    with _busy(interrupts) as running:
        interruption.decide()
        running.cancel()
        assert interrupts.count == 0
        interruption.check()
        with pytest.raises(QueryCanceledError):
            interruption.go_on()


def test_nothing_is_decided_once_a_cancel_came() -> None:
    with _busy(_Interrupts()) as running:
        running.cancel()
        with pytest.raises(QueryCanceledError):
            interruption.decide()


def test_cleaning_up_is_not_disturbed() -> None:
    interrupts = _Interrupts()
    with _busy(interrupts) as running:
        with interruption.undisturbed():
            running.cancel()
            interruption.check()
            assert interrupts.count == 0
        with pytest.raises(QueryCanceledError):
            interruption.check()
        with interruption.undisturbed():
            interruption.check()


def test_waiting_for_a_lock_ends_with_the_statement() -> None:
    lock = CancellableLock()
    failures: list[Exception] = []
    waiting = threading.Event()
    running = Running(waiting.set)

    def wait() -> None:
        running.enter()
        try:
            with lock:
                pass
        except QueryCanceledError as error:
            failures.append(error)
        finally:
            running.leave()
            running.end()

    with lock, lock:
        thread = threading.Thread(target=wait)
        thread.start()
        while not running.busy:
            waiting.wait(0.001)
        running.cancel()
        thread.join(_SOON_S)
        assert [type(failure) for failure in failures] == [QueryCanceledError]
    with lock:
        pass


def test_outside_a_statement_there_is_nothing_to_stop() -> None:
    interruption.check()
    interruption.decide()
    interruption.go_on()
    assert interruption.notice() is None
    with interruption.undisturbed():
        interruption.check()


def test_what_waits_is_woken_when_its_statement_must_stop() -> None:
    woken, later = threading.Event(), threading.Event()
    with _busy(lambda: None) as running:
        with interruption.woken_by_stop(later.set):
            pass
        with interruption.woken_by_stop(woken.set):
            threading.Thread(target=running.cancel).start()
            assert woken.wait(_SOON_S)
        with pytest.raises(QueryCanceledError), interruption.woken_by_stop(later.set):
            pytest.fail("it must stop already")
    assert not later.is_set()


def test_what_waits_is_woken_when_time_is_up() -> None:
    woken = threading.Event()
    with _busy(lambda: None, timeout_s=0.01), interruption.woken_by_stop(woken.set):
        assert woken.wait(_SOON_S)


def test_what_waits_for_no_statement_is_not_woken() -> None:
    with interruption.woken_by_stop(lambda: pytest.fail("nobody has asked for it")):
        interruption.check()
