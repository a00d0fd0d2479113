"""Long work that signals reach at once."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from duckraft.shell.running import orderly_termination, run_cancellable


class Work:
    """Work that ends only when it is cancelled the second time, as a statement between two steps would."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        self.cancelled = 0
        self.may_end = threading.Event()
        self.ended = False

    def run(self) -> None:
        os.kill(os.getpid(), self.signal_number)
        assert self.may_end.wait(30)
        self.ended = True

    def cancel(self) -> None:
        self.cancelled += 1
        if self.cancelled == 2:
            self.may_end.set()


def test_work_is_done_before_it_returns() -> None:
    done: list[int] = []
    run_cancellable(lambda: done.append(1), lambda: None)
    assert done == [1]


def test_an_error_of_the_work_is_raised_here() -> None:
    def fail() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_cancellable(fail, lambda: None)


def test_ctrl_c_cancels_until_the_work_has_ended() -> None:
    work = Work(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_cancellable(work.run, work.cancel)
    assert work.cancelled >= 2
    assert work.ended


def test_off_the_main_thread_work_is_done_where_it_is() -> None:
    threads: list[threading.Thread] = []
    other = threading.Thread(
        target=lambda: run_cancellable(lambda: threads.append(threading.current_thread()), lambda: None)
    )
    other.start()
    other.join()
    assert threads == [other]


def test_handlers_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run_cancellable(lambda: None, lambda: None)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_termination_cancels_too_and_keeps_its_exit_code() -> None:
    work = Work(signal.SIGTERM)
    before = signal.getsignal(signal.SIGTERM)
    with orderly_termination(), pytest.raises(SystemExit) as raised:
        run_cancellable(work.run, work.cancel)
    assert raised.value.code == 143
    assert work.ended
    assert signal.getsignal(signal.SIGTERM) is before
