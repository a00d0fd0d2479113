"""Many sessions at once, each in a thread: how fast they are together, and how long each statement took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

Work = Callable[[], object]
"""One statement or transaction of one session."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What some sessions did together.

    seconds: from their common start until the last was done. cpu_s: processor time of the whole process meanwhile.
    ended_s: when each piece of work was done, from the start. took_s: how long each took, in the same order.
    by_session: how many each session did.
    """

    seconds: float
    cpu_s: float
    ended_s: tuple[float, ...]
    took_s: tuple[float, ...]
    by_session: tuple[int, ...]

    @property
    def rate(self) -> float:
        """Pieces of work a second."""
        return len(self.took_s) / self.seconds


def all_at_once(sessions: Sequence[Work], times: int | None, seconds: float | None = None) -> Crowd:
    """Let every session do its work so many times, or for so many seconds. Raises what a session raises."""
    start = threading.Barrier(len(sessions) + 1)

    def run(work: Work) -> list[tuple[float, float]]:
        spans: list[tuple[float, float]] = []
        start.wait()
        end = time.perf_counter() + seconds if seconds is not None else None
        while len(spans) != times and (end is None or time.perf_counter() < end):
            begun = time.perf_counter()
            work()
            spans.append((begun, time.perf_counter()))
        return spans

    with ThreadPoolExecutor(len(sessions)) as pool:
        futures = [pool.submit(run, work) for work in sessions]
        start.wait()
        origin, cpu = time.perf_counter(), time.process_time()
        done = [future.result() for future in futures]
        took, cpu_took = time.perf_counter() - origin, time.process_time() - cpu
    spans = [span for each in done for span in each]
    return Crowd(
        took,
        cpu_took,
        tuple(end - origin for _, end in spans),
        tuple(end - begin for begin, end in spans),
        tuple(map(len, done)),
    )
