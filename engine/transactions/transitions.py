"""What a participant of two-phase commit does in each state: the states, the inputs, and the table of both.

    state      in the log            the transaction on this shard
    UNKNOWN    perhaps its end       never began, or has ended; nothing is kept in memory for it
    ACTIVE     nothing               has written; may still be aborted by anyone
    PREPARING  PREPARE, perhaps      has been asked to prepare; the PREPARE is not known to be durable
    PREPARED   PREPARE               waits for the outcome, which only the deciding shard can tell
    COMMITTING also COMMIT_PREPARED  is being committed; leaves when that is both durable and applied
    DECIDING   COMMIT, perhaps       (deciding shard) the COMMIT is not known to be durable
    DECIDED    COMMIT                (deciding shard) is kept until every other shard has said Finished, for they may
                                     ask, and until the coordinator has heard
    REFUSED    nothing               (deciding shard) the COMMIT could not be written; until the coordinator has heard
    UNCERTAIN  COMMIT, perhaps       (deciding shard) the log failed; the next opening of the shard will tell

A transition is a function of a `Step`: it changes what the shard keeps and returns effects. `TRANSITIONS`, at the end,
has the transition of each input in each state.
Leaves to others: which input it is, and all that concerns more than one transaction (`participant.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from ..storage.log import EntryKind
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
    Prepare,
    Prepared,
    Refused,
    Reply,
    RollBack,
    Send,
    Unknown,
)

_NOT_ACTIVE = "the transaction is no longer active there"
_LOG_FAILED = "its log failed"


class State(Enum):
    """Where a transaction is on a shard."""

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


@dataclass(slots=True)
class Record:
    """What a shard keeps for a transaction that has not ended on it."""

    state: State = State.ACTIVE
    deciding: int = 0
    participants: tuple[int, ...] = ()
    operations_from: int = 0
    """Sequence of the first OPERATIONS; 0 if there is none."""
    prepared_at: int = 0
    """Sequence of the PREPARE; 0 if there is none."""
    sequence: int = 0
    """Sequence of the COMMIT or the COMMIT_PREPARED; 0 until it is known."""
    durable: bool = False
    applied: bool = False
    heard: bool = False
    """Whether the coordinator knows the decision, or is gone."""
    unfinished: set[int] = field(default_factory=set)
    """On the deciding shard: who may still ask."""
    reason: str = ""
    """Why it was refused."""


@dataclass(slots=True)
class Books:
    """All that a shard keeps: a record for each transaction that has not ended on it, and two queues.

    to_sync: (sequence, transaction) of each COMMIT_PREPARED that is not known to be durable.
    to_checkpoint: (sequence, first sequence that its replay reads) of each COMMIT_PREPARED and COMMIT that the last
    checkpoint may lack, if its replay reads earlier entries. Both are in the order of the sequences.
    """

    shard: int
    records: dict[str, Record] = field(default_factory=dict)
    to_sync: deque[tuple[int, str]] = field(default_factory=deque)
    to_checkpoint: deque[tuple[int, int]] = field(default_factory=deque)

    def apply(self, name: str, record: Record) -> Apply:
        """Have the transaction applied, and note what its replay would read until a checkpoint has it."""
        operations_at = record.prepared_at or record.sequence
        operations_from = record.operations_from or operations_at
        if operations_from < record.sequence:
            self.to_checkpoint.append((record.sequence, operations_from))
        return Apply(name, record.sequence, operations_from, operations_at)


@dataclass(slots=True)
class Step:
    """One input to one transaction.

    given: the message; the sequence for LOGGED, the reason for NOT_LOGGED; None for all others.
    """

    books: Books
    name: str
    record: Record
    given: Any

    @property
    def shard(self) -> int:
        return self.books.shard

    def forget(self) -> None:
        """The transaction has ended on this shard."""
        del self.books.records[self.name]

    def forget_if_over(self) -> None:
        """The transaction has ended on this shard if nobody needs to hear about it from here any more."""
        record = self.record
        if record.state is State.COMMITTING:
            over = record.applied and record.durable
        else:
            over = record.applied and record.heard and not record.unfinished
        if over:
            self.forget()


def _nothing(_: Step) -> ParticipantEffects:
    return ()


def _prepare(step: Step) -> ParticipantEffects:
    message: Prepare = step.given
    step.record.state = State.PREPARING
    step.record.deciding = message.deciding
    step.record.participants = message.participants
    body = records.encode_prepare(message.deciding, message.participants, message.operations)
    return (Append(EntryKind.PREPARE, step.name, body, sync=True),)


def _is_prepared(step: Step) -> ParticipantEffects:
    step.record.state = State.PREPARED
    step.record.prepared_at = step.given
    return _vote(step)


def _vote(step: Step) -> ParticipantEffects:
    return (Reply(Prepared(step.name, step.shard)),)


def _refuse_to_prepare(step: Step) -> ParticipantEffects:
    step.forget()
    return RollBack(step.name), Reply(Refused(step.name, step.shard, step.given))


def _fail_to_prepare(step: Step) -> ParticipantEffects:
    # Should the PREPARE be found after all: without this vote the deciding shard has no COMMIT.
    step.forget()
    return RollBack(step.name), Reply(Refused(step.name, step.shard, _LOG_FAILED))


def _not_active(step: Step) -> ParticipantEffects:
    return (Reply(Refused(step.name, step.shard, _NOT_ACTIVE)),)


def _commit_prepared(step: Step) -> ParticipantEffects:
    step.record.state = State.COMMITTING
    body = records.encode_commit_prepared(step.record.prepared_at)
    return (Append(EntryKind.COMMIT_PREPARED, step.name, body, sync=False),)


def _commit_is_logged(step: Step) -> ParticipantEffects:
    step.record.sequence = step.given
    step.books.to_sync.append((step.given, step.name))
    return (step.books.apply(step.name, step.record),)


def _stay_prepared(step: Step) -> ParticipantEffects:
    # The outcome could not be logged. The next tick asks for it again, and then there may be room.
    step.record.state = State.PREPARED
    return ()


def _commit_is_durable(step: Step) -> ParticipantEffects:
    step.record.durable = True
    step.forget_if_over()
    return (Send(step.record.deciding, Finished(step.name, step.shard)),)


def _is_applied(step: Step) -> ParticipantEffects:
    step.record.applied = True
    step.forget_if_over()
    return (Reply(Ended(step.name, step.shard)),)


def _decision_is_applied(step: Step) -> ParticipantEffects:
    # Ended answers the coordinator's Finish. Sent before that, it would keep the coordinator from saying Finish again,
    # and so this shard from ever forgetting the decision.
    step.record.applied = True
    if not step.record.heard:
        return ()
    step.forget_if_over()
    return (Reply(Ended(step.name, step.shard)),)


def _say_ended_if_applied(step: Step) -> ParticipantEffects:
    return (Reply(Ended(step.name, step.shard)),) if step.record.applied else ()


def _has_ended(step: Step) -> ParticipantEffects:
    """What has ended here in a commit is durable here; but the deciding shard may not have heard of it."""
    message: Finish = step.given
    ended = Reply(Ended(step.name, step.shard))
    if message.committed and message.deciding != step.shard:
        return ended, Send(message.deciding, Finished(step.name, step.shard))
    return (ended,)


def _abort(step: Step) -> ParticipantEffects:
    step.forget()
    return RollBack(step.name), Reply(Ended(step.name, step.shard))


def _abort_prepared(step: Step) -> ParticipantEffects:
    return Append(EntryKind.ABORT, step.name, (), sync=False), *_abort(step)


def _roll_back(step: Step) -> ParticipantEffects:
    step.forget()
    return (RollBack(step.name),)


def _ask(step: Step) -> ParticipantEffects:
    return (Send(step.record.deciding, Ask(step.name, step.shard)),)


def _decide(step: Step) -> ParticipantEffects:
    message: Decide = step.given
    step.record.state = State.DECIDING
    step.record.deciding = step.shard
    step.record.participants = message.participants
    body = records.encode_commit(message.participants, message.operations)
    return (Append(EntryKind.COMMIT, step.name, body, sync=True),)


def _is_decided(step: Step) -> ParticipantEffects:
    step.record.state = State.DECIDED
    step.record.sequence = step.given
    step.record.unfinished = set(step.record.participants) - {step.shard}
    return *_say_decided(step), step.books.apply(step.name, step.record)


def _say_decided(step: Step) -> ParticipantEffects:
    return (Reply(Decided(step.name, step.shard)),)


def _refuse_to_decide(step: Step) -> ParticipantEffects:
    step.record.state = State.REFUSED
    step.record.reason = step.given
    return RollBack(step.name), *_say_refused(step)


def _say_refused(step: Step) -> ParticipantEffects:
    return (Reply(Refused(step.name, step.shard, step.record.reason)),)


def _fail_to_decide(step: Step) -> ParticipantEffects:
    step.record.state = State.UNCERTAIN
    return _is_uncertain(step)


def _is_uncertain(step: Step) -> ParticipantEffects:
    return (Reply(Unknown(step.name, step.shard, _LOG_FAILED)),)


def _cannot_tell(step: Step) -> ParticipantEffects:
    # It may have been decided, and forgotten since all other shards know: absence proves nothing to a coordinator.
    return (Reply(Unknown(step.name, step.shard, _NOT_ACTIVE)),)


def _answer_committed(step: Step) -> ParticipantEffects:
    asker: int = step.given.shard
    return (Send(asker, Finish(step.name, asker, step.shard, committed=True)),)


def _answer_aborted(step: Step) -> ParticipantEffects:
    asker: int = step.given.shard
    return (Send(asker, Finish(step.name, asker, step.shard, committed=False)),)


def _tell_unfinished(step: Step) -> ParticipantEffects:
    shards = sorted(step.record.unfinished)
    return tuple(Send(shard, Finish(step.name, shard, step.shard, committed=True)) for shard in shards)


def _take_finished(step: Step) -> ParticipantEffects:
    step.record.unfinished.discard(step.given.shard)
    step.forget_if_over()
    return ()


def _coordinator_heard(step: Step) -> ParticipantEffects:
    step.record.heard = True
    step.forget_if_over()
    return _say_ended_if_applied(step)


def _coordinator_gone(step: Step) -> ParticipantEffects:
    step.record.heard = True
    step.forget_if_over()
    return ()


def _refusal_heard(step: Step) -> ParticipantEffects:
    step.forget()
    return (Reply(Ended(step.name, step.shard)),)


def _drop(step: Step) -> ParticipantEffects:
    step.forget()
    return ()


Transition = Callable[[Step], ParticipantEffects]

TRANSITIONS: Mapping[Input, Mapping[State, Transition]] = {
    Input.PREPARE: {
        State.UNKNOWN: _not_active,
        State.ACTIVE: _prepare,
        State.PREPARING: _nothing,
        State.PREPARED: _vote,
        State.COMMITTING: _nothing,
    },
    Input.DECIDE: {
        State.UNKNOWN: _cannot_tell,
        State.ACTIVE: _decide,
        State.DECIDING: _nothing,
        State.DECIDED: _say_decided,
        State.REFUSED: _say_refused,
        State.UNCERTAIN: _is_uncertain,
    },
    Input.FINISH_COMMITTED: {
        State.UNKNOWN: _has_ended,
        State.PREPARED: _commit_prepared,
        State.COMMITTING: _say_ended_if_applied,
        State.DECIDED: _coordinator_heard,
    },
    Input.FINISH_ABORTED: {
        State.UNKNOWN: _has_ended,
        State.ACTIVE: _abort,
        State.PREPARING: _abort_prepared,
        State.PREPARED: _abort_prepared,
        State.REFUSED: _refusal_heard,
    },
    Input.ASK: {
        State.UNKNOWN: _answer_aborted,
        State.ACTIVE: _nothing,
        State.DECIDING: _nothing,
        State.DECIDED: _answer_committed,
        State.REFUSED: _answer_aborted,
        State.UNCERTAIN: _nothing,
    },
    Input.FINISHED: {
        State.UNKNOWN: _nothing,
        State.DECIDED: _take_finished,
    },
    Input.LOGGED: {
        State.UNKNOWN: _nothing,
        State.PREPARING: _is_prepared,
        State.COMMITTING: _commit_is_logged,
        State.DECIDING: _is_decided,
    },
    Input.NOT_LOGGED: {
        State.UNKNOWN: _nothing,
        State.PREPARING: _refuse_to_prepare,
        State.COMMITTING: _stay_prepared,
        State.DECIDING: _refuse_to_decide,
    },
    Input.LOG_FAILED: {
        State.ACTIVE: _nothing,
        State.PREPARING: _fail_to_prepare,
        State.PREPARED: _nothing,
        State.COMMITTING: _nothing,
        State.DECIDING: _fail_to_decide,
        State.DECIDED: _nothing,
        State.REFUSED: _nothing,
        State.UNCERTAIN: _nothing,
    },
    Input.APPLIED: {
        State.COMMITTING: _is_applied,
        State.DECIDED: _decision_is_applied,
    },
    Input.SYNCED: {
        State.COMMITTING: _commit_is_durable,
    },
    Input.COORDINATOR_LOST: {
        State.UNKNOWN: _nothing,
        State.ACTIVE: _roll_back,
        State.PREPARING: _nothing,
        State.PREPARED: _ask,
        State.COMMITTING: _nothing,
        State.DECIDING: _coordinator_gone,
        State.DECIDED: _coordinator_gone,
        State.REFUSED: _drop,
        State.UNCERTAIN: _nothing,
    },
    Input.TICK: {
        State.ACTIVE: _nothing,
        State.PREPARING: _nothing,
        State.PREPARED: _ask,
        State.COMMITTING: _nothing,
        State.DECIDING: _nothing,
        State.DECIDED: _tell_unfinished,
        State.REFUSED: _nothing,
        State.UNCERTAIN: _nothing,
    },
}
"""What each input leads to in each state. A pair that is not there cannot happen: the protocol excludes it."""
