"""Results: fetching, detaching, closing, and errors that come with a row."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import Error, InterfaceError
from duckraft.engine.executor.result import Result
from duckraft.engine.session import Session
from duckraft.engine.types import Column

LATE_ERROR = "SELECT CAST(if(range = 900000, 'x', '1') AS INT) FROM range(1000000)"


def test_rows_come_in_the_sizes_asked_for(session: Session) -> None:
    result = session.execute("FROM range(10)")
    assert result.streaming
    assert result.fetchone() == (0,)
    assert result.fetchmany(3) == [(1,), (2,), (3,)]
    assert list(result) == [(number,) for number in range(4, 10)]
    assert (result.fetchone(), result.fetchmany(5), result.fetchall()) == (None, [], [])
    assert not result.streaming


def test_rows_in_memory_are_fetched_alike() -> None:
    result = Result([Column("a", "INTEGER")], "X", rows=[(1,), (2,), (3,)])
    assert (result.fetchone(), result.fetchmany(1), result.fetchall(), result.fetchone()) == (
        (1,),
        [(2,)],
        [(3,)],
        None,
    )


def test_a_result_stays_readable_while_the_session_goes_on(session: Session) -> None:
    first = session.execute("FROM range(100000)")
    assert first.fetchone() == (0,)
    second = session.execute("SELECT 42")
    assert not first.streaming
    assert len(first.fetchall()) == 99999
    assert second.fetchall() == [(42,)]


def test_an_error_of_a_detached_result_is_its_own(session: Session) -> None:
    first = session.execute(LATE_ERROR)
    assert first.fetchone() == (1,)
    assert session.execute("SELECT 42").fetchall() == [(42,)]
    for _ in range(2):
        with pytest.raises(Error, match="Could not convert") as caught:
            first.fetchall()
        assert caught.value.sqlstate == "22P02"


def test_an_error_while_fetching_ends_the_rows(session: Session) -> None:
    result = session.execute(LATE_ERROR)
    with pytest.raises(Error, match="Could not convert"):
        list(result)
    assert result.fetchmany() == []
    assert session.execute("SELECT 42").fetchall() == [(42,)]


def test_a_closed_result_gives_nothing(session: Session) -> None:
    result = session.execute("FROM range(10)")
    result.close()
    result.close()
    result.detach()
    for fetch in (result.fetchone, result.fetchmany, result.fetchall):
        with pytest.raises(InterfaceError):
            fetch()
    assert session.execute("SELECT 42").fetchall() == [(42,)]


def test_detaching_twice_keeps_the_rows() -> None:
    result = Result([Column("a", "INTEGER")], "X", rows=[(1,), (2,)])
    result.fetchone()
    result.detach()
    assert result.fetchall() == [(2,)]
