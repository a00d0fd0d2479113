"""Changes of data: after each, a sharded database has the rows that one plain DuckDB has.

A change may be refused as not supported; then it must not have changed anything. Whatever else fails on one must fail
on both, and leave both as they were.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from random import Random

import duckdb
import pytest

from duckraft.engine.errors import Error, NotSupportedError

from .corpus import script
from .generator.changes import ChangeMaker
from .generator.schema import BEFORE, Schema, make_schema
from .harness import Answer, Failure, Outcome, Sharded, Statement, ask_plain, connect_plain, difference
from .layouts import LAYOUTS, SHARD_COUNTS, STRATEGIES, TableSpec, create_plain, create_statements

CUTS = ("3", "6", "20", "30", "40", "100", "210")
TABLES = (
    TableSpec(
        "accounts",
        "id INTEGER PRIMARY KEY, owner VARCHAR, balance DECIMAL(10,2) DEFAULT 9 CHECK (balance >= 0),"
        " opened DATE DEFAULT '2000-01-01'",
        "id",
        CUTS,
    ),
    TableSpec("lines", "account INTEGER, amount BIGINT, text VARCHAR", "account", CUTS),
)
FORMS = (
    TableSpec(
        "g",
        "k INTEGER, a INTEGER DEFAULT 5, c INTEGER GENERATED ALWAYS AS (a * 2), l INTEGER[],"
        " s STRUCT(x INTEGER, y VARCHAR), m MAP(VARCHAR, INTEGER), e mood DEFAULT 'ok', j JSON,"
        " u UNION(n INTEGER, s VARCHAR), ts TIMESTAMP DEFAULT TIMESTAMP '2020-01-01', PRIMARY KEY (k)",
        "k",
        CUTS,
    ),
    TableSpec(
        "typed",
        "k INTEGER, v VARCHAR COLLATE NOCASE, f DOUBLE, i INTERVAL, b BLOB, n DECIMAL(38,10), h HUGEINT, t TIMETZ,"
        " ts TIMESTAMP_NS, bit BIT",
        "k",
        CUTS,
    ),
    TableSpec(
        '"we ird""x"',
        '"Key K" VARCHAR, "from" INTEGER, rowcount INTEGER, "order" DOUBLE',
        '"Key K"',
        ("'b'", "'k5'"),
    ),
    TableSpec("sc.q", "a INTEGER, b VARCHAR, PRIMARY KEY (a, b)", "a", CUTS),
)
PLACES = "CREATE TABLE places (place VARCHAR, people INTEGER)"
KEYED = tuple(strategy for strategy in STRATEGIES if strategy != "evenly")


class Pair:
    """A plain and a sharded database that are changed in the same way. refusals: statements that were not supported."""

    def __init__(self, plain: duckdb.DuckDBPyConnection, sharded: Sharded, tables: Sequence[str]) -> None:
        self.plain = plain
        self.sharded = sharded
        self.tables = list(tables)
        self.refusals: list[str] = []

    def change(self, sql: str) -> str | None:
        """Run a statement on both; a line on what differs, if anything does."""
        self.plain.execute("BEGIN")
        expected = self._count_or_rows(sql)
        got = self._sharded(sql)
        keep = got is not None and isinstance(expected, Answer)
        self.plain.execute("COMMIT" if keep else "ROLLBACK")
        if got is None and isinstance(expected, Answer):
            self.refusals.append(sql)
        found = None if got is None else difference(expected, got)
        if found is not None:
            return f"{found}: {sql}\n  plain DuckDB: {expected}\n  duckraft: {got}"
        return self.compare_tables([table for table in self.tables if table in sql], f"after {sql}")

    def compare_tables(self, tables: Sequence[str], when: str) -> str | None:
        """What differs in the rows of these tables, if anything does."""
        for table in tables:
            statement = Statement(f"SELECT * FROM {table}")
            before = ask_plain(self.plain, statement)
            mismatch = self.sharded.compare(statement, before, "gather")
            if mismatch is not None:
                return f"{when}\n{mismatch}"
        return None

    def _count_or_rows(self, sql: str) -> Outcome:
        """Plain DuckDB's answer; a number of changed rows as duckraft gives it, and nothing for definitions."""
        outcome = ask_plain(self.plain, Statement(sql))
        if isinstance(outcome, Answer) and outcome.columns == (("Success", "BOOLEAN"),):
            return Answer((), ())
        if isinstance(outcome, Answer) and outcome.columns == (("Count", "BIGINT"),):
            defines = sql.split(None, 1)[0].upper() in ("CREATE", "TRUNCATE")
            return Answer((), () if defines else ((outcome.rows[0][0],),))
        return outcome

    def _sharded(self, sql: str) -> Outcome | None:
        """duckraft's answer; None if it does not support the statement."""
        self.sharded.session.context.allowed_tiers = None
        try:
            result = self.sharded.session.execute(sql)
            rows = result.fetchall()
        except NotSupportedError:
            return None
        except Error as error:
            return Failure(str(error))
        columns = tuple((column.name, column.type) for column in result.columns)
        verb = sql.split(None, 1)[0].upper()
        if not columns and verb in ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "WITH"):
            return Answer((), ((result.rowcount,),))
        return Answer(columns, tuple(rows))


