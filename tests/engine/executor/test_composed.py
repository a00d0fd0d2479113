"""Positions in composed SQL, brought back to the user's statement."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import ProgrammingError
from duckraft.engine.executor.composed import (
    Composed,
    at_position,
    numbered_from,
    part_of_statement,
    shown_as,
)


def test_positions_in_pieces_of_the_user_are_found_again() -> None:
    user = "INSERT INTO t SELECT a FROM b"
    composed = Composed((("EXPLAIN INSERT INTO x ", None), (user[14:], 14), ("\n) LIMIT 0", None)))
    made = composed.sql
    assert made == "EXPLAIN INSERT INTO x SELECT a FROM b\n) LIMIT 0"
    assert composed.user_position(made.index("SELECT") + 1) == user.index("SELECT") + 1
    assert composed.user_position(made.index("b\n") + 1) == len(user)
    assert composed.user_position(1) is None
    assert composed.user_position(made.index("LIMIT") + 1) is None
    assert composed.user_position(1000) is None


def fail(position: int | None) -> None:
    raise ProgrammingError('table "internal" is bad', position=position)


def test_errors_are_moved_and_named() -> None:
    with pytest.raises(ProgrammingError) as caught, part_of_statement(10):
        fail(3)
    assert caught.value.position == 13
    with pytest.raises(ProgrammingError) as caught, numbered_from("? + x"):
        fail(len("$1 + x"))
    assert caught.value.position == len("? + x")
    with pytest.raises(ProgrammingError) as caught, at_position(None):
        fail(3)
    assert caught.value.position is None
    with pytest.raises(ProgrammingError) as caught, part_of_statement(10):
        fail(None)
    assert caught.value.position is None
    with pytest.raises(ProgrammingError, match='table "t" is bad'), shown_as("internal", "t"):
        fail(3)
