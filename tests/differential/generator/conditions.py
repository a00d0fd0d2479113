"""Conditions, and the subqueries in them and beside them: correlated or not, nested, of every form."""

from __future__ import annotations

from collections.abc import Sequence

from .expressions import TEMPLATES, expression, fill
from .schema import Column
from .scope import Maker, Relation

_COMPARISONS = ("=", "=", "=", "<>", "<", "<=", ">", ">=", "IS NOT DISTINCT FROM", "IS DISTINCT FROM")
_QUANTIFIED = ("= ANY", "<> ANY", "< ANY", ">= ANY", "= ALL", "<> ALL", "> ALL", "<= ALL")
DEEPEST = 2
"""How deep subqueries go."""


def condition(maker: Maker, columns: Sequence[Column], *, nested: bool = True) -> str:
    """A condition on these columns. nested: subqueries may be part of it."""
    form = maker.random.random()
    if form < 0.08:
        return f"NOT ({condition(maker, columns, nested=nested)})"
    if form < 0.2:
        parts = [condition(maker, columns, nested=nested) for _ in range(2)]
        return f"({maker.choose((' OR ', ' AND ')).join(parts)})"
    if nested and form < 0.34 and maker.depth < DEEPEST:
        return subquery_condition(maker, columns)
    if form < 0.5:
        return f"({fill(maker, columns, maker.choose(TEMPLATES['BOOLEAN']))})"
    keys = [column for column in columns if column.name.endswith((".k", ".id"))]
    if keys and form < 0.58:
        return key_condition(maker, maker.choose(keys), columns)
    return comparison(maker, maker.choose(keys if keys and maker.chance(0.5) else columns), columns)


def comparison(maker: Maker, column: Column, columns: Sequence[Column]) -> str:
    """A comparison of a column with constants or with another column."""
    name, form = column.name, maker.random.random()
    if form < 0.1:
        return f"{name} IS {maker.choose(('', 'NOT '))}NULL"
    if form < 0.3:
        listed = ", ".join(_constant(maker, column) for _ in range(maker.random.randint(1, 4)))
        return f"{name} {maker.choose(('', '', 'NOT '))}IN ({listed})"
    if form < 0.42:
        return f"{name} BETWEEN {_constant(maker, column)} AND {_constant(maker, column)}"
    if form < 0.6:
        others = [other.name for other in columns if other.kind == column.kind]
        return f"{name} {maker.choose(_COMPARISONS)} {maker.choose(others)}"
    if form < 0.7:
        return f"{_constant(maker, column)} {maker.choose(_COMPARISONS)} {name}"
    return f"{name} {maker.choose(_COMPARISONS)} {_constant(maker, column)}"


def key_condition(maker: Maker, key: Column, columns: Sequence[Column]) -> str:
    """What a condition on a shard key may look like; some can be told to need few shards, some cannot."""
    name = key.name
    one, other = _constant(maker, key), _constant(maker, key)
    beside = maker.choose([column.name for column in columns if column.kind == key.kind])
    forms = (
        f"{name} = {one}",
        f"{one} = {name}",
        f"{name} IN ({one}, {other})",
        f"{name} = {one} OR {name} = {other}",
        f"NOT ({name} <> {one})",
        f"NOT ({name} <> {one} AND {name} <> {other})",
        f"{name} = {one} AND {beside} = {other}",
        f"{name} >= {one} AND {name} <= {other}",
        f"{name} BETWEEN {one} AND {beside}",
        f"{name} IS NOT DISTINCT FROM {one}",
        f"{name} IS NULL OR {name} = {one}",
        f"{name} = {beside} AND {beside} = {one}",
        f"{name} IN (SELECT {one})",
        f"{name} = (SELECT {one})",
        f"{name}::VARCHAR = {one}::VARCHAR",
        f"{name} = ANY([{one}, {other}])",
        f"list_contains([{one}, {other}], {name})",
        f"({name}, {beside}) = ({one}, {other})",
        f"({name}, {beside}) IN (({one}, {other}), ({other}, {one}))",
        f"coalesce({name}, {one}) = {other}",
        f"CASE WHEN {name} = {one} THEN true ELSE {beside} = {other} END",
        f"({name} = {one}) IS NOT FALSE",
        f"({name} = {one}) = true",
        f"{name} = {one} IS TRUE",
        f"{name} NOT IN ({one}, {other})",
        f"NOT ({name} = {one} AND true)",
        f"{name} < {one} AND {name} IN ({one}, {other})",
        f"{name} = CASE WHEN true THEN {one} END",
        f"{name} = nullif({one}, {other})",
        f"{name} IN ({one}, {beside})",
    )
    return f"({maker.choose(forms)})"


