"""Every type of DuckDB comes through a stream as it was."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.executor.reading.transport import arrived, can_be_carried, leaving
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from duckraft.engine.types import Column
from tests.engine.executor.support import rows

VALUES = {
    "an enum": "'b'::ENUM('a', 'b')",
    "a list of enums": "['b', NULL]::ENUM('a', 'b')[]",
    "an empty list of enums": "[]::ENUM('a', 'b')[]",
    "a map from enums": "MAP {'a'::ENUM('a', 'b'): 1}",
    "an enum whose values look like types": "'ENUM(''x'')'::ENUM('ENUM(''x'')', 'it''s')",
    "a struct whose field looks like a type": "{'ENUM(a)': 'b'::ENUM('a', 'b')}",
    "a tuple": "row(1, 'x')",
    "a union with a NULL member": "union_value(a := NULL::INTEGER)::UNION(a INTEGER, b VARCHAR)",
    "a union in a list": "[union_value(a := NULL::INTEGER)::UNION(a INTEGER, b VARCHAR)]",
    "a union that is NULL": "NULL::UNION(a INTEGER, b VARCHAR)",
    "a union in an array": "[union_value(a := NULL::INTEGER), NULL]::UNION(a INTEGER, b VARCHAR)[2]",
    "a union in a map": "MAP {'k': union_value(a := NULL::INTEGER)::UNION(a INTEGER, b VARCHAR)}",
    "an empty map to unions": "MAP {}::MAP(VARCHAR, UNION(a INTEGER))",
    "a union in a struct": "{'a b': NULL::UNION(a INTEGER), 'c': union_value(a := NULL::INTEGER)}",
    "no struct around a union": "NULL::STRUCT(a UNION(b INTEGER))",
    "a union of all kinds": (
        "union_value(l := [union_value(e := 'b')])"
        """::UNION("x y" STRUCT("UNION(" ENUM('a,)', 'it,s')), l UNION(e VARCHAR, n INTEGER[])[])"""
    ),
    "an enum in a union": "union_value(e := 'b'::ENUM('a', 'b'))::UNION(n INTEGER, e ENUM('a', 'b'))",
    "a union in a tuple": "row(1, union_value(a := NULL::INTEGER))",
    "no value": "NULL",
    "NaN": "'nan'::DOUBLE",
    "a text with a zero byte": "'a' || chr(0)",
}


@pytest.fixture
def streamed(session: Session) -> Session:
    """A session whose fragments are streamed."""
    session.execute("SET duckraft_binding = streamed")
    return session


def all_types(database: Database) -> list[str]:
    """The names of the columns of DuckDB's own table of all types."""
    with database.gateway.asking() as connection:
        return [name for name, *_ in duck.rows(connection, "DESCRIBE FROM test_all_types()")]


def test_every_type_arrives_as_it_was(database: Database, streamed: Session) -> None:
    names = all_types(database)
    assert len(names) > 40
    streamed.execute("CREATE TABLE every SHARD BY EVENLY SHARDS 2 AS FROM test_all_types()")
    for name in names:
        query = f'SELECT typeof("{name}"), "{name}"::VARCHAR FROM every ORDER BY ALL'
        streamed.execute("SET duckraft_binding = attached")
        expected = rows(streamed, query)
        streamed.execute("SET duckraft_binding = streamed")
        assert rows(streamed, query) == expected, name


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_values_that_arrow_would_change_arrive_as_they_were(value: str, streamed: Session) -> None:
    streamed.execute(
        f"CREATE TABLE t SHARD BY HASH (k) SHARDS 2 AS SELECT range AS k, {value} AS v FROM range(4)"
    )
    expected = rows(streamed, f"SELECT typeof({value}), ({value})::VARCHAR")
    assert rows(streamed, "SELECT typeof(v), v::VARCHAR FROM t") == expected * 4
    assert rows(streamed, "SELECT DISTINCT typeof(v), v::VARCHAR FROM t") == expected


def test_a_state_that_nothing_can_make_again_is_not_carried() -> None:
    state = [Column("s", "AGGREGATE_STATE")]
    assert not can_be_carried(state, {})
    assert can_be_carried(state, {"s": "again({0})"})
    assert arrived(state, {"s": "again({0})"}) == 'again("s") AS "s"'


def test_a_union_in_a_tuple_is_not_carried() -> None:
    assert not can_be_carried([Column("v", "TUPLE(INTEGER, UNION(a INTEGER))")], {})
    assert not can_be_carried([Column("v", "UNION(a TUPLE(INTEGER))")], {})
    assert can_be_carried([Column("v", "UNION(a INTEGER)[]"), Column("w", "TUPLE(INTEGER)")], {})


def test_words_in_quotes_are_no_types() -> None:
    columns = [Column("v", 'STRUCT("UNION(x)" INTEGER)')]
    assert can_be_carried(columns, {})
    assert leaving(columns) == arrived(columns, {}) == '"v"'
