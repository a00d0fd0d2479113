"""Conditions on one table alone, which may drop its rows before they meet those of any other.

Promises: a row dropped by one of these conditions can show in no answer, and can hold back no row that would. The
conditions stay in the statement too. Only plain comparisons are taken: they have the same value wherever they run.
Leaves to others: which shards a condition needs (`route.py`).
"""

from __future__ import annotations

from sqlglot import exp

from .analysis import Analysis, TableRef, conjuncts, resolve
from .conditions import is_ranked, null_supplying, refs_before

_PLAIN = (
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Is, exp.Like),
    *(exp.And, exp.Or, exp.Not, exp.Paren),
)
_CONSTANT = (
    *(exp.Literal, exp.Null, exp.Boolean, exp.Cast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var),
    *(exp.Neg, exp.Add, exp.Sub, exp.Paren, exp.Parameter, exp.Placeholder),
)


def own_filters(analysis: Analysis, ref: TableRef) -> list[exp.Expr]:
    """The conditions of the statement that concern the rows of `ref` alone."""
    scope = ref.scope
    if not isinstance(scope, exp.Select) or is_ranked(ref, scope) or ref.node.args.get("pivots"):
        return []
    found: list[exp.Expr] = []
    kept = not null_supplying(ref, scope)
    where = scope.args.get("where")
    if where is not None and kept:
        found += conjuncts(where.this)
    for join in scope.args.get("joins") or []:
        if join.side.upper() == "FULL" or join.method:
            continue
        if join.this is ref.node:
            holds = join.side.upper() != "RIGHT"
        else:
            inner = not join.side and join.kind.upper() != "ANTI"
            holds = inner and kept and ref in refs_before(analysis, scope, join)
        if holds:
            found += conjuncts(join.args.get("on"))
    return [condition for condition in found if _is_about(analysis, ref, condition)]


def _is_about(analysis: Analysis, ref: TableRef, condition: exp.Expr) -> bool:
    return condition.find(exp.Column) is not None and _is_plain(analysis, ref, condition)


def _is_plain(analysis: Analysis, ref: TableRef, node: exp.Expr) -> bool:
    if isinstance(node, exp.Column):
        return resolve(analysis, ref.scope, node) is ref
    if node.find(exp.Column) is None:
        return all(isinstance(part, _CONSTANT) for part in node.walk())
    if isinstance(node, exp.In) and not node.expressions:
        return False
    return isinstance(node, _PLAIN) and all(
        _is_plain(analysis, ref, child) for child in node.iter_expressions()
    )


def selectivity(condition: exp.Expr) -> float:
    """About which share of the rows a condition leaves, where nothing is known of the values."""
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return selectivity(condition.left) * selectivity(condition.right)
    if isinstance(condition, exp.Or):
        return min(1.0, selectivity(condition.left) + selectivity(condition.right))
    if isinstance(condition, exp.Not):
        return 1.0 - selectivity(condition.this)
    if isinstance(condition, exp.EQ):
        return _EQUAL
    if isinstance(condition, exp.In):
        return min(1.0, _EQUAL * len(condition.expressions))
    if isinstance(condition, exp.Is):
        return _EQUAL
    if isinstance(condition, exp.NEQ):
        return 1.0 - _EQUAL
    return _BETWEEN


_EQUAL = 0.05
_BETWEEN = 0.3
