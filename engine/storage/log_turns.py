"""Whose turn it is to make the log durable: one fsync at a time, each for all that were waiting when it began.

Promises: who waits is woken once, when its fsync is done or when it has to do the next one itself. While somebody can
go on, nobody is left waiting: a thread that was woken and leaves without taking its turn passes it on.
Leaves to others: the fsync, and what is durable after it (`log.py`). All methods are called with the lock held; they
let it go while they wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """The turns of one log. lock: the log's."""

    def __init__(self, lock: threading.Lock) -> None:
        self._covered = threading.Condition(lock)
        """Where those wait whose entries the fsync that is running makes durable."""
        self._following = threading.Condition(lock)
        """Where those wait who need another fsync after it. One of them is woken to do it."""
        self._idle = threading.Condition(lock)
        """Where those wait who need the log without an fsync running."""
        self._target: int | None = None
        self._pausing = 0

    def begin_or_wait(self, up_to: int, last_sequence: int) -> bool:
        """True if the caller is to do an fsync, and to call `end` after it; otherwise it has waited for one.

        up_to: what the caller needs. last_sequence: up to which entry an fsync reaches if it begins now.
        """
        if self._target is None and not self._pausing:
            self._target = last_sequence
            self._covered, self._following = self._following, self._covered
            return True
        if self._target is not None and up_to <= self._target:
            self._covered.wait()
            return False
        try:
            self._following.wait()
        except BaseException:
            # An interrupted thread may have been the one that was woken to go on.
            self._following.notify()
            raise
        return False

    def end(self, *, failed: bool) -> None:
        """The fsync is over. failed: there will be no other, so nobody waits for one any longer."""
        self._target = None
        self._covered.notify_all()
        if failed:
            self._following.notify_all()
        else:
            self._following.notify()
        self._idle.notify_all()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Without an fsync running, and without one beginning. For changes of what is synced.

        An fsync of the caller's own belongs in here: if two of one descriptor overlap, the kernel tells an error to one
        of them only.
        """
        self._pausing += 1
        try:
            while self._target is not None:
                self._idle.wait()
            yield
        finally:
            self._pausing -= 1
            self._following.notify_all()
