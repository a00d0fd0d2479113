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

_LOOK_FOR_SIGNALS_S = 0.05
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_cancellable(work: Callable[[], None], cancel: Callable[[], None]) -> None:
    """Do `work` to its end and raise what it raises.

    On Ctrl-C or termination call `cancel`, wait for the work to stop, and raise KeyboardInterrupt or SystemExit
    (128 + signal). `cancel` is called again until then, since it has no effect while the work is between two steps.
    """
    if threading.current_thread() is not threading.main_thread():
        work()
        return
    failure: list[BaseException] = []
    finished = threading.Event()
    caught: list[int] = []

    def body() -> None:
        try:
            work()
        except BaseException as error:  # handed over to the caller, whatever it is
            failure.append(error)
        finally:
            finished.set()

    # An exception raised by a handler could strike between two steps of starting the thread, and lose it.
    previous = [
        (number, signal.signal(number, lambda number, _: caught.append(number))) for number in _SIGNALS
    ]
    try:
        thread = threading.Thread(target=body, name="duckraft-statement")
        thread.start()
        while not finished.wait(_LOOK_FOR_SIGNALS_S):
            if caught:
                cancel()
        thread.join()
    finally:
        for number, handler in previous:
            signal.signal(number, handler)
    if caught:
        raise KeyboardInterrupt if caught[0] == signal.SIGINT else SystemExit(128 + caught[0])
    if failure:
        raise failure[0]


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
