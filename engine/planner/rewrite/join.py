"""The join that a SELECT of tables is: its tables, and which of them each condition compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from ..analysis import Analysis, TableRef, conjuncts
from .names import is_plain_source, owner, sources_of

OPAQUE = (exp.Query, exp.Lambda, exp.Comprehension, exp.Window)
"""Where a name need not be a column of the SELECT's own tables."""


@dataclass(frozen=True, slots=True)
class Join:
    """The FROM and WHERE of a SELECT. optional: the right side of its LEFT JOIN, or None if all joins are inner.

    conditions: each with the tables whose columns it compares.
    """

    refs: list[TableRef]
    optional: TableRef | None
    conditions: list[tuple[exp.Expr, set[TableRef]]]


def join_of(analysis: Analysis, select: exp.Select) -> Join | None:
    """The join of a SELECT of tables: all inner, or one LEFT JOIN of two without WHERE; None for all else."""
    tables = tables_of(analysis, select)
    if tables is None or len(tables) < 2:
        return None
    joins = select.args.get("joins") or []
    optional: TableRef | None = None
    if not are_inner(joins):
        if len(joins) > 1 or select.args.get("where") is not None or joins[0].side.upper() != "LEFT":
            return None
        if joins[0].method or joins[0].args.get("using") or joins[0].kind.upper() not in ("", "OUTER"):
            return None
        optional = tables[1]
    conditions = conditions_of(select)
    found = [touched(analysis, select, condition) for condition in conditions]
    known = [refs for refs in found if refs]
    if len(known) != len(found):
        return None
    return Join(analysis.refs_of(select), optional, list(zip(conditions, known, strict=True)))


def tables_of(analysis: Analysis, select: exp.Select) -> list[TableRef] | None:
    """The tables in the FROM of a SELECT, in order; None if anything else is there."""
    by_node = {id(ref.node): ref for ref in analysis.refs_of(select)}
    sources = sources_of(select)
    if not all(id(source) in by_node and is_plain_source(source) for source in sources):
        return None
    return [by_node[id(source)] for source in sources]


def are_inner(joins: Sequence[exp.Join]) -> bool:
    """Whether joins are inner ones, whose conditions might as well stand in the WHERE."""
    return not any(
        join.method or join.args.get("using") or join.side or join.kind.upper() not in ("", "INNER", "CROSS")
        for join in joins
    )


def conditions_of(select: exp.Select) -> list[exp.Expr]:
    """The conditions of the WHERE and of each ON."""
    where = select.args.get("where")
    conditions = conjuncts(where.this if where is not None else None)
    for join in select.args.get("joins") or []:
        conditions += conjuncts(join.args.get("on"))
    return conditions


def touched(analysis: Analysis, select: exp.Select, expression: exp.Expr) -> set[TableRef] | None:
    """The tables whose columns an expression uses; None if that is not certain."""
    if expression.find(*OPAQUE) is not None:
        return None
    owners = [owner(analysis, select, column) for column in expression.find_all(exp.Column)]
    known = {ref for ref in owners if ref is not None}
    return None if None in owners else known


def joins_two_tables(condition: exp.Expr, refs: set[TableRef] | None) -> bool:
    """Whether a condition is an equality of two columns; of two of these tables, if they are given."""
    if not isinstance(condition, exp.EQ) or (refs is not None and len(refs) != 2):
        return False
    return all(isinstance(side.unnest(), exp.Column) for side in (condition.left, condition.right))
