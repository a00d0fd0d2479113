"""Aggregates in two steps: parts on the shards, merged and finished at the gateway.

DuckDB lets the state of an aggregate travel (`sum(x) EXPORT_STATE`), so one rule merges nearly all of them:
`finalize(combine_aggr(state))`. The commonest are merged from plain values, which DuckDB computes faster (measured on
TPC-H query 1: 1.06 times one database, 1.43 times with states). What has no state, what depends on the order of rows,
and DISTINCT are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from .analysis import DIALECT
from .binder import Binder
from .block import Block, function_name
from .conditions import has_column

# Checked against one DuckDB with states of two instances: merging gives what aggregating all rows gives.
MERGEABLE = frozenset(
    {
        *("sum", "avg", "mean", "count", "count_star", "count_if", "countif", "min", "max"),
        *("stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop", "sem", "skewness"),
        *(
            "kurtosis",
            "kurtosis_pop",
            "corr",
            "covar_pop",
            "covar_samp",
            "regr_avgx",
            "regr_avgy",
            "regr_count",
        ),
        *("regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy"),
        *("bool_and", "bool_or", "bit_and", "bit_or", "bit_xor", "median", "quantile", "quantile_cont"),
        *("quantile_disc", "mad", "approx_count_distinct", "approx_quantile"),
        *("fsum", "kahan_sum", "sumkahan", "favg"),
    }
)

# The merged value is the aggregate of the parts' values.
_MERGED_BY = {
    **dict.fromkeys(("sum", "count", "count_star", "count_if", "countif"), "sum"),
    **{name: name for name in ("min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor")},
}
_NARROW_NUMBER = re.compile(r"U?(?:TINY|SMALL|BIG)?INT|U?INTEGER|FLOAT|DOUBLE")
"""Types whose sum cannot overflow where their average does not."""

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_DIGITS_THAT_FIT = 28
"""Precision and scale of a decimal together, so that ten thousand million of them, unscaled, fit into 38 digits."""


@dataclass(frozen=True, slots=True)
class TwoSteps:
    """How one aggregate is computed: the SQL of its parts (tables under the statement's names), and of merging them.

    merge: a template in which {0}, {1} stand for the parts.
    """

    parts: tuple[exp.Expr, ...]
    exported: bool
    merge: str

    def merged(self, names: Sequence[str]) -> exp.Expr:
        """The merging expression over parts of these names."""
        return sqlglot.parse_one(self.merge.format(*names), read=DIALECT)


def two_steps(aggregate: exp.Expr, grouping: Grouping, kind: str, argument_kind: str | None) -> TwoSteps:
    """The two steps of a mergeable aggregate. kind: the type of its result; argument_kind: that of its argument."""
    call = aggregate.this if isinstance(aggregate, exp.Filter) else aggregate
    name = function_name(call) or ""
    if name in _MERGED_BY:
        return TwoSteps((aggregate,), False, f"CAST({_MERGED_BY[name]}({{0}}) AS {kind})")
    if name in ("avg", "mean") and kind == "DOUBLE":
        merge = _average(argument_kind or "", _shares_its_parts(aggregate, grouping))
        if merge is not None:
            parts = tuple(_same_call(aggregate, function) for function in (exp.Sum, exp.Count))
            return TwoSteps(parts, False, merge)
    return TwoSteps((aggregate,), True, "finalize(combine_aggr({0}))")


def _shares_its_parts(aggregate: exp.Expr, grouping: Grouping) -> bool:
    """Whether DuckDB itself divides a sum by a count: it does so where that saves it an aggregate (EXPLAIN (SQL))."""
    if not grouping.groups:
        return True
    argument = argument_of(aggregate)
    for other in grouping.aggregates:
        call = other.this if isinstance(other, exp.Filter) else other
        if other is aggregate:
            continue
        if isinstance(call, (exp.Avg, exp.Count)) or (isinstance(call, exp.Sum) and call.this == argument):
            return True
    return False


def _average(kind: str, divides: bool) -> str | None:
    """An average as DuckDB computes it, from the sum and the number of values of this type; None for other types.

    divides: DuckDB divides the sum, a fraction, for decimals too. Otherwise it divides the unscaled sum, which rounds
    once and not twice, so that the last digit may differ.
    """
    decimal = _DECIMAL.fullmatch(kind)
    if _NARROW_NUMBER.fullmatch(kind) or (decimal is not None and divides):
        return "CAST(sum({0}) AS DOUBLE) / CAST(sum({1}) AS DOUBLE)"
    if decimal is None or int(decimal[1]) + int(decimal[2]) > _DIGITS_THAT_FIT:
        return None
    unscaled = f"CAST(sum({{0}}) * {10 ** int(decimal[2])} AS HUGEINT)"
    return f"CAST({unscaled} AS DOUBLE) / (CAST(sum({{1}}) AS DOUBLE) * 1e{decimal[2]})"


def argument_of(aggregate: exp.Expr) -> exp.Expr | None:
    """The first argument of an average, whose type decides on its two steps; None for other aggregates."""
    call = aggregate.this if isinstance(aggregate, exp.Filter) else aggregate
    return call.this if function_name(call) in ("avg", "mean") and isinstance(call.this, exp.Expr) else None


def _same_call(aggregate: exp.Expr, function: type[exp.Func]) -> exp.Expr:
    """The aggregate with another function over the same argument and the same FILTER."""
    if isinstance(aggregate, exp.Filter):
        return exp.Filter(this=_same_call(aggregate.this, function), expression=aggregate.expression.copy())
    return function(this=aggregate.this.copy())


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
        found.append(node)
        return
    for child in node.iter_expressions():
        _collect_aggregates(child, binder, found)


def is_aggregate(node: exp.Expr, binder: Binder) -> bool:
    """Whether a node is a call of an aggregate function, its FILTER included."""
    if isinstance(node, (exp.Filter, exp.WithinGroup)):
        return True
    if isinstance(node, exp.AggFunc):
        return True
    if isinstance(node, exp.Func):
        name = function_name(node)
        known = binder.functions().get(name) if name is not None else None
        return known is not None and known.kind == "aggregate"
    return False


def _group_expression(item: exp.Expr, block: Block) -> exp.Expr:
    """What an item of GROUP BY stands for: a position, the alias of a result column, or itself."""
    projections = block.select.expressions
    if isinstance(item, exp.Literal) and not item.is_string:
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
    """Why the aggregates cannot be merged from states, if so."""
    for aggregate in grouping.aggregates:
        call = aggregate.this if isinstance(aggregate, exp.Filter) else aggregate
        name = function_name(call)
        if name is None or name not in MERGEABLE or isinstance(call, exp.WithinGroup):
            return f"{name or call.sql(dialect=DIALECT)} cannot be merged from parts"
        if call.find(exp.Distinct, exp.Order):
            return f"{name} with DISTINCT or ORDER BY needs all rows in one place"
        if name in ("min", "max") and len(call.expressions) > 0:
            return f"{name} with a count has no state"
    return None


def groups_stay_apart(block: Block, grouping: Grouping) -> bool:
    """Whether no group has rows on two shards: a whole shard key of a table that must be there is grouped by."""
    grouped = {
        (column.table.lower(), column.name.lower())
        for column in grouping.groups
        if isinstance(column, exp.Column)
    }
    ref = block.anchor
    own = block.own_refs

    def is_grouped(name: str) -> bool:
        if (ref.name.lower(), name.lower()) in grouped:
            return True
        alone = sum(has_column(other, name) for other in own) == 1
        return alone and ("", name.lower()) in grouped

    return bool(ref.table.shard_key) and all(is_grouped(name) for name in ref.table.shard_key)
