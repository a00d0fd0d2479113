"""Per type: the Python form and the SQL form of the hash agree, and literals mean what DuckDB takes them for."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckraft.engine.errors import DataError
from duckraft.engine.sharding import CANNOT_TELL, coerce
from duckraft.engine.sharding.key_types import KeyType
from duckraft.engine.sharding.keys import find_key_type
from duckraft.engine.sharding.stable_hash import NULL_HASH
from duckraft.engine.sharding.values import sql_literal
from tests.engine.sharding.key_values import KEY_VALUES

TYPE_NAMES = list(KEY_VALUES)


def key_type_of(name: str) -> KeyType:
    found = find_key_type(name)
    assert found is not None
    return found


def relation(type_name: str, values: list[Any]) -> str:
    """A sub-select with these values in a column `k`, and their places in `i`."""
    rows = ", ".join(
        f"({place}, CAST({sql_literal(value)} AS {type_name}))" for place, value in enumerate(values)
    )
    return f"(VALUES {rows}) AS t(i, k)"


@pytest.mark.parametrize("type_name", TYPE_NAMES)
@settings(max_examples=25)
@given(data=st.data())
def test_python_and_sql_hash_alike(
    duck: duckdb.DuckDBPyConnection, type_name: str, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.none() | KEY_VALUES[type_name], min_size=1, max_size=12))
    key_type = key_type_of(type_name)
    sql = f"SELECT {key_type.hash_sql('k')} FROM {relation(type_name, values)} ORDER BY i"
    expected = [NULL_HASH if value is None else key_type.hash(key_type.canonical(value)) for value in values]
    assert [row[0] for row in duck.execute(sql).fetchall()] == expected


@pytest.mark.parametrize("type_name", TYPE_NAMES)
@settings(max_examples=25)
@given(data=st.data())
def test_canonical_forms_compare_as_the_values_do(
    duck: duckdb.DuckDBPyConnection, type_name: str, data: st.DataObject
) -> None:
    one, other = data.draw(KEY_VALUES[type_name]), data.draw(KEY_VALUES[type_name])
    key_type = key_type_of(type_name)
    first, second = key_type.canonical(one), key_type.canonical(other)
    typed = [f"CAST({sql_literal(value)} AS {type_name})" for value in (one, other)]
    row = duck.execute(f"SELECT {typed[0]} = {typed[1]}, {typed[0]} < {typed[1]}").fetchone()
    assert row is not None
    assert not row[0] or first == second
    if key_type.ordered and not (key_type.is_shared(first) or key_type.is_shared(second)):
        assert row == (first == second, first < second)


@pytest.mark.parametrize("types", [("TINYINT", "BIGINT", "HUGEINT"), ("UTINYINT", "UBIGINT", "UHUGEINT")])
@given(value=st.integers(0, 127))
def test_equal_numbers_of_different_widths_hash_alike(
    duck: duckdb.DuckDBPyConnection, types: tuple[str, ...], value: int
) -> None:
    hashes = [
        key_type_of(name).hash_sql(f"{value}::{name}") for name in (*types, "DECIMAL(15,2)", "DECIMAL(38,0)")
    ]
    row = duck.execute(f"SELECT {', '.join(hashes)}").fetchone()
    assert row is not None
    assert len(set(row)) == 1


LITERALS = (
    st.integers(-300, 300)
    | st.sampled_from((2**24, 2**24 + 1, 2**53, 2**53 + 1, 2**63, 2**64, -(2**63) - 1))
    | st.decimals(-300, 300, places=1)
    | st.decimals(-300, 300, places=3)
    | st.floats(-300, 300)
    | st.integers(-30, 30).map(float)
    | st.sampled_from((2.0**24, 2.0**53, 0.1, float("inf"), float("nan")))
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.uuids()
    | st.timedeltas()
    | st.sampled_from(
        ("5", "-7", "2.50", "abc", "2020-02-29", "2020-02-29 12:00:00", "2020-02-29 12:00:00.6")
    )
    | st.sampled_from(("12:30:00", "2020-02-29 12:00:00+01", "infinity", "2020-2-3", "", "101", "a", "b"))
)
NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "BIGINT": ("9007199254740993", "16777217", "5", "3"),
    "DOUBLE": ("16777217", "9007199254740992", "0.1", "5", "nan", "inf"),
    "FLOAT": ("16777216", "0.1", "5", "nan"),
    "DECIMAL(15,2)": ("2.50", "0.10", "5", "16777216.01"),
    "DECIMAL(38,10)": ("2.50", "0.1", "5"),
    "DATE": ("2020-02-29", "2020-03-01"),
    "TIMESTAMP": ("2020-02-29", "2020-02-29 12:00:00", "2020-02-29 12:00:00.6"),
    "TIMESTAMP_S": ("2020-02-29 12:00:00", "2020-02-29 12:00:01"),
    "TIMESTAMP_NS": ("2020-02-29 12:00:00", "2020-02-29 12:00:00.0000001"),
    "TIMESTAMP WITH TIME ZONE": ("2020-02-29 11:00:00+00", "2020-02-29 12:00:00+00"),
    "TIME": ("12:30:00", "12:30:00.000001"),
    "VARCHAR": ("5", "05", "abc", "2020-02-29", ""),
    "ENUM('b', 'a', 'it''s')": ("a", "b"),
    "UUID": ("00000000-0000-0000-0000-000000000001",),
    "BLOB": ("abc", "5"),
    "BOOLEAN": ("true", "false"),
    "UTINYINT": ("5", "0"),
}


@pytest.mark.parametrize("type_name", NEIGHBOURS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_coerced_literal_compares_as_duckdb_compares_the_literal(
    duck: duckdb.DuckDBPyConnection, type_name: str, data: st.DataObject
) -> None:
    literal = data.draw(LITERALS)
    meant = coerce(literal, type_name)
    if meant is CANNOT_TELL:
        return
    key_type = key_type_of(type_name)
    wanted = key_type.canonical(meant)
    for text in NEIGHBOURS[type_name]:
        column = f"(SELECT CAST('{text}' AS {type_name}) AS k)"
        shown = "k::VARCHAR" if type_name == "TIMESTAMP WITH TIME ZONE" else "k"
        try:
            row = duck.execute(f"SELECT {shown}, k = ?, k < ? FROM {column}", [literal, literal]).fetchone()
        except duckdb.Error:
            return  # DuckDB refuses the comparison, so it does not matter where the row would be.
        assert row is not None
        value = coerce(row[0], type_name) if shown != "k" else row[0]
        found = key_type.canonical(value)
        assert not row[1] or found == wanted
        if key_type.ordered and not key_type.is_shared(found):
            assert row[1:] == (found == wanted, found < wanted)


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        (1.5, "BIGINT"),
        (True, "BIGINT"),
        (2.0**53, "BIGINT"),
        (1, "VARCHAR"),
        (1, "BOOLEAN"),
        (2**53 + 1, "DOUBLE"),
        ("2020-01-01 12:00:00", "DATE"),
        ("2020-01-01 12:00:00", "TIMESTAMP WITH TIME ZONE"),
        ("2020-01-01 12:00:00+00", "TIMESTAMP"),
        ("2020-01-01 12:00:00.5", "TIMESTAMP_S"),
        ("2020-02-30", "DATE"),
        ("\ud800", "VARCHAR"),
        ([1], "INTEGER[]"),
    ],
)
def test_a_literal_whose_meaning_is_not_certain_is_not_guessed(value: Any, type_name: str) -> None:
    assert coerce(value, type_name) is CANNOT_TELL


@pytest.mark.parametrize("type_name", TYPE_NAMES)
def test_a_key_of_another_class_is_refused(type_name: str) -> None:
    with pytest.raises(DataError, match="shard key") as caught:
        key_type_of(type_name).canonical(object())
    assert caught.value.sqlstate == "42804"
