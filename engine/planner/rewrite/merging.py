"""Writes a SELECT with one side of its join aggregated first: the derived table, the join with it, and the merging.

Leaves to others: whether that may be done, and pays (`eager.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from ..analysis import DIALECT, Analysis, TableRef
from .names import fresh_name, owner


@dataclass(frozen=True, slots=True)
class Sides:
    """A join cut in two. inside: the tables that are aggregated first; across: the equalities between the sides.

    within, beside: the conditions on the inside and on the outside. is_optional: the inside is the right side of a
    LEFT JOIN, `across` its ON; else the join is an inner one.
    """

    inside: list[TableRef]
    outside: list[TableRef]
    within: list[exp.Expr]
    across: list[exp.EQ]
    beside: list[exp.Expr]
    is_optional: bool


def select_of(
    refs: Sequence[TableRef], expressions: Sequence[exp.Expr], conditions: Sequence[exp.Expr]
) -> exp.Select:
    """A SELECT over the inner join of some tables."""
    first, *others = [ref.node.copy() for ref in refs]
    select = exp.Select(
        expressions=[expression.copy() for expression in expressions],
        from_=exp.From(this=first),
        joins=[exp.Join(this=other) for other in others],
    )
    if conditions:
        select.set("where", exp.Where(this=exp.and_(*conditions)))
    return select


def merged_select(
    analysis: Analysis, select: exp.Select, sides: Sides, names: Sequence[str]
) -> exp.Select | None:
    """The SELECT over the aggregated inside; None if it uses a column that is aggregated away.

    names: those of its result columns.
    """
    merger = _Merger(analysis, select, sides.inside, fresh_name(analysis.root, "early"))
    for condition in sides.across:
        merger.add_keys(condition)
    projections: list[exp.Expr] = []
    for item, name in zip(select.expressions, names, strict=True):
        merged = merger.merged(item)
        # The name that DuckDB gives a column that has none depends on the text.
        renamed = merged != item and not isinstance(item, exp.Alias)
        projections.append(exp.alias_(merged, name, quoted=True) if renamed else merged)
    written = select_of(sides.outside, projections, [])
    written.set("group", merger.merged(select.args["group"]))
    if (order := select.args.get("order")) is not None:
        if not (sorting := _sorted_by(order, merger, {name.lower() for name in names})):
            return None
        written.set("order", exp.Order(expressions=sorting))
    for clause in ("limit", "offset"):
        if (cut := select.args.get(clause)) is not None:
            written.set(clause, cut.copy())
    across = exp.and_(*(merger.merged(condition) for condition in sides.across))
    derived = merger.derived(sides.within)
    if merger.is_lost:
        return None
    if sides.is_optional:
        written.append("joins", exp.Join(this=derived, side="LEFT", on=across))
    else:
        written.append("joins", exp.Join(this=derived))
        written.set("where", exp.Where(this=exp.and_(*sides.beside, across)))
    return written


def _sorted_by(order: exp.Expr, merger: _Merger, names: set[str]) -> list[exp.Expr]:
    """The items of an ORDER BY over the aggregated inside; none if one of them is not certain."""
    items: list[exp.Expr] = []
    for item in order.expressions:
        by_name = [
            column
            for column in item.find_all(exp.Column)
            if not column.table and column.name.lower() in names
        ]
        key = item.this if isinstance(item, exp.Ordered) else None
        if key is None or key.name.lower() == "all" or item.args.get("with_fill"):
            return []
        if by_name and by_name != [key]:
            return []
        # A result column's name means that column, whatever else is called so.
        items.append(item.copy() if by_name else merger.merged(item))
    return items


@dataclass(slots=True)
class _Merger:
    """Expressions over the tables as expressions over the derived table, which has the name `alias`.

    keys: its key columns, by table and name; parts: its aggregates, by their text; each with the name it has there.
    is_lost: an expression used a column that the derived table does not have.
    """

    analysis: Analysis
    select: exp.Select
    inside: list[TableRef]
    alias: str
    keys: dict[tuple[TableRef, str], tuple[exp.Expr, str]] = field(default_factory=dict)
    parts: dict[str, tuple[exp.Expr, str]] = field(default_factory=dict)
    is_lost: bool = False

    def add_keys(self, condition: exp.Expr) -> None:
        """Make the columns of the inside in a join condition key columns."""
        for column in condition.find_all(exp.Column):
            ref = owner(self.analysis, self.select, column)
            if ref is not None and ref in self.inside:
                name = f"{self.alias}_key_{len(self.keys) + 1}"
                self.keys.setdefault((ref, column.name.lower()), (column, name))

    def merged(self, expression: exp.Expr) -> exp.Expr:
        """An expression over the derived table and the tables outside."""
        return expression.copy().transform(self._merged_node)

    def _merged_node(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.AggFunc):
            name = f"{self.alias}_part_{len(self.parts) + 1}"
            _, name = self.parts.setdefault(node.sql(dialect=DIALECT), (node.copy(), name))
            part = exp.column(name, table=self.alias)
            if not isinstance(node, exp.Count):
                return type(node)(this=part)
            # Where there was nothing to count there is no part; and a sum of BIGINTs is a HUGEINT.
            return exp.cast(
                exp.Coalesce(this=exp.Sum(this=part), expressions=[exp.Literal.number(0)]), "BIGINT"
            )
        if isinstance(node, exp.Column):
            ref = owner(self.analysis, self.select, node)
            if ref is not None and ref in self.inside:
                _, name = self.keys.get((ref, node.name.lower()), (node, ""))
                self.is_lost = self.is_lost or not name
                return exp.column(name, table=self.alias)
        return node

    def derived(self, conditions: Sequence[exp.Expr]) -> exp.Subquery:
        """The derived table: the inside by its keys."""
        columns = [*self.keys.values(), *self.parts.values()]
        inner = select_of(
            self.inside, [exp.alias_(column.copy(), name) for column, name in columns], conditions
        )
        inner.set("group", exp.Group(expressions=[column.copy() for column, _ in self.keys.values()]))
        return exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(self.alias)))
