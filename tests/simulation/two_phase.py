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

To show that a simulation would find a fault, `Bug` in `two_phase_faults.py` has some to plant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from duckraft.engine.errors import InternalError
from duckraft.engine.transactions.coordinator import Coordinator
from duckraft.engine.transactions.protocol import (
    CoordinatorEffects,
    CoordinatorMessage,
    Done,
    Outcome,
    ParticipantMessage,
    Resolved,
    Send,
)
from duckraft.engine.transactions.transitions import State

from .events import Events, Network, Violation
from .two_phase_faults import Bug, CrashAt, Faults
from .two_phase_shard import TICK_S, Shard, at_last

FAULTS_S = 60.0
"""Virtual seconds with faults."""

SETTLING_S = 120.0
"""Virtual seconds without faults, in which everything must be resolved."""


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