def _constant(maker: Maker, column: Column) -> str:
    """A constant that can be compared with a column: of its type, as text, as a number of another type, or NULL."""
    form = maker.random.random()
    if form < 0.04:
        return "NULL"
    text = maker.constant(column.kind)
    if form < 0.1:
        return f"CAST({text} AS {'INTEGER' if column.kind in ('int', 'id', 'num') else column.kind})"
    if form < 0.25 and "::" in text and column.kind in ("mood", "UUID", "DOUBLE"):
        return text.split("::", maxsplit=1)[0]
    if form < 0.25 and column.kind in ("DATE", "TIMESTAMP"):
        return text.removeprefix("DATE ").removeprefix("TIMESTAMP ")
    if form < 0.32 and column.kind in ("INTEGER", "BIGINT", "DECIMAL(18,4)", "DOUBLE", "int", "num"):
        return maker.choose(("1.5", "2.0", "1e0", "-1.00001", "'3'"))
    return text


def table(maker: Maker) -> Relation:
    """A table, a view or a common table expression, under a new name."""
    alias = maker.alias()
    if maker.named and maker.chance(0.5):
        name, listed = maker.choose(maker.named)
        columns = tuple(Column(f"{alias}.{column.name}", column.kind) for column in listed)
        return Relation(f"{name} AS {alias}", columns, tuple(column.name for column in columns))
    if maker.chance(0.07):
        name = maker.choose(list(maker.schema.views))
        listed = maker.schema.views[name]
    else:
        name = maker.choose([spec.name for spec in maker.schema.tables])
        listed = maker.schema.columns[name]
    columns = tuple(Column(f"{alias}.{column.name}", column.kind) for column in listed)
    return Relation(f"{name} {maker.choose(('AS ', ''))}{alias}", columns, (columns[0].name,))


def equated(
    maker: Maker, ones: Sequence[Column], others: Sequence[Column], *, operator: str = "="
) -> str | None:
    """Two columns of one kind compared, mostly keys; None if there are none."""
    pairs = [(one, other) for one in ones for other in others if one.kind == other.kind]
    keys = [pair for pair in pairs if all(column.name.endswith(".k") for column in pair)]
    if not pairs:
        return None
    one, other = maker.choose(keys if keys and maker.chance(0.65) else pairs)
    return f"{one.name} {operator} {other.name}"


def inner(maker: Maker, outer: Sequence[Column], *, linked: float = 0.6) -> tuple[Relation, str]:
    """What a subquery reads: a relation, and its WHERE clause, which names outer columns in this share of the cases."""
    relation = table(maker)
    if maker.chance(0.15):
        more = table(maker)
        on = equated(maker, relation.columns, more.columns) or "true"
        kind = maker.choose(("JOIN", "LEFT JOIN"))
        text = f"{relation.sql} {kind} {more.sql} ON {on}"
        relation = Relation(text, (*relation.columns, *more.columns), (*relation.order, *more.order))
    conditions = []
    if outer and maker.chance(linked):
        operator = "=" if maker.chance(0.8) else maker.choose(_COMPARISONS)
        link = equated(maker, relation.columns, outer, operator=operator)
        conditions += [link] if link else []
    while maker.chance(0.4):
        names = [*relation.columns, *outer] if maker.chance(0.2) else relation.columns
        conditions.append(condition(maker, names))
    return relation, f" WHERE {' AND '.join(conditions)}" if conditions else ""


