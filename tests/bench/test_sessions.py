"""How many sessions at once are measured."""

from __future__ import annotations

import itertools
import threading

import pytest

from .sessions import all_at_once


def test_every_session_does_its_work_and_every_time_is_noted() -> None:
    counts = [itertools.count(), itertools.count()]
    crowd = all_at_once([count.__next__ for count in counts], 5)
    assert [next(count) for count in counts] == [5, 5]
    assert crowd.by_session == (5, 5)
    assert len(crowd.ended_s) == len(crowd.took_s) == 10
    assert crowd.rate == 10 / crowd.seconds
    assert 0 < max(crowd.ended_s) <= crowd.seconds


def test_sessions_work_at_the_same_time() -> None:
    both = threading.Barrier(2)
    crowd = all_at_once([lambda: both.wait(30), lambda: both.wait(30)], 3)
    assert crowd.by_session == (3, 3)


def test_sessions_stop_when_their_time_is_over() -> None:
    done = threading.Event()
    crowd = all_at_once([done.set, done.set], None, 0.02)
    assert done.is_set()
    assert crowd.seconds >= 0.02


def test_what_a_session_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        all_at_once([lambda: None, lambda: 1 // 0], 2)
