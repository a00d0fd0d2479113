"""Counting while a statement runs: what each shard did, for EXPLAIN ANALYZE of changes and of streamed fragments.

Promises: costs next to nothing when nobody counts. Threads count too if they run in the context of their statement.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ...planner.costs import Cost

CHANGE = "change"
"""The name under which a statement counts that changes data, which has no fragments."""

_current: ContextVar[Recorder | None] = ContextVar("duckraft_recorder", default=None)


class Recorder:
    """The costs so far: by name (of a fragment, or `CHANGE`), by shard. Safe for threads."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[int, Cost]] = {}
        self._lock = threading.Lock()

    def add(self, name: str, shard: int, cost: Cost) -> None:
        """Add to what a shard did."""
        with self._lock:
            shards = self.parts.setdefault(name, {})
            shards[shard] = shards[shard].plus(cost) if shard in shards else cost


class Work:
    """A piece of work that is being timed. rows, bytes: to be set by who does it; waited_s: time that was not work."""

    def __init__(self) -> None:
        self.rows = 0
        self.bytes: int | None = None
        self.waited_s = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """What happens inside is waiting for others."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.waited_s += time.perf_counter() - start


@contextmanager
def recording() -> Iterator[Recorder]:
    """Count what the statement does that this thread runs inside."""
    recorder = Recorder()
    token = _current.set(recorder)
    try:
        yield recorder
    finally:
        _current.reset(token)


@contextmanager
def work(name: str, shard: int) -> Iterator[Work]:
    """What happens inside is work of this shard. shard: of the table for a fragment, of the database for a change."""
    recorder = _current.get()
    done = Work()
    start = time.perf_counter()
    yield done
    if recorder is not None:
        spent_s = time.perf_counter() - start - done.waited_s
        recorder.add(name, shard, Cost(done.rows, spent_s * 1000, done.bytes))