@pytest.mark.parametrize("name", ["changes", "across"])
@pytest.mark.parametrize(
    ("layout", "shards"),
    [("hash", 1), *itertools.product(KEYED, [count for count in SHARD_COUNTS if count > 1])],
)
def test_changes_leave_the_rows_that_one_duckdb_has(layout: str, shards: int, name: str) -> None:
    place = f"{layout}, {shards} shards"
    with closing(connect_plain()) as plain, closing(Sharded(place, shards)) as sharded:
        for sql in (*map(create_plain, TABLES), PLACES):
            plain.execute(sql)
        sharded.run([*create_statements(TABLES, layout, shards), f"{PLACES} REFERENCE"])
        pair = Pair(plain, sharded, ["accounts", "lines", "places"])
        found = []
        for sql in script(name):
            if sql.startswith("CREATE OR REPLACE TABLE made") and "made" not in pair.tables:
                pair.tables.append("made")
            wrong = pair.change(sql)
            if wrong is not None:
                found.append(wrong)
                break
        found += filter(None, [pair.compare_tables(pair.tables, "in the end")])
    assert not found, f"{place}: {found[0]}"
    assert not pair.refusals


@pytest.mark.parametrize(("layout", "shards"), [("hash", 3), ("directory", 8), ("reference", 1)])
def test_every_type_and_every_form_of_text(layout: str, shards: int) -> None:
    place = f"{layout}, {shards} shards"
    with closing(connect_plain()) as plain, closing(Sharded(place, shards)) as sharded:
        for sql in (BEFORE, "CREATE SCHEMA sc", *map(create_plain, FORMS)):
            plain.execute(sql)
        sharded.run([BEFORE, "CREATE SCHEMA sc", *create_statements(FORMS, layout, shards)])
        pair = Pair(plain, sharded, [table.name for table in FORMS])
        for sql in script("forms"):
            wrong = pair.change(sql)
            assert wrong is None, f"{place}: {wrong}"
        assert pair.compare_tables(pair.tables, "in the end") is None
    assert not pair.refusals


@pytest.mark.parametrize("seed", range(24))
def test_generated_changes_leave_the_rows_that_one_duckdb_has(seed: int) -> None:
    assert run_generated(seed, 25) is None


def run_generated(seed: int, changes: int) -> str | None:
    """Run that many random changes on a random schema; what differs first, if anything does."""
    random = Random(seed)
    layout, shards = LAYOUTS[seed % len(LAYOUTS)], random.choice(SHARD_COUNTS)
    schema = make_schema(random)
    # Every third schema has keys; only then is `id`, which the key must hold, what the tables are sharded by.
    keyed = seed % 3 == 0 and layout not in ("evenly", "mixed", "mirrored")
    if keyed:
        schema = _with_keys(schema)
    place = f"{layout}, {shards} shards, seed {seed}"
    with closing(connect_plain()) as plain, closing(Sharded(place, shards)) as sharded:
        for sql in (BEFORE, *map(create_plain, schema.tables), *schema.inserts):
            plain.execute(sql)
        sharded.run([BEFORE, *create_statements(schema.tables, layout, shards), *schema.inserts])
        pair = Pair(plain, sharded, [table.name for table in schema.tables])
        maker = ChangeMaker(schema, random, keyed=keyed)
        for _ in range(changes):
            wrong = pair.change(maker.change())
            if wrong is not None:
                return f"{place}: {wrong}"
        if pair.refusals:
            return f"{place}: refused: {pair.refusals[0]}"
        return pair.compare_tables(pair.tables, f"{place}: in the end")


def _with_keys(schema: Schema) -> Schema:
    """The schema with `id` as the primary key of every table, by which they are sharded."""
    tables = tuple(
        TableSpec(table.name, f"{table.columns}, PRIMARY KEY (id)", "id", CUTS) for table in schema.tables
    )
    return replace(schema, tables=tables)
