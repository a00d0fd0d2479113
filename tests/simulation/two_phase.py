"""Two-phase commit under every fault at once: whole sets of coordinators and participants from one seed.

A simulation has some shards, each with a log, a state, checkpoints and a participant, and sessions that commit
transactions on some of the shards. Messages are lost, late, doubled and out of order; shards crash between any two
effects, lose what was not synced or only some of it, and start again; sessions die at any step; logs are full, or fail
to sync for good. Then the faults end, and the shards get time to settle.

What must hold (anything else raises Violation):
- a transaction is in the state of every shard that it wrote on, or of none; and it got there once;
- what a session was told to be committed is there in the end, and what it was told to be aborted never is;
- what is replayed is what was written, and it is still in the log;
- once all are up, nothing is in doubt, no session waits, and no participant keeps anything.

To show that a simulation would find a fault, `Bug` has some to plant.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial

from duckraft.engine.errors import InternalError
from duckraft.engine.storage.log import Entry, EntryKind
from duckraft.engine.transactions import records
from duckraft.engine.transactions.coordinator import Coordinator
from duckraft.engine.transactions.participant import Participant
from duckraft.engine.transactions.protocol import (
    Append,
    Apply,
    CoordinatorEffects,
    CoordinatorMessage,
    Decide,
    Done,
    Finish,
    Outcome,
    ParticipantEffect,
    ParticipantEffects,
    ParticipantMessage,
    Prepare,
    Reply,
    Resolved,
    RollBack,
    Send,
    Sync,
)
from duckraft.engine.transactions.transitions import State

from .events import Events, Network, Violation

FAULTS_S = 60.0
"""Virtual seconds with faults."""

SETTLING_S = 120.0
"""Virtual seconds without faults, in which everything must be resolved."""

TICK_S = 1.0


class Bug(Enum):
    """Faults of drivers and machines that a simulation must find."""

    ACK_BEFORE_SYNC = auto()
    """A COMMIT is reported before it is durable."""
    VOTE_NOT_PERSISTED = auto()
    """A PREPARE is reported before it is durable."""
    DECISION_FORGOTTEN = auto()
    """The log is truncated up to the checkpoint, though others may still ask for a decision in it."""
    PRESUMED_COMMIT = auto()
    """A deciding shard that knows nothing of a transaction says that it was committed."""
    FINISHED_BEFORE_SYNC = auto()
    """A participant says Finished when its outcome is in the log, but not durable."""
    CHECKPOINT_AHEAD_OF_LOG = auto()
    """A checkpoint has transactions whose entries are not durable."""
    PAST_BELIEVED = auto()
    """A Prepare or Decide for a transaction that is not active begins it."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong. Probabilities, but `delay_s`.

    loss, duplication, delay_s: of a message. crash: of a shard, before each effect. death: of a session, before each
    effect. wrongly_lost: a living session is taken for dead. abort: the user gives up. full: of an append. sync_fails:
    of a sync.
    """

    loss: float = 0.0
    duplication: float = 0.0
    delay_s: float = 0.01
    crash: float = 0.0
    death: float = 0.0
    wrongly_lost: float = 0.0
    abort: float = 0.0
    full: float = 0.0
    sync_fails: float = 0.0

    @staticmethod
    def drawn(events: Events) -> Faults:
        """Some of each, or none: a simulation with everything at once finds less than many that differ."""

        def upto(most: float) -> float:
            return events.rng.random() * most if events.rng.random() < 0.6 else 0.0

        return Faults(
            loss=upto(0.3),
            duplication=upto(0.3),
            delay_s=0.001 + upto(0.5),
            crash=upto(0.05),
            death=upto(0.05),
            wrongly_lost=upto(0.1),
            abort=upto(0.1),
            full=upto(0.1),
            sync_fails=upto(0.01),
        )


@dataclass(frozen=True, slots=True)
class CrashAt:
    """The one crash of a simulation: `actor` stops before its effect number `step`, counted from 1."""

    actor: str
    step: int


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


@dataclass(slots=True)
class Simulation:
    """Everything there is.

    bug: a fault to plant. faults: how often what goes wrong; drawn from the seed if None. crash_at: the only crash.
    shards_count: every transaction writes on all of so many; 0 draws a number, and some of them for each transaction.
    transactions: the shards each wrote on. told: the outcomes that sessions were told. steps: effects of each actor.
    """

    seed: int
    bug: Bug | None = None
    faults: Faults | None = None
    crash_at: CrashAt | None = None
    shards_count: int = 0
    sessions_count: int = 100
    trace: Callable[[str], None] | None = None
    transactions: dict[str, tuple[int, ...]] = field(default_factory=dict)
    told: dict[str, Outcome] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    sessions: dict[str, Session] = field(default_factory=dict)
    shards: list[Shard] = field(default_factory=list)
    events: Events = field(init=False)
    network: Network = field(init=False)
    rates: Faults = field(init=False)

    def __post_init__(self) -> None:
        self.events = Events(self.seed)
        self.rates = self.faults or Faults.drawn(self.events)
        self.network = Network(self.events, self.rates.loss, self.rates.duplication, self.rates.delay_s)

    def run(self) -> None:
        """Live through it all. Raises Violation, also for what the machines themselves found to be impossible."""
        count = self.shards_count or self.events.rng.randint(2, 5)
        self.shards = [Shard(self, number) for number in range(count)]
        for shard in self.shards:
            shard.open()
        for number in range(self.sessions_count):
            begin_s = self.events.rng.random() * FAULTS_S
            self.events.after(begin_s, partial(self._begin, f"t{number}"))
        try:
            self.events.run(FAULTS_S)
            self._heal()
            self.events.run(FAULTS_S + SETTLING_S)
        except InternalError as error:
            raise Violation(error.message) from error
        self._check()

    def note(self, who: str, what: object) -> None:
        """Say what happens, if anyone listens."""
        if self.trace is not None:
            self.trace(f"{self.events.now_s:9.4f} {who}: {what}")

    def stops(self, actor: str, probability: float) -> bool:
        """Whether this actor stops before its next effect."""
        self.steps[actor] += 1
        if self.crash_at is not None:
            return self.crash_at == CrashAt(actor, self.steps[actor])
        return self.events.chance(probability)

    def send(self, to: int, message: ParticipantMessage) -> None:
        """Carry a message to a shard."""
        self.network.carry(lambda: self.shards[to].receive(message))

    def reply(self, message: CoordinatorMessage) -> None:
        """Carry a message to the session of its transaction, dead or alive."""
        self.network.carry(lambda: self.sessions[message.transaction].receive(message))

    def tell(self, transaction: str, outcome: Outcome) -> None:
        """A session learns how its transaction ended."""
        if transaction in self.told:
            raise Violation(f"{transaction} is resolved a second time")
        self.told[transaction] = outcome
        self.counts[outcome.value] += 1

    def _begin(self, name: str) -> None:
        shards = tuple(range(len(self.shards)))
        if not self.shards_count:
            shards = tuple(sorted(self.events.rng.sample(shards, self.events.rng.randint(1, len(shards)))))
        self.transactions[name] = shards
        self.sessions[name] = Session(self, name, shards)
        self.sessions[name].start()

    def _heal(self) -> None:
        """No more faults, and whoever is down comes up again."""
        self.rates = Faults()
        self.network.loss = self.network.duplication = 0.0
        for shard in self.shards:
            if shard.failed:
                shard.crash()
            if not shard.up:
                shard.open()

    def _check(self) -> None:
        for name, shards in self.transactions.items():
            there = [shard for shard in shards if name in self.shards[shard].state]
            if there and len(there) < len(shards):
                raise Violation(f"{name} wrote on {shards}, but is only on {there}")
            if self.told.get(name) is Outcome.COMMITTED and not there:
                raise Violation(f"{name} was acknowledged, and is lost")
            if self.told.get(name) is Outcome.ABORTED and there:
                raise Violation(f"{name} was aborted, and is there")
            self.counts["in the end"] += bool(there)
            if (session := self.sessions[name]).alive and not session.over:
                raise Violation(f"the session of {name} waits: {session.coordinator.state}")
            for shard in self.shards:
                if (state := shard.participant.state_of(name)) is not State.UNKNOWN:
                    raise Violation(f"{name} is {state.name} on shard {shard.number}, after all this time")


class Shard:
    """One shard: what is on its disk, what is in its memory, and the driver of its participant."""

    def __init__(self, world: Simulation, number: int) -> None:
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
        before = self.participant.truncate_before(self.applied)
        if self.world.bug is Bug.DECISION_FORGOTTEN:
            before = self.applied + 1
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


class Session:
    """A session with one transaction, and the driver of its coordinator."""

    def __init__(self, world: Simulation, transaction: str, shards: tuple[int, ...]) -> None:
        self.world = world
        self.transaction = transaction
        self.shards = shards
        self.alive = True
        self.over = False
        self.coordinator = Coordinator(
            transaction, {number: at_last(transaction, number) for number in shards}
        )

    def start(self) -> None:
        """Write on every shard, then commit; give up if one is down."""
        shards = [self.world.shards[number] for number in self.shards]
        reached = [shard for shard in shards if shard.up]
        for shard in reached:
            shard.begin(self.transaction)
        self.world.events.after(TICK_S, self._tick)
        if len(reached) < len(shards) or self.world.events.chance(self.world.rates.abort):
            self._carry_out(self.coordinator.abort("a shard is down, or the user gave up"))
            return
        if self.world.events.chance(self.world.rates.abort):
            self.world.events.after(0.01, lambda: self._carry_out(self.coordinator.abort("the user gave up")))
        if self.world.events.chance(self.world.rates.wrongly_lost):
            self._lost_on(self.world.events.rng.choice(shards))
        self._carry_out(self.coordinator.commit())

    def receive(self, message: CoordinatorMessage) -> None:
        """A message arrives."""
        if self.alive:
            self.world.note(self.transaction, f"receives {message}")
            self._carry_out(self.coordinator.receive(message))

    def _tick(self) -> None:
        if self.alive and not self.over:
            self.world.events.after(TICK_S, self._tick)
            self._carry_out(self.coordinator.tick())

    def _carry_out(self, effects: CoordinatorEffects) -> None:
        for effect in effects:
            if not self.alive:
                return
            if self.world.stops("session", self.world.rates.death):
                self._die()
                return
            self.world.note(self.transaction, effect)
            match effect:
                case Send(to, message):
                    self.world.send(to, message)
                case Resolved(outcome, _):
                    self.world.tell(self.transaction, outcome)
                case Done():
                    self.over = True

    def _die(self) -> None:
        self.world.note(self.transaction, "dies")
        self.world.counts["deaths"] += 1
        self.alive = False
        for number in self.shards:
            self._lost_on(self.world.shards[number])

    def _lost_on(self, shard: Shard) -> None:
        """The shard notices, some time later, that the session is gone. A shard that opens again knows of none."""

        def notice() -> None:
            if shard.up:
                shard.call(partial(shard.participant.coordinator_lost, self.transaction))

        self.world.events.after(self.world.events.rng.expovariate(1 / TICK_S), notice)


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