def subquery_condition(maker: Maker, columns: Sequence[Column]) -> str:
    """EXISTS, IN, ANY, ALL, or a comparison with a scalar subquery."""
    maker.depth += 1
    relation, where = inner(maker, columns)
    one = maker.choose(columns)
    same = [column.name for column in relation.columns if column.kind == one.kind]
    negated = maker.choose(("", "NOT "))
    form = maker.random.random()
    if form < 0.3 or not same:
        text = f"{negated}EXISTS (SELECT {maker.choose(('1', '*'))} FROM {relation.sql}{where})"
    elif form < 0.5:
        text = f"{one.name} {negated}IN (SELECT {maker.choose(same)} FROM {relation.sql}{where})"
    elif form < 0.58:
        text = (
            f"{one.name} {maker.choose(_QUANTIFIED)} (SELECT {maker.choose(same)} FROM {relation.sql}{where})"
        )
    elif form < 0.65:
        text = f"({one.name}, {one.name}) {negated}IN (SELECT ({same[0]}, {same[-1]}) FROM {relation.sql}{where})"
    elif form < 0.72:
        rows = f"SELECT {maker.choose(same)} FROM {relation.sql}{where}"
        other = table(maker)
        more = [column.name for column in other.columns if column.kind == one.kind] or ["NULL"]
        word = maker.choose(("UNION ALL", "UNION", "EXCEPT", "INTERSECT"))
        text = f"{one.name} {negated}IN ({rows} {word} SELECT {maker.choose(more)} FROM {other.sql})"
    elif form < 0.79:
        order = ", ".join(relation.order)
        limit = maker.random.randint(0, 3)
        text = (
            f"{one.name} {negated}IN (SELECT {maker.choose(same)} FROM {relation.sql}{where}"
            f" ORDER BY {order} LIMIT {limit})"
        )
    elif form < 0.87:
        group = maker.choose(same)
        having = f"HAVING count(*) {maker.choose(('>', '<', '='))} {maker.choose('0123')}"
        text = f"{one.name} {negated}IN (SELECT {group} FROM {relation.sql}{where} GROUP BY {group} {having})"
    else:
        scalar, kind = scalar_subquery(maker, columns)
        text = f"{scalar} {maker.choose(_COMPARISONS)} {expression(maker, columns, kind, 0)}"
    maker.depth -= 1
    return text


def scalar_subquery(maker: Maker, columns: Sequence[Column]) -> tuple[str, str]:
    """A subquery in brackets that gives one value, and the kind of the value."""
    maker.depth += 1
    relation, where = inner(maker, columns)
    one = maker.choose(relation.columns)
    kind = "int" if one.kind == "id" else one.kind
    source = f"FROM {relation.sql}{where}"
    form = maker.random.random()
    if form < 0.3:
        text, kind = f"(SELECT count({maker.choose(('*', one.name))}) {source})", "int"
    elif form < 0.6:
        text = f"(SELECT {maker.choose(('min', 'max'))}({one.name}) {source})"
    elif form < 0.7:
        names = [column.name for column in relation.columns if column.kind in ("int", "id")]
        text, kind = f"(SELECT sum({maker.choose(names or ['1'])})::INTEGER {source})", "int"
    elif form < 0.85:
        order = ", ".join(relation.order)
        text = f"(SELECT {one.name} {source} ORDER BY {order} LIMIT 1)"
    elif form < 0.92:
        text, kind = f"EXISTS (SELECT 1 {source})", "BOOLEAN"
    else:
        names = [column.name for column in relation.columns if column.kind in ("int", "id")]
        name = maker.choose(names or ["1"])
        text, kind = f"ARRAY(SELECT {name} {source} ORDER BY {name})", "INTEGER[]"
    maker.depth -= 1
    return text, kind
