"""A correlated aggregate over rows that the query around has joined already, as a window over these.

`… FROM lineitem, part WHERE l_partkey = p_partkey AND p_brand = 'Brand#23' AND l_quantity < (SELECT 0.2 *
avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey)` reads lineitem twice. The rows of a part that the subquery
would see are just those that the join has for it, so `avg(l_quantity) OVER (PARTITION BY p_partkey)` is the same
value: known as WinMagic (Zuzarte et al., SIGMOD 2003). Measured on TPC-H over four shards: query 17 goes from 1.1 to
0.6 of one DuckDB, query 2 from 2.3 to 1.5.

The join may have each of these rows several times, but then all of them equally often: least, greatest and mean stay
as they are, sums and counts would not. A window sorts all rows of the join; hence it is used only where another table,
which is filtered, leaves few of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from ..aggregate import is_aggregate
from ..analysis import DIALECT, Analysis, TableRef
from ..binder import Binder
from ..block import SELECT_PARTS
from ..conditions import has_column
from .join import OPAQUE, are_inner, conditions_of, joins_two_tables, tables_of, touched
from .merging import select_of
from .names import fresh_name, is_relation, owner, set_args

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_WITHIN = frozenset({"expressions", "from_", "joins", "where"})
_EXACT_MEAN = re.compile(r"U?(?:TINY|SMALL)INT|U?INTEGER|DECIMAL\((?:\d|1[0-8]),\d+\)")
"""Types whose mean is the quotient of two whole numbers, however often each row is there."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A condition that compares with a correlated aggregate, and the other conditions of the SELECT around it.

    subquery: its SELECT. moved: the table of the query around for each of its own. keys: what it is correlated by, as
    columns of the query around.
    """

    condition: exp.Expr
    subquery: exp.Select
    others: list[exp.Expr]
    moved: dict[TableRef, TableRef]
    keys: list[exp.Column]


def correlated_as_windows(analysis: Analysis, binder: Binder) -> bool:
    """Turn what can be turned, in place. Returns whether anything was."""
    changed = False
    for select in list(analysis.root.find_all(exp.Select)):
        candidate = _candidate(analysis, select, binder) if _can_be_around(select) else None
        written = None if candidate is None else _written_anew(analysis, select, candidate, binder)
        if written is not None:
            for name in SELECT_PARTS:
                select.set(name, written.args.get(name))
            changed = True
    return changed


def _can_be_around(select: exp.Select) -> bool:
    if (
        not is_relation(select)
        or set_args(select) - SELECT_PARTS
        or not are_inner(select.args.get("joins") or [])
    ):
        return False
    distinct = select.args.get("distinct")
    return distinct is None or distinct.args.get("on") is None


def _candidate(analysis: Analysis, select: exp.Select, binder: Binder) -> _Candidate | None:
    tables = tables_of(analysis, select)
    conditions = conditions_of(select)
    compared = [condition for condition in conditions if condition.find(exp.Query) is not None]
    if not tables or len(compared) != 1:
        return None
    subquery = _compared_with(compared[0])
    others = [condition for condition in conditions if condition is not compared[0]]
    known = {id(condition): touched(analysis, select, condition) for condition in others}
    if subquery is None or not all(known.values()) or not _is_of_aggregates(subquery, binder):
        return None
    moved = _same_tables(analysis, subquery, tables)
    keys = None if moved is None else _keys(analysis, select, subquery, moved, others)
    if moved is None or keys is None:
        return None
    inside = set(moved.values())
    # Without a filtered table beside them, the rows that the window sorts are not few.
    if not any(refs and not refs & inside for refs in known.values()):
        return None
    return _Candidate(compared[0], subquery, others, moved, keys)


def _compared_with(condition: exp.Expr) -> exp.Select | None:
    """The SELECT that a condition compares with something of no query."""
    if not isinstance(condition, _COMPARISONS):
        return None
    sides = [condition.left, condition.right]
    queries = [
        side.this for side in sides if isinstance(side, exp.Subquery) and not set_args(side) - {"this"}
    ]
    if len(queries) != 1 or not isinstance(queries[0], exp.Select):
        return None
    other = next(side for side in sides if side is not queries[0].parent)
    return None if other.find(*OPAQUE) is not None else queries[0]


def _is_of_aggregates(subquery: exp.Select, binder: Binder) -> bool:
    """Whether a SELECT gives one row: an expression of aggregates that do not mind equal rows."""
    if set_args(subquery) - _WITHIN or len(subquery.expressions) != 1:
        return False
    item = subquery.expressions[0].unalias()
    found = [node for node in item.walk() if is_aggregate(node, binder)]
    plain = all(
        isinstance(node, (exp.Min, exp.Max, exp.Avg)) and not set_args(node) - {"this"} for node in found
    )
    apart = [column for column in item.find_all(exp.Column) if column.find_ancestor(exp.AggFunc) is None]
    opaque = item.find(*OPAQUE, exp.Distinct, exp.Filter, exp.Order) is not None
    return bool(found) and plain and not apart and not opaque


def _same_tables(
    analysis: Analysis, subquery: exp.Select, tables: list[TableRef]
) -> dict[TableRef, TableRef] | None:
    """The table of the query around for each of the subquery's; None if one is not there, or not once."""
    own = tables_of(analysis, subquery)
    if not own or not are_inner(subquery.args.get("joins") or []):
        return None
    moved: dict[TableRef, TableRef] = {}
    for ref in own:
        same = [other for other in tables if other.table is ref.table]
        if len(same) != 1 or same[0] in moved.values():
            return None
        moved[ref] = same[0]
    return moved


