"""Shapes of statements, the values in them, and numbered parameters."""

from __future__ import annotations

from decimal import Decimal

import pytest

from duckraft.engine.sql.fingerprint import fingerprint, literal_value, number_parameters, with_literals


def test_statements_that_differ_in_values_have_one_shape() -> None:
    one, other = (
        fingerprint("select * from t where a = 1 and b = 'x'"),
        fingerprint("select *  from t\nwhere a = 22 and b = 'it''s'"),
    )
    assert one is not None
    assert other is not None
    assert one[0] == other[0]
    assert (one[1], other[1]) == (("1", "'x'"), ("22", "'it''s'"))


@pytest.mark.parametrize(
    "other", ["select '1'", "select a", 'select "1"', "select -1", "SELECT 1", "select 1, 1"]
)
def test_other_lexemes_are_another_shape(other: str) -> None:
    one, found = fingerprint("select 1"), fingerprint(other)
    assert one is not None
    assert found is None or found[0] != one[0]


@pytest.mark.parametrize(
    "text",
    [
        "select $$a$$",
        "select $ab$ '$ab$, 7, '$ab$ '",
        "select e'a'",
        "select 1 -- one",
        "select /* one */ 1",
        "select 'a",
        r"select '\a'",
    ],
)
def test_what_is_unusual_has_no_shape(text: str) -> None:
    assert fingerprint(text) is None


@pytest.mark.parametrize(
    "text", ["select 1", "update t set a = -1.5, b = 'it''s' where c >= $1", "select ?, '', 7"]
)
def test_a_shape_is_filled_with_literals(text: str) -> None:
    found = fingerprint(text)
    assert found is not None
    assert with_literals(*found) == text
    other = [f"'{number}'" if literal[0] == "'" else str(number) for number, literal in enumerate(found[1])]
    assert fingerprint(with_literals(found[0], other)) == (found[0], tuple(other))


@pytest.mark.parametrize(
    ("literal", "value"),
    [("12", 12), ("1.50", Decimal("1.50")), ("1e3", 1000.0), ("'it''s'", "it's"), ("''", "")],
)
def test_values_of_literals(literal: str, value: object) -> None:
    found = literal_value(literal)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "numbered"),
    [
        ("select ?, '?', \"?\", ? -- ?", "select $1, '?', \"?\", $2 -- ?"),
        ("select $1, $name", "select $1, $name"),
        ("select 1", "select 1"),
    ],
)
def test_bare_parameters_get_numbers(text: str, numbered: str) -> None:
    assert number_parameters(text) == numbered
