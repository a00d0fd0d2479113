"""Which shards of the database have changed since they were last looked at.

Whoever writes to shards says so for as long as it writes (`changing`), so that what was derived from their rows, such
as statistics and the plans made with them, is known to be good or not. Who holds the write lock and has said nothing
when giving it up counts as one that has changed every shard.
Promises: if `changes` gives the same number before and after something was read, no change of that shard was committed
in between. Safe for threads.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..storage.interruption import CancellableLock


class ShardVersions:
    """How often each shard of the database was changed, and which are being changed now."""

    def __init__(self) -> None:
        self._changes: Counter[int] = Counter()
        self._writers: Counter[int] = Counter()
        self._total = 0
        self._of_all = 0
        self._told = 0
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
            self._told += 1
        try:
            yield
        finally:
            with self._lock:
                self._changes.update(changed)
                self._writers.subtract(changed)
                self._total += 1

    @property
    def told(self) -> int:
        """How often somebody has said which shards are changing."""
        return self._told

    def all_changed(self) -> None:
        """Nobody knows which shards were changed."""
        with self._lock:
            self._of_all += 1
            self._total += 1

    def changes(self, number: int) -> int | None:
        """How often a shard was changed; None while it is being changed."""
        with self._lock:
            return None if self._writers[number] else self._changes[number] + self._of_all

    def unchanged(self, known: Iterable[tuple[int, int]]) -> bool:
        """Whether each of these (shard, number of changes) still holds."""
        return all(self.changes(number) == changes for number, changes in known)


class WriteLock(CancellableLock):
    """The lock that everybody holds who changes data or definitions. One thread may take it several times."""

    def __init__(self, versions: ShardVersions) -> None:
        super().__init__()
        self._versions = versions
        self._depth = 0
        self._told = 0

    def __enter__(self) -> None:
        super().__enter__()
        self._depth += 1
        if self._depth == 1:
            self._told = self._versions.told

    def __exit__(self, *exception: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self._versions.told == self._told:
            self._versions.all_changed()
        super().__exit__(*exception)
