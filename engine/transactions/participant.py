"""The participant: a shard's part in all its two-phase commits, without clock, socket, thread or log of its own.

    participant = Participant(shard=1)
    for entry in log.entries():                     # when the shard is opened, before anything else
        apply = participant.recover(entry)          # what to bring into the shard's state, if it lacks it
    participant.begin(transaction)                  # when a transaction first writes on the shard
    effects = participant.receive(message)          # from coordinators and other participants
    effects = participant.logged(transaction, kind, sequence)        # and the other reports of the driver
    log.truncate(participant.truncate_before(checkpointed))

Promises: a transaction is applied on every shard it wrote on, or on none, and never twice, whatever is lost, doubled,
late or crashes. What a coordinator was told to be decided stays so. No shard waits for ever, once all are up. A message
that the protocol excludes raises InternalError: if it were believed, shards would differ.
Leaves to others: the states and what is done in each (`transitions.py`); carrying out the effects, and reporting back,
as `protocol.py` says; operations, which pass through unread; locks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from ..errors import InternalError, invariant
from ..storage.log import Entry, EntryKind
from . import records
from .protocol import (
    Apply,
    Ask,
    Decide,
    Finish,
    Finished,
    ParticipantEffects,
    ParticipantMessage,
    Prepare,
    Sync,
)
from .transitions import TRANSITIONS, Books, Input, Record, State, Step

_INPUTS: Mapping[type[ParticipantMessage], Input] = {
    Prepare: Input.PREPARE,
    Decide: Input.DECIDE,
    Ask: Input.ASK,
    Finished: Input.FINISHED,
}

_NO_RECORD = Record(State.UNKNOWN)
"""Stands for a transaction of which nothing is kept. No transition of UNKNOWN changes it."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A transaction that `shard` has prepared and whose outcome it does not know. prepared_at: a sequence."""

    transaction: str
    shard: int
    deciding: int
    participants: tuple[int, ...]
    prepared_at: int


