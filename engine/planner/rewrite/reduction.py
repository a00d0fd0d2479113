"""The largest table of a join reduced by the keys of a smaller, filtered one, before anything else is joined to it.

In `… FROM part, lineitem, orders WHERE p_partkey = l_partkey AND p_name LIKE '%green%' AND o_orderkey = l_orderkey`
only the lines of green parts matter: `l_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE '%green%')` follows
from the conditions and says so. DuckDB, which takes the distinct values of the first shard for those of all, thinks
that such joins give several times the rows that they do, and builds its hash tables on the wrong side. Measured on
TPC-H over four shards: query 9 goes from 1.5–1.9 to 1.1 of one DuckDB.

What is added costs a second look at the smaller table. It pays only where DuckDB cannot tell how few rows the filter
leaves, and where there is another large table to build on by mistake; on the other queries of TPC-H it was tried and
cost 5 to 40 %. Hence the conditions.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from ..analysis import DIALECT, Analysis, TableRef
from ..binder import Binder
from .join import Join, join_of, joins_two_tables
from .names import owner

LEAST_ROWS = 200_000
"""A table with fewer rows than these is not worth reducing."""
_TIMES_SMALLER = 4
"""How many times fewer rows than the largest the filtered table must have, at least."""
_TIMES_SMALLER_AT_MOST = 16
"""How many times fewer rows than the largest the table may have that could be built on by mistake."""
_ESTIMABLE = (exp.EQ, exp.In, exp.Is, exp.NullSafeEQ)
"""Conditions whose rows DuckDB estimates by the distinct values of a column; it takes a fifth for all others."""


@dataclass(frozen=True, slots=True)
class _Reduction:
    """`large_key` is among the values of `key` in the rows of `ref` for which the conditions hold."""

    large_key: exp.Column
    ref: TableRef
    key: exp.Column
    conditions: list[exp.Expr]


def reduce_largest(analysis: Analysis, binder: Binder) -> bool:
    """Add what follows where that pays, in place. Returns whether anything was added."""
    changed = False
    for select in list(analysis.root.find_all(exp.Select)):
        join = join_of(analysis, select)
        if join is None or join.optional is not None or len(join.refs) < 3:
            continue
        reduction = _reduction(analysis, select, join, binder)
        if reduction is not None:
            _add(select, reduction)
            changed = True
    return changed


def _reduction(analysis: Analysis, select: exp.Select, join: Join, binder: Binder) -> _Reduction | None:
    own = {
        ref: [condition for condition, refs in join.conditions if refs == {ref}]
        for ref in join.refs
        if not ref.table.is_reference
    }
    if not any(_leaves_unknown_part(conditions) for conditions in own.values()):
        return None
    rows = {ref: binder.estimated_rows(f"FROM {ref.node.sql(dialect=DIALECT)}") or 0 for ref in own}
    large = max(own, key=lambda ref: rows[ref])
    if rows[large] < LEAST_ROWS or own[large]:
        return None
    partners = [
        (ref, condition)
        for condition, refs in join.conditions
        if large in refs and joins_two_tables(condition, refs)
        for ref in refs - {large}
        if ref in own
    ]
    if not any(not own[ref] and rows[ref] * _TIMES_SMALLER_AT_MOST >= rows[large] for ref, _ in partners):
        return None
    for ref, condition in partners:
        if _leaves_unknown_part(own[ref]) and rows[ref] * _TIMES_SMALLER <= rows[large]:
            columns = {owner(analysis, select, column): column for column in condition.find_all(exp.Column)}
            return _Reduction(columns[large], ref, columns[ref], own[ref])
    return None


def _leaves_unknown_part(conditions: list[exp.Expr]) -> bool:
    """Whether a table is filtered, and by nothing whose rows DuckDB can estimate."""
    return bool(conditions) and not any(isinstance(condition, _ESTIMABLE) for condition in conditions)


def _add(select: exp.Select, reduction: _Reduction) -> None:
    keys = exp.Select(
        expressions=[reduction.key.copy()],
        from_=exp.From(this=reduction.ref.node.copy()),
        where=exp.Where(this=exp.and_(*(condition.copy() for condition in reduction.conditions))),
    )
    among = exp.In(this=reduction.large_key.copy(), query=exp.Subquery(this=keys))
    select.where(among, copy=False)
