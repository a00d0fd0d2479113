"""Ids of transactions: text that is unique among all nodes and all times, and sorts by age.

An id is `<nanoseconds since 1970, 16 hex digits>-<node, 4>-<counter, 8>`: the younger of two is the greater, by text.
Promises: `next` is safe for threads, and never goes back where the clock does. A counter that begins anywhere keeps
ids apart even from those of an earlier process of the node whose clock was ahead.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import NewType

TransactionId = NewType("TransactionId", str)
"""30 characters of ASCII."""

_COUNTERS = 1 << 32


class TransactionIds:
    """Makes the ids of one node. node: 0 to 65535. clock_ns: nanoseconds since 1970."""

    def __init__(self, node: int = 0, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._node = node
        self._clock_ns = clock_ns
        self._last_ns = 0
        self._counter = secrets.randbelow(_COUNTERS)
        self._lock = threading.Lock()

    def next(self) -> TransactionId:
        """A new id, greater than every one before it."""
        with self._lock:
            self._last_ns = now_ns = max(self._last_ns + 1, self._clock_ns())
            self._counter = counter = (self._counter + 1) % _COUNTERS
        return TransactionId(f"{now_ns:016x}-{self._node:04x}-{counter:08x}")
