"""Which shards of the database have changed since they were last looked at.

Whoever writes to shards says so for as long as it writes (`changing`), so that what was derived from their rows, such
as statistics and the plans made with them, is known to be good or not.
Promises: if `seen` gives the same stamp before and after something was read, no change of those shards was committed in
between. Safe for threads.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

Stamp = tuple[int, ...]
"""How often each of some shards was changed."""


class ShardVersions:
    """How often each shard of the database was changed, and which are being changed now."""

    def __init__(self) -> None:
        self._changes: Counter[int] = Counter()
        self._writers: Counter[int] = Counter()
        self._total = 0
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """How many changes have ended."""
        return self._total

    @contextmanager
    def changing(self, numbers: Iterable[int]) -> Iterator[None]:
        """For as long as these shards of the database are written to, commit or rollback included."""
        changed = list(numbers)
        with self._lock:
            self._writers.update(changed)
        try:
            yield
        finally:
            with self._lock:
                self._changes.update(changed)
                self._writers.subtract(changed)
                self._total += 1

    def seen(self, numbers: Iterable[int]) -> Stamp | None:
        """The stamp of these shards; None while one of them is being changed."""
        with self._lock:
            asked = list(numbers)
            if any(self._writers[number] for number in asked):
                return None
            return tuple(self._changes[number] for number in asked)
