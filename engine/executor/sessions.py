"""The sessions of a database as they see each other: what each is doing, and how one is stopped.

Leaves to others: what a session does when it is told to stop (`session.py`), showing all this (`activity.py`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from ..errors import QueryCanceledError

if TYPE_CHECKING:
    from ..transactions.transaction import Transaction


class Member(Protocol):
    """A session, for any thread at any time."""

    @property
    def name(self) -> str:
        """Unique among the sessions of the database."""
        ...

    @property
    def statement(self) -> str:
        """The text of the statement that runs, or ran last."""
        ...

    @property
    def since(self) -> float:
        """When that statement began, in seconds since 1970."""
        ...

    @property
    def is_running(self) -> bool:
        """Whether it still runs, or its rows are still being read."""
        ...

    @property
    def transaction(self) -> Transaction | None:
        """The transaction that is open, of BEGIN or of the statement alone."""
        ...

    def cancel(self) -> None:
        """Stop the statement that runs, if one does."""
        ...

    def end_transaction(self, error: QueryCanceledError) -> None:
        """Undo the open transaction as soon as may be; its session then gets this error until it rolls back."""
        ...


class Sessions:
    """Those that are open. Safe for threads."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._lock = threading.Lock()

    def join(self, member: Member) -> None:
        """A session was opened."""
        with self._lock:
            self._members[member.name] = member

    def leave(self, member: Member) -> None:
        """It was closed."""
        with self._lock:
            self._members.pop(member.name, None)

    def members(self) -> list[Member]:
        """All of them, in the order in which they were opened."""
        with self._lock:
            return list(self._members.values())

    def find(self, identifier: str) -> Member | None:
        """The session of this name, or the one whose transaction has this id."""
        with self._lock:
            known = self._members.get(identifier)
        if known is not None:
            return known
        return next((one for one in self.members() if _is_in(one, identifier)), None)

    def statement_of(self, identifier: str) -> str:
        """The statement of that session; empty if there is none."""
        member = self.find(identifier)
        return "" if member is None else member.statement


def _is_in(member: Member, transaction_id: str) -> bool:
    transaction = member.transaction
    return transaction is not None and transaction.id == transaction_id
