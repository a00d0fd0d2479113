"""Opening the shards of a database: their files follow their logs again, and no transaction is left in doubt.

Each shard's file is as its last checkpoint left it; what its log has beyond that is run again. A transaction that a
shard had prepared, and of whose outcome it knows nothing, ends as the log of its deciding shard says.
Promises: after `recover` every transaction has happened on all its shards or on none. Opening twice, or a crash on the
way, changes nothing about that.
Leaves to others: the files (`storage`), the catalog (`executor/recovery.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress

from ..errors import CatalogFileError, Error, LogDamagedError, invariant
from ..storage import duck, settings, shard
from ..storage.log import Entry, EntryKind, ShardLog
from ..storage.operations import Operation, apply, decode
from ..testing import crashpoints
from . import records
from .protocol import Append, Apply, ParticipantEffect, Send, Sync
from .store import ShardStore

APPENDED: Mapping[EntryKind, str] = {
    EntryKind.PREPARE: "prepare-appended",
    EntryKind.COMMIT: "decision-appended",
    EntryKind.COMMIT_PREPARED: "outcome-appended",
    EntryKind.ABORT: "abort-appended",
}
"""The crash point behind each kind of entry of two-phase commit."""

_ENTRIES_TOGETHER = 256
"""How many commits are made one transaction of DuckDB when they are run again."""


def recover(stores: Mapping[int, ShardStore], instance: duck.Connection) -> None:
    """Bring every shard up to its log and resolve what is in doubt. Raises errors.Error."""
    for store in stores.values():
        if store.log is not None:
            _Replay(store, store.log, instance).run()
            crashpoints.reach("recovery-replayed")
    _resolve(stores, instance)
    crashpoints.reach("recovery-resolved")


def settle_outcomes(stores: Mapping[int, ShardStore]) -> None:
    """Make outcomes durable that nobody waited for, so that no shard has to remember its decisions any longer.

    Those of a shard whose log has failed stay as they are. The caller may hold the mutex of any shard.
    """
    sent: deque[Send] = deque()
    for store in list(stores.values()):
        if store.log is None:
            continue
        with suppress(Error):
            store.sync(store.log.last_sequence)
        with store.books:
            effects = store.participant.synced(store.log.durable_sequence)
        sent.extend(effect for effect in effects if isinstance(effect, Send))
    for send in sent:
        receiver = stores[send.to]
        with receiver.books:
            receiver.participant.receive(send.message)


class _Replay:
    """Runs again what a shard's log has and its file lacks."""

    def __init__(self, store: ShardStore, log: ShardLog, instance: duck.Connection) -> None:
        self._store = store
        self._log = log
        self._connection = instance.cursor()
        self._open: list[Apply] = []
        """What is run in the DuckDB transaction that is open; none is if this is empty."""
        settings.settle(self._connection)
        duck.execute(self._connection, f"SET search_path = '{shard.search_path(store.number)}'")

    def run(self) -> None:
        """All entries, in order. Raises errors.Error."""
        store, log = self._store, self._log
        store.applied = shard.last_applied(self._connection, store.number)
        _check_fits(store.number, log, store.applied)
        try:
            for entry in log.entries(log.first_sequence - 1):
                done = store.participant.recover(entry)
                if done is not None and done.sequence > store.applied:
                    self.apply(done, entry)
            self.commit()
        finally:
            self._connection.close()

    def apply(self, effect: Apply, entry: Entry | None = None) -> None:
        """Run a transaction's operations. Raises errors.Error.

        entry: the one that is being read, which may have them.
        """
        self._open.append(effect)
        try:
            self._run(effect, entry)
        except Error as error:
            self._one_by_one(error)
        if len(self._open) >= _ENTRIES_TOGETHER:
            self.commit()

    def commit(self) -> None:
        """Commit what was run. Raises errors.Error."""
        if not self._open:
            return
        try:
            self._commit()
        except Error as error:
            self._one_by_one(error)

    def _run(self, effect: Apply, entry: Entry | None) -> None:
        if len(self._open) == 1:
            duck.execute(self._connection, "BEGIN")
        for operation in self._operations(effect, entry):
            apply(self._connection, operation)

    def _commit(self) -> None:
        last = self._open[-1].sequence
        note = f"INSERT INTO {shard.alias(self._store.number)}.duckraft.applied VALUES ({last})"
        duck.execute(self._connection, note)
        duck.execute(self._connection, "COMMIT")
        self._store.applied = last
        self._open = []

    def _one_by_one(self, error: Error) -> None:
        """Run the open ones again, each in a transaction of its own, as they were run at first.

        DuckDB cannot do everything in one that it did in several, such as index a column whose rows have just changed.
        """
        again, self._open = self._open, []
        with suppress(Error):  # A COMMIT that failed has ended it.
            duck.clean_up(self._connection, "ROLLBACK")
        settings.settle(self._connection)
        for effect in again:
            self._open = [effect]
            try:
                self._run(effect, None)
                self._commit()
            except Error as failed:
                raise LogDamagedError(
                    f"entry {effect.sequence} of the log of {shard.alias(self._store.number)} cannot be run again: "
                    f"{failed.message}",
                    hint="Its changes do not fit the shard's file. Restore the directory from a backup.",
                    detail=f"With others: {error.message}",
                ) from None

    def close(self) -> None:
        """Give up the connection."""
        self._connection.close()

    def _operations(self, effect: Apply, entry: Entry | None) -> Iterator[Operation]:
        if entry is not None and effect.operations_from == entry.sequence:
            yield from decode_all(entry)
            return
        for found in self._log.entries(effect.operations_from - 1):
            if found.sequence > effect.operations_at:
                return
            if found.transaction == effect.transaction:
                yield from decode_all(found)


