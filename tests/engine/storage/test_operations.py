"""Operations as bytes: what is read back runs as what was written."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest

from duckraft.engine.errors import LogDamagedError, NotSupportedError
from duckraft.engine.storage import duck
from duckraft.engine.storage.operations import ROWS_NAME, Operation, apply, decode, encode
from duckraft.engine.storage.rows import CHUNK_BYTES, rows_of
from duckraft.engine.storage.settings import SETTLED, deviating, settle


class _Number(IntEnum):
    ONE = 1


class _Text(str):
    __slots__ = ()


_ZONED = datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
_VALUES: list[Any] = [
    None,
    True,
    False,
    *(
        sign * (1 << bits) + more
        for bits in (0, 31, 32, 63, 64, 126)
        for sign in (1, -1)
        for more in (-1, 0, 1)
    ),
    (1 << 128) - 1,
    -(1 << 127),
    1.5,
    math.nan,
    math.inf,
    -math.inf,
    -0.0,
    5e-324,
    "",
    "it's\0 ü 🦆",
    b"",
    b"\0\xff",
    bytearray(b"ab"),
    memoryview(b"cd"),
    Decimal("1.50"),
    Decimal("-0.0"),
    Decimal("1E+3"),
    Decimal("NaN"),
    Decimal("12345678901234567890123456789012345678"),
    date.min,
    date.max,
    datetime.min,
    datetime.max,
    datetime(2020, 1, 1, 2, 3, 4, 5),
    datetime(2020, 1, 1, tzinfo=UTC),
    datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=-3))),
    _ZONED,
    time(1, 2, 3, 4),
    time(1, 2, 3, tzinfo=timezone(timedelta(hours=3, seconds=7))),
    timedelta(days=3, seconds=4, microseconds=5),
    timedelta(microseconds=-1),
    UUID(int=5),
    [],
    [None],
    [[1], [2, None]],
    (1, 2),
    (),
    {},
    {"a": 1, "b": [Decimal("1.5")]},
    {"key": [1, 2], "value": ["x", None]},
    _Number.ONE,
    _Text("x"),
    np.float64(1.25),
    np.str_("n"),
    np.datetime64("2020-01-01"),
    np.datetime64("2020-01-01T00:00:00.123456"),
    np.array([1, 2]),
    np.array([[1.5], [2.5]]),
    duck.typed_value(7, "UTINYINT"),
    duck.typed_value("b", "ENUM('a', 'b')"),
    duck.typed_value({"a": 1}, "STRUCT(a BIGINT)"),
]


def _bound(connection: duckdb.DuckDBPyConnection, value: Any) -> tuple[Any, ...]:
    """What DuckDB makes of a parameter."""
    found = connection.execute("SELECT typeof($1), CAST($1 AS VARCHAR)", [value]).fetchone()
    assert found is not None
    return found


@pytest.mark.parametrize(
    "value", _VALUES, ids=[f"{at} {type(value).__name__}" for at, value in enumerate(_VALUES)]
)
def test_a_parameter_is_bound_as_the_same_value_of_the_same_type(value: Any) -> None:
    connection = duckdb.connect()
    (again,) = decode(encode([Operation("SELECT ?", [value])]))
    assert isinstance(again.parameters, list)
    assert _bound(connection, again.parameters[0]) == _bound(connection, value)


def test_text_parameters_by_name_or_number_and_settings_come_back() -> None:
    operations = [
        Operation("SELECT 1"),
        Operation("INSERT INTO t VALUES (?, ?)", [1, "x"]),
        Operation("INSERT INTO t VALUES (?, ?)", (1, "x")),
        Operation("UPDATE t SET x = $value", {"value": None}, settings=(("TimeZone", "Europe/Berlin"),)),
    ]
    assert decode(encode(operations)) == operations
    assert decode(encode([])) == []


def test_what_duckdb_does_not_bind_is_refused() -> None:
    with pytest.raises(NotSupportedError, match="complex"):
        encode([Operation("SELECT ?", [1 + 2j])])


@pytest.mark.parametrize("cut", range(1, 60))
def test_bytes_that_are_cut_off_are_damage(cut: int) -> None:
    data = encode([Operation("INSERT INTO t VALUES (?, ?, ?)", [1, date(2020, 1, 1), Decimal("1.5")])])
    assert cut < len(data)
    with pytest.raises(LogDamagedError):
        decode(data[:-cut])


def test_a_later_version_and_bytes_behind_the_end_are_damage() -> None:
    data = encode([Operation("SELECT 1")])
    with pytest.raises(LogDamagedError, match="version 2"):
        decode(b"\2" + data[1:])
    with pytest.raises(LogDamagedError, match="follow"):
        decode(data + b"\0")


_TYPES = {
    "TINYINT": "-128",
    "HUGEINT": "-170141183460469231731687303715884105728",
    "UHUGEINT": "340282366920938463463374607431768211455",
    "BIGNUM": "123456789012345678901234567890123456789012345678901234567890",
    "FLOAT": "'nan'",
    "DOUBLE": "-0.0",
    "DECIMAL(4,1)": "1.5",
    "DECIMAL(38,10)": "1.0000000001",
    "BOOLEAN": "true",
    "VARCHAR": "'a' || chr(0) || 'ü'",
    "VARCHAR[]": "['', NULL]",
    "BLOB": r"'\x00\xff'",
    "BIT": "'0101'",
    "UUID": "'12345678-1234-1234-1234-123456789abc'",
    "DATE": "'-infinity'",
    "TIME": "'24:00:00'",
    "TIME WITH TIME ZONE": "'12:00:00+15:59:59'",
    "TIMESTAMP": "'infinity'",
    "TIMESTAMP_S": "'2020-01-01'",
    "TIMESTAMP_NS": "'2020-01-01 00:00:00.123456789'",
    "TIMESTAMP WITH TIME ZONE": "'290000-01-01 00:00:00+00'",
    "INTERVAL": "INTERVAL '1 month 30 days -1 us'",
    "VARIANT": "CAST({'a': [1, NULL]} AS VARIANT)",
    "JSON": """'{"a": [1, null]}'""",
    "ENUM('a', 'b')": "'b'",
    "ENUM('a', 'b')[]": "[]",
    "STRUCT(a ENUM('a'), b STRUCT(c INTEGER[]))": "{'a': 'a', 'b': {'c': [1, NULL]}}",
    "STRUCT(a VARCHAR)": "{'a': NULL}",
    "INTEGER[3]": "[1, NULL, 3]",
    "MAP(VARCHAR, INTEGER[])": "MAP {'k': [1]}",
    "UNION(a INTEGER, b VARCHAR)": "union_value(a := CAST(NULL AS INTEGER))",
    "UNION(a INTEGER, b VARCHAR)[]": "[union_value(b := 'x')]",
}


@pytest.mark.parametrize("kind", _TYPES)
def test_rows_of_every_type_come_back_as_they_were(kind: str) -> None:
    connection = duck.open_instance()
    duck.execute(
        connection,
        f"CREATE TABLE t AS SELECT CAST({_TYPES[kind]} AS {kind}) AS v, 1 AS n UNION ALL SELECT NULL, 2",
    )
    duck.execute(connection, "CREATE TABLE copy AS FROM t LIMIT 0")
    (rows,) = rows_of(connection, "FROM t", [kind, "INTEGER"])
    (operation,) = decode(encode([Operation(f"INSERT INTO copy FROM {ROWS_NAME}", rows=rows)]))
    duck.execute(connection, "BEGIN")
    apply(connection, operation)
    apply(connection, operation)
    duck.execute(connection, "COMMIT")
    whole = "SELECT typeof(v), CAST(v AS VARCHAR), n FROM"
    before = duck.rows(connection, f"{whole} t ORDER BY n")
    assert duck.rows(connection, f"{whole} copy ORDER BY n") == [row for row in before for _ in range(2)]
    assert repr(duck.rows(connection, "FROM copy ORDER BY n LIMIT 1")) == repr(
        duck.rows(connection, "FROM t LIMIT 1")
    )


@pytest.mark.parametrize("kind", ["VARCHAR", "UNION(a VARCHAR, b INTEGER)"])
def test_many_rows_are_cut_into_chunks(kind: str) -> None:
    connection = duck.open_instance()
    query = f"SELECT CAST(repeat('x', 500) || i AS {kind}) AS v FROM range(50000) t(i)"
    chunks = list(rows_of(connection, query, [kind]))
    assert len(chunks) > 2
    assert max(len(encode([Operation("", rows=rows)])) for rows in chunks) <= CHUNK_BYTES
    duck.execute(connection, f"CREATE TABLE copy (v {kind})")
    for rows in chunks:
        apply(connection, Operation(f"INSERT INTO copy FROM {ROWS_NAME}", rows=rows))
    same = duck.rows(connection, f"SELECT count(*), count(DISTINCT v) FROM (FROM copy INTERSECT ({query}))")
    assert same == [(50000, 50000)]


def test_no_rows_make_no_chunk() -> None:
    connection = duck.open_instance()
    assert list(rows_of(connection, "SELECT 1 AS n WHERE false", ["INTEGER"])) == []
    assert (
        list(rows_of(connection, "SELECT union_value(a := 1) AS n WHERE false", ["UNION(a INTEGER)"])) == []
    )


def test_rows_that_only_a_transaction_sees_are_carried_by_arrow_or_not_at_all() -> None:
    connection = duck.open_instance()
    duck.execute(connection, "BEGIN")
    duck.execute(connection, "CREATE TABLE t AS SELECT 1 AS n, union_value(a := 1) AS u")
    assert len(list(rows_of(connection, "SELECT n FROM t", ["INTEGER"]))) == 1
    with pytest.raises(NotSupportedError, match="UNION"):
        list(rows_of(connection, "SELECT u FROM t", ["UNION(a INTEGER)"]))


def test_rows_that_are_damaged_are_said_to_be() -> None:
    connection = duck.open_instance()
    for kind in ("INTEGER", "UNION(a INTEGER)"):
        (rows,) = rows_of(connection, f"SELECT CAST(1 AS {kind}) AS v", [kind])
        data = encode([Operation("SELECT 1", rows=rows)])
        (broken,) = decode(data[: -len(rows.data)] + b"\0" * len(rows.data))
        with pytest.raises(LogDamagedError, match="rows"):
            apply(connection, broken)


def test_an_operation_runs_with_the_settings_it_was_written_with() -> None:
    connection = duck.open_instance()
    settle(connection)
    duck.execute(connection, "CREATE TABLE t (moment TIMESTAMPTZ, half DOUBLE)")
    settings = (("TimeZone", "Europe/Berlin"), ("integer_division", "true"))
    apply(connection, Operation("INSERT INTO t VALUES ('2020-01-01 12:00', 3 / 2)", settings=settings))
    apply(connection, Operation("INSERT INTO t VALUES ('2020-01-01 12:00', 3 / 2)"))
    assert duck.rows(connection, "SELECT epoch(moment) % 86400 / 3600, half FROM t") == [(11, 1), (12, 1.5)]
    assert deviating(connection) == ()


def test_settings_that_deviate_are_found_and_can_be_set() -> None:
    connection = duck.open_instance()
    for name, value in SETTLED.items():
        duck.execute(connection, f"SET {name} = '{value}'")
    assert deviating(connection) == ()
    duck.execute(connection, "SET TimeZone = 'Asia/Tokyo'")
    duck.execute(connection, "SET error_on_division_by_zero = false")
    assert deviating(connection) == (("TimeZone", "Asia/Tokyo"), ("error_on_division_by_zero", "false"))
    settle(connection)
    assert deviating(connection) == ()
