"""A shard in simulations of two-phase commit: its disk, its memory, and the driver of its participant.

The driver does what `engine/transactions/protocol.py` asks of drivers, and checks what it is told to apply.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from duckraft.engine.storage.log import Entry, EntryKind
from duckraft.engine.transactions import records
from duckraft.engine.transactions.participant import Participant
from duckraft.engine.transactions.protocol import (
    Append,
    Apply,
    CoordinatorMessage,
    Decide,
    Finish,
    Outcome,
    ParticipantEffect,
    ParticipantEffects,
    ParticipantMessage,
    Prepare,
    Reply,
    RollBack,
    Send,
    Sync,
)
from duckraft.engine.transactions.transitions import State

from .events import Events, Violation
from .two_phase_faults import Bug, Faults

TICK_S = 1.0

ADVANCE = b"in advance and "


def in_advance(transaction: str) -> bool:
    """Whether a transaction writes a part of its operations before it commits, as a bulk load does."""
    return transaction.endswith(("0", "5"))


def at_last(transaction: str, shard: int) -> bytes:
    """What a transaction writes on a shard when it commits."""
    return f"{transaction} on {shard}".encode()


def written(transaction: str, shard: int) -> bytes:
    """All that a transaction writes on a shard."""
    return (ADVANCE if in_advance(transaction) else b"") + at_last(transaction, shard)


class World(Protocol):
    """What a shard knows of the simulation that it is in."""

    bug: Bug | None
    rates: Faults
    events: Events
    counts: Counter[str]
    told: dict[str, Outcome]

    def note(self, who: str, what: object) -> None:
        """Say what happens, if anyone listens."""

    def stops(self, actor: str, probability: float) -> bool:
        """Whether this actor stops before its next effect."""
        ...

    def send(self, to: int, message: ParticipantMessage) -> None:
        """Carry a message to a shard."""

    def reply(self, message: CoordinatorMessage) -> None:
        """Carry a message to the session of its transaction."""


class Log:
    """A shard's log: what is durable survives a crash, and so may some of what follows."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.first = 1
        self.durable = 0

    @property
    def last(self) -> int:
        return self.first + len(self.entries) - 1

    def append(self, kind: EntryKind, transaction: str, body: tuple[bytes, ...]) -> int:
        sequence = self.last + 1
        self.entries.append(Entry(sequence, 0, kind, transaction, b"".join(body)))
        return sequence

    def read(self, sequence: int) -> Entry:
        if not self.first <= sequence <= self.last:
            raise Violation(f"entry {sequence} is needed, but the log has {self.first} to {self.last}")
        return self.entries[sequence - self.first]

    def truncate(self, before: int) -> None:
        while self.entries and self.first < before:
            self.entries.popleft()
            self.first += 1

    def crash(self, events: Events) -> None:
        """Keep what is durable and a part, from none to all, of what is not."""
        kept = events.rng.randint(self.durable, self.last)
        while self.last > kept:
            self.entries.pop()
        self.durable = kept


