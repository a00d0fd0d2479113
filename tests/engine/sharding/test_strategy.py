"""What every strategy promises: its three answers agree, and it survives JSON and DDL."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckraft.engine.errors import CatalogFileError, NoShardError
from duckraft.engine.sharding import (
    ConsistentHashStrategy,
    DirectoryStrategy,
    HashStrategy,
    Interval,
    KeyColumn,
    OneOf,
    Predicate,
    RangeStrategy,
    ReferenceStrategy,
    SpreadStrategy,
    Strategy,
    from_json,
)
from duckraft.engine.sharding.keys import find_key_type
from duckraft.engine.sharding.values import sql_literal
from duckraft.engine.sql.clauses import parse_create_table
from tests.engine.sharding.key_values import KEY_VALUES, UNORDERED

TYPE_NAMES = list(KEY_VALUES)


def canonical(type_name: str, value: Any) -> Any:
    key_type = find_key_type(type_name)
    assert key_type is not None
    return key_type.canonical(value)


def nameable(type_name: str, values: list[Any]) -> list[Any]:
    """The values that can stand in a clause, in order and each once."""
    by_form = {canonical(type_name, value): value for value in values}
    if type_name == "DATE" or type_name.startswith("TIMESTAMP"):
        by_form = {form: value for form, value in by_form.items() if 2 < value.year < 9998}
    return [by_form[form] for form in sorted(by_form)]


@st.composite
def strategies(draw: st.DrawFn, type_name: str) -> Strategy:
    """A strategy of any kind that has a key, of one column `k` of this type."""
    key = (KeyColumn("k", type_name),)
    named = nameable(type_name, draw(st.lists(KEY_VALUES[type_name], max_size=8)))
    kinds = ["hash", "consistent hash", "directory"] + ([] if type_name in UNORDERED else ["range"])
    kind = draw(st.sampled_from(kinds))
    shards = draw(st.integers(1, 9))
    if kind == "hash":
        return HashStrategy(key, shards)
    if kind == "consistent hash":
        return ConsistentHashStrategy(key, shards)
    if kind == "range":
        return RangeStrategy(key, tuple((value,) for value in named), draw(st.booleans()) or not named)
    with_null = [*named, None] if draw(st.booleans()) else named
    entries = tuple((value, draw(st.integers(0, shards - 1))) for value in with_null)
    default = draw(st.integers(0, shards - 1)) if not entries or draw(st.booleans()) else None
    return DirectoryStrategy(key, shards, entries, default)


def shard_or_none(strategy: Strategy, values: tuple[Any, ...]) -> int | None:
    try:
        return strategy.shard_of(values)
    except NoShardError:
        return None


@pytest.mark.parametrize("type_name", TYPE_NAMES)
@settings(max_examples=40)
@given(data=st.data())
def test_python_and_sql_place_every_key_on_the_same_shard(
    duck: duckdb.DuckDBPyConnection, type_name: str, data: st.DataObject
) -> None:
    strategy = data.draw(strategies(type_name))
    values = data.draw(st.lists(st.none() | KEY_VALUES[type_name], min_size=1, max_size=8))
    rows = ", ".join(
        f"({place}, CAST({sql_literal(value)} AS {type_name}))" for place, value in enumerate(values)
    )
    shard = strategy.shard_sql(['"k"'])
    found = duck.execute(
        f"SELECT {shard}, typeof({shard}) FROM (VALUES {rows}) AS t(i, k) ORDER BY i"
    ).fetchall()
    assert found == [(shard_or_none(strategy, (value,)), "INTEGER") for value in values]


@st.composite
def predicates(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Predicate:
    if draw(st.booleans()):
        return OneOf(tuple(draw(st.lists(st.none() | values, max_size=4))))
    lower, upper = draw(st.none() | values), draw(st.none() | values)
    return Interval(lower, upper, draw(st.booleans()), draw(st.booleans()))


def satisfied(duck: duckdb.DuckDBPyConnection, type_name: str, predicate: Predicate, value: Any) -> bool:
    """Whether DuckDB finds a row of this key under the predicate."""

    def typed(given: Any) -> str:
        return f"CAST({sql_literal(given)} AS {type_name})"

    if isinstance(predicate, OneOf):
        conditions = [
            " OR ".join(f"k IS NOT DISTINCT FROM {typed(one)}" for one in predicate.values) or "false"
        ]
    else:
        conditions = ["k IS NOT NULL"]
        if predicate.lower is not None:
            conditions.append(f"k {'>=' if predicate.lower_inclusive else '>'} {typed(predicate.lower)}")
        if predicate.upper is not None:
            conditions.append(f"k {'<=' if predicate.upper_inclusive else '<'} {typed(predicate.upper)}")
    where = " AND ".join(f"({condition})" for condition in conditions)
    return bool(duck.execute(f"SELECT 1 FROM (SELECT {typed(value)} AS k) WHERE {where}").fetchall())


@pytest.mark.parametrize("type_name", TYPE_NAMES)
@settings(max_examples=40)
@given(data=st.data())
def test_pruning_keeps_the_shard_of_every_key_that_satisfies_the_predicates(
    duck: duckdb.DuckDBPyConnection, type_name: str, data: st.DataObject
) -> None:
    pool = data.draw(st.lists(KEY_VALUES[type_name], min_size=1, max_size=4))
    strategy = data.draw(strategies(type_name))
    asked = data.draw(st.lists(predicates(st.sampled_from(pool)), max_size=3))
    shards = strategy.shards_for({"k": asked})
    assert shards <= frozenset(range(strategy.shard_count))
    for value in [*pool, None]:
        shard = shard_or_none(strategy, (value,))
        if shard is not None and all(satisfied(duck, type_name, one, value) for one in asked):
            assert shard in shards


@pytest.mark.parametrize("type_name", TYPE_NAMES)
@settings(max_examples=30)
@given(data=st.data())
def test_a_strategy_survives_json_and_its_own_clause(
    duck: duckdb.DuckDBPyConnection, type_name: str, data: st.DataObject
) -> None:
    strategy = data.draw(strategies(type_name))
    read = from_json(json.loads(json.dumps(strategy.to_json(), allow_nan=False)))
    assert read == strategy
    assert type(read) is type(strategy)
    assert read.clause() == strategy.clause()
    clause = parse_create_table(f"CREATE TABLE t (k INTEGER) {strategy.clause()}").clause
    assert clause.kind == strategy.kind
    assert clause.columns == ("k",)

    def value_of(sql: str) -> Any:
        zoned = type_name == "TIMESTAMP WITH TIME ZONE"
        row = duck.execute(f"SELECT CAST({sql} AS {type_name}){'::VARCHAR' if zoned else ''}").fetchone()
        assert row is not None
        key_type = find_key_type(type_name)
        assert key_type is not None
        return key_type.coerce(row[0]) if zoned and row[0] is not None else row[0]

    again: Strategy = strategy
    if isinstance(strategy, RangeStrategy):
        bounds = tuple(tuple(value_of(sql) for sql in bound) for bound in clause.bounds)
        again = RangeStrategy(strategy.key, bounds, clause.has_maxvalue)
    elif isinstance(strategy, DirectoryStrategy):
        entries = tuple((value_of(sql), entry.shard) for entry in clause.entries for sql in entry.values)
        again = DirectoryStrategy(strategy.key, strategy.shard_count, entries, clause.default_shard)
    else:
        assert clause.shards == strategy.shard_count
    assert again == strategy


TWO = (KeyColumn("a", "INTEGER"), KeyColumn("b", "VARCHAR"))
PAIRS = st.tuples(st.none() | st.integers(-3, 3), st.none() | st.sampled_from(("", "a", "b", "é")))
WHOLE_PAIRS = PAIRS.filter(lambda pair: None not in pair)


@settings(max_examples=200)
@given(data=st.data())
def test_keys_of_two_columns_are_placed_and_pruned_as_tuples(
    duck: duckdb.DuckDBPyConnection, data: st.DataObject
) -> None:
    bounds = tuple(sorted(data.draw(st.sets(WHOLE_PAIRS, min_size=1, max_size=6))))
    choices: list[Strategy] = [
        HashStrategy(TWO, 7),
        ConsistentHashStrategy(TWO, 5),
        RangeStrategy(TWO, bounds, True),
    ]
    strategy = data.draw(st.sampled_from(choices))
    keys = data.draw(st.lists(PAIRS, min_size=1, max_size=8))
    rows = ", ".join(
        f"({place}, {sql_literal(a)}::INTEGER, {sql_literal(b)}::VARCHAR)"
        for place, (a, b) in enumerate(keys)
    )
    sql = f"SELECT {strategy.shard_sql(['a', 'b'])} FROM (VALUES {rows}) AS t(i, a, b) ORDER BY i"
    assert [row[0] for row in duck.execute(sql).fetchall()] == [strategy.shard_of(key) for key in keys]

    of_a = data.draw(st.lists(predicates(st.integers(-3, 3)), max_size=2))
    of_b = data.draw(st.lists(predicates(st.sampled_from(("", "a", "b", "é"))), max_size=2))
    shards = strategy.shards_for({"a": of_a, "b": of_b})
    for a, b in keys:
        found_a = all(satisfied(duck, "INTEGER", one, a) for one in of_a)
        if found_a and all(satisfied(duck, "VARCHAR", one, b) for one in of_b):
            assert strategy.shard_of((a, b)) in shards


@pytest.mark.parametrize("strategy", [ReferenceStrategy(), SpreadStrategy(3)])
def test_strategies_without_a_key_survive_json_and_their_own_clause(strategy: Strategy) -> None:
    assert from_json(json.loads(json.dumps(strategy.to_json()))) == strategy
    clause = parse_create_table(f"CREATE TABLE t (k INTEGER) {strategy.clause()}").clause
    assert (clause.kind, clause.shards or 1) == (strategy.kind, strategy.shard_count)


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"kind": "magic"},
        {"kind": "hash", "key": [["k", "INTEGER"]]},
        {"kind": "hash", "key": [["k", "INTEGER"]], "shards": 0},
        {"kind": "hash", "key": [["k", "INTEGER[]"]], "shards": 2},
        {"kind": "range", "key": [["k", "DATE"]], "bounds": [[{"date": "never"}]], "maxvalue": True},
        {"kind": "range", "key": [["k", "DATE"]], "bounds": [[["date"]]], "maxvalue": True},
        {"kind": "directory", "key": [["k", "INTEGER"]], "shards": 1, "entries": [7], "default": 0},
    ],
)
def test_a_damaged_catalog_entry_is_reported_as_one(damaged: dict[str, Any]) -> None:
    with pytest.raises(CatalogFileError):
        from_json(damaged)


def test_names_that_need_quotes_have_them_in_the_clause() -> None:
    strategy = HashStrategy((KeyColumn('two "words"', "INTEGER"), KeyColumn("plain", "INTEGER")), 2)
    assert strategy.clause() == 'SHARD BY HASH ("two ""words""", plain) SHARDS 2'
    assert parse_create_table(f"CREATE TABLE t (k INT) {strategy.clause()}").clause.columns == (
        'two "words"',
        "plain",
    )
