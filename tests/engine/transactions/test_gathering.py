"""Whatever comes is dealt with once, in order, by one thread at a time; those who come meanwhile are the next batch."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from duckraft.engine.transactions.gathering import LARGE_CROWD, LINGER_S, Crowd, Gathering

WAIT_S = 30.0


class Dealer:
    """Deals with batches one at a time, each when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.failing: set[int] = set()

    def deal(self, items: list[int]) -> None:
        self.batches.append(items)
        self.entered.release()
        assert self.go_on.acquire(timeout=WAIT_S)
        if self.failing & set(items):
            raise ValueError(items)


def gathered(gathering: Gathering[int], count: int) -> None:
    """Wait until so many wait."""
    done = threading.Event()
    while len(gathering._waiting) < count:
        done.wait(0.001)


def test_one_alone_is_dealt_with_at_once() -> None:
    batches: list[list[int]] = []
    gathering = Gathering(batches.append)
    for item in range(3):
        gathering.submit(item)
    assert batches == [[0], [1], [2]]


def test_those_who_come_meanwhile_are_dealt_with_together() -> None:
    dealer = Dealer()
    gathering = Gathering(dealer.deal)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gathering.submit, 0)
        assert dealer.entered.acquire(timeout=WAIT_S)
        others = []
        for item in range(1, 6):
            others.append(pool.submit(gathering.submit, item))
            gathered(gathering, item)
        dealer.go_on.release()
        first.result(WAIT_S)
        assert dealer.entered.acquire(timeout=WAIT_S)
        assert not any(other.done() for other in others)
        late = pool.submit(gathering.submit, 6)
        gathered(gathering, 1)
        dealer.go_on.release(2)
        for waiting in (*others, late):
            waiting.result(WAIT_S)
    assert dealer.batches == [[0], [1, 2, 3, 4, 5], [6]]


def test_a_failure_is_told_to_all_of_its_batch_and_to_nobody_else() -> None:
    dealer = Dealer()
    dealer.failing = {2}
    gathering = Gathering(dealer.deal)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gathering.submit, 0)
        assert dealer.entered.acquire(timeout=WAIT_S)
        others = [pool.submit(gathering.submit, item) for item in (1, 2, 3)]
        gathered(gathering, 3)
        dealer.go_on.release(3)
        first.result(WAIT_S)
        for other in others:
            with pytest.raises(ValueError, match="2"):
                other.result(WAIT_S)
        pool.submit(gathering.submit, 4).result(WAIT_S)
    assert dealer.batches[-1] == [4]


def test_many_threads_lose_nothing() -> None:
    dealt: list[int] = []
    inside = threading.Lock()

    def deal(items: list[int]) -> None:
        assert inside.acquire(blocking=False), "two threads deal at the same time"
        dealt.extend(items)
        inside.release()

    gathering = Gathering(deal)

    def run(worker: int) -> None:
        for number in range(200):
            item = worker * 1000 + number
            gathering.submit(item)
            assert item in dealt[-2000:]

    with ThreadPoolExecutor(8) as pool:
        for finished in [pool.submit(run, worker) for worker in range(8)]:
            finished.result(WAIT_S)
    assert sorted(dealt) == sorted(worker * 1000 + number for worker in range(8) for number in range(200))
    for worker in range(8):
        own = [item for item in dealt if item // 1000 == worker]
        assert own == sorted(own)


def test_whoever_leads_waits_for_more_only_where_many_are(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    crowd = Crowd()
    gathering: Gathering[int] = Gathering(lambda _: None, crowd)
    gathering.submit(1)
    assert slept == []
    with ExitStack() as elsewhere:
        for _ in range(LARGE_CROWD - 1):
            elsewhere.enter_context(crowd)
        gathering.submit(2)
    assert slept == [LINGER_S]
    gathering.submit(3)
    assert len(slept) == 1
