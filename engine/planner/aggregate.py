"""The grouping of a block: what it groups by, which aggregates it has, and whether each group is on one shard.

Leaves to others: how an aggregate is merged from parts (`mergeable.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from .binder import Binder
from .block import Block, function_name
from .conditions import has_column
from .mergeable import needs_rows, plain_call


@dataclass(frozen=True, slots=True)
class Grouping:
    """A block's GROUP BY and aggregates. groups, aggregates: distinct expressions in order of appearance."""

    groups: tuple[exp.Expr, ...]
    aggregates: tuple[exp.Expr, ...]

    @property
    def is_aggregated(self) -> bool:
        """Whether the block makes one row of many."""
        return bool(self.groups or self.aggregates)


def grouping_of(block: Block, binder: Binder) -> Grouping | str:
    """The grouping of a block, or the reason why it cannot be done in two steps."""
    select = block.select
    group = select.args.get("group")
    if group is not None and any(
        value for name, value in group.args.items() if name not in ("expressions", "all")
    ):
        return "grouping sets need all rows in one place"
    several = (exp.Tuple, exp.Rollup, exp.Cube, exp.GroupingSets)
    if group is not None and any(isinstance(item, several) for item in group.expressions):
        return "grouping sets need all rows in one place"
    aggregates: list[exp.Expr] = []
    scope = [*select.expressions, select.args.get("having"), select.args.get("order")]
    for part in scope:
        if part is not None:
            _collect_aggregates(part, binder, aggregates)
    groups: list[exp.Expr] = []
    if group is not None and group.args.get("all"):
        for item in select.expressions:
            found: list[exp.Expr] = []
            _collect_aggregates(item, binder, found)
            if not found:
                groups.append(item.unalias())
    elif group is not None:
        groups += [_group_expression(item, block) for item in group.expressions]
    return Grouping(tuple(dict.fromkeys(groups)), tuple(dict.fromkeys(aggregates)))


def _collect_aggregates(node: exp.Expr, binder: Binder, found: list[exp.Expr]) -> None:
    """Add the aggregates of this query level, outermost first; those of subqueries are their own business."""
    if isinstance(node, (exp.Subquery, exp.Select)):
        return
    if is_aggregate(node, binder):
        if isinstance(logical := plain_call(node), (exp.LogicalAnd, exp.LogicalOr)):
            # sqlglot writes a cast around an argument that it does not know to be a boolean.
            logical.this.type = "BOOLEAN"
        found.append(node)
        return
    for child in node.iter_expressions():
        _collect_aggregates(child, binder, found)


def is_aggregate(node: exp.Expr, binder: Binder) -> bool:
    """Whether a node is a call of an aggregate function, its FILTER included."""
    if isinstance(node, (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.AggFunc)):
        return True
    if isinstance(node, exp.Func):
        name = function_name(node)
        known = binder.functions().get(name) if name is not None else None
        return known is not None and known.kind == "aggregate"
    return False


def _group_expression(item: exp.Expr, block: Block) -> exp.Expr:
    """What an item of GROUP BY stands for: a position, the alias of a result column, or itself."""
    projections = block.select.expressions
    if isinstance(item, exp.Literal) and item.is_int:
        position = int(str(item.this))
        if 1 <= position <= len(projections):
            return _unaliased(projections[position - 1])
    # A column of a table comes before an alias of the same name.
    is_name = isinstance(item, exp.Column) and not item.table
    if is_name and not any(has_column(ref, item.name) for ref in block.own_refs):
        for projection in projections:
            if isinstance(projection, exp.Alias) and projection.alias.lower() == item.name.lower():
                return _unaliased(projection)
    return item


def _unaliased(projection: exp.Expr) -> exp.Expr:
    plain: exp.Expr = projection.unalias()
    return plain


def not_mergeable(grouping: Grouping) -> str | None:
    """Why the aggregates cannot be merged from parts, if so."""
    return next((reason for aggregate in grouping.aggregates if (reason := needs_rows(aggregate))), None)


def groups_stay_apart(block: Block, grouping: Grouping) -> bool:
    """Whether no group has rows on two shards: a whole shard key of a table that must be there is grouped by."""
    grouped = {
        (column.table.lower(), column.name.lower())
        for column in grouping.groups
        if isinstance(column, exp.Column)
    }
    ref = block.anchor
    if ref is None:
        return False
    own = block.own_refs

    def is_grouped(name: str) -> bool:
        if (ref.name.lower(), name.lower()) in grouped:
            return True
        alone = sum(has_column(other, name) for other in own) == 1
        return alone and ("", name.lower()) in grouped

    return bool(ref.table.shard_key) and all(is_grouped(name) for name in ref.table.shard_key)
