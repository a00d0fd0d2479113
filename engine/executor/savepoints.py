"""Savepoints of one transaction: how far each shard's writer had come at each of them.

DuckDB has no savepoints. Going back to one means that each writer forgets what it has recorded since, begins anew and
makes the rest again. Locks that were taken since are kept.
Leaves to others: doing that (`session_transactions.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import ProgrammingError


@dataclass(frozen=True, slots=True)
class _Savepoint:
    name: str
    marks: Mapping[int, int]


class Savepoints:
    """In the order in which they were made. Names may come again: the last one of a name is meant."""

    def __init__(self) -> None:
        self._made: list[_Savepoint] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._made)

    def add(self, name: str, marks: Mapping[int, int]) -> None:
        """A new one. marks: by shard, how many operations its writer has recorded."""
        self._made.append(_Savepoint(name, marks))

    def release(self, name: str) -> None:
        """Forget it, and those after it. Raises ProgrammingError if there is none of this name."""
        del self._made[self._find(name) :]

    def go_back(self, name: str) -> Mapping[int, int]:
        """Forget those after it: its marks. Raises ProgrammingError if there is none of this name."""
        at = self._find(name)
        del self._made[at + 1 :]
        return self._made[at].marks

    def clear(self) -> None:
        """The transaction is over."""
        self._made.clear()

    def _find(self, name: str) -> int:
        for at in reversed(range(len(self._made))):
            if self._made[at].name == name:
                return at
        raise ProgrammingError(
            f'savepoint "{name}" does not exist',
            sqlstate="3B001",
            hint="ROLLBACK ends the whole transaction.",
        )
