"""What many threads ask for at the same time, done by one of them for all: the heart of group commit.

The first to come leads: it takes all that wait and deals with them. Meanwhile others gather. When it is done it wakes
the first of those to lead next, and then those whose work it has done; nobody else wakes up in between, as would all
that wait for one mutex.
Promises: everything is dealt with once, in the order in which it came, by one thread at a time. `submit` ends when
that has happened, not earlier. If dealing raises, so does `submit` of all that it was about.
Leaves to others: what is done (`store.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


LARGE_CROWD = 5
LINGER_S = 0.0005
"""Measured with 32 sessions on 8 shards: batches are a fifth larger, and rates as much higher."""


class Crowd:
    """How many threads are inside, in all gatherings that share it. Where many are, more come in a moment."""

    def __init__(self) -> None:
        self._count = 0
        self._guard = threading.Lock()

    def __enter__(self) -> None:
        with self._guard:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._count -= 1

    def linger(self) -> None:
        """Let others come, if there are many: what is done for several at once costs little more than for one."""
        if self._count >= LARGE_CROWD:
            time.sleep(LINGER_S)


class _Waiting(Generic[T]):
    """One that has come. turn: held until it is dealt with or has to lead."""

    __slots__ = ("failure", "is_done", "item", "turn")

    def __init__(self, item: T) -> None:
        self.item = item
        self.turn = threading.Lock()
        self.turn.acquire()
        self.is_done = False
        self.failure: BaseException | None = None


def _await(turn: threading.Lock) -> KeyboardInterrupt | None:
    """Wait for a turn, come what may: an interrupt is given back, since the item is dealt with all the same."""
    interrupt = None
    while True:
        try:
            turn.acquire()
        except KeyboardInterrupt as error:
            interrupt = error
        else:
            return interrupt


class Gathering(Generic[T]):
    """deal: called with all that has come since it was called last, never by two threads at the same time.

    crowd: shared with other gatherings whose threads may come to this one next.
    """

    def __init__(self, deal: Callable[[list[T]], None], crowd: Crowd | None = None) -> None:
        self._deal = deal
        self._crowd = crowd or Crowd()
        self._guard = threading.Lock()
        self._waiting: list[_Waiting[T]] = []
        self._is_led = False

    def submit(self, item: T) -> None:
        """Have an item dealt with. Raises what `deal` raised for it and those beside it."""
        with self._crowd:
            self._submit(item)

    def _submit(self, item: T) -> None:
        one = _Waiting(item)
        with self._guard:
            self._waiting.append(one)
            leads = not self._is_led
            self._is_led = True
        interrupt = None if leads else _await(one.turn)
        if not one.is_done:
            self._lead()
        failure = one.failure or interrupt
        if failure is not None:
            raise failure

    def _lead(self) -> None:
        """Deal with all that wait, this thread's item among them, and hand the lead on."""
        with suppress(KeyboardInterrupt):  # It comes too late: others count on this thread.
            self._crowd.linger()
        with self._guard:
            batch, self._waiting = self._waiting, []
        failure: BaseException | None = None
        try:
            self._deal([one.item for one in batch])
        except BaseException as error:
            failure = error
        with self._guard:
            successor = self._waiting[0] if self._waiting else None
            self._is_led = successor is not None
        if successor is not None:
            successor.turn.release()
        for one in batch:
            one.failure = failure
            one.is_done = True
            one.turn.release()
