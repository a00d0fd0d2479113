"""Two-phase commit: what its two machines say to each other, and what they ask of whoever drives them.

**The protocol.** A transaction has written on some shards. One of them is the *deciding shard*; a COMMIT in its log is
the decision, and there is no other log of decisions. The coordinator (`coordinator.py`, one for each transaction, at
the session) asks every other shard to prepare; each logs a PREPARE, durably, and votes. With all votes in, it asks the
deciding shard to decide; that one logs a COMMIT, durably, with its own operations. So n shards take n syncs, and one
shard takes one: the first phase is empty. The others then log COMMIT_PREPARED, which need not be durable before they
apply it: until it is, the decision is kept. Presumed abort: a PREPARE whose deciding shard knows nothing of the
transaction is aborted, and an ABORT is never waited for. Shards that were only read take no part.

    coordinator          shard 1 (prepares)              shard 0 (decides)
      │  Prepare ──────────▶ Append PREPARE, sync
      │◀─────── Prepared ──┤
      │  Decide ───────────┼──────────────────────────────▶ Append COMMIT, sync    ◀─ the decision
      │◀───────────────────┼───────────────────── Decided ──┤ Apply
      ├─ Resolved: the user may be told
      │  Finish ───────────▶ Append COMMIT_PREPARED         │
      │  Finish ───────────┼───────────────────────────────▶│
      │◀──────────── Ended ┤ Apply              Ended ──────┤
      ├─ Done              │   … synced                     │
                           ├─ Finished ────────────────────▶│ the COMMIT may be truncated

Every message names its transaction and a shard, and may be lost, late, doubled or out of order. Whoever waits says its
message again at its next `tick()`. A shard that waits for an outcome sends Ask to the deciding shard, which answers
with a Finish, or with nothing as long as it is undecided.

**Driving the machines.** Each call of a machine returns effects, a tuple. The driver promises:

1. The calls of one machine come one after the other, and the effects of a call are carried out in their order, or
   so that nobody can tell. Appends of one shard enter its log in the order in which they were returned.
2. `Append` with `sync`: `logged()` is called when the entry is durable; without, as soon as it is in the log.
   One sync may serve many entries. A participant hears of its entries in the order of their sequences, so an entry that
   needs no sync waits for an earlier one that does.
3. If the log refuses an entry, and what was written of it is cut off again (a full disk), `not_logged()` is called.
   If a sync fails, the log is of no more use: `log_failed()` is called in place of `logged()` for whatever was not
   durable, at once for all or for each transaction by whoever waits for it, and the shard has to be opened anew.
4. `Apply`: the shard's state takes the transaction in, in the order of the sequences, and then `applied()` is called.
   An Apply that fails makes the shard's state useless: close the shard, and replay its log into the last checkpoint.
   A checkpoint may hold only what is durable in the log: sync the log up to what is applied before writing one.
5. `synced()` is called when entries became durable that needed no sync. `Sync` asks for one, when there was none for
   long.
6. `begin()` is called once, before the first Prepare or Decide for a transaction can be sent to the shard, and never
   again for a transaction that has ended there. It is the participant's protection against messages from the past.
7. What is too long for one entry, such as a bulk load, the driver may write as OPERATIONS entries of its transaction
   beforehand. It calls `wrote()` for each; they are durable when the PREPARE or COMMIT behind them is.
8. `coordinator_lost()` is called when the session of a transaction is gone. Calling it wrongly is safe: it may abort
   the transaction, and it may make its coordinator answer `Outcome.UNKNOWN`.
9. `tick()` is called now and then (every second, say).
10. When a shard is opened, every entry of its log goes through `recover()` before any message does. The operations that
   it returns must be applied before the shard serves; the locks of transactions in doubt must be held, or the shard
   kept closed, until they are resolved. With all shards open, `tick()` on each and carrying messages until there are
   none resolves everything.

`Send` goes to the participant of a shard, `Reply` to the transaction's coordinator if that still lives.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..storage.log import EntryKind


@dataclass(frozen=True, slots=True)
class Prepare:
    """To a shard: make it durable that you can commit, then vote. participants: all shards that write."""

    transaction: str
    shard: int
    deciding: int
    participants: tuple[int, ...]
    operations: bytes


@dataclass(frozen=True, slots=True)
class Decide:
    """To the deciding shard: commit. If it is the only one of the participants, this is the whole protocol."""

    transaction: str
    shard: int
    participants: tuple[int, ...]
    operations: bytes


@dataclass(frozen=True, slots=True)
class Finish:
    """To a shard, from the coordinator or the deciding shard: this is the outcome."""

    transaction: str
    shard: int
    deciding: int
    committed: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """To the deciding shard, from `shard`, which is prepared: what is the outcome?"""

    transaction: str
    shard: int


@dataclass(frozen=True, slots=True)
class Finished:
    """To the deciding shard, from `shard`: the commit is durable here, I shall never ask again."""

    transaction: str
    shard: int


ParticipantMessage = Prepare | Decide | Finish | Ask | Finished


@dataclass(frozen=True, slots=True)
class Prepared:
    """To the coordinator: `shard` votes to commit, durably."""

    transaction: str
    shard: int


@dataclass(frozen=True, slots=True)
class Refused:
    """To the coordinator: `shard` has not committed, and never will. reason: for the user."""

    transaction: str
    shard: int
    reason: str


@dataclass(frozen=True, slots=True)
class Decided:
    """To the coordinator: the deciding shard has committed, durably."""

    transaction: str
    shard: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """To the coordinator: the deciding shard cannot tell whether it committed. reason: for the user."""

    transaction: str
    shard: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """To the coordinator: `shard` has applied the transaction or rolled it back; others may see that now."""

    transaction: str
    shard: int


CoordinatorMessage = Prepared | Refused | Decided | Unknown | Ended


class Outcome(Enum):
    """How a transaction ended, as far as its coordinator knows."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Append:
    """Write an entry to the shard's log. body: the parts that make it up, one after the other."""

    kind: EntryKind
    transaction: str
    body: tuple[bytes, ...]
    sync: bool


