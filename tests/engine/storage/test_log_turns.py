"""Turns: one fsync at a time, shared by all that wait, and nobody left waiting."""

from __future__ import annotations

import random
import threading
import time

import pytest

from duckraft.engine.storage.log_turns import Turns


class Log:
    """As much of a log as takes turns: a number that grows, and one that follows it by an "fsync"."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.turns = Turns(self.lock)
        self.last = self.durable = self.syncs = self.at_once = 0
        self.failed = False

    def append_and_sync(self, fails: bool = False) -> bool:
        """Whether the entry became durable."""
        with self.lock:
            self.last += 1
            mine = self.last
            while self.durable < mine and not self.failed:
                target = self.last
                if self.turns.begin_or_wait(mine, target):
                    self.lock.release()
                    self.at_once += 1
                    assert self.at_once == 1
                    time.sleep(random.choice([0, 0.0002]))
                    self.at_once -= 1
                    self.lock.acquire()
                    self.syncs += 1
                    self.failed = fails
                    self.turns.end(failed=fails)
                    if not fails:
                        self.durable = target
            return self.durable >= mine

    def pause(self) -> None:
        with self.lock, self.turns.paused():
            assert self.at_once == 0
            self.durable = self.last


def run_in_threads(count: int, work: object) -> None:
    assert callable(work)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_everyone_is_served_by_fewer_fsyncs_than_there_are_waiters() -> None:
    log = Log()
    run_in_threads(16, lambda: [log.append_and_sync() for _ in range(100)])
    assert log.durable == log.last == 1600
    assert log.syncs < 1600


def test_everyone_is_served_while_others_pause_the_fsyncs() -> None:
    log = Log()

    def work() -> None:
        for number in range(100):
            assert log.append_and_sync()
            if number % 10 == 0:
                log.pause()

    run_in_threads(8, work)
    assert log.durable == log.last == 800


@pytest.mark.parametrize("threads", [1, 2, 16])
def test_nobody_waits_for_an_fsync_after_the_one_that_failed(threads: int) -> None:
    log = Log()
    run_in_threads(threads, lambda: log.append_and_sync(fails=True))
    assert log.syncs == 1
    assert log.durable == 0


def test_a_thread_that_is_interrupted_when_it_is_woken_passes_its_turn_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log()
    interrupted = threading.Event()
    real = threading.Condition.wait

    def wait(condition: threading.Condition, timeout: float | None = None) -> bool:
        woken = real(condition, timeout)
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt
        return woken

    def work() -> None:
        try:
            log.append_and_sync()
        except KeyboardInterrupt:
            assert interrupted.is_set()

    with log.lock:
        log.last = 1
        assert log.turns.begin_or_wait(1, 1)
    monkeypatch.setattr(log.turns._following, "wait", lambda: wait(log.turns._following))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for number, thread in enumerate(threads):
        thread.start()
        while log.last < number + 2:
            time.sleep(0.001)
    with log.lock:
        log.turns.end(failed=False)
        log.durable = 1
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert interrupted.is_set()
    assert log.durable == 4
