"""What the rules must know of names and functions before they move a part of a statement.

All answers are for the safe side: what is not certain is said not to be so.
"""

from __future__ import annotations

from sqlglot import exp

from ..analysis import Analysis, TableRef, resolve
from ..binder import Binder
from ..block import function_name
from ..conditions import has_column

_RELATIONAL = (exp.Subquery, exp.From, exp.Join, exp.CTE, exp.With, exp.Select, exp.SetOperation)
_PLAIN_TABLE = frozenset({"this", "db", "alias"})
_PLAIN_SUBQUERY = frozenset({"this", "alias"})


def set_args(node: exp.Expr) -> set[str]:
    """The names of the parts that a node has."""
    return {name for name, value in node.args.items() if value}


def sources_of(select: exp.Select) -> list[exp.Expr]:
    """What the FROM of a SELECT joins, in order."""
    from_clause = select.args.get("from_")
    first = [] if from_clause is None else [from_clause.this]
    return first + [join.this for join in select.args.get("joins") or []]


def is_plain_source(source: exp.Expr) -> bool:
    """Whether a source is a table or a subquery and nothing more: no sample, pivot or join in parentheses."""
    if isinstance(source, exp.Table):
        return isinstance(source.this, exp.Identifier) and not set_args(source) - _PLAIN_TABLE
    is_subquery = isinstance(source, exp.Subquery) and isinstance(source.this, exp.Query)
    return is_subquery and not set_args(source) - _PLAIN_SUBQUERY


def is_relation(select: exp.Select) -> bool:
    """Whether a SELECT is a relation of its statement: not part of an expression, not lateral, not recursive."""
    node: exp.Expr = select
    while node.parent is not None:
        parent = node.parent
        if not isinstance(parent, _RELATIONAL):
            return False
        if isinstance(parent, exp.With) and parent.args.get("recursive"):
            return False
        if isinstance(parent, exp.Join) and node.arg_key != "this":
            return False
        if isinstance(parent, exp.Select) and not isinstance(node, (exp.From, exp.Join, exp.With)):
            return False
        node = parent
    return True


def is_repeatable(root: exp.Expr, binder: Binder) -> bool:
    """Whether every function of a statement is known and gives the same value for the same arguments."""
    for node in root.find_all(exp.Func):
        name = function_name(node)
        known = binder.functions().get(name) if name is not None else None
        if known is None:
            if isinstance(node, exp.Anonymous):
                return False
        elif known.kind == "macro" or not known.consistent:
            return False
    return True


def fresh_name(root: exp.Expr, base: str) -> str:
    """`base_1`, `base_2`, …: the first that is not the start of any name in the statement."""
    used = [identifier.name.lower() for identifier in root.find_all(exp.Identifier)]
    number = 1
    while any(name.startswith(f"{base}_{number}") for name in used):
        number += 1
    return f"{base}_{number}"


def owner(analysis: Analysis, scope: exp.Select, column: exp.Column) -> TableRef | None:
    """The table in the FROM of `scope` that surely has this column; None for all else that a name can mean."""
    ref = resolve(analysis, scope, column)
    if ref is None or not has_column(ref, column.name):
        return None
    # `s.x` can also be the field `x` of a column `s`.
    is_field = column.table and any(has_column(other, column.table) for other in analysis.refs_of(scope))
    return None if is_field else ref
