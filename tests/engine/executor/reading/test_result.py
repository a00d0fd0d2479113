"""Results: fetching, detaching, closing, and errors that come with a row."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import Error, InterfaceError
from duckraft.engine.executor.reading.result import Result
from duckraft.engine.executor.reading.spilled import SpilledRows
from duckraft.engine.session import Session
from duckraft.engine.types import Column

LATE_ERROR = "SELECT CAST(if(range = 90000, 'x', '1') AS INT), repeat('-', 1000) FROM range(100000)"
"""The row comes long after the first, by far more than what is computed ahead."""


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
    assert first.fetchmany(2) == [(1,), (2,)]
    third = session.execute("FROM range(50000)")
    assert second.fetchall() == [(42,)]
    assert first.fetchmany(1) == [(3,)]
    assert [len(third.fetchall()), len(first.fetchall())] == [50000, 99996]


@pytest.mark.parametrize("before", ["SELECT 1", "CREATE TEMP TABLE own AS SELECT 1"])
def test_an_error_of_a_result_that_was_set_aside_is_its_own(session: Session, before: str) -> None:
    session.execute(before)
    first = session.execute(LATE_ERROR)
    assert first.fetchmany(1)[0][0] == 1
    assert session.execute("SELECT 42").fetchall() == [(42,)]
    with pytest.raises(Error, match="Could not convert") as caught:
        first.fetchall()
    assert caught.value.sqlstate == "22P02"


def test_rows_wait_in_a_file_where_the_connection_cannot_be_given_away(session: Session) -> None:
    session.execute("CREATE TEMP TABLE own AS SELECT 7 AS seven")
    values = (
        "SELECT range AS i, TIMESTAMPTZ '2026-01-01 10:00:00+02', [1.5, NULL], {'a': uuid()} FROM range(5000)"
    )
    first = session.execute(values)
    start = first.fetchmany(10)
    assert session.execute("FROM own").fetchall() == [(7,)]
    assert isinstance(first.source, SpilledRows)
    rows = start + first.fetchmany(4000) + list(first)
    assert [row[0] for row in rows] == list(range(5000))
    assert {row[1:3] == rows[0][1:3] for row in rows} == {True}
    assert first.fetchmany() == []


def test_a_small_result_is_kept_in_memory(session: Session) -> None:
    connection = session.context.connections.gateway
    first = session.execute("FROM range(100)")
    session.execute("SELECT 1")
    assert not first.streaming
    assert session.context.connections.gateway is connection
    assert len(first.fetchall()) == 100


def test_a_result_that_nobody_holds_is_given_up(session: Session) -> None:
    connection = session.context.connections.gateway
    session.execute("FROM range(1000000) ORDER BY range DESC").fetchone()
    assert session.execute("SELECT 1").fetchall() == [(1,)]
    assert session.context.connections.gateway is connection


def test_settings_hold_after_a_connection_was_given_away(session: Session) -> None:
    session.execute("SET VARIABLE answer = 42")
    session.execute("SET integer_division = true")
    first = session.execute("FROM range(100000)")
    assert session.execute("SELECT getvariable('answer'), 7 / 2").fetchall() == [(42, 3)]
    assert len(first.fetchall()) == 100000


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
    for fetch in (result.fetchone, result.fetchmany, result.fetchall):
        with pytest.raises(InterfaceError):
            fetch()
    assert session.execute("SELECT 42").fetchall() == [(42,)]


def test_closing_ends_what_stands_behind_the_rows_once() -> None:
    ended: list[int] = []
    result = Result([Column("a", "INTEGER")], "X", on_close=lambda: ended.append(1))
    result.close()
    result.close()
    assert ended == [1]
