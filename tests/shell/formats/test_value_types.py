"""DuckDB's type names taken apart."""

from __future__ import annotations

import pytest

from duckraft.shell.formats.value_types import ValueType, parse_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INTEGER", ValueType("INTEGER")),
        ("DECIMAL(9,2)", ValueType("DECIMAL")),
        ("VARCHAR[]", ValueType("LIST", (ValueType("VARCHAR"),))),
        ("DOUBLE[3][]", ValueType("LIST", (ValueType("LIST", (ValueType("DOUBLE"),)),))),
        ("MAP(VARCHAR, DECIMAL(2,1))", ValueType("MAP", (ValueType("VARCHAR"), ValueType("DECIMAL")))),
        (
            'STRUCT("a, ""b" INTEGER, c VARCHAR[])',
            ValueType(
                "STRUCT", (ValueType("INTEGER"), ValueType("LIST", (ValueType("VARCHAR"),))), ('a, "b', "c")
            ),
        ),
        ("TUPLE(INTEGER, FLOAT)", ValueType("TUPLE", (ValueType("INTEGER"), ValueType("FLOAT")))),
        ("ENUM('a,b', 'it''s')", ValueType("ENUM")),
        ("TIMESTAMP WITH TIME ZONE", ValueType("TIMESTAMP WITH TIME ZONE")),
        ('"NULL"', ValueType('"NULL"')),
    ],
)
def test_a_type_name_is_taken_apart(text: str, expected: ValueType) -> None:
    assert parse_type(text) == expected


@pytest.mark.parametrize("name", ["HUGEINT", "DECIMAL(38,10)", "FLOAT"])
def test_numbers_are_known_as_numbers(name: str) -> None:
    assert parse_type(name).is_number


@pytest.mark.parametrize("name", ["VARCHAR", "INTEGER[]", "DATE", "INTERVAL"])
def test_other_types_are_not(name: str) -> None:
    assert not parse_type(name).is_number
