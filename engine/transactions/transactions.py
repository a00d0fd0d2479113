"""The transactions of a database: what they share, how one begins and ends.

Promises: a transaction ends everywhere or nowhere. Its locks are given up when it has ended, never before. After one
whose outcome nobody knows, its shards take no changes and no locks until the database is opened again.
Leaves to others: what it does between (`executor`), the commit on one shard (`store.py`) and on several (`commit.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial

from ..catalog.model import Table
from ..errors import Error, OperationalError, SerializationError
from ..storage import duck, interruption
from ..storage.log import ShardLog
from ..storage.shard import alias
from .commit import commit_everywhere
from .gate import CommitGate
from .gathering import Crowd
from .ids import TransactionIds
from .locks import Mode, Resource
from .recovery import recover, settle_outcomes
from .snapshots import Snapshots
from .store import ShardStore
from .transaction import Isolation, State, Transaction
from .waiting import IfTaken, Locks

CHECKPOINT_WAIT_S = 5.0
"""How long the statement CHECKPOINT waits for transactions that are in its way."""

_CHECKPOINT_AGAIN_S = 0.01

CATALOG = ("catalog",)
"""The resource that statements hold whose tables must stay as they are, and exclusively those that change them."""


class Transactions:
    """Shared by all sessions. Safe for threads.

    applying: told which shards are about to change, for as long as they do. statement: what a transaction or session
    runs now, by its id or name.
    """

    def __init__(
        self,
        applying: Callable[[Sequence[int]], AbstractContextManager[None]],
        statement: Callable[[str], str] = lambda _owner: "",
    ) -> None:
        self.gate = CommitGate()
        self.locks = Locks(statement)
        self.snapshots = Snapshots()
        self.stores: dict[int, ShardStore] = {}
        self.active: dict[str, Transaction] = {}
        self._applying = applying
        self._crowd = Crowd()
        self._ids = TransactionIds()

    def add_shard(self, number: int, log: ShardLog | None, instance: duck.Connection) -> ShardStore:
        """A shard that was attached takes part from now on."""
        settle = partial(settle_outcomes, self.stores)
        store = ShardStore(number, log, instance, self.gate, self._applying, settle, crowd=self._crowd)
        self.stores[number] = store
        return store

    def recover(self, instance: duck.Connection) -> None:
        """Finish what a crash interrupted, before anybody reads or writes. Raises errors.Error."""
        recover(self.stores, instance)

    def checkpoint(self) -> None:
        """Bring every shard's file up to its log.

        Raises OperationalError, 55006, if open transactions are in the way of it for long: DuckDB writes none while one
        has changed rows, or still sees rows that were changed since it began.
        """
        ends_at = time.monotonic() + CHECKPOINT_WAIT_S
        for store in list(self.stores.values()):
            while not store.checkpoint() and store.log is not None:
                if time.monotonic() > ends_at:
                    raise OperationalError(
                        f"cannot write a checkpoint of {alias(store.number)}: transactions are open that changed "
                        "rows, or began before rows were changed",
                        sqlstate="55006",
                        hint="Try again when they have ended, and results are read; SHOW TRANSACTIONS lists them. "
                        "What was committed is in the log.",
                        retryable=True,
                    )
                interruption.check()
                time.sleep(_CHECKPOINT_AGAIN_S)

    def begin(
        self,
        session: str,
        isolation: Isolation = Isolation.READ_COMMITTED,
        *,
        read_only: bool = False,
        implicit: bool = False,
        statement: str = "",
    ) -> Transaction:
        """A new transaction."""
        transaction = Transaction(
            self._ids.next(), session, isolation, read_only, implicit, statement=statement
        )
        self.active[transaction.id] = transaction
        self.locks.enlist(transaction.id, session)
        return transaction

    def lock(
        self,
        transaction: Transaction,
        table: Table,
        shard: int,
        key: Hashable | None,
        *,
        shared: bool = False,
        timeout_s: float | None = None,
        wait: IfTaken = "wait",
    ) -> bool:
        """Lock a key of a table's shard, or for None all rows there, to the end of the transaction.

        shard: the database's number. Returns False if others have it and it is to be skipped. Raises LockTimeoutError,
        DeadlockError, SerializationError for a transaction on a snapshot that does not show what was changed there, or
        OperationalError for a shard that takes no more changes.
        """
        whole = rows_of(table, shard)
        owner = transaction.id
        for resource, mode in _parts(whole, key, shared=shared):
            if not self.locks.acquire(owner, resource, mode, timeout_s=timeout_s, wait=wait):
                return False
        self.stores[shard].check()
        if transaction.snapshot is not None and self.snapshots.is_stale(transaction.snapshot, whole, key):
            raise SerializationError(
                f'rows of "{table.name}" were changed by a transaction that this one does not see',
                hint="Run the transaction again from its beginning.",
            )
        if not shared:
            transaction.locked.append((whole, key))
        return True

    def unlock(
        self, transaction: Transaction, table: Table, shard: int, key: Hashable | None, *, shared: bool
    ) -> None:
        """Give one lock back before the transaction ends: nothing that it has read or changed needs it."""
        whole = rows_of(table, shard)
        for resource, mode in _parts(whole, key, shared=shared):
            self.locks.release(transaction.id, resource, mode)
        if not shared:
            transaction.locked.remove((whole, key))

    def commit(self, transaction: Transaction) -> None:
        """Make what it has done durable and visible, all of it or nothing. Raises errors.Error."""
        writers = [writer for writer in transaction.writers.values() if writer.changed]
        try:
            for writer in transaction.writers.values():
                if not writer.changed:
                    writer.roll_back()
            interruption.decide()
            transaction.state = State.COMMITTING
            if len(writers) == 1:
                writers[0].store.commit(writers[0])
            elif writers:
                commit_everywhere(self.stores, self.gate, self._applying, transaction.id, writers)
        except Error as error:
            if error.outcome_known:
                self.roll_back(transaction)
            else:
                self.leave_in_doubt(transaction, [writer.number for writer in writers], error)
            raise
        for writer in writers:
            writer.is_open = False
            writer.store.keep_from.pop(transaction.id, None)
        self._end(transaction)

    def roll_back(self, transaction: Transaction) -> None:
        """Undo what it has done on every shard. Raises errors.Error."""
        failure: Error | None = None
        for writer in transaction.writers.values():
            try:
                writer.roll_back()
                writer.store.abort(transaction.id)
            except Error as error:
                failure = failure or error
        self._end(transaction)
        if failure is not None:
            raise failure

    def leave_in_doubt(self, transaction: Transaction, shards: Sequence[int], error: Error) -> None:
        """Nobody knows whether it was committed: only what is in memory goes. The logs stay as they are until the
        database is opened again and learns what became of it.

        shards: the numbers of those that it has changed. Others wait for its locks no longer, but take none there.
        """
        transaction.state = State.IN_DOUBT
        for number in shards:
            self.stores[number].fail(error)
        for writer in transaction.writers.values():
            with suppress(Error):
                writer.roll_back()
        if transaction.snapshot is not None:
            self.snapshots.let_go(transaction.snapshot)
        self.locks.release_all(transaction.id)

    def _end(self, transaction: Transaction) -> None:
        changed = {
            writer.number: writer.committed for writer in transaction.writers.values() if writer.committed
        }
        if changed and transaction.locked:
            self.snapshots.changed(max(changed.values()), transaction.locked)
        if transaction.snapshot is not None:
            self.snapshots.let_go(transaction.snapshot)
        transaction.state = State.ENDED
        self.active.pop(transaction.id, None)
        self.locks.release_all(transaction.id)


def _parts(whole: Resource, key: Hashable | None, *, shared: bool) -> list[tuple[Resource, Mode]]:
    """What is locked for a key, from the whole to the part; for None, all rows."""
    mode = Mode.SHARED if shared else Mode.EXCLUSIVE
    if key is None:
        return [(whole, mode)]
    return [(whole, Mode.INTENTION_SHARED if shared else Mode.INTENTION_EXCLUSIVE), ((whole, key), mode)]


def rows_of(table: Table, shard: int) -> Resource:
    """The resource that stands for a table's rows on a shard."""
    return ("rows", *table.key, shard)
