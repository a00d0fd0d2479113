"""Running something long so that Ctrl-C and termination reach it at once.

A statement runs in a thread of its own while the main thread does nothing but wait: Python delivers signals to the main
thread only, and not while that is inside the database.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_CANCEL_AGAIN_AFTER_S = 0.05


def run_cancellable(work: Callable[[], None], cancel: Callable[[], None]) -> None:
    """Do `work` to its end and raise what it raises.

    On Ctrl-C (KeyboardInterrupt) or termination (SystemExit) call `cancel`, wait for the work to stop, and raise that.
    `cancel` is called again until then, since it has no effect while the work is between two steps.
    """
    failure: list[BaseException] = []
    finished = threading.Event()

    def body() -> None:
        try:
            work()
        except BaseException as error:  # handed over to the caller, whatever it is
            failure.append(error)
        finally:
            finished.set()

    thread = threading.Thread(target=body, name="duckraft-statement")
    thread.start()
    try:
        finished.wait()
    except (KeyboardInterrupt, SystemExit):
        _stop(finished, cancel)
        raise
    finally:
        thread.join()
    if failure:
        raise failure[0]


def _stop(finished: threading.Event, cancel: Callable[[], None]) -> None:
    while not finished.is_set():
        # An impatient second Ctrl-C changes nothing: the statement must end before the session can be used or closed.
        try:
            cancel()
            finished.wait(_CANCEL_AGAIN_AFTER_S)
        except (KeyboardInterrupt, SystemExit):
            continue


@contextmanager
def orderly_termination() -> Iterator[None]:
    """Inside it SIGTERM and SIGHUP raise SystemExit (128 + signal), so that files are closed on the way out."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
