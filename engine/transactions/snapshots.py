"""First updater wins: whether what a snapshot wants to change was changed by a commit that it does not show.

DuckDB tells for most changes of one row, and not for a row that one transaction changes and the other deletes; this
tells for all, in the size in which locks are taken: one key, or all of a table's rows on a shard.
Promises: no transaction on a snapshot changes what a later commit has changed. Nothing is kept while there are no
snapshots. Safe for threads.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable

Locked = tuple[Hashable, Hashable | None]
"""A table's rows on a shard, and the key of those that are meant; None for all of them."""


class Snapshots:
    """What was changed since the oldest snapshot that a transaction holds."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self._keys: dict[Locked, int] = {}
        self._parts: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def hold(self, snapshot: int) -> None:
        """A transaction has begun to read as of this number of commits."""
        with self._lock:
            self._held.append(snapshot)

    def let_go(self, snapshot: int) -> None:
        """That transaction has ended."""
        with self._lock:
            self._held.remove(snapshot)
            if not self._held:
                self._keys.clear()
                self._parts.clear()

    def changed(self, commit: int, locked: Iterable[Locked]) -> None:
        """The commit of this number has changed this. It still holds its locks."""
        if not self._held:
            return
        with self._lock:
            for whole, key in locked:
                self._keys[whole, key] = self._parts[whole] = commit

    def is_stale(self, snapshot: int, whole: Hashable, key: Hashable | None) -> bool:
        """Whether a key, or for None any row of the whole, was changed after the snapshot."""
        if key is None:
            return self._parts.get(whole, 0) > snapshot
        return max(self._keys.get((whole, key), 0), self._keys.get((whole, None), 0)) > snapshot
