"""The participant: a shard's part in all its two-phase commits, without clock, socket, thread or log of its own.

    participant = Participant(shard=1)
    for entry in log.entries():                     # when the shard is opened, before anything else
        apply = participant.recover(entry)          # what to bring into the shard's state, if it is not in it
    participant.begin(transaction)                  # when a transaction first writes on the shard
    effects = participant.receive(message)          # from coordinators and other participants
    effects = participant.logged(transaction, kind, sequence)        # and the other reports of the driver
    log.truncate(participant.truncate_before(checkpointed))

Promises: a transaction is applied on every shard it wrote on, or on none, whatever is lost, doubled, late or crashes; and
never twice. What a coordinator was told to be decided stays so. No shard waits for ever, once all are up.
A message that the protocol excludes raises InternalError: two shards would differ if it were believed.
Leaves to others: carrying out the effects, and reporting back, as `protocol.py` says; operations, which pass through
unread; locks.

The states of a transaction on a shard. The table `_TRANSITIONS` below has every state and every input.

    state      in the log            the transaction here
    UNKNOWN    perhaps an end        never began, or has ended; nothing is kept in memory for it
    ACTIVE     nothing               has written; may still be aborted by anyone
    PREPARING  PREPARE, perhaps      has been asked to prepare; the PREPARE is not known to be durable
    PREPARED   PREPARE               waits for the outcome, which only the deciding shard can tell
    COMMITTING and COMMIT_PREPARED   is being committed; leaves when that is both durable and applied
    DECIDING   COMMIT, perhaps       (deciding shard) the COMMIT is not known to be durable
    DECIDED    COMMIT                (deciding shard) is kept until every other shard has said Finished, for they may
                                     ask, and until the coordinator has heard
    REFUSED    nothing               (deciding shard) the COMMIT could not be written; until the coordinator has heard
    UNCERTAIN  COMMIT, perhaps       (deciding shard) the log failed; the next opening of the shard will tell
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from ..errors import invariant
from ..storage.log import Entry, EntryKind
from . import records
from .protocol import (
    Append,
    Apply,
    Ask,
    Decide,
    Decided,
    Ended,
    Finish,
    Finished,
    ParticipantEffects,
    ParticipantMessage,
    Prepare,
    Prepared,
    Refused,
    Reply,
    RollBack,
    Send,
    Sync,
    Unknown,
)

_NOT_ACTIVE = "the transaction is no longer active there"
_LOG_FAILED = "its log failed"
_LOG_FULL = "its log could not be written"


class State(Enum):
    """Where a transaction is on a shard. The module's docstring explains each."""

    UNKNOWN = auto()
    ACTIVE = auto()
    PREPARING = auto()
    PREPARED = auto()
    COMMITTING = auto()
    DECIDING = auto()
    DECIDED = auto()
    REFUSED = auto()
    UNCERTAIN = auto()


