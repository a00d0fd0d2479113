"""FROM clauses: tables, joins of every kind and nesting, and everything else that stands in a FROM."""

from __future__ import annotations

from collections.abc import Callable

from .aggregates import aggregate
from .conditions import DEEPEST, condition, equated, inner, table
from .expressions import expression, some_expression
from .schema import Column
from .scope import Maker, Relation, of_kind
from .values import sql_type

_JOINS = ("JOIN", "JOIN", "JOIN", "INNER JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
_HALF_JOINS = ("SEMI JOIN", "ANTI JOIN")
_PRODUCTS = 1
"""How many products of whole relations a statement may have: they grow fast."""


def from_clause(maker: Maker, joins: int) -> Relation:
    """A relation, joined with this many others."""
    left = source(maker)
    for _ in range(joins):
        left = join(maker, left)
    return left


def source(maker: Maker) -> Relation:
    """One relation: mostly a table."""
    if maker.chance(0.78) or maker.depth >= DEEPEST:
        return table(maker)
    return maker.choose(_SOURCES)(maker)


def join(maker: Maker, left: Relation) -> Relation:
    """A relation with one more at its right."""
    form = maker.random.random()
    if form < 0.08:
        return _lateral(maker, left)
    if form < 0.12:
        return _asof(maker, left)
    if form < 0.15:
        return _unnested(maker, left)
    if form < 0.19 and maker.products < _PRODUCTS:
        maker.products += 1
        right = source(maker)
        text = maker.choose((f"{left.sql} CROSS JOIN {right.sql}", f"{left.sql}, {right.sql}"))
        return _both(text, left, right)
    right = source(maker)
    if form < 0.25 and maker.depth == 0:
        nested = table(maker)
        on = equated(maker, right.columns, nested.columns) or "true"
        right = _both(f"({right.sql} {maker.choose(_JOINS)} {nested.sql} ON {on})", right, nested)
    if form < 0.3 and same_key(left, right):
        return _both(f"{left.sql} {maker.choose(_JOINS)} {right.sql} USING (k)", left, right)
    return _on(maker, left, right)


def same_key(left: Relation, right: Relation) -> bool:
    """Whether each has exactly one column that is called k, and both are of one kind.

    Between kinds, joining may fail for a value, or not, if nothing is joined in the end.
    """
    ones, others = (
        [column for column in side.columns if column.name.endswith(".k")] for side in (left, right)
    )
    return len(ones) == len(others) == 1 and ones[0].kind == others[0].kind


def _on(maker: Maker, left: Relation, right: Relation) -> Relation:
    operator = "=" if maker.chance(0.92) else "IS NOT DISTINCT FROM"
    link = equated(maker, left.columns, right.columns, operator=operator)
    if link is None and maker.products >= _PRODUCTS:
        link = "false"
    elif link is None or (maker.products < _PRODUCTS and maker.chance(0.05)):
        maker.products += 1
        link = condition(maker, [*left.columns, *right.columns], nested=False)
    on = [link]
    while maker.chance(0.3):
        on.append(condition(maker, [*left.columns, *right.columns], nested=maker.chance(0.1)))
    kind = maker.choose(_HALF_JOINS if maker.chance(0.15) else _JOINS)
    text = f"{left.sql} {kind} {right.sql} ON {' AND '.join(on)}"
    return Relation(text, left.columns, left.order) if kind in _HALF_JOINS else _both(text, left, right)


def _both(text: str, left: Relation, right: Relation) -> Relation:
    return Relation(text, (*left.columns, *right.columns), (*left.order, *right.order))


def _asof(maker: Maker, left: Relation) -> Relation:
    """Ordered by the right table's `id`, so that one row only is the nearest."""
    right = table(maker)
    numbers = of_kind(left.columns, "int")
    link = equated(maker, left.columns, right.columns)
    if right.columns[0].kind != "id" or not numbers or link is None:
        return _on(maker, left, right)
    kind = maker.choose(("ASOF JOIN", "ASOF LEFT JOIN"))
    order = f"{maker.choose(numbers)} {maker.choose(('>=', '>', '<=', '<'))} {right.columns[0].name}"
    return _both(f"{left.sql} {kind} {right.sql} ON {link} AND {order}", left, right)


def _lateral(maker: Maker, left: Relation) -> Relation:
    """A subquery that names columns at its left."""
    maker.depth += 1
    alias = maker.alias()
    if maker.chance(0.35):
        items = [some_expression(maker, left.columns) for _ in range(2)]
        text, columns = _listed(alias, items)
        joined = f"{left.sql}{maker.choose((', LATERAL', ' CROSS JOIN LATERAL'))} (SELECT {text}) AS {alias}"
    else:
        relation, where = inner(maker, left.columns, linked=0.9)
        if maker.chance(0.5):
            items = [aggregate(maker, relation.columns, relation.order, nested=False) for _ in range(2)]
            tail = ""
        else:
            items = [(column.name, column.kind) for column in maker.random.sample(relation.columns, 2)]
            tail = f" ORDER BY {', '.join(relation.order)} LIMIT 2"
        text, columns = _listed(alias, items)
        kind = maker.choose(("JOIN", "LEFT JOIN"))
        joined = (
            f"{left.sql} {kind} LATERAL (SELECT {text} FROM {relation.sql}{where}{tail}) AS {alias} ON true"
        )
    maker.depth -= 1
    return Relation(joined, (*left.columns, *columns), (*left.order, *(column.name for column in columns)))


def _unnested(maker: Maker, left: Relation) -> Relation:
    alias = maker.alias()
    values = expression(maker, left.columns, "INTEGER[]")
    text = f"{left.sql}{maker.choose((', ', ' CROSS JOIN '))}unnest({values}) AS {alias}(v)"
    column = Column(f"{alias}.v", "int")
    return Relation(text, (*left.columns, column), (*left.order, column.name))


def _listed(alias: str, items: list[tuple[str, str]]) -> tuple[str, tuple[Column, ...]]:
    """The items of a SELECT as c1, c2, …, and the columns they make under an alias; those of no kind are left out."""
    text = ", ".join(f"{item} AS c{number}" for number, (item, _) in enumerate(items, start=1))
    columns = [Column(f"{alias}.c{number}", kind) for number, (_, kind) in enumerate(items, start=1)]
    return text, tuple(columns)


def _derived(maker: Maker) -> Relation:
    """Rows of a relation, fewer or twice, under the same names."""
    relation = table(maker)
    alias = maker.alias()
    bare = [Column(column.name.split(".")[1], column.kind) for column in relation.columns]
    rows = f"SELECT {', '.join(column.name for column in relation.columns)} FROM {relation.sql}"
    columns = tuple(Column(f"{alias}.{column.name}", column.kind) for column in bare)
    order = tuple(f"{alias}.{name.split('.')[1]}" for name in relation.order)
    where = f"WHERE {condition(maker, relation.columns)}"
    match maker.random.randrange(5):
        case 0:
            text = f"{rows} {where}"
        case 1:
            text = f"{rows} UNION ALL {rows} {where}"
            order = tuple(column.name for column in columns)
        case 2:
            text = f"{rows} ORDER BY {', '.join(relation.order)} LIMIT {maker.random.randint(0, 8)}"
        case 3:
            text = f"SELECT DISTINCT {rows.removeprefix('SELECT ')}"
            order = tuple(column.name for column in columns)
        case _:
            text = f"FROM {relation.sql} {where}"
    return Relation(f"({text}) AS {alias}", columns, order)


def _grouped(maker: Maker) -> Relation:
    """Groups of a relation."""
    relation = table(maker)
    alias = maker.alias()
    groups = maker.random.sample(relation.columns, maker.choose((0, 1, 1, 2)))
    made = [aggregate(maker, relation.columns, relation.order) for _ in range(2)]
    items = [*((column.name, column.kind) for column in groups), *made]
    text, columns = _listed(alias, items)
    by = f" GROUP BY {', '.join(column.name for column in groups)}" if groups else ""
    sql = f"(SELECT {text} FROM {relation.sql}{by}) AS {alias}"
    return Relation(sql, columns, tuple(column.name for column in columns))


def _values(maker: Maker) -> Relation:
    alias = maker.alias()
    kinds = [maker.choose(list(maker.schema.columns["t0"])).kind, "int", "VARCHAR"]
    rows = [
        f"({', '.join(f'CAST({maker.constant(kind)} AS {sql_type(kind)})' for kind in kinds)})"
        for _ in range(maker.random.randint(1, 4))
    ]
    columns = tuple(Column(f"{alias}.{name}", kind) for name, kind in zip("kvw", kinds, strict=True))
    order = tuple(column.name for column in columns)
    return Relation(f"(VALUES {', '.join(rows)}) AS {alias}(k, v, w)", columns, order)


def _function(maker: Maker) -> Relation:
    alias = maker.alias()
    if maker.chance(0.3):
        columns = (
            Column(f"{alias}.id", "id"),
            Column(f"{alias}.k", maker.schema.columns["t1"][1].kind),
            Column(f"{alias}.a", "int"),
            Column(f"{alias}.b", "VARCHAR"),
        )
        return Relation(f"of_a({maker.constant('int')}) AS {alias}", columns, (columns[0].name,))
    call = maker.choose(
        (f"range({maker.random.randint(0, 5)})", "unnest([1, NULL, 3])", "generate_series(1, 4)")
    )
    column = Column(f"{alias}.v", "int")
    return Relation(f"{call} AS {alias}(v)", (column,), (column.name,))


def _sample(maker: Maker) -> Relation:
    """Samples that leave nothing to chance: none or all of the rows."""
    relation = table(maker)
    if maker.chance(0.3):
        method, repeat = maker.choose(("100%", "1000 ROWS", "0 ROWS")), ""
    else:
        method = maker.choose(
            ("RESERVOIR(1000 ROWS)", "BERNOULLI(100%)", "SYSTEM(100%)", "RESERVOIR(0 ROWS)")
        )
        repeat = f" REPEATABLE ({maker.random.randint(1, 9)})" if maker.chance(0.5) else ""
    return Relation(f"{relation.sql} TABLESAMPLE {method}{repeat}", relation.columns, relation.order)


def _positional(maker: Maker) -> Relation:
    """Two ordered relations side by side."""
    sides = []
    for _ in range(2):
        relation, alias = table(maker), maker.alias()
        items = [(column.name, column.kind) for column in relation.columns[:4]]
        text, columns = _listed(alias, items)
        order = ", ".join(relation.order)
        sql = f"(SELECT {text} FROM {relation.sql} ORDER BY {order}) AS {alias}"
        sides.append(Relation(sql, columns, tuple(column.name for column in columns)))
    return _both(f"({sides[0].sql} POSITIONAL JOIN {sides[1].sql})", sides[0], sides[1])


_SOURCES: tuple[Callable[[Maker], Relation], ...] = (
    _derived,
    _derived,
    _derived,
    _grouped,
    _grouped,
    _values,
    _function,
    _sample,
    _positional,
)
