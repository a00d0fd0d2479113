"""One value as text and as JSON. The oracle for text is DuckDB's own cast to VARCHAR."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from duckraft.shell.formats.values import json_encoder, text_encoder

SAME_AS_DUCKDB = [
    "true",
    "170141183460469231731687303715884105727::HUGEINT",
    "340282366920938463463374607431768211455::UHUGEINT",
    "0.1::FLOAT",
    "16777216::FLOAT",
    "1e7::FLOAT",
    "3.4028235e38::FLOAT",
    "'-inf'::FLOAT",
    "1e-45::FLOAT",
    "0.1::DOUBLE",
    "1e16::DOUBLE",
    "1e15::DOUBLE",
    "0.00001::DOUBLE",
    "'nan'::DOUBLE",
    "0.0000000001::DECIMAL(20,10)",
    "0::DECIMAL(9,2)",
    "12345678901234567890123456789.123456789::DECIMAL(38,9)",
    "DATE '2013-10-01'",
    "'0044-03-15 (BC)'::DATE",
    "TIMESTAMP '2013-10-01 05:00:00'",
    "TIMESTAMP '2013-10-01 05:00:00.120'",
    "TIME '05:00:00.5'",
    "TIMETZ '12:00:00+02'",
    "TIMETZ '12:00:00.25+02:30'",
    "INTERVAL '2 days 1 hour'",
    "INTERVAL '1 day'",
    "INTERVAL '-1 day'",
    "INTERVAL '90 minutes'",
    "INTERVAL '-1.5 seconds'",
    "INTERVAL '0 seconds'",
    "'4ac7a9e9-607c-4c8a-84f3-843f0191e3fd'::UUID",
    r"'\xAAab\x5C'::BLOB",
    "'0101'::BIT",
    "[1, NULL, 3]",
    "['a b', 'a,b', NULL, 'it''s', '', 'null', 'NULL', '{x}', 'x=y', ' a', 'a:b', '(a)', '[z]']",
    "[[1], [2, 3], []]",
    "[0.1::FLOAT]",
    "[true, false]",
    "[DATE '2013-01-01']",
    "{'a': 1, 'b': ['x', NULL]}",
    "[{'a': 'x, y'}]",
    "MAP {'k k': 1.50, 'b': NULL}",
    "MAP {1: 'a', 2: 'b'}",
    "MAP {[1]: 2}",
    "union_value(n := 2)",
    "'b'::ENUM('a', 'b')",
    """'{"a": 1}'::JSON""",
    "array_value(1.5::FLOAT, 2.5::FLOAT)",
    "row(1, 'x')",
]


@pytest.fixture(scope="module")
def plain_duckdb() -> Any:
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize("expression", SAME_AS_DUCKDB)
def test_text_is_what_duckdb_prints(plain_duckdb: Any, expression: str) -> None:
    cursor = plain_duckdb.execute(f"SELECT {expression}, ({expression})::VARCHAR")
    value, expected = cursor.fetchone()
    assert text_encoder(str(cursor.description[0][1]))(value) == expected


@pytest.mark.parametrize(
    ("type_name", "value", "expected"),
    [
        ("UHUGEINT", 340282366920938463463374607431768211455, "340282366920938463463374607431768211455"),
        (
            "DECIMAL(38,9)",
            Decimal("12345678901234567890123456789.100000000"),
            "12345678901234567890123456789.100000000",
        ),
        ("DECIMAL(20,10)", Decimal("1E-10"), "0.0000000001"),
        ("FLOAT", 0.10000000149011612, "0.1"),
        ("DOUBLE", float("nan"), '"NaN"'),
        ("DOUBLE", float("inf"), '"Infinity"'),
        ("FLOAT", float("-inf"), '"-Infinity"'),
        ("BOOLEAN", False, "false"),
        ("DATE", datetime.date(2013, 10, 1), '"2013-10-01"'),
        ("TIMESTAMP", datetime.datetime(2013, 10, 1, 5, 0, 0, 120000), '"2013-10-01T05:00:00.12"'),
        (
            "TIMESTAMP WITH TIME ZONE",
            datetime.datetime(2013, 10, 1, 5, tzinfo=datetime.UTC),
            '"2013-10-01T05:00:00+00:00"',
        ),
        ("VARCHAR", 'say "é"\n\x01', '"say \\"é\\"\\n\\u0001"'),
        ("BLOB", b"\xaa\\", '"\\\\xAA\\\\x5C"'),
        ("JSON", '{"a":\n 1.10}', '{"a":  1.10}'),
        ("INTEGER[]", [1, None], "[1, null]"),
        ("STRUCT(a FLOAT, b VARCHAR)", {"a": 0.10000000149011612, "b": None}, '{"a": 0.1, "b": null}'),
        ("MAP(INTEGER, VARCHAR)", {1: "x"}, '{"1": "x"}'),
        ("MAP(INTEGER[], INTEGER)", {"key": [[1]], "value": [2]}, '{"[1]": 2}'),
        ("UNION(n INTEGER, s VARCHAR)", "x", '"x"'),
    ],
)
def test_json_is_exact_and_valid(type_name: str, value: Any, expected: str) -> None:
    text = json_encoder(type_name)(value)
    assert text == expected
    json.loads(text)
