"""One transaction: what it is allowed, what it has changed, how it stands.

Leaves to others: its statements (`executor`), its end (`transactions.py`).
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum

from ..errors import OperationalError
from ..sql.transaction import Isolation as Isolation
from .writer import ShardWriter


class State(StrEnum):
    """Where a transaction stands."""

    ACTIVE = "active"
    SAVED = "failed since a savepoint"
    FAILED = "failed"
    COMMITTING = "committing"
    IN_DOUBT = "in doubt"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class Transaction:
    """Used by the thread of its session; others read it for SHOW TRANSACTIONS.

    id: sortable, unique in the whole system; the younger is greater. implicit: whether it is one statement that nobody
    began. snapshot: for REPEATABLE READ, the number of the last commit that it sees, once it has looked. locked: what
    it holds exclusively: (rows of a table on a shard, key or None for all). has_looked:
    whether it has read or written. statement: the one that runs, or ran last.
    """

    id: str
    session: str
    isolation: Isolation = Isolation.READ_COMMITTED
    read_only: bool = False
    implicit: bool = False
    state: State = State.ACTIVE
    writers: dict[int, ShardWriter] = field(default_factory=dict)
    snapshot: int | None = None
    locked: list[tuple[Hashable, Hashable | None]] = field(default_factory=list)
    has_looked: bool = False
    statement: str = ""
    started_at: float = field(default_factory=time.time)
    failure: BaseException | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has changes and locks that are still to be made good or undone by its session."""
        return self.state in (State.ACTIVE, State.SAVED)

    @property
    def has_written(self) -> bool:
        """Whether it has changed anything so far, so that its reads differ from those of others."""
        return any(writer.changed for writer in self.writers.values())

    def check_may_write(self, verb: str) -> None:
        """Raise OperationalError if it was begun READ ONLY."""
        if self.read_only:
            raise OperationalError(
                f"cannot execute {verb} in a read-only transaction",
                sqlstate="25006",
                hint="Begin the transaction with READ WRITE.",
            )
