"""The benchmark's comparison of answers finds what is wrong, and only that."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.bench.answers import Answer, difference, ordering

ROWS = ((1, "a", 0.5), (2, "b", 1.5), (2, "c", 2.5))
ANSWER = Answer(("k", "name", "x"), ROWS)


def test_the_same_answer_has_no_difference() -> None:
    assert difference(ANSWER, Answer(ANSWER.names, ROWS), (0,)) is None


def test_rows_may_come_in_any_order_that_order_by_leaves_open() -> None:
    swapped = Answer(ANSWER.names, (ROWS[0], ROWS[2], ROWS[1]))
    assert difference(ANSWER, swapped, (0,)) is None
    assert difference(ANSWER, swapped, (0, 1)) is not None


def test_floating_point_values_may_differ_in_the_last_digits_only() -> None:
    assert difference(ANSWER, Answer(ANSWER.names, ((1, "a", 0.5 + 1e-12), *ROWS[1:]))) is None
    assert difference(ANSWER, Answer(ANSWER.names, ((1, "a", 0.5 + 1e-6), *ROWS[1:]))) is not None


@pytest.mark.parametrize(
    "got",
    [
        Answer(("k", "other", "x"), ROWS),
        Answer(ANSWER.names, ROWS[:2]),
        Answer(ANSWER.names, (*ROWS[:2], ROWS[1])),
        Answer(ANSWER.names, ((Decimal(1), "a", 0.5), *ROWS[1:])),
        Answer(ANSWER.names, ((1, None, 0.5), *ROWS[1:])),
    ],
    ids=["name", "row missing", "row twice", "type", "null"],
)
def test_a_wrong_answer_is_found(got: Answer) -> None:
    assert difference(ANSWER, got) is not None


def test_the_order_is_that_of_the_columns_order_by_starts_with() -> None:
    names = ("k", "name", "x")
    assert ordering("SELECT k, name, x FROM t ORDER BY x DESC, k", names) == (2, 0)
    assert ordering("SELECT k, name, x FROM t ORDER BY name, k + 1, x", names) == (1,)
    assert ordering("SELECT k, name, x FROM t", names) == ()
