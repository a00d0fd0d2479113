"""What stops a running statement: its user, or its deadline.

A statement runs from its start until its last row was read, in calls of its session; `Running` is one such statement.
Promises: a cancel is not lost, wherever the statement is (between two steps, planning, waiting for a lock, with a
reader who takes his time): the longer ones ask (`check`), and DuckDB is interrupted again and again until the statement
has noticed. Once it has, nothing interrupts it any more. What is decided is not interrupted either, such as shards that
commit, nor what cleans up (`undisturbed`). The statement after it is never hit.
Leaves to others: which connections to interrupt (`executor/connections.py`), who cancels (`session.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from enum import Enum
from typing import Protocol

from ..errors import QueryCanceledError

_REPEAT_S = 0.01
"""DuckDB forgets an interrupt that comes before it has begun to run what it was given."""

_LINGER_S = 1.0
"""How long the watchdog stays without work, since the next statement will have a deadline too."""

_current: ContextVar[Running | None] = ContextVar("duckraft_running", default=None)


class _State(Enum):
    STOPPABLE = 1
    DECIDED = 2
    OVER = 3


class Running:
    """One running statement. Used by the thread of its session, but for `cancel` and `expire`.

    interrupt: stops what DuckDB does for it; called from other threads, never after `end`. timeout_s: how long it may
    run from now on; None for as long as it takes.
    """

    __slots__ = ("_busy", "_error", "_lock", "_state", "_token", "_wake", "_watched", "interrupt", "left_at")

    def __init__(self, interrupt: Callable[[], None], timeout_s: float | None = None) -> None:
        self.interrupt = interrupt
        self._lock = threading.Lock()
        self._error: QueryCanceledError | None = None
        self._busy = False
        self._state = _State.STOPPABLE
        self._token: Token[Running | None] | None = None
        self._wake: Callable[[], None] | None = None
        self.left_at = time.monotonic()
        """When the last call of its session has ended (`time.monotonic`)."""
        self._watched = timeout_s is not None
        if timeout_s is not None:
            watchdog.watch(self, time.monotonic() + timeout_s)

    @property
    def busy(self) -> bool:
        """Whether a call of its session works on it now."""
        return self._busy

    @property
    def error(self) -> QueryCanceledError | None:
        """Why it must stop; None as long as it may go on."""
        return self._error

    def enter(self) -> None:
        """A call of its session begins to work on it. Raises QueryCanceledError if it must stop."""
        self._token = _current.set(self)
        self._busy = True
        try:
            self.check()
        except QueryCanceledError:
            self.leave()
            raise

    def leave(self) -> None:
        """That call is over; rows may still be to come."""
        self.left_at = time.monotonic()
        self._busy = False
        if self._token is not None:
            _current.reset(self._token)
            self._token = None

    def end(self) -> None:
        """It is over: nothing of it can hit what comes after."""
        self._become(_State.OVER)
        if self._watched:
            watchdog.forget(self)

    def cancel(self) -> None:
        """Make it raise QueryCanceledError as soon as it can. May be called from any thread, at any time."""
        self.stop(QueryCanceledError("canceling statement due to user request"))

    def expire(self) -> None:
        """As `cancel`, because its time is up."""
        self.stop(QueryCanceledError("canceling statement due to statement timeout"))

    def check(self) -> None:
        """Raise QueryCanceledError if it must stop and has not noticed yet."""
        if self._error is not None and self._state is _State.STOPPABLE:
            self._become(_State.OVER)
            raise self._error

    def decide(self) -> None:
        """From now on it can only succeed, or fail by itself. Raises QueryCanceledError if it must stop."""
        self.check()
        if self._state is _State.STOPPABLE:
            self._become(_State.DECIDED)

    def go_on(self) -> None:
        """Another step begins that can still be taken back. Raises QueryCanceledError if it must stop."""
        if self._state is _State.DECIDED:
            self._become(_State.STOPPABLE)
        self.check()

    def hold(self) -> _State:
        """Do not interrupt it for now. Returns what `release` wants to know."""
        with self._lock:
            before = self._state
            if before is _State.STOPPABLE:
                self._state = _State.DECIDED
            return before

    def release(self, before: _State) -> None:
        """It may be interrupted as it could before `hold`."""
        self._become(before)

    @contextmanager
    def woken_by_stop(self, wake: Callable[[], None]) -> Iterator[None]:
        """Inside, `wake` is called, from another thread, as soon as it must stop, and again until it has noticed."""
        with self._lock:
            before, self._wake = self._wake, wake
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._wake = before

    def notice(self) -> None:
        """DuckDB was interrupted for it."""
        self._become(_State.OVER)

    def _become(self, state: _State) -> None:
        with self._lock:
            self._state = state

    def stop(self, error: QueryCanceledError) -> None:
        """As `cancel`, with an error that says why."""
        with self._lock:
            if self._state is _State.OVER:
                return
            if self._error is None:
                self._error = error
            if not self._busy:
                return  # The next call that works on it asks.
            if self._wake is not None:
                self._wake()
            if self._state is _State.STOPPABLE:
                self.interrupt()
            self._watched = True
            watchdog.watch(self, time.monotonic() + _REPEAT_S)


def check() -> None:
    """Raise QueryCanceledError if the statement that this thread runs must stop."""
    running = _current.get()
    if running is not None:
        running.check()


def decide() -> None:
    """The statement that this thread runs takes a step that is not taken back: it is not stopped any more.

    Raises QueryCanceledError if it must stop.
    """
    running = _current.get()
    if running is not None:
        running.decide()


def go_on() -> None:
    """The statement that this thread runs begins a step that can be taken back. Raises QueryCanceledError."""
    running = _current.get()
    if running is not None:
        running.go_on()


@contextmanager
def undisturbed() -> Iterator[None]:
    """The statement that this thread runs is not interrupted inside, whoever wants it to stop."""
    running = _current.get()
    if running is None:
        yield
        return
    before = running.hold()
    try:
        yield
    finally:
        running.release(before)


def woken_by_stop(wake: Callable[[], None]) -> AbstractContextManager[None]:
    """Inside, `wake` is called, from another thread, when the statement that this thread runs must stop.

    It may be called several times. Raises QueryCanceledError if the statement must stop already.
    """
    running = _current.get()
    return nullcontext() if running is None else running.woken_by_stop(wake)


def notice() -> QueryCanceledError | None:
    """DuckDB was interrupted while this thread ran a statement: why; None if nobody said that it must stop."""
    running = _current.get()
    if running is None or running.error is None:
        return None
    running.notice()
    return running.error


class CancellableLock:
    """A lock that one thread may take several times, and whose waiting ends when the waiting statement must stop."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        check()
        if not self._lock.acquire(blocking=False):
            while not self._lock.acquire(timeout=_REPEAT_S):
                check()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Expiring(Protocol):
    """What the watchdog watches. It is told apart by identity."""

    def expire(self) -> None:
        """Its time is up. Called in the watchdog's thread: it must not wait, and not raise."""
        ...


