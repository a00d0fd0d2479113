"""Random tables with their rows, and views and macros over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ..layouts import TableSpec
from .values import EXTRA_KINDS, KEY_POOLS, NULL_SHARE, cuts, literal, sql_type

BEFORE = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'Happy')"
"""The statement that comes before the tables."""

TABLES = 4
LARGE_SHARE = 0.08
"""Of the schemas, whose tables have `COPIES` times as many rows."""
COPIES = 250
_ROWS = (0, 1, 5, 9, 14, 14, 20, 20, 27)
_RANGE_KINDS = tuple(kind for kind in KEY_POOLS if kind != "mood")
_STANDING = (("a", "int"), ("b", "VARCHAR"), ("x", "num"))


@dataclass(frozen=True, slots=True)
class Column:
    """A column as a statement names it. kind: see `values`."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables and views with their columns, and the statements that fill and make them.

    inserts: fill the tables. definitions: the views and macros, which come after. A view's first columns are those that
    put its rows in order. is_large: the tables have some thousands of rows, too many to join them at will.
    """

    tables: tuple[TableSpec, ...]
    columns: dict[str, tuple[Column, ...]]
    views: dict[str, tuple[Column, ...]]
    inserts: tuple[str, ...]
    definitions: tuple[str, ...]
    is_large: bool = False


def make_schema(random: Random) -> Schema:
    """Four tables; mostly with keys of one kind, so that they can be joined on them, and the same further columns."""
    main = random.choice(list(KEY_POOLS))
    extras = [(f"y{number}", kind) for number, kind in enumerate(random.sample(EXTRA_KINDS, 3))]
    tables: list[TableSpec] = []
    columns: dict[str, tuple[Column, ...]] = {}
    inserts: list[str] = []
    composite, is_large = random.random() < 0.15, random.random() < LARGE_SHARE
    for number in range(TABLES):
        name = f"t{number}"
        key_kind = main if random.random() < 0.8 else random.choice(list(KEY_POOLS))
        kinds = [("id", "id"), ("k", key_kind), ("j", main), *_STANDING, *extras]
        listed = tuple(Column(name, kind) for name, kind in kinds)
        columns[name] = listed
        tables.append(_table(random, name, listed, composite=composite))
        rows = _rows(random, listed)
        if rows:
            inserts.append(f"INSERT INTO {name} VALUES {', '.join(rows)}")
        if rows and is_large:
            others = ", ".join(column.name for column in listed[1:])
            inserts.append(
                f"INSERT INTO {name} SELECT id + i * 100, {others} FROM {name}, range(1, {COPIES}) AS c(i)"
            )
    views, definitions = _definitions(columns)
    return Schema(tuple(tables), columns, views, tuple(inserts), definitions, is_large)


def _table(random: Random, name: str, columns: tuple[Column, ...], *, composite: bool) -> TableSpec:
    text = ", ".join(f"{column.name} {sql_type(column.kind)}" for column in columns)
    key_kind, other_kind = columns[1].kind, columns[2].kind
    if composite:
        pairs = tuple(f"{one}, {cuts(other_kind)[0]}" for one in cuts(key_kind))
        return TableSpec(name, text, "k, j", pairs, has_ranges="mood" not in (key_kind, other_kind))
    if random.random() < 0.1:
        return TableSpec(name, text, "id", ("2", "5", "8", "9", "11", "15", "20"))
    return TableSpec(name, text, "k", cuts(key_kind), has_ranges=key_kind in _RANGE_KINDS)


def _rows(random: Random, columns: Sequence[Column]) -> list[str]:
    """Rows of VALUES. Often, most of them have the same key."""
    skewed = literal(random, columns[1].kind) if random.random() < 0.25 else None
    rows = []
    for number in range(random.choice(_ROWS)):
        values = [value(random, column.kind) for column in columns]
        values[0] = str(number + 1)
        if skewed is not None and random.random() < 0.6:
            values[1] = skewed
        rows.append(f"({', '.join(values)})")
    return rows


def random_row(random: Random, columns: Sequence[Column]) -> str:
    """A row of VALUES for the columns of a table."""
    return f"({', '.join(value(random, column.kind) for column in columns)})"


def value(random: Random, kind: str) -> str:
    """A constant of a kind, or NULL."""
    return "NULL" if random.random() < NULL_SHARE else literal(random, kind)


def _definitions(
    columns: dict[str, tuple[Column, ...]],
) -> tuple[dict[str, tuple[Column, ...]], tuple[str, ...]]:
    """Two views and three macros."""
    key = columns["t0"][1].kind
    views = {
        "v0": (Column("id", "id"), *(column for column in columns["t0"][1:] if column.kind != "num")),
        "v1": (Column("k", key), Column("n", "int"), Column("top", "int")),
    }
    listed = ", ".join(column.name for column in views["v0"])
    return views, (
        f"CREATE VIEW v0 AS SELECT {listed} FROM t0 WHERE a IS NULL OR a <> 3",
        "CREATE VIEW v1 AS SELECT k, count(*)::INTEGER AS n, max(a) AS top FROM t0 GROUP BY k",
        "CREATE MACRO twice(v) AS v * 2",
        "CREATE MACRO or_else(v, w := 0) AS CASE WHEN v IS NULL THEN w ELSE v END",
        "CREATE MACRO of_a(v) AS TABLE SELECT id, k, a, b FROM t1 WHERE a = v",
    )