def _keys(
    analysis: Analysis,
    select: exp.Select,
    subquery: exp.Select,
    moved: dict[TableRef, TableRef],
    others: list[exp.Expr],
) -> list[exp.Column] | None:
    """What the subquery is correlated by; None unless the join around has just its rows for each value of these."""
    inside = set(moved.values())
    needed: list[exp.Expr] = []
    keys: list[exp.Column] = []
    for condition in conditions_of(subquery):
        around = _columns_around(analysis, select, subquery, condition, inside)
        if around is None:
            return None
        needed.append(_located(analysis, select, subquery, condition, moved))
        if around:
            if len(around) != 1 or not joins_two_tables(condition, None):
                return None
            keys.append(around[0])
    there = [
        _located(analysis, select, select, condition, {})
        for condition in others
        if (touched(analysis, select, condition) or set()) & inside
    ]
    if not keys or not all(_is_among(one, there) for one in needed):
        return None
    return keys if all(_is_among(one, needed) for one in there) else None


def _columns_around(
    analysis: Analysis, select: exp.Select, subquery: exp.Select, condition: exp.Expr, inside: set[TableRef]
) -> list[exp.Column] | None:
    """The columns of the query around that a condition of the subquery uses; None if one is not certain."""
    if condition.find(*OPAQUE) is not None:
        return None
    found: list[exp.Column] = []
    for column in condition.find_all(exp.Column):
        if owner(analysis, subquery, column) is not None:
            continue
        # A name that the subquery has, in whatever sense, would mean that.
        if any(has_column(ref, column.name) for ref in analysis.refs_of(subquery)) and not column.table:
            return None
        if any(ref.name.lower() == column.table.lower() for ref in analysis.refs_of(subquery)):
            return None
        ref = owner(analysis, select, column)
        if ref is None or ref in inside:
            return None
        found.append(column)
    return found


