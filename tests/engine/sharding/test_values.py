"""Key values in JSON and in SQL."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import pytest

from duckraft.engine.errors import CatalogFileError, InternalError
from duckraft.engine.sharding.values import from_json, sql_literal, to_json

EXAMPLES = [
    None,
    True,
    2**100,
    "a\0b'c",
    1.5,
    float("inf"),
    Decimal("-1.50"),
    b"\x00\xff",
    date(2020, 2, 29),
    datetime(2020, 2, 29, 12, 30, 15, 250_000),
    datetime(2020, 2, 29, tzinfo=UTC),
    time(12, 30, 15, 1),
    timedelta(days=-3, microseconds=1),
    UUID(int=42),
]


@pytest.mark.parametrize("value", EXAMPLES, ids=repr)
def test_a_value_survives_json_with_its_class(value: Any) -> None:
    again = from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))
    assert again == value
    assert type(again) is type(value)


def test_a_value_that_can_be_no_key_is_no_json() -> None:
    with pytest.raises(InternalError):
        to_json([1])


@pytest.mark.parametrize(
    "damaged", [{}, [], 1.5, {"date": "x"}, {"date": 3}, {"colour": "red"}, {"decimal": "x"}]
)
def test_json_that_is_no_value_is_reported(damaged: Any) -> None:
    with pytest.raises(CatalogFileError):
        from_json(damaged)


def test_a_text_with_quotes_and_the_character_zero_is_one_sql_expression(
    duck: duckdb.DuckDBPyConnection,
) -> None:
    text = "a\0b'c"
    assert duck.execute(f"SELECT {sql_literal(text)}").fetchall() == [(text,)]
