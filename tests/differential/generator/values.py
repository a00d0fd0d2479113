"""Constants of every type that generated statements use.

A *kind* is a DuckDB type, or one of three that say more: `int` and `num` are INTEGER and DECIMAL(9,2) columns of small
values, which arithmetic may use without overflow, and `id` is an INTEGER column whose values are unique in its table.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import Any

# Ascending, as ranges need them.
KEY_POOLS: dict[str, tuple[str, ...]] = {
    "INTEGER": ("-2147483648", "-5", "-1", "0", "1", "2", "3", "5", "7", "10", "100", "2147483647"),
    "SMALLINT": ("-32768", "-2", "0", "1", "2", "3", "300", "32767"),
    "BIGINT": ("-9223372036854775808", "-3", "0", "1", "2", "3", "4", "2147483648", "9223372036854775807"),
    "UBIGINT": ("0", "1", "2", "3", "4294967296", "18446744073709551615"),
    "HUGEINT": (
        "-170141183460469231731687303715884105728",
        "-1",
        "0",
        "1",
        "2",
        "18446744073709551616",
        "170141183460469231731687303715884105727",
    ),
    "VARCHAR": (
        "''",
        "' '",
        "'0'",
        "'1'",
        "'A'",
        "'a'",
        "'a '",
        "'ab'",
        "'b'",
        "'it''s'",
        "'é'",
        "'日本'",
        "'🦆'",
    ),
    "DATE": (
        "DATE '-infinity'",
        "DATE '0001-01-01'",
        "DATE '1969-12-31'",
        "DATE '1970-01-01'",
        "DATE '2024-02-29'",
        "DATE '2024-03-01'",
        "DATE '9999-12-31'",
        "DATE 'infinity'",
    ),
    "TIMESTAMP": (
        "TIMESTAMP '-infinity'",
        "TIMESTAMP '0001-01-01 00:00:00'",
        "TIMESTAMP '1969-12-31 23:59:59.999999'",
        "TIMESTAMP '1970-01-01 00:00:00'",
        "TIMESTAMP '2024-02-29 12:00:00'",
        "TIMESTAMP '2024-02-29 12:00:00.000001'",
        "TIMESTAMP '9999-12-31 23:59:59.999999'",
        "TIMESTAMP 'infinity'",
    ),
    "TIMESTAMPTZ": (
        "TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'",
        "TIMESTAMPTZ '1970-01-01 00:00:00+00'",
        "TIMESTAMPTZ '2024-03-31 00:30:00+00'",
        "TIMESTAMPTZ '2024-03-31 03:30:00+02'",
        "TIMESTAMPTZ '2024-03-31 02:00:00+00'",
        "TIMESTAMPTZ 'infinity'",
    ),
    "DECIMAL(18,4)": (
        "-99999999999999.9999",
        "-1.5000",
        "-0.0001",
        "0.0000",
        "0.1000",
        "1.0000",
        "1.0001",
        "2.0000",
        "99999999999999.9999",
    ),
    "DOUBLE": (
        "'-inf'::DOUBLE",
        "-1e300::DOUBLE",
        "-1.5::DOUBLE",
        "'-0.0'::DOUBLE",
        "0::DOUBLE",
        "0.1::DOUBLE",
        "1::DOUBLE",
        "2.5::DOUBLE",
        "9007199254740993::DOUBLE",
        "'inf'::DOUBLE",
        "'nan'::DOUBLE",
    ),
    "UUID": (
        "'00000000-0000-0000-0000-000000000000'::UUID",
        "'12345678-1234-5678-1234-567812345678'::UUID",
        "'7fffffff-ffff-ffff-ffff-ffffffffffff'::UUID",
        "'80000000-0000-0000-0000-000000000000'::UUID",
        "'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID",
    ),
    "BOOLEAN": ("false", "true"),
    "mood": ("'sad'::mood", "'ok'::mood", "'Happy'::mood"),
}

OTHER_POOLS: dict[str, tuple[str, ...]] = {
    "int": ("-2", "0", "1", "1", "2", "3", "7"),
    "num": ("-2", "0", "1", "1.25", "2.50", "3", "0.01"),
    "DECIMAL(38,10)": (
        "'-9999999999999999999999999999.9999999999'",
        "0",
        "0.0000000001",
        "1.5",
        "12345678901234567890",
    ),
    "INTERVAL": (
        "INTERVAL '1 month'",
        "INTERVAL '30 days'",
        "INTERVAL '-3 hours'",
        "INTERVAL '0 days'",
        "INTERVAL '1 year'",
    ),
    "INTEGER[]": ("[]", "[1]", "[1, NULL, 3]", "[NULL]", "[3, 2, 1]", "[0, 0]"),
    "VARCHAR[]": (
        "[]",
        "['a']",
        "['', NULL]",
        "['b', 'a', 'a']",
        "['a text that is longer than twelve bytes']",
    ),
    "STRUCT(p INTEGER, q VARCHAR)": (
        "{'p': 1, 'q': 'a'}",
        "{'p': NULL, 'q': ''}",
        "{'p': 2, 'q': NULL}",
        "{'p': NULL, 'q': NULL}",
    ),
    "MAP(VARCHAR, INTEGER)": ("MAP {}", "MAP {'a': 1}", "MAP {'a': NULL, 'b': 2}", "MAP {'': 0}"),
    "TIME": ("TIME '00:00:00'", "TIME '12:30:00.5'", "TIME '23:59:59.999999'"),
    "BLOB": ("''::BLOB", "'\\x00\\xFF'::BLOB", "'a'::BLOB"),
    "FLOAT": ("'nan'::FLOAT", "'-0.0'::FLOAT", "0::FLOAT", "1.5::FLOAT", "'inf'::FLOAT"),
}

POOLS = KEY_POOLS | OTHER_POOLS

EXTRA_KINDS = tuple(kind for kind in POOLS if kind not in ("int", "num"))
"""Kinds that a column beside the standing ones may have."""

TYPES = {kind: kind for kind in POOLS} | {"int": "INTEGER", "num": "DECIMAL(9,2)", "id": "INTEGER"}
"""The DuckDB type of each kind."""

NULL_SHARE = 0.15


def sql_type(kind: str) -> str:
    """The DuckDB type of a kind."""
    return TYPES[kind]


def literal(random: Random, kind: str) -> str:
    """A constant of a kind, never NULL."""
    return random.choice(POOLS["int" if kind == "id" else kind])


def cuts(kind: str) -> tuple[str, ...]:
    """The values that a shard clause can name: Python has no infinite dates and gives the first and last for them."""
    unnamed = ("nan", "inf", "-0.0", "0001-01-01", "9999-12-31")
    return tuple(value for value in KEY_POOLS[kind] if not any(part in value for part in unnamed))


def parameter_value(literal: str, kind: str) -> Any:
    """The Python value that stands for a constant as a parameter; None where there is none: NULL is sent."""
    text = literal.removeprefix("DATE ").removeprefix("TIMESTAMP ").strip("'")
    if "infinity" in text:
        return None
    match kind:
        case "INTEGER" | "SMALLINT" | "BIGINT" | "int" | "id":
            return int(literal)
        case "num" | "DECIMAL(18,4)":
            return Decimal(literal)
        case "VARCHAR":
            return text.replace("''", "'")
        case "DATE":
            return date.fromisoformat(text)
        case "TIMESTAMP":
            return datetime.fromisoformat(text)
        case _:
            return None
