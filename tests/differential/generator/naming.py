"""Statements in which it is hard to tell what a name means.

Aliases that are the names of other tables or columns, common table expressions that hide tables, columns that are
named without their table or merged by USING, names in other letters, and comments that look like names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .aggregates import aggregate
from .conditions import condition, key_condition
from .schema import Column
from .scope import Maker, of_kind

_JOINS = ("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


def hard_to_name(maker: Maker) -> str:
    """One statement."""
    return maker.choose(_FORMS)(maker)


def _tables(maker: Maker) -> tuple[str, str]:
    """The names of two different tables."""
    one, other = maker.random.sample([spec.name for spec in maker.schema.tables], 2)
    return one, other


def _bare(maker: Maker, table: str) -> Sequence[Column]:
    """The columns of a table as they are called without it."""
    return maker.schema.columns[table]


def _called(columns: Sequence[Column], qualifier: str) -> list[Column]:
    """The columns under the name of a relation."""
    return [Column(f"{qualifier}.{column.name}", column.kind) for column in columns]


def _condition(maker: Maker, columns: Sequence[Column], key: Column) -> str:
    """Mostly about the key."""
    if maker.chance(0.6):
        return key_condition(maker, key, columns)
    return condition(maker, columns, nested=False)


def _without_table(maker: Maker) -> str:
    """Columns named by themselves, some results called like other columns."""
    table, _ = _tables(maker)
    columns = _bare(maker, table)
    where = _condition(maker, columns, columns[1])
    number = maker.choose(of_kind(columns, "int"))
    text, _ = aggregate(maker, columns, ("id",), nested=False)
    forms = (
        f"SELECT k, {text} FROM {table} WHERE {where} GROUP BY k",
        f"SELECT {number} AS k, count(*) FROM {table} WHERE {where} GROUP BY k",
        f"SELECT {number} AS k, count(*) AS a FROM {table} WHERE {where} GROUP BY ALL ORDER BY ALL",
        f"SELECT {number} + 1 AS k FROM {table} WHERE {where}",
        f"SELECT {text} AS k FROM {table} WHERE {where}",
        f"SELECT -({number}) AS {number} FROM {table} WHERE {where} ORDER BY {number} LIMIT 3",
        f"SELECT b AS k, j AS b, k AS j FROM {table} WHERE {where}",
        f"SELECT k, count(*) AS a FROM {table} WHERE {where} GROUP BY k HAVING a > 1",
        f"SELECT {number} AS z, z + 1 AS k, count(*) OVER (PARTITION BY k) FROM {table} WHERE {where}",
        f"SELECT k FROM {table} WHERE {where} UNION SELECT j FROM {table} WHERE {where}",
    )
    return maker.choose(forms)


def _swapped(maker: Maker) -> str:
    """Two tables, each under the name of the other."""
    one, other = _tables(maker)
    ones, others = _called(_bare(maker, one), other), _called(_bare(maker, other), one)
    both = [*ones, *others]
    on = f"{other}.k = {one}.k" if ones[1].kind == others[1].kind else f"{other}.a = {one}.a"
    listed = ", ".join(column.name for column in maker.random.sample(both, 3))
    join = maker.choose(_JOINS)
    where = _condition(maker, both, maker.choose((ones[1], others[1])))
    return f"SELECT {listed} FROM {one} AS {other} {join} {other} AS {one} ON {on} WHERE {where}"


def _own_names(maker: Maker) -> str:
    """Tables without aliases, with or without their schema, in other letters or quoted."""
    one, other = _tables(maker)
    ones, others = _called(_bare(maker, one), one), _called(_bare(maker, other), other)
    on = f"{one}.k = {other}.k" if ones[1].kind == others[1].kind else f"{one}.a = {other}.a"
    first = maker.choose(
        (one, one.upper(), f'"{one}"', f"main.{one}", f"memory.main.{one}", f'MAIN."{one.upper()}"')
    )
    second = maker.choose((other, f"main.{other}", f"{other} /* {one}, (k) */", f"{other} -- {one}\n"))
    call, _ = aggregate(maker, [*ones, *others], (ones[0].name, others[0].name), nested=False)
    listed = maker.choose(
        (f"{one}.K, {other}.a", f'{one}."k", {other}.*', f"{call}", f"{one}.k, {call}", f"{one}")
    )
    group = f" GROUP BY {one}.k" if listed.startswith(f"{one}.k, {call}") else ""
    where = _condition(maker, [*ones, *others], ones[1])
    return f"SELECT {listed} FROM {first} {maker.choose(_JOINS)} {second} ON {on} WHERE {where}{group}"


def _hidden(maker: Maker) -> str:
    """A common table expression that is called like a table, and may read the table that it hides."""
    one, other = _tables(maker)
    read = maker.choose((one, other))
    columns = _bare(maker, read)
    where = _condition(maker, columns, columns[1])
    after = _condition(maker, columns, columns[1])
    body = f"SELECT * FROM {read} WHERE {where}"
    forms = (
        f"WITH {one} AS ({body}) SELECT count(*), max(k) FROM {one} WHERE {after}",
        f"WITH {one} AS ({body}) SELECT k, a FROM {one} WHERE {after}",
        f"WITH {one} AS MATERIALIZED ({body}) SELECT x.k, y.a FROM {one} x JOIN {one} y ON x.k = y.k",
        f"WITH {one} AS ({body}) SELECT k FROM {one} WHERE a IN (SELECT a FROM {other})",
        f"SELECT k FROM {one} WHERE a IN (WITH {one} AS ({body}) SELECT a FROM {one})",
        f"SELECT (WITH {other} AS ({body}) SELECT count(*) FROM {other}), (SELECT count(*) FROM {other})",
        f"WITH {one} AS ({body}), {other} AS (SELECT * FROM {one}) SELECT count(*), min(a) FROM {other}",
        f"WITH {one}(k) AS (SELECT k FROM {read}) SELECT k, count(*) FROM {one} GROUP BY k",
    )
    return maker.choose(forms)


def _alias_of_column(maker: Maker) -> str:
    """A relation that is called like a column, or whose columns have other names."""
    table, _ = _tables(maker)
    columns = _bare(maker, table)
    if maker.chance(0.5):
        alias = maker.choose(("k", "a", "b"))
        named = _called(columns, alias)
        where = _condition(maker, named, named[1])
        listed = maker.choose((f"{alias}.k, {alias}.a", f"{alias}.*", "count(*)", f"max({alias}.a)"))
        return f"SELECT {listed} FROM {table} AS {alias} WHERE {where}"
    names = ["k", "id", *(column.name for column in columns[2:])]
    renamed = [Column(f"r.{name}", column.kind) for name, column in zip(names, columns, strict=True)]
    where = _condition(maker, renamed, maker.choose(renamed[:2]))
    listed = maker.choose(("r.k, r.id", "*", "count(r.k)", "id"))
    return f"SELECT {listed} FROM {table} AS r({', '.join(names[: maker.choose((2, len(names)))])}) WHERE {where}"


def _merged(maker: Maker) -> str:
    """Columns that USING or NATURAL merges, named without a table."""
    one, other = _tables(maker)
    columns = _bare(maker, one)
    key = columns[1]
    if _bare(maker, other)[1].kind != key.kind:
        return _swapped(maker)
    join = maker.choose(_JOINS)
    if maker.chance(0.2):
        where = key_condition(maker, key, [key])
        return f"SELECT count(*), min(k) FROM {one} NATURAL {join} {other} WHERE {where}"
    where = key_condition(maker, key, [key])
    listed = maker.choose((f"k, {one}.a", f"k, {one}.k, {other}.k", "count(*), max(k)", "k", "*"))
    tail = maker.choose(("", "", " GROUP BY k")) if listed == "k" else ""
    third = (
        f" {maker.choose(_JOINS)} {one} AS r USING (k)"
        if maker.chance(0.25) and listed != f"k, {one}.a"
        else ""
    )
    return f"SELECT {listed} FROM {one} {join} {other} USING (k){third} WHERE {where}{tail}"


def _same_alias_inside(maker: Maker) -> str:
    """A subquery whose relation is called like the one outside."""
    one, other = _tables(maker)
    columns = _called(_bare(maker, one), "r")
    inside = _called(_bare(maker, other), "r")
    where = _condition(maker, inside, inside[1])
    outside = _condition(maker, columns, columns[1])
    forms = (
        f"SELECT r.k, r.a FROM {one} r WHERE EXISTS (SELECT 1 FROM {other} r WHERE {where}) AND {outside}",
        f"SELECT r.k, (SELECT count(*) FROM {other} r WHERE {where}) AS n FROM {one} r WHERE {outside}",
        f"SELECT r.k FROM (SELECT * FROM {other} r WHERE {where}) r WHERE {where}",
        f"SELECT k FROM {one} WHERE a IN (SELECT a FROM {other} WHERE {other}.a = {one}.a)",
        f"SELECT count(*) FROM {one} WHERE EXISTS (SELECT 1 FROM {other} WHERE k = {one}.k AND j IS NOT NULL)",
    )
    return maker.choose(forms)


_FORMS: tuple[Callable[[Maker], str], ...] = (
    _without_table,
    _without_table,
    _swapped,
    _own_names,
    _hidden,
    _alias_of_column,
    _merged,
    _same_alias_inside,
)
