"""How the benchmarks measure: contenders take turns in one process, so that what slows the machine slows all of them.

Promises: the same number of runs for each contender, times in seconds. Leaves to others: what is run, and whether the
answers are right.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

Times = dict[str, list[float]]


def take_turns(contenders: Mapping[str, Callable[[], object]], runs: int) -> Times:
    """The wall times of `runs` runs of each contender, in seconds, by name; one run of each at a time."""
    times: Times = {name: [] for name in contenders}
    for _ in range(runs):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return times


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of a hundred of `values` do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def median_and_p99_us(times: Times) -> str:
    """A line for each contender: the median and the 99th percentile in µs."""
    width = max(len(name) for name in times)
    return "\n".join(
        f"{name:<{width}}  median {statistics.median(values) * 1e6:9.1f} µs"
        f"   p99 {percentile(values, 99) * 1e6:9.1f} µs"
        for name, values in times.items()
    )
