"""The catalog as JSON: nothing is lost on the way, and nothing is believed on the way back."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from duckraft.engine.catalog.codec import MalformedCatalogError, catalog_from_json, catalog_to_json
from duckraft.engine.catalog.model import (
    REFERENCE_SHARD,
    Catalog,
    Comment,
    Definition,
    PendingChange,
    Sequence,
    Shard,
    Table,
    TableState,
)
from duckraft.engine.sharding import (
    ConsistentHashStrategy,
    DirectoryStrategy,
    HashStrategy,
    KeyColumn,
    RangeStrategy,
    ReferenceStrategy,
    SpreadStrategy,
    Strategy,
)
from duckraft.engine.types import Column

STRATEGIES: list[Strategy] = [
    HashStrategy((KeyColumn("id", "BIGINT"), KeyColumn("Größe", "VARCHAR")), 3),
    ConsistentHashStrategy((KeyColumn("id", "UUID"),), 3),
    RangeStrategy(
        (KeyColumn("at", "DATE"), KeyColumn("price", "DECIMAL(10,2)")),
        ((date(2026, 1, 1), Decimal("1.50")), (date(2026, 2, 1), Decimal("0.10"))),
        True,
    ),
    RangeStrategy((KeyColumn("x", "DOUBLE"),), ((-1.5,), (float("inf"),)), False),
    DirectoryStrategy((KeyColumn("country", "VARCHAR"),), 3, (("de", 0), (None, 2), ("at", 0)), 1),
    SpreadStrategy(3),
    ReferenceStrategy(),
]


def table_of(strategy: Strategy, name: str = "T", state: TableState = TableState.READY) -> Table:
    columns = tuple(Column(column.name, column.type) for column in strategy.key)
    placements = tuple(range(strategy.shard_count))
    return Table(
        "Main", name, (*columns, Column("note", "VARCHAR")), ("note",), strategy, placements, state, 7
    )


def full() -> Catalog:
    """A catalog with something in every field."""
    catalog = Catalog(
        "4f1c", 3, 4, (Shard(REFERENCE_SHARD, None), Shard(0, "shards/0000.duckdb", "elsewhere"))
    )
    for number, strategy in enumerate(STRATEGIES):
        catalog = catalog.with_table(table_of(strategy, f"T{number}"))
    catalog = catalog.with_table(table_of(SpreadStrategy(2), "half_made", TableState.CREATING))
    catalog = catalog.with_sequence(Sequence("main", "S", "CREATE SEQUENCE S", -7, ("main", "t0")))
    catalog = catalog.with_comment(Comment("COLUMN", "main", "V", "x", "what it's for"))
    catalog = replace(catalog, pending=PendingChange(9, ((0, ("ALTER …", "DROP …")), (REFERENCE_SHARD, ()))))
    return catalog.with_definition(
        Definition("view", "Main", "V", 'CREATE VIEW V AS\nSELECT \'…\0"\' AS "x"')
    )


def test_a_catalog_survives_the_way_to_text_and_back() -> None:
    text = json.dumps(catalog_to_json(full()), allow_nan=False)
    assert catalog_from_json(json.loads(text)) == full()


@pytest.mark.parametrize("number", range(len(STRATEGIES)))
def test_a_strategy_that_came_back_is_the_same_in_every_word(number: int) -> None:
    table = table_of(STRATEGIES[number])
    back = catalog_from_json(catalog_to_json(Catalog("4f1c", 1, 4).with_table(table)))
    found = back.tables["main", "t"].strategy
    assert found.clause() == table.strategy.clause()
    assert found.to_json() == table.strategy.to_json()


def test_an_empty_catalog_survives_too() -> None:
    assert catalog_from_json(catalog_to_json(Catalog("4f1c", 0, 1))) == Catalog("4f1c", 0, 1)


def test_definitions_keep_their_order() -> None:
    catalog = Catalog("4f1c", 0, 1)
    for name in ("b", "c", "a"):
        catalog = catalog.with_definition(Definition("view", "main", name, name))
    assert [each.name for each in catalog_from_json(catalog_to_json(catalog)).definitions] == ["b", "c", "a"]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside a JSON value, but not inside a strategy, which has tests of its own."""
    found = [path] if path else []
    if isinstance(value, dict) and path[-1:] != ("strategy",):
        return found + [place for name, inner in value.items() for place in places(inner, (*path, name))]
    if isinstance(value, list):
        return found + [place for index, inner in enumerate(value) for place in places(inner, (*path, index))]
    return found


WHOLE = catalog_to_json(full())
SINCE_FORMAT_2 = {"sequences", "comments", "pending"}


@pytest.mark.parametrize("wrong", [None, True, -1.5, {}, [None]], ids=str)
def test_a_value_of_the_wrong_type_anywhere_is_refused(wrong: Any) -> None:
    believed = []
    for path in places(WHOLE):
        value = json.loads(json.dumps(WHOLE))
        inner = value
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = wrong
        with suppress(MalformedCatalogError):
            catalog_from_json(value)
            believed.append(path)
    may_be_none = [
        ("shards", 0, "file"),
        ("shards", 1, "file"),
        ("sequences", 0, "reserved"),
        ("sequences", 0, "owner"),
        ("pending",),
    ]
    assert believed == (may_be_none if wrong is None else [])


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - SINCE_FORMAT_2))
def test_a_field_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(MalformedCatalogError, match=f'"{name}"'):
        catalog_from_json({key: value for key, value in WHOLE.items() if key != name})


def test_a_catalog_of_format_1_has_none_of_what_came_later() -> None:
    of_format_1 = {name: value for name, value in WHOLE.items() if name not in SINCE_FORMAT_2}
    catalog = catalog_from_json(of_format_1)
    assert catalog == replace(full(), sequences=(), comments=(), pending=None)


@pytest.mark.parametrize("owner", [["main"], ["main", "t", "u"]])
def test_an_owner_is_a_schema_and_a_name(owner: list[str]) -> None:
    value = json.loads(json.dumps(WHOLE))
    value["sequences"][0]["owner"] = owner
    with pytest.raises(MalformedCatalogError, match='owner of sequence "S"'):
        catalog_from_json(value)


@pytest.mark.parametrize("value", [None, [], 1, "catalog"])
def test_a_value_that_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(MalformedCatalogError, match="where an object"):
        catalog_from_json(value)


@pytest.mark.parametrize(
    ("field", "wrong", "message"),
    [
        ("state", "melting", "unknown state"),
        ("strategy", {"kind": "astrology", "key": []}, "astrology"),
        ("strategy", {"kind": "hash", "key": [["id", "BIGINT"]], "shards": 0}, "strategy of table"),
    ],
)
def test_an_unknown_state_or_strategy_names_the_table(field: str, wrong: Any, message: str) -> None:
    value = catalog_to_json(Catalog("4f1c", 1, 4).with_table(table_of(SpreadStrategy(2), "sales")))
    value["tables"][0][field] = wrong
    with pytest.raises(MalformedCatalogError, match=message) as caught:
        catalog_from_json(value)
    assert '"sales"' in str(caught.value)