@dataclass(frozen=True, slots=True)
class Sync:
    """Make the shard's log durable up to this sequence, then call `synced()`."""

    up_to: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Bring the transaction's operations into the shard's state, as number `sequence`.

    A running transaction has its own open DuckDB transaction, which commits. Without one, after a restart, the
    operations are read from the log: first those of the transaction's OPERATIONS entries from `operations_from` on, if
    it has any, at last those of the entry `operations_at`, a COMMIT or a PREPARE. Without any, both are the same.
    """

    transaction: str
    sequence: int
    operations_from: int
    operations_at: int


@dataclass(frozen=True, slots=True)
class RollBack:
    """Undo what the transaction did on the shard, which is in nothing but its open DuckDB transaction."""

    transaction: str


@dataclass(frozen=True, slots=True)
class Send:
    """Bring the message to the participant of shard `to`, which may be the sender's own node."""

    to: int
    message: ParticipantMessage


@dataclass(frozen=True, slots=True)
class Reply:
    """Bring the message to the coordinator of its transaction; it is lost if there is none any more."""

    message: CoordinatorMessage


@dataclass(frozen=True, slots=True)
class Resolved:
    """The outcome is certain, or certain to stay unknown; the user may be told. Comes once.

    reason: why the transaction was not committed; empty if it was.
    """

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The coordinator is no longer needed. After a known outcome: every shard has applied it or rolled back."""


ParticipantEffect = Append | Sync | Apply | RollBack | Send | Reply
CoordinatorEffect = Send | Resolved | Done
ParticipantEffects = tuple[ParticipantEffect, ...]
CoordinatorEffects = tuple[CoordinatorEffect, ...]