def _located(
    analysis: Analysis,
    select: exp.Select,
    scope: exp.Select,
    expression: exp.Expr,
    moved: dict[TableRef, TableRef],
) -> exp.Expr:
    """An expression of `scope` with every column named by its table in the query around."""

    def located(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        ref = owner(analysis, scope, node) or owner(analysis, select, node)
        if ref is None:
            return node
        return exp.column(node.name.lower(), table=moved.get(ref, ref).name, quoted=True)

    return expression.copy().transform(located)


def _is_among(condition: exp.Expr, others: list[exp.Expr]) -> bool:
    """Whether a condition is one of these; an equality may stand the other way round."""
    turned = (
        exp.EQ(this=condition.right, expression=condition.left) if isinstance(condition, exp.EQ) else None
    )
    return any(other in (condition, turned) for other in others)


def _written_anew(
    analysis: Analysis, select: exp.Select, candidate: _Candidate, binder: Binder
) -> exp.Select | None:
    """The SELECT over a derived table that has the window; None if a name in it is not certain."""
    item = candidate.subquery.expressions[0].unalias()
    for mean in item.find_all(exp.Avg):
        described = binder.describe(select_of(list(candidate.moved), [mean.this], []).sql(dialect=DIALECT))
        if described is None or not _EXACT_MEAN.fullmatch(described[0].type):
            return None
    columns = binder.describe(select.sql(dialect=DIALECT))
    if columns is None or len(columns) != len(select.expressions):
        return None
    derived = _Derived(analysis, select, fresh_name(analysis.root, "window"), {})

    def windowed(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, (exp.Min, exp.Max, exp.Avg)):
            return node
        return exp.Window(this=node, partition_by=[key.copy() for key in candidate.keys])

    value = _located(analysis, select, candidate.subquery, item, candidate.moved).transform(windowed)
    bound = exp.column("bound", table=derived.alias)
    query = candidate.subquery.parent
    comparison = candidate.condition.copy()
    side = "this" if candidate.condition.this is query else "expression"
    comparison.set(side, bound)
    written = exp.Select(
        expressions=[
            exp.alias_(derived.outside(one.unalias()), column.name, quoted=True)
            for one, column in zip(select.expressions, columns, strict=True)
        ]
    )
    aliases = {one.alias.lower() for one in select.expressions if isinstance(one, exp.Alias)}
    if not _sorts_by_plain_names(select.args.get("order"), aliases):
        return None
    for clause in ("group", "having", "order", "limit", "offset", "distinct"):
        if (part := select.args.get(clause)) is not None:
            written.set(clause, derived.outside(part, aliases if clause == "order" else frozenset()))
    written.set("where", exp.Where(this=derived.outside(comparison)))
    if derived.columns is None:
        return None
    listed = [exp.alias_(column.copy(), name) for column, name in derived.columns.values()]
    inner = exp.Select(
        expressions=[*listed, exp.alias_(value, "bound")],
        from_=select.args["from_"].copy(),
        joins=[exp.Join(this=join.this.copy()) for join in select.args.get("joins") or []],
        where=exp.Where(this=exp.and_(*(one.copy() for one in candidate.others))),
    )
    alias = exp.TableAlias(this=exp.to_identifier(derived.alias))
    written.set("from_", exp.From(this=exp.Subquery(this=inner, alias=alias)))
    return written


def _sorts_by_plain_names(order: exp.Expr | None, aliases: set[str]) -> bool:
    """Whether each name of a result column in an ORDER BY is a key by itself: elsewhere it may mean a column, too."""
    items = order.expressions if order is not None else []
    return not any(
        column is not item.this and not column.table and column.name.lower() in aliases
        for item in items
        for column in item.find_all(exp.Column)
    )


@dataclass(slots=True)
class _Derived:
    """The derived table, called `alias`, and the columns that it must have; None once a name was not certain."""

    analysis: Analysis
    select: exp.Select
    alias: str
    columns: dict[tuple[TableRef, str], tuple[exp.Column, str]] | None

    def outside(self, expression: exp.Expr, aliases: set[str] | frozenset[str] = frozenset()) -> exp.Expr:
        """An expression of the SELECT over the derived table. aliases: names that mean a result column first."""
        if expression.find(*OPAQUE, exp.Star) is not None and not _counts_only(expression):
            self.columns = None

        def renamed(node: exp.Expr) -> exp.Expr:
            if not isinstance(node, exp.Column) or node.table.lower() == self.alias:
                return node
            if not node.table and node.name.lower() in aliases:
                return node
            ref = owner(self.analysis, self.select, node)
            if ref is None or self.columns is None:
                self.columns = None
                return node
            name = f"column_{len(self.columns) + 1}"
            _, name = self.columns.setdefault((ref, node.name.lower()), (node, name))
            return exp.column(name, table=self.alias)

        return expression.copy().transform(renamed)


def _counts_only(expression: exp.Expr) -> bool:
    """Whether each star of an expression is that of `count(*)`."""
    stars = list(expression.find_all(exp.Star))
    opaque = expression.find(*OPAQUE) is not None
    return not opaque and all(isinstance(star.parent, exp.Count) for star in stars)
