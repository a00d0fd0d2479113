"""What ends a transaction from outside: `transaction_timeout`, `idle_in_transaction_session_timeout`, KILL TRANSACTION.

Promises: a transaction that must end is rolled back soon, and its locks are given up, also while its session does
nothing; the session gets the reason with every statement until it sends ROLLBACK or COMMIT, and with that COMMIT, too.
What is decided, such as a COMMIT at work, is not taken back. A timer hits no transaction but its own.
Leaves to others: when a session's call begins and ends (`session.py`), rolling back (`session_transactions.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ..errors import Error, QueryCanceledError
from ..storage.interruption import Running, watchdog
from ..transactions.transaction import Transaction
from .session_transactions import SessionTransactions

_AGAIN_S = 0.01
"""After this time one looks again whether a session that was busy has noticed that its transaction must end."""


@dataclass(slots=True, eq=False)
class _Timer:
    """Calls `call` when the watchdog says so."""

    call: Callable[[_Timer], None]

    def expire(self) -> None:
        """Its time is up."""
        self.call(self)


class TransactionLimits:
    """Those of one session.

    transaction_timeout_s: how long a transaction may take from its BEGIN to its end. idle_timeout_s: how long it may
    wait for the session's next call. None for as long as it takes.
    """

    def __init__(self, transactions: SessionTransactions) -> None:
        self.transaction_timeout_s: float | None = None
        self.idle_timeout_s: float | None = None
        self._transactions = transactions
        self._calls = threading.Lock()
        """Held by the session while it runs a statement, and by whoever ends its transaction in its place."""
        self._running: Running | None = None
        self._timed: tuple[Transaction | None, float | None] = (None, None)
        """The transaction whose time counts, and the time that it was given."""
        self._begun_at = 0.0
        self._whole: _Timer | None = None
        self._idle: _Timer | None = None

    @property
    def is_timed(self) -> bool:
        """Whether the time of the open transaction counts."""
        return self._whole is not None

    def enter(self, running: Running) -> None:
        """The session begins to run a statement."""
        self._calls.acquire()
        self._running = running
        if self._idle is not None:
            watchdog.forget(self._idle)
            self._idle = None

    def leave(self) -> None:
        """It has run it; rows may still be to come."""
        try:
            transaction = self._transactions.explicit
            if (transaction, self.transaction_timeout_s) != self._timed:
                self._time(transaction)
            if transaction is None or not transaction.is_open:
                return
            if transaction.failure is not None:
                self._fail()
            elif self.idle_timeout_s is not None:
                self._idle = _Timer(self._idle_too_long)
                watchdog.watch(self._idle, time.monotonic() + self.idle_timeout_s)
        finally:
            self._calls.release()

    def close(self, stop: Callable[[], None]) -> None:
        """The session ends. What it runs in another thread is waited for. stop: makes it come to its end soon."""
        while not self._calls.acquire(timeout=_AGAIN_S):
            stop()
        try:
            self._time(None)
            if self._idle is not None:
                watchdog.forget(self._idle)
        finally:
            self._calls.release()

    def end(self, transaction: Transaction, error: QueryCanceledError) -> None:
        """Let a transaction end with this error, if it is still open. May be called from any thread."""
        if not transaction.is_open:
            return
        if transaction.failure is None:
            transaction.failure = error
        self._transactions.shared.locks.kill(transaction.id, error)
        if self._running is not None and self._transactions.current is transaction:
            self._running.stop(error)
        self._undo(transaction)

    def _time(self, transaction: Transaction | None) -> None:
        """Count the time of a transaction that has begun, or was given another; that of the one before is over."""
        if self._whole is not None:
            watchdog.forget(self._whole)
            self._whole = None
        if transaction is not self._timed[0]:
            self._begun_at = time.monotonic()
        self._timed = (transaction, self.transaction_timeout_s)
        if transaction is not None and self.transaction_timeout_s is not None:
            self._whole = _Timer(lambda _: self.end(transaction, _too_long()))
            watchdog.watch(self._whole, self._begun_at + self.transaction_timeout_s)

    def _idle_too_long(self, timer: _Timer) -> None:
        """End the transaction, unless its session has done something since."""
        if not self._calls.acquire(blocking=False):
            return
        try:
            transaction, running = self._transactions.explicit, self._running
            if (
                timer is not self._idle
                or transaction is None
                or running is None
                or self.idle_timeout_s is None
            ):
                return
            ends_at = running.left_at + self.idle_timeout_s
            if running.busy or ends_at > time.monotonic():
                # It reads rows.
                watchdog.watch(timer, max(ends_at, time.monotonic() + _AGAIN_S))
                return
            error = _idle()
            transaction.failure = error
            running.stop(error)
            self._fail()
        finally:
            self._calls.release()

    def _undo(self, transaction: Transaction) -> None:
        """Roll back a transaction that must end: now if its session is idle, or else as soon as it is."""
        if not self._calls.acquire(blocking=False):
            self._undo_later(transaction)
            return
        try:
            if self._transactions.explicit is not transaction:
                return
            if self._running is not None and self._running.busy:
                self._undo_later(transaction)
            else:
                self._fail()
        finally:
            self._calls.release()

    def _undo_later(self, transaction: Transaction) -> None:
        watchdog.watch(_Timer(lambda _: self._undo(transaction)), time.monotonic() + _AGAIN_S)

    def _fail(self) -> None:
        """Roll the open transaction back. The caller holds `_calls`."""
        with suppress(Error):  # The next statement finds the shard that could not.
            self._transactions.fail()


def _too_long() -> QueryCanceledError:
    return QueryCanceledError(
        "the transaction was rolled back due to transaction_timeout",
        sqlstate="25P04",
        hint="Send ROLLBACK, then begin again; or SET transaction_timeout to a longer time.",
    )


def _idle() -> QueryCanceledError:
    return QueryCanceledError(
        "the transaction was rolled back due to idle_in_transaction_session_timeout",
        sqlstate="25P03",
        hint="Send ROLLBACK, then begin again; or SET idle_in_transaction_session_timeout to a longer time.",
    )
