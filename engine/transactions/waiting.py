"""Locks for threads: the lock table behind a mutex, with waiting, timeouts, and an end to deadlocks.

Promises: a wait ends at once when the lock is granted, when the waiting statement is cancelled or its time is up, when
its transaction is killed, or chosen to end a deadlock. Whatever a wait ends with other than the lock leaves no trace
of it in the table, and lets those behind it go on.
Leaves to others: the rules (`locks.py`), circles (`deadlock.py`), rolling back who lost (`release_all` follows then).
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

from ..errors import DeadlockError, Error, LockTimeoutError, QueryCanceledError
from ..storage import interruption
from . import deadlock
from .deadlock import Deadlock
from .locks import LockInfo, LockTable, Mode, Request, Resource

IfTaken = Literal["wait", "nowait", "skip"]
"""What to do about a lock that others have: wait for it, raise, or do without."""

_AGAIN_S = 1.0
"""How long a wait goes on before it looks for deadlocks once more."""

_REMEMBERED = 64


class Locks:
    """All locks of one process, for its threads. statement: what an owner is running now, for those who look."""

    def __init__(self, statement: Callable[[str], str] = lambda _owner: "") -> None:
        self._table = LockTable()
        self._mutex = threading.Lock()
        self._wakers: dict[Request, threading.Event] = {}
        self._killed: dict[str, Error] = {}
        self._deadlocks: deque[Deadlock] = deque(maxlen=_REMEMBERED)
        self._statement = statement

    def enlist(self, transaction: str, session: str) -> None:
        """Say that a session is in this transaction, before it locks anything; `release_all(transaction)` ends it.

        Locks of the two do not conflict, and deadlocks that lead through both are found.
        """
        with self._mutex:
            self._table.enlist(transaction, session)

    def acquire(
        self,
        owner: str,
        resource: Resource,
        mode: Mode,
        *,
        timeout_s: float | None = None,
        wait: IfTaken = "wait",
    ) -> bool:
        """Take a lock, in addition to what the owner holds already. False if it was taken and is to be skipped.

        owner: a transaction or a session. timeout_s: how long to wait; None for as long as it takes.
        Raises LockTimeoutError (also for "nowait"), DeadlockError, QueryCanceledError, and what `kill` was given.
        """
        now = time.time()
        with self._mutex:
            if self._killed and (error := self._killed.get(self._table.transaction_of(owner))) is not None:
                raise error
            if wait != "wait":
                request = None
                taken = not self._table.try_acquire(owner, resource, mode, now)
            else:
                request = self._table.request(owner, resource, mode, now)
                taken = False
                if request is not None:
                    self._wakers[request] = threading.Event()
        if request is not None:
            self._wait(request, timeout_s)
        elif taken and wait == "nowait":
            raise LockTimeoutError(
                f"could not obtain a lock on {resource_text(resource)}",
                hint="Others hold it: see SHOW LOCKS.",
            )
        return not taken

    def try_acquire(self, owner: str, resource: Resource, mode: Mode) -> bool:
        """Take a lock if it is to be had at once, and say whether it was."""
        return self.acquire(owner, resource, mode, wait="skip")

    def release(self, owner: str, resource: Resource, mode: Mode | None = None) -> bool:
        """Give one acquisition in this mode back; without a mode, all of the resource. False if it was not held."""
        with self._mutex:
            held = self._table.holds(owner, resource, mode)
            self._wake(self._table.release(owner, resource, mode, time.time()))
        return held

    def release_all(self, owner: str) -> None:
        """Give everything back that the owner holds. If it is a transaction, it is over."""
        with self._mutex:
            granted = self._table.release_all(owner, time.time())
            if granted:
                self._wake(granted)
            if self._killed:
                self._killed.pop(owner, None)

    def held(self, owner: str) -> dict[Resource, Mode]:
        """What an owner holds."""
        with self._mutex:
            return self._table.held(owner)

    def kill(self, owner: str, error: Error | None = None) -> bool:
        """Let what the session of an owner waits for raise this error. A transaction gets no lock any more, either.

        False if it is not an enlisted transaction and waits for nothing.
        """
        error = error or QueryCanceledError("canceling statement because its transaction was killed")
        with self._mutex:
            enlisted = self._table.is_enlisted(owner)
            if enlisted:
                self._killed[owner] = error
            waits = self._table.waits_of(owner)
            for request in waits:
                self._refuse(request, error)
        return enlisted or bool(waits)

    def snapshot(self) -> list[LockInfo]:
        """Every lock that is held or waited for."""
        with self._mutex:
            return self._table.snapshot()

    def deadlocks(self) -> list[Deadlock]:
        """The last deadlocks, the oldest first."""
        with self._mutex:
            return list(self._deadlocks)

    def _wait(self, request: Request, timeout_s: float | None) -> None:
        event = self._wakers[request]
        begun = time.monotonic()
        try:
            with interruption.woken_by_stop(event.set):
                self._end_deadlocks(request)
                while not request.granted:
                    if request.error is not None:
                        raise request.error
                    interruption.check()
                    left_s = math.inf if timeout_s is None else begun + timeout_s - time.monotonic()
                    if left_s <= 0:
                        self._give_up(request)
                    elif not event.wait(min(left_s, _AGAIN_S)):
                        self._end_deadlocks(request)
                    event.clear()
        except BaseException:
            with self._mutex:
                self._wake(self._table.withdraw(request, time.time()))
            raise
        finally:
            with self._mutex:
                self._wakers.pop(request, None)

    def _end_deadlocks(self, request: Request) -> None:
        """End the deadlocks that a waiting request is part of, until there are none."""
        while True:
            with self._mutex:
                waits = self._table.is_waiting(request) and self._table.is_waited_for(request.session)
                circle = deadlock.find_circle(self._table, request) if waits else None
            if circle is None:
                return
            # Not under the mutex: who knows the statements may need it, or be slow.
            found = deadlock.record(circle, self._statement, time.time())
            with self._mutex:
                if not deadlock.still_exists(self._table, circle):
                    continue
                passed = next((one for one in circle if self._table.overtake(one, found.at)), None)
                if passed is not None:
                    self._wake([passed])
                else:
                    self._deadlocks.append(found)
                    self._refuse(deadlock.youngest(circle), _deadlock_error(found))

    def _refuse(self, request: Request, error: Error) -> None:
        """Let a waiting request raise. The mutex is held."""
        request.error = error
        self._wake([request, *self._table.withdraw(request, time.time())])

    def _wake(self, requests: Iterable[Request]) -> None:
        """Let those who wait for these requests look at them. The mutex is held."""
        for request in requests:
            if (event := self._wakers.get(request)) is not None:
                event.set()

    def _give_up(self, request: Request) -> None:
        """Raise LockTimeoutError, unless the wait has ended in another way at the last moment."""
        with self._mutex:
            if not self._table.is_waiting(request):
                return
            blockers = dict.fromkeys(other.owner for other in self._table.blockers(request))
        raise LockTimeoutError(
            "canceling statement due to lock timeout",
            detail=f"It waited for {resource_text(request.resource)}, which {', '.join(blockers)} locked.",
            hint="Send it again, or SET lock_timeout to a longer time. SHOW LOCKS says who waits for whom.",
        )


def resource_text(resource: Resource) -> str:
    """A resource in words, for messages."""
    match resource:
        case ("rows", schema, table, number):
            return f"rows of {schema}.{table} on shard {number}"
        case (("rows", schema, table, _), key):
            values = key if isinstance(key, tuple) else (key,)
            return f"key ({', '.join(map(repr, values))}) of {schema}.{table}"
        case ("advisory", *name):
            return f"resource {', '.join(map(repr, name))}"
        case ("catalog",):
            return "the catalog"
        case _:
            return " ".join(map(str, resource))


def mode_text(mode: Mode) -> str:
    """A mode in words, such as INTENTION EXCLUSIVE."""
    return mode.name.replace("_", " ")


def _deadlock_error(found: Deadlock) -> DeadlockError:
    lines = (
        f"{wait.transaction} waits for {mode_text(wait.mode)} on {resource_text(wait.resource)};"
        f" blocked by {wait.blocker}."
        for wait in found.waits
    )
    return DeadlockError(
        "deadlock detected",
        detail="\n".join(lines),
        hint="The youngest of them gave way, which is this one: send all of it again. See SHOW DEADLOCKS.",
    )