class Watchdog:
    """A thread that stops what must stop when it is time. It lives while there are any, and a little longer."""

    def __init__(self) -> None:
        self._due: dict[Expiring, float] = {}
        self._changed = threading.Condition()
        self._wakes_at = 0.0
        self._alive = False

    def watch(self, one: Expiring, at: float) -> None:
        """Let its time be up at this moment (`time.monotonic`)."""
        with self._changed:
            self._due[one] = at
            if not self._alive:
                self._alive = True
                threading.Thread(target=self._run, name="duckraft-watchdog", daemon=True).start()
            elif at < self._wakes_at:
                self._changed.notify()

    def forget(self, one: Expiring) -> None:
        """Leave it alone; it may be expiring at this moment."""
        with self._changed:
            self._due.pop(one, None)

    def _run(self) -> None:
        while (ripe := self._next()) is not None:
            for one in ripe:
                one.expire()

    def _next(self) -> list[Expiring] | None:
        """Wait for the next moment: those whose time is up; None if there was nothing to do for a while."""
        with self._changed:
            now = time.monotonic()
            self._wakes_at = min(self._due.values(), default=now + _LINGER_S)
            came = self._wakes_at <= now or self._changed.wait(self._wakes_at - now)
            if not came and not self._due:
                self._alive = False
                return None
            now = time.monotonic()
            ripe = [one for one, at in self._due.items() if at <= now]
            for one in ripe:
                del self._due[one]
            return ripe


watchdog = Watchdog()
"""The one of this process."""
