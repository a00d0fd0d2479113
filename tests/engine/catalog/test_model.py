"""The catalog as values: names, versions, and what a change leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from duckraft.engine.catalog.model import Catalog, Definition, Shard, Table, TableState
from duckraft.engine.errors import InternalError
from duckraft.engine.sharding import HashStrategy, KeyColumn, ReferenceStrategy
from duckraft.engine.types import Column

EMPTY = Catalog("4f1c", 1, 4)
COLUMNS = (Column("id", "BIGINT"), Column("name", "VARCHAR"))
SALES = Table(
    "main",
    "Sales",
    COLUMNS,
    ("id",),
    HashStrategy((KeyColumn("id", "BIGINT"),), 2),
    (0, 1),
    TableState.READY,
    0,
)
RATES = Table("main", "rates", COLUMNS, (), ReferenceStrategy(), (-1,), TableState.READY, 0)
VIEW = Definition("view", "main", "Best", "CREATE VIEW Best AS SELECT 1")


def test_names_are_found_whatever_their_case() -> None:
    catalog = EMPTY.with_table(SALES)
    found = catalog.table("MAIN", "sALES")
    assert found is not None
    assert found.name == "Sales"
    assert catalog.table("main", "sale") is None
    assert catalog.table("other", "sales") is None


def test_a_table_of_the_same_name_takes_the_place_of_the_one_before() -> None:
    catalog = EMPTY.with_table(SALES).with_table(replace(RATES, name="SALES"))
    assert [(table.name, table.is_reference) for table in catalog.ready_tables()] == [("SALES", True)]


@pytest.mark.parametrize("state", [TableState.CREATING, TableState.DROPPING])
def test_a_table_that_is_not_ready_is_not_seen(state: TableState) -> None:
    catalog = EMPTY.with_table(replace(SALES, state=state))
    assert catalog.table("main", "sales") is None
    assert list(catalog.ready_tables()) == []
    assert ("main", "sales") in catalog.tables


def test_tables_come_in_the_order_of_their_names() -> None:
    catalog = EMPTY.with_table(SALES).with_table(RATES)
    assert [table.name for table in catalog.ready_tables()] == ["rates", "Sales"]


def test_a_table_says_what_places_its_rows() -> None:
    assert (SALES.shard_key, SALES.is_reference) == (("id",), False)
    assert (RATES.shard_key, RATES.is_reference) == ((), True)


def test_each_change_makes_a_new_catalog_one_version_up() -> None:
    with_table = EMPTY.with_table(SALES)
    changed = [
        with_table,
        with_table.without_table(SALES),
        EMPTY.with_shards((Shard(0, None),)),
        EMPTY.with_definition(VIEW),
        EMPTY.with_definition(VIEW).without_definition("view", "MAIN", "best"),
    ]
    assert [catalog.version for catalog in changed] == [2, 3, 2, 2, 3]
    assert Catalog("4f1c", 1, 4) == EMPTY
    assert changed[1].tables == {}
    assert changed[4].definitions == ()


def test_a_table_remembers_the_version_that_changed_it_last() -> None:
    catalog = EMPTY.with_table(SALES).with_table(RATES)
    assert catalog.tables["main", "sales"].version == 2
    assert catalog.tables["main", "rates"].version == 3


def test_a_definition_that_is_renewed_keeps_its_place_in_the_order() -> None:
    other = Definition("view", "main", "other", "CREATE VIEW other AS SELECT * FROM best")
    renewed = replace(VIEW, name="BEST", sql="CREATE VIEW BEST AS SELECT 2")
    catalog = EMPTY.with_definition(VIEW).with_definition(other).with_definition(renewed)
    assert catalog.definitions == (renewed, other)


def test_definitions_of_different_kinds_may_share_a_name() -> None:
    macro = replace(VIEW, kind="macro")
    catalog = EMPTY.with_definition(VIEW).with_definition(macro).without_definition("view", "main", "best")
    assert catalog.definitions == (macro,)


def test_shards_are_found_by_their_number() -> None:
    catalog = EMPTY.with_shards((Shard(0, "a"),)).with_shards((Shard(1, "b"),))
    assert catalog.shard(1) == Shard(1, "b")
    with pytest.raises(InternalError, match="shard 2"):
        catalog.shard(2)
