"""The coordinator of one transaction's commit: a state machine without clock, socket, thread or log.

    coordinator = Coordinator(transaction, {0: operations, 3: operations})      # what was written, by shard
    effects = coordinator.commit()                  # or abort("…"), for ROLLBACK
    effects = coordinator.receive(message)          # whatever participants reply
    effects = coordinator.tick()                    # now and then, until the effect Done

Promises: `Resolved` is returned once, then `Done` once, at the latest when every shard has answered. COMMITTED means
that the decision is durable; ABORTED that no shard will ever show the transaction; UNKNOWN that the shards will agree
on either, but not now. Messages that are doubled, late or out of order do no harm. Nothing needs to survive a crash: a
coordinator that is gone is not missed, since its shards ask the deciding one.
Leaves to others: carrying out the effects (`protocol.py` says how), deadlines (call `abort()`), locks.

The lowest shard decides: it does no more work than the others, and nothing is gained by choosing.

The states, what happens in them, and where it leads (the table `_TRANSITIONS` below):

    state       waits for                     leads to
    ACTIVE      commit() or abort()           PREPARING; DECIDING if there is only one shard; DONE if there is none
    PREPARING   every other shard's vote      DECIDING when all are there; ABORTING at the first Refused, or abort()
    DECIDING    the deciding shard's answer   COMMITTING, ABORTING if it refused, DONE if it cannot tell
    COMMITTING  Ended of every shard          DONE
    ABORTING    Ended of every shard          DONE
    DONE        nothing
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

from ..errors import invariant
from .protocol import (
    CoordinatorEffects,
    CoordinatorMessage,
    Decide,
    Decided,
    Done,
    Ended,
    Finish,
    Outcome,
    Prepare,
    Prepared,
    Refused,
    Resolved,
    Send,
    Unknown,
)


class State(Enum):
    """Where a coordinator is. The module's docstring tells what each waits for."""

    ACTIVE = auto()
    PREPARING = auto()
    DECIDING = auto()
    COMMITTING = auto()
    ABORTING = auto()
    DONE = auto()


class Coordinator:
    """One transaction's way from its last statement to its outcome."""

    __slots__ = ("_awaited", "_deciding", "_operations", "_participants", "state", "transaction")

    def __init__(self, transaction: str, operations: Mapping[int, bytes]) -> None:
        """operations: what the transaction wrote, encoded, by shard. Shards that were only read are not in it."""
        self.transaction = transaction
        self.state = State.ACTIVE
        self._operations = operations
        self._participants = tuple(sorted(operations))
        self._deciding = min(operations, default=0)
        self._awaited: set[int] = set()

    @property
    def awaited(self) -> frozenset[int]:
        """The shards whose answer is missing in the present state."""
        return frozenset(self._awaited)

    def commit(self) -> CoordinatorEffects:
        """Begin to commit: once, in the state ACTIVE."""
        invariant(self.state is State.ACTIVE, "a transaction commits once")
        if not self._participants:
            self.state = State.DONE
            return Resolved(Outcome.COMMITTED), Done()
        others = set(self._participants) - {self._deciding}
        if not others:
            return self._decide()
        return self._enter(State.PREPARING, others)

    def abort(self, reason: str) -> CoordinatorEffects:
        """Give up, if the deciding shard has not been asked; from then on its answer is what counts.

        No effects mean that it is too late: Resolved tells the outcome, sooner or later or already.
        """
        if self.state in (State.ACTIVE, State.PREPARING):
            return self._abort(reason)
        return ()

    def receive(self, message: CoordinatorMessage) -> CoordinatorEffects:
        """What follows from a participant's reply."""
        invariant(message.transaction == self.transaction, "a message comes to its own coordinator")
        transition = _TRANSITIONS[self.state].get(type(message))
        return () if transition is None else transition(self, message)

    def tick(self) -> CoordinatorEffects:
        """Say again what has not been answered."""
        return self._messages()

    def _enter(self, state: State, awaited: set[int]) -> CoordinatorEffects:
        self.state = state
        self._awaited = awaited
        return self._messages()

    def _messages(self) -> CoordinatorEffects:
        """The message of the present state to every shard that has not answered it."""
        return tuple(Send(shard, self._message(shard)) for shard in sorted(self._awaited))

    def _message(self, shard: int) -> Prepare | Decide | Finish:
        match self.state:
            case State.PREPARING:
                operations = self._operations[shard]
                return Prepare(self.transaction, shard, self._deciding, self._participants, operations)
            case State.DECIDING:
                return Decide(self.transaction, shard, self._participants, self._operations[shard])
            case _:
                return Finish(self.transaction, shard, self._deciding, self.state is State.COMMITTING)

    def _decide(self) -> CoordinatorEffects:
        return self._enter(State.DECIDING, {self._deciding})

    def _abort(self, reason: str) -> CoordinatorEffects:
        finishes = self._enter(State.ABORTING, set(self._participants))
        return Resolved(Outcome.ABORTED, reason), *finishes, *self._done_if_all_ended()

    def _done_if_all_ended(self) -> CoordinatorEffects:
        if self._awaited:
            return ()
        self.state = State.DONE
        return (Done(),)

    def _on_vote(self, message: CoordinatorMessage) -> CoordinatorEffects:
        self._awaited.discard(message.shard)
        return () if self._awaited else self._decide()

    def _on_refused(self, message: CoordinatorMessage) -> CoordinatorEffects:
        assert isinstance(message, Refused)
        # While it decides, only the deciding shard may refuse: a vote that was given cannot be taken back.
        if self.state is State.DECIDING and message.shard != self._deciding:
            return ()
        return self._abort(message.reason)

    def _on_decided(self, _: CoordinatorMessage) -> CoordinatorEffects:
        finishes = self._enter(State.COMMITTING, set(self._participants))
        return Resolved(Outcome.COMMITTED), *finishes

    def _on_unknown(self, message: CoordinatorMessage) -> CoordinatorEffects:
        assert isinstance(message, Unknown)
        self._awaited = set()
        self.state = State.DONE
        return Resolved(Outcome.UNKNOWN, message.reason), Done()

    def _on_ended(self, message: CoordinatorMessage) -> CoordinatorEffects:
        self._awaited.discard(message.shard)
        return self._done_if_all_ended()


_Transition = Callable[[Coordinator, CoordinatorMessage], CoordinatorEffects]

_TRANSITIONS: Mapping[State, Mapping[type[CoordinatorMessage], _Transition]] = {
    State.ACTIVE: {},
    State.PREPARING: {Prepared: Coordinator._on_vote, Refused: Coordinator._on_refused},
    State.DECIDING: {
        Decided: Coordinator._on_decided,
        Refused: Coordinator._on_refused,
        Unknown: Coordinator._on_unknown,
    },
    State.COMMITTING: {Ended: Coordinator._on_ended},
    State.ABORTING: {Ended: Coordinator._on_ended},
    State.DONE: {},
}
"""What a message leads to in each state. A message that is not there is from the past, and leads to nothing."""