class Input(Enum):
    """What can happen to a transaction on a shard: a message, or a report of the driver."""

    PREPARE = auto()
    DECIDE = auto()
    FINISH_COMMITTED = auto()
    FINISH_ABORTED = auto()
    ASK = auto()
    FINISHED = auto()
    LOGGED = auto()
    NOT_LOGGED = auto()
    LOG_FAILED = auto()
    APPLIED = auto()
    SYNCED = auto()
    COORDINATOR_LOST = auto()
    TICK = auto()


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A transaction that a shard has prepared and whose outcome it does not know."""

    transaction: str
    shard: int
    deciding: int
    participants: tuple[int, ...]
    prepared_at: int


@dataclass(slots=True)
class _Transaction:
    """What a shard keeps for a transaction that has not ended on it."""

    state: State = State.ACTIVE
    deciding: int = 0
    participants: tuple[int, ...] = ()
    prepared_at: int = 0
    """Sequence of the PREPARE."""
    sequence: int = 0
    """Sequence of the COMMIT or the COMMIT_PREPARED; 0 until it is known."""
    durable: bool = False
    applied: bool = False
    heard: bool = False
    """Whether the coordinator knows the decision, or is gone."""
    unfinished: set[int] = field(default_factory=set)
    """On the deciding shard: who may still ask."""


class Participant:
    """All transactions of one shard that have not ended there."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self._transactions: dict[str, _Transaction] = {}
        # COMMIT_PREPARED entries in the order of their sequences: those not known to be durable, as (sequence,
        # transaction), and those that a checkpoint may lack, as (sequence, sequence of the PREPARE).
        self._to_sync: deque[tuple[int, str]] = deque()
        self._to_checkpoint: deque[tuple[int, int]] = deque()

    # What the driver asks.

    def state_of(self, transaction: str) -> State:
        """Where a transaction is; UNKNOWN if it never began here, or has ended."""
        found = self._transactions.get(transaction)
        return State.UNKNOWN if found is None else found.state

    def in_doubt(self) -> list[InDoubt]:
        """The transactions that wait for another shard's decision, oldest first."""
        return sorted(
            (
                InDoubt(name, self.shard, each.deciding, each.participants, each.prepared_at)
                for name, each in self._transactions.items()
                if each.state is State.PREPARED
            ),
            key=lambda each: each.prepared_at,
        )

    def truncate_before(self, checkpointed: int) -> int:
        """The sequence before which the log is no longer needed.

        checkpointed: the sequence up to which a checkpoint of the shard's state is durable; never less than before.
        What is kept beyond that: every PREPARE without outcome, every PREPARE whose COMMIT_PREPARED would be
        replayed, and every decision that another shard may still ask for.
        """
        while self._to_checkpoint and self._to_checkpoint[0][0] <= checkpointed:
            self._to_checkpoint.popleft()
        needed = [checkpointed + 1]
        needed.extend(prepared_at for _, prepared_at in self._to_checkpoint)
        for each in self._transactions.values():
            if each.state in (State.PREPARED, State.COMMITTING):
                needed.append(each.prepared_at)
            elif each.state is State.DECIDED and each.unfinished:
                needed.append(each.sequence)
        return min(needed)

    # What happens: every call returns effects.

    def recover(self, entry: Entry) -> Apply | None:
        """Take in an entry of the log: all of them, in order, when the shard is opened.

        Returns what is to be applied, unless the shard's state has that sequence already. `applied()` is not called
        for it. Raises LogDamagedError for a body that is malformed.
        """
        name, sequence = entry.transaction, entry.sequence
        match entry.kind:
            case EntryKind.PREPARE:
                body = records.decode_prepare(entry.body)
                self._transactions[name] = _Transaction(
                    State.PREPARED, body.deciding, body.participants, prepared_at=sequence
                )
            case EntryKind.ABORT:
                self._transactions.pop(name, None)
            case EntryKind.COMMIT_PREPARED:
                self._transactions.pop(name, None)
                prepared_at = records.decode_commit_prepared(entry.body)
                self._to_checkpoint.append((sequence, prepared_at))
                return Apply(name, sequence, prepared_at)
            case EntryKind.COMMIT:
                participants = records.decode_commit(entry.body).participants
                if unfinished := set(participants) - {self.shard}:
                    self._transactions[name] = _Transaction(
                        State.DECIDED,
                        self.shard,
                        participants,
                        sequence=sequence,
                        applied=True,
                        heard=True,
                        unfinished=unfinished,
                    )
                return Apply(name, sequence, sequence)
            case _:
                pass
        return None

    def begin(self, transaction: str) -> None:
        """A transaction begins to write on this shard."""
        invariant(transaction not in self._transactions, f"{transaction} begins a second time")
        self._transactions[transaction] = _Transaction()

    def receive(self, message: ParticipantMessage) -> ParticipantEffects:
        """A message of a coordinator or of another participant."""
        match message:
            case Finish(committed=True):
                kind = Input.FINISH_COMMITTED
            case Finish():
                kind = Input.FINISH_ABORTED
            case _:
                kind = _INPUTS[type(message)]
        return self._step(kind, message.transaction, message)

    def logged(self, transaction: str, kind: EntryKind, sequence: int) -> ParticipantEffects:
        """An entry is in the log; durable, if its Append asked for that."""
        if kind is EntryKind.ABORT:
            return ()
        return self._step(Input.LOGGED, transaction, sequence)

    def not_logged(self, transaction: str, kind: EntryKind, reason: str = _LOG_FULL) -> ParticipantEffects:
        """The log refused an entry; it will never be found in it."""
        if kind is EntryKind.ABORT:
            return ()
        return self._step(Input.NOT_LOGGED, transaction, reason)

    def log_failed(self) -> ParticipantEffects:
        """The log failed for good: nothing that was not reported to be durable will be."""
        return self._step_all(Input.LOG_FAILED)

    def applied(self, transaction: str) -> ParticipantEffects:
        """The shard's state has the transaction: an Apply was carried out."""
        return self._step(Input.APPLIED, transaction, None)

    def synced(self, up_to: int) -> ParticipantEffects:
        """The log is durable up to this sequence."""
        effects: list[ParticipantEffects] = []
        while self._to_sync and self._to_sync[0][0] <= up_to:
            _, transaction = self._to_sync.popleft()
            effects.append(self._step(Input.SYNCED, transaction, None))
        return sum(effects, ())

    def coordinator_lost(self, transaction: str) -> ParticipantEffects:
        """The transaction's session is gone, and with it its coordinator."""
        return self._step(Input.COORDINATOR_LOST, transaction, None)

    def tick(self) -> ParticipantEffects:
        """Ask and tell again; and have lazily written outcomes synced."""
        effects = self._step_all(Input.TICK)
        if self._to_sync:
            effects += (Sync(self._to_sync[-1][0]),)
        return effects

    def _step(self, kind: Input, transaction: str, given: object) -> ParticipantEffects:
        found = self._transactions.get(transaction)
        state = State.UNKNOWN if found is None else found.state
        step = _Step(self, transaction, found or _NOBODY, given)
        return _TRANSITIONS[kind][state](step)

    def _step_all(self, kind: Input) -> ParticipantEffects:
        """The same to every transaction, in the order in which they began."""
        return sum((self._step(kind, name, None) for name in list(self._transactions)), ())

    def _forget(self, transaction: str) -> None:
        del self._transactions[transaction]


_NOBODY = _Transaction(State.UNKNOWN)
"""Stands for a transaction of which nothing is kept. No transition of UNKNOWN changes it."""

_INPUTS: Mapping[type[ParticipantMessage], Input] = {
    Prepare: Input.PREPARE,
    Decide: Input.DECIDE,
    Ask: Input.ASK,
    Finished: Input.FINISHED,
}