class Participant:
    """All transactions of one shard that have not ended there. Not safe for threads: its driver serializes calls."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self._books = Books(shard)
        self._recovered_operations: dict[str, int] = {}
        """While the log is read: transactions without PREPARE or COMMIT so far, and their first OPERATIONS."""

    def state_of(self, transaction: str) -> State:
        """Where a transaction is; UNKNOWN if it never began here, or has ended."""
        return self._books.records.get(transaction, _NO_RECORD).state

    def in_doubt(self) -> list[InDoubt]:
        """The transactions that wait for another shard's decision, oldest first."""
        found = [
            InDoubt(name, self.shard, record.deciding, record.participants, record.prepared_at)
            for name, record in self._books.records.items()
            if record.state is State.PREPARED
        ]
        return sorted(found, key=lambda each: each.prepared_at)

    def truncate_before(self, checkpointed: int) -> int:
        """The sequence before which the log is no longer needed.

        checkpointed: the sequence up to which a checkpoint of the shard's state is durable; never less than before.
        What is kept beyond that: what transactions have written that are not applied, what the replay of applied
        ones would read, and every decision that another shard may still ask for.
        """
        to_checkpoint = self._books.to_checkpoint
        while to_checkpoint and to_checkpoint[0][0] <= checkpointed:
            to_checkpoint.popleft()
        needed = [checkpointed + 1, *(operations_from for _, operations_from in to_checkpoint)]
        for record in self._books.records.values():
            if record.state is not State.DECIDED:
                needed.append(record.operations_from or record.prepared_at or checkpointed + 1)
            elif record.unfinished:
                needed.append(record.sequence)
        return min(needed)

    def recover(self, entry: Entry) -> Apply | None:
        """Take in an entry of the log: all of them, in order, when the shard is opened.

        Returns what is to be applied, unless the shard's state has that sequence already. `applied()` is not called
        for it. Raises LogDamagedError for a body that is malformed.
        """
        name, sequence = entry.transaction, entry.sequence
        match entry.kind:
            case EntryKind.OPERATIONS:
                self._recovered_operations.setdefault(name, sequence)
            case EntryKind.PREPARE:
                prepare = records.decode_prepare(entry.body)
                self._books.records[name] = Record(
                    State.PREPARED,
                    prepare.deciding,
                    prepare.participants,
                    operations_from=self._recovered_operations.pop(name, 0),
                    prepared_at=sequence,
                )
            case EntryKind.ABORT:
                self._books.records.pop(name, None)
            case EntryKind.COMMIT_PREPARED:
                record = self._books.records.pop(name, None) or Record()
                record.prepared_at = records.decode_commit_prepared(entry.body)
                record.sequence = sequence
                return self._books.apply(name, record)
            case EntryKind.COMMIT:
                return self._recover_decision(name, sequence, records.decode_commit(entry.body).participants)
        return None

    def _recover_decision(self, name: str, sequence: int, participants: tuple[int, ...]) -> Apply:
        """Keep a decision of several shards: any of them may have to ask, or need to be told."""
        record = Record(
            State.DECIDED,
            self.shard,
            participants,
            operations_from=self._recovered_operations.pop(name, 0),
            sequence=sequence,
            applied=True,
            heard=True,
            unfinished=set(participants) - {self.shard},
        )
        if record.unfinished:
            self._books.records[name] = record
        return self._books.apply(name, record)

    def begin(self, transaction: str) -> None:
        """A transaction begins to write on this shard."""
        invariant(transaction not in self._books.records, "a transaction begins once on a shard")
        self._books.records[transaction] = Record()

    def wrote(self, transaction: str, sequence: int) -> None:
        """An OPERATIONS entry of an active transaction is in the log, not yet durable."""
        record = self._books.records.get(transaction, _NO_RECORD)
        invariant(record.state is State.ACTIVE, "only an active transaction writes")
        record.operations_from = record.operations_from or sequence

    def receive(self, message: ParticipantMessage) -> ParticipantEffects:
        """A message of a coordinator or of another participant."""
        if isinstance(message, Finish):
            kind = Input.FINISH_COMMITTED if message.committed else Input.FINISH_ABORTED
        else:
            kind = _INPUTS[type(message)]
        return self._step(kind, message.transaction, message)

    def logged(self, transaction: str, kind: EntryKind, sequence: int) -> ParticipantEffects:
        """An entry is in the log; durable, if its Append asked for that."""
        return () if kind is EntryKind.ABORT else self._step(Input.LOGGED, transaction, sequence)

    def not_logged(self, transaction: str, kind: EntryKind, reason: str) -> ParticipantEffects:
        """The log refused an entry, and it will never be found in it. reason: for the user."""
        return () if kind is EntryKind.ABORT else self._step(Input.NOT_LOGGED, transaction, reason)

    def log_failed(self, transaction: str | None = None) -> ParticipantEffects:
        """The log failed for good: nothing that was not reported to be durable will be.

        transaction: the one that this concerns, if each has a driver of its own; None for all of them.
        """
        if transaction is None:
            return self._step_all(Input.LOG_FAILED)
        return self._step(Input.LOG_FAILED, transaction, None)

    def applied(self, transaction: str) -> ParticipantEffects:
        """The shard's state has the transaction: an Apply was carried out."""
        return self._step(Input.APPLIED, transaction, None)

    def synced(self, up_to: int) -> ParticipantEffects:
        """The log is durable up to this sequence."""
        durable: list[str] = []
        to_sync = self._books.to_sync
        while to_sync and to_sync[0][0] <= up_to:
            durable.append(to_sync.popleft()[1])
        return tuple(chain.from_iterable([self._step(Input.SYNCED, name, None) for name in durable]))

    def coordinator_lost(self, transaction: str) -> ParticipantEffects:
        """The transaction's session is gone, and with it its coordinator."""
        return self._step(Input.COORDINATOR_LOST, transaction, None)

    def tick(self) -> ParticipantEffects:
        """Ask and tell again; and have outcomes synced that were left unsynced."""
        effects = self._step_all(Input.TICK)
        if self._books.to_sync:
            effects += (Sync(self._books.to_sync[-1][0]),)
        return effects

    def _step(self, kind: Input, name: str, given: object) -> ParticipantEffects:
        record = self._books.records.get(name, _NO_RECORD)
        transition = TRANSITIONS[kind].get(record.state)
        if transition is None:
            raise InternalError(
                f"{kind.name} of {name} on shard {self.shard}, where it is {record.state.name}"
            )
        return transition(Step(self._books, name, record, given))

    def _step_all(self, kind: Input) -> ParticipantEffects:
        """The same to every transaction, in the order in which they began."""
        return tuple(
            chain.from_iterable([self._step(kind, name, None) for name in list(self._books.records)])
        )
