"""What goes wrong in simulations of two-phase commit: faults of the world, by rates, and planted faults of the code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from .events import Events


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
