"""The gate between commits and snapshots: two rooms of which only one is open.

A commit makes its changes visible on one shard after another; a snapshot looks at one shard after another. While one
kind is inside, the other waits, so that a snapshot shows a commit on all of its shards or on none, and shows no commit
without those that ended before it began. Any number of commits, or any number of snapshots, are inside at once.
Promises: neither kind starves. Waiting is short: nobody waits for a disk, a lock or a user inside.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum


class _Room(Enum):
    COMMITS = 0
    SNAPSHOTS = 1


class CommitGate:
    """Safe for threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._open = _Room.COMMITS
        self._waiting = {_Room.COMMITS: 0, _Room.SNAPSHOTS: 0}
        self._commits = 0

    @property
    def commits(self) -> int:
        """How many commits have begun so far. With the same number at two moments, no commit has begun in between."""
        return self._commits

    @property
    def quiet(self) -> bool:
        """Whether no commit is being made visible now."""
        return self._open is not _Room.COMMITS or not self._inside

    @contextmanager
    def committing(self) -> Iterator[int]:
        """While a commit makes its changes visible. Gives its number: later commits have greater ones."""
        number = self._enter(_Room.COMMITS)
        try:
            yield number
        finally:
            self._leave()

    @contextmanager
    def snapshot(self) -> Iterator[int]:
        """While a snapshot looks at the shards. Gives the number of the last commit that it shows."""
        number = self._enter(_Room.SNAPSHOTS)
        try:
            yield number
        finally:
            self._leave()

    def _enter(self, room: _Room) -> int:
        other = _Room.SNAPSHOTS if room is _Room.COMMITS else _Room.COMMITS
        with self._changed:
            if not self._may_enter(room, other):
                self._waiting[room] += 1
                try:
                    while not self._may_enter(room, other):
                        self._changed.wait()
                finally:
                    self._waiting[room] -= 1
            self._open = room
            self._inside += 1
            if room is _Room.COMMITS:
                self._commits += 1
            return self._commits

    def _may_enter(self, room: _Room, other: _Room) -> bool:
        """An empty gate is for whom it was opened; a newcomer does not join others while the other room waits."""
        if self._open is room:
            return not self._waiting[other] or not self._inside
        return not self._inside and not self._waiting[other]

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            if self._inside:
                return
            other = _Room.SNAPSHOTS if self._open is _Room.COMMITS else _Room.COMMITS
            if self._waiting[other]:
                self._open = other
            if any(self._waiting.values()):
                self._changed.notify_all()
