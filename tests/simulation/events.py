"""What every simulation is made of: virtual time, and a network that loses, doubles, delays and reorders.

Promises: all that happens follows from the seed. Nothing sleeps; a virtual hour takes as long as its events take.
Leaves to others: machines, faults that are not the network's, and what must hold (`two_phase.py`).
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

Action = Callable[[], None]


class Violation(AssertionError):  # noqa: N818  (it is no error of the program's, but what the simulation looks for)
    """Something that must always hold does not."""


class Events:
    """Actions at virtual times, in seconds. Those of the same time happen in the order in which they were planned."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now_s = 0.0
        self._planned: list[tuple[float, int, Action]] = []
        self._count = itertools.count()

    def after(self, delay_s: float, action: Action) -> None:
        """Plan an action."""
        heapq.heappush(self._planned, (self.now_s + delay_s, next(self._count), action))

    def run(self, until_s: float) -> None:
        """Let everything happen that is planned up to then."""
        while self._planned and self._planned[0][0] <= until_s:
            self.now_s, _, action = heapq.heappop(self._planned)
            action()
        self.now_s = until_s

    def chance(self, probability: float) -> bool:
        """True this often. A probability of 0 draws nothing, so that it changes nothing else."""
        return probability > 0 and self.rng.random() < probability


class Network:
    """Carries messages: each maybe never, maybe twice, at different times.

    loss, duplication: probabilities. delay_s: the mean; one in twenty takes up to a hundred times as long.
    """

    def __init__(self, events: Events, loss: float, duplication: float, delay_s: float) -> None:
        self._events = events
        self.loss = loss
        self.duplication = duplication
        self.delay_s = delay_s

    def carry(self, deliver: Action) -> None:
        """Have `deliver` called when the message arrives."""
        copies = 2 if self._events.chance(self.duplication) else 1
        for _ in range(copies):
            if not self._events.chance(self.loss):
                self._events.after(self._delay_s(), deliver)

    def _delay_s(self) -> float:
        rng = self._events.rng
        slow = 100 * rng.random() if rng.random() < 0.05 else 1
        return rng.expovariate(1 / self.delay_s) * slow