class Shard:
    """One shard: what is on its disk, what is in its memory, and the driver of its participant."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.name = f"shard {number}"
        self.log = Log()
        self.checkpoint: tuple[int, dict[str, bytes]] = (0, {})
        self.life = 0
        self.up = False
        self._forget()

    def _forget(self) -> None:
        """Memory as it is when the shard is opened."""
        self.failed = False
        self.participant = Participant(self.number)
        self.applied, state = self.checkpoint
        self.state = dict(state)
        self.writers: dict[str, bytes] = {}
        self.calls: deque[Callable[[], ParticipantEffects]] = deque()
        self.calling = False
        self.reports: deque[tuple[int, Append]] = deque()
        self.to_apply: deque[Apply] = deque()
        self.syncing = False

    def open(self) -> None:
        """Start, or start again: replay the log into the last checkpoint."""
        self.world.note(self.name, f"opens: log {self.log.first} to {self.log.last}")
        self._forget()
        self.up = True
        if self.log.first > self.applied + 1:
            raise Violation(
                f"{self.name}: checkpoint at {self.applied}, but the log begins at {self.log.first}"
            )
        for entry in list(self.log.entries):
            apply = self.participant.recover(entry)
            if apply is not None and apply.sequence > self.applied:
                self._apply(apply)
        self.call(self.participant.tick)
        self._later(TICK_S, self._tick)
        self._later(5 * TICK_S, self._write_checkpoint)

    def crash(self) -> None:
        """Lose all that is not on the disk; be there again some time later."""
        self.world.note(self.name, "crashes")
        self.world.counts["crashes"] += 1
        self.up = False
        self.life += 1
        self.calls.clear()
        self.log.crash(self.world.events)
        self.world.events.after(self.world.events.rng.expovariate(0.3), self._open_if_down)

    def _open_if_down(self) -> None:
        if not self.up:
            self.open()

    def begin(self, transaction: str) -> None:
        """A session writes here, a part of it in advance: that is in the log before anyone commits."""
        self.participant.begin(transaction)
        self.writers[transaction] = written(transaction, self.number)
        if in_advance(transaction) and not self.failed:
            sequence = self.log.append(EntryKind.OPERATIONS, transaction, (ADVANCE,))
            self.participant.wrote(transaction, sequence)

    def receive(self, message: ParticipantMessage) -> None:
        """A message arrives; nobody hears it if the shard is down."""
        if not self.up:
            return
        self.world.note(self.name, f"receives {message}")
        if (
            self.world.bug is Bug.PAST_BELIEVED
            and isinstance(message, Prepare | Decide)
            and self.participant.state_of(message.transaction) is State.UNKNOWN
        ):
            self.begin(message.transaction)
        self.call(partial(self.participant.receive, message))

    def call(self, call: Callable[[], ParticipantEffects]) -> None:
        """Call the participant and carry out the effects, unless the shard stops before one; then what they caused."""
        self.calls.append(call)
        if self.calling:
            return
        self.calling = True
        life = self.life
        while self.calls:
            for effect in self.calls.popleft()():
                if self.world.stops(self.name, self.world.rates.crash):
                    self.crash()
                if self.life != life:
                    return
                self._carry_out(effect)
        self.calling = False

    def _carry_out(self, effect: ParticipantEffect) -> None:
        self.world.note(self.name, effect)
        match effect:
            case Append():
                self._append(effect)
            case Sync():
                self._sync()
            case Apply():
                self.to_apply.append(effect)
                self._later(0.001, self._apply_next)
            case RollBack(transaction):
                self.writers.pop(transaction, None)
            case Send(to, Finish(transaction, shard, deciding, committed=False)) if (
                self.world.bug is Bug.PRESUMED_COMMIT
            ):
                self.world.send(to, Finish(transaction, shard, deciding, committed=True))
            case Send(to, message):
                self.world.send(to, message)
            case Reply(message):
                self.world.reply(message)

    def _append(self, effect: Append) -> None:
        if self.failed or self.world.events.chance(self.world.rates.full):
            self.calls.append(partial(self.participant.not_logged, effect.transaction, effect.kind, "full"))
            return
        sequence = self.log.append(effect.kind, effect.transaction, effect.body)
        self.reports.append((sequence, effect))
        self._report()
        if effect.sync:
            self._sync()

    def _report(self) -> None:
        """Tell the participant, in order, of entries that are as durable as they must be."""
        lazy = {Bug.ACK_BEFORE_SYNC: EntryKind.COMMIT, Bug.VOTE_NOT_PERSISTED: EntryKind.PREPARE}
        while self.reports:
            sequence, effect = self.reports[0]
            sync = effect.sync and not (self.world.bug and lazy.get(self.world.bug) is effect.kind)
            if sync and sequence > self.log.durable:
                return
            self.reports.popleft()
            self.calls.append(partial(self.participant.logged, effect.transaction, effect.kind, sequence))
            if self.world.bug is Bug.FINISHED_BEFORE_SYNC:
                self.calls.append(partial(self.participant.synced, sequence))

    def _sync(self) -> None:
        if not self.syncing and not self.failed:
            self.syncing = True
            self._later(0.002, partial(self._synced, self.log.last))

    def _synced(self, up_to: int) -> None:
        self.syncing = False
        if self.world.events.chance(self.world.rates.sync_fails):
            self.world.counts["failed logs"] += 1
            self.failed = True
            self.reports.clear()
            self._later(3 * TICK_S, self.crash)
            self.call(self.participant.log_failed)
            return
        self.log.durable = up_to
        self._report()
        if any(effect.sync for _, effect in self.reports):
            self._sync()
        self.call(partial(self.participant.synced, up_to))

    def _apply_next(self) -> None:
        effect = self.to_apply.popleft()
        self._apply(effect)
        self.call(partial(self.participant.applied, effect.transaction))

    def _apply(self, effect: Apply) -> None:
        name = effect.transaction
        operations = self.writers.pop(name, None) or self._operations(effect)
        if operations != written(name, self.number):
            raise Violation(f"{self.name} applies {operations!r} for {name}")
        if name in self.state:
            raise Violation(f"{self.name} applies {name} a second time")
        if self.world.told.get(name) is Outcome.ABORTED:
            raise Violation(f"{self.name} applies {name}, which was aborted")
        if effect.sequence <= self.applied:
            raise Violation(f"{self.name} applies {effect.sequence} after {self.applied}")
        self.state[name] = operations
        self.applied = effect.sequence

    def _operations(self, effect: Apply) -> bytes:
        """What the log says that a transaction wrote here."""
        parts: list[bytes] = []
        for sequence in range(effect.operations_from, effect.operations_at):
            entry = self.log.read(sequence)
            if entry.transaction == effect.transaction and entry.kind is EntryKind.OPERATIONS:
                parts.append(entry.body)
        last = self.log.read(effect.operations_at)
        decode = records.decode_prepare if last.kind is EntryKind.PREPARE else records.decode_commit
        return b"".join([*parts, decode(last.body).operations])

    def _write_checkpoint(self) -> None:
        """Now and then; not before the log has everything that the checkpoint would have."""
        self._later(5 * TICK_S, self._write_checkpoint)
        if self.log.durable < self.applied and self.world.bug is not Bug.CHECKPOINT_AHEAD_OF_LOG:
            self._sync()
            return
        self.checkpoint = (self.applied, dict(self.state))
        self._later(TICK_S, self._truncate)

    def _truncate(self) -> None:
        """Some time after the checkpoint, so that more has been applied than it has."""
        checkpointed, _ = self.checkpoint
        before = self.participant.truncate_before(checkpointed)
        if self.world.bug is Bug.DECISION_FORGOTTEN:
            before = checkpointed + 1
        self.log.truncate(min(before, self.log.durable + 1))

    def _tick(self) -> None:
        self._later(TICK_S, self._tick)
        self.call(self.participant.tick)

    def _later(self, mean_s: float, action: Callable[[], None]) -> None:
        """Do it later in this life."""
        life = self.life

        def act() -> None:
            if self.up and self.life == life:
                action()

        self.world.events.after(mean_s * (0.5 + self.world.events.rng.random()), act)