def decode_all(entry: Entry) -> list[Operation]:
    """The operations in an entry. Raises LogDamagedError."""
    match entry.kind:
        case EntryKind.OPERATIONS:
            body = entry.body
        case EntryKind.COMMIT:
            body = records.decode_commit(entry.body).operations
        case EntryKind.PREPARE:
            body = records.decode_prepare(entry.body).operations
        case _:
            return []
    return decode(body) if body else []


def _resolve(stores: Mapping[int, ShardStore], instance: duck.Connection) -> None:
    """Let the shards ask each other for the outcome of what they have prepared."""
    todo: deque[tuple[int, ParticipantEffect]] = deque()
    for number, store in stores.items():
        todo.extend((number, effect) for effect in store.participant.tick())
    while todo:
        number, effect = todo.popleft()
        store = stores[number]
        followed: tuple[ParticipantEffect, ...] = ()
        match effect:
            case Send(to, message):
                number = to
                followed = stores[to].participant.receive(message)
            case Append(kind, transaction, body, sync):
                sequence = store.append(kind, transaction, body)
                crashpoints.reach(APPENDED[kind])
                if sync:
                    store.sync(sequence)
                followed = store.participant.logged(transaction, kind, sequence)
            case Apply():
                if store.log is not None:
                    replay = _Replay(store, store.log, instance)
                    replay.apply(effect)
                    replay.commit()
                    replay.close()
                crashpoints.reach("outcome-applied")
                followed = store.participant.applied(effect.transaction)
            case Sync(up_to):
                store.sync(up_to)
                followed = store.participant.synced(up_to)
            case _:
                pass  # Nobody waits for a reply, and nothing is open that could be rolled back.
        todo.extend((number, one) for one in followed)
    invariant(
        not any(store.participant.in_doubt() for store in stores.values()),
        "every transaction in doubt is resolved when the shards are opened",
    )


def _check_fits(number: int, log: ShardLog, applied: int) -> None:
    """Refuse a file and a log that are not of one time. Raises CatalogFileError."""
    name = shard.alias(number)
    if applied > log.last_sequence:
        raise CatalogFileError(
            f"the file of {name} is newer than its log: it has entry {applied}, and the log ends with "
            f"{log.last_sequence}",
            hint="A part of the directory was put back from an older copy. Restore all of it from one backup.",
        )
    if applied + 1 < log.first_sequence:
        raise CatalogFileError(
            f"the file of {name} is older than its log: it has come to entry {applied}, and the log begins with "
            f"{log.first_sequence}",
            hint="A part of the directory was put back from an older copy. Restore all of it from one backup.",
        )
