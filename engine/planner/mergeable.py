"""How each aggregate function is merged from parts: by value, by state, or not at all.

DuckDB lets the state of an aggregate travel (`sum(x) EXPORT_STATE`), so one rule merges nearly all of them:
`finalize(combine_aggr(state))`. The commonest are merged from plain values, which DuckDB computes faster (measured on
TPC-H query 1: 1.06 times one database, 1.43 times with states). For the others the rows come to the gateway.
Promises: every aggregate function of DuckDB is listed here under each of its names, and a name that is not listed is
treated as one that needs all rows. The list was checked function by function against one DuckDB, shards without rows
included.
Leaves to others: finding the aggregates of a statement (`aggregate.py`), the SQL around them (`split.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from ..types import quote_string
from .analysis import DIALECT
from .block import function_name

_BY_VALUE = {
    **dict.fromkeys(("sum", "count", "count_star", "count_if", "countif"), "sum"),
    **{name: name for name in ("min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor")},
}
"""The merged value is this aggregate of the parts' values."""

_MEANS = frozenset({"avg", "mean"})
"""By value, as a sum and a count, where that rounds as DuckDB does; by state otherwise."""

_OF_DOUBLES = frozenset(
    {
        *("stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop", "sem", "skewness"),
        *("kurtosis", "kurtosis_pop", "corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy"),
        *("regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy"),
        *("fsum", "kahan_sum", "sumkahan", "favg", "product"),
    }
)
"""By state; they take nothing but numbers cast to DOUBLE."""

_EXTREMES = frozenset(
    {
        *("any_value", "arbitrary", "first", "last"),
        *("arg_max", "argmax", "max_by", "arg_max_null", "arg_max_nulls_last"),
        *("arg_min", "argmin", "min_by", "arg_min_null", "arg_min_nulls_last"),
    }
)
"""By state; they pick one of the rows."""

_OF_ANY = _EXTREMES | {"median", "approx_count_distinct"}
"""By state; their arguments stay of their own types."""

_QUANTILES = frozenset({"quantile", "quantile_cont", "quantile_disc"})
"""By state; their second argument is a constant."""

_BY_STATE = frozenset(
    {
        *(_MEANS | _OF_DOUBLES | _OF_ANY | _QUANTILES),
        *("mad", "approx_quantile", "approx_top_k", "sum_no_overflow", "decimal_average"),
    }
)

_STATE_IS_ROWS = "keeps every value: its parts are as large as the rows"
_NO_STATE = "has no state that travels"

_BY_ROWS = {
    **dict.fromkeys(("list", "array_agg", "string_agg", "group_concat", "listagg", "lttb"), _STATE_IS_ROWS),
    "variant_group_object": _STATE_IS_ROWS,
    **dict.fromkeys(("bitstring_agg", "entropy", "histogram", "histogram_exact", "mode"), _NO_STATE),
    "reservoir_quantile": _NO_STATE,
    "combine_aggr": "is what merges states",
}
"""Why the rows come to the gateway."""

_WITH_COUNT = _EXTREMES | {"min", "max"}
"""Functions that give a list of the n best if they are given an n; that form has no state."""

_IDEMPOTENT = _EXTREMES | {"min", "max", "bool_and", "bool_or", "bit_and", "bit_or"}
"""Functions for which a value that comes again changes nothing: DISTINCT need not look across shards."""

_ORDERLESS = frozenset(_BY_VALUE) - {"sum"}
"""Functions whose ORDER BY changes nothing. A sum of floating-point numbers depends on it in its last digits."""

_NARROW_NUMBER = re.compile(r"U?(?:TINY|SMALL|BIG)?INT|U?INTEGER|FLOAT|DOUBLE")
"""Types whose sum cannot overflow where their average does not."""

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_DIGITS_THAT_FIT = 28
"""Precision and scale of a decimal together, so that ten thousand million of them, unscaled, fit into 38 digits."""


def known_aggregates() -> frozenset[str]:
    """Every name of an aggregate function that is listed here, in lower case."""
    return frozenset({*_BY_VALUE, *_BY_STATE, *_BY_ROWS})


@dataclass(frozen=True, slots=True)
class TwoSteps:
    """How one aggregate is computed: the SQL of its parts (tables under the statement's names), and of merging them.

    exported: whether the parts are states. merge: a template in which {0}, {1} stand for the parts. restored: a
    template of the state that {0} was before it travelled as a plain value; None if it can be no other than exported.
    """

    parts: tuple[exp.Expr, ...]
    exported: bool
    merge: str
    restored: str | None = None

    def merged(self, names: Sequence[str]) -> exp.Expr:
        """The merging expression over parts of these names."""
        return sqlglot.parse_one(self.merge.format(*names), read=DIALECT)


def plain_call(aggregate: exp.Expr) -> exp.Expr:
    """The call of the function, without FILTER and what sqlglot puts around `any_value`."""
    while isinstance(aggregate, (exp.Filter, exp.IgnoreNulls)):
        aggregate = aggregate.this
    return aggregate


def needs_rows(aggregate: exp.Expr) -> str | None:
    """Why an aggregate cannot be merged from parts; None if it can."""
    call = plain_call(aggregate)
    name = function_name(call)
    if name is None or isinstance(call, exp.WithinGroup):
        return f"{call.sql(dialect=DIALECT)} needs all rows in one place"
    if name not in _BY_VALUE and name not in _BY_STATE:
        return f"{name} {_BY_ROWS.get(name, 'is not known to be mergeable from parts')}"
    if name != "any_value" and aggregate.find(exp.IgnoreNulls):
        return f"{name} with IGNORE NULLS needs all rows in one place"
    if name in _WITH_COUNT and _has_count(call, name):
        return f"{name} with a count {_NO_STATE}"
    if name not in _IDEMPOTENT and call.find(exp.Distinct):
        return f"{name} with DISTINCT needs all rows in one place"
    if name not in _ORDERLESS and call.find(exp.Order):
        return f"{name} with ORDER BY needs all rows in one place"
    return None


def _has_count(call: exp.Expr, name: str) -> bool:
    """Whether a minimum or maximum has one argument more than its plain form."""
    return len(arguments_of(call)) > (1 if name in ("min", "max") else 2)


@dataclass(frozen=True, slots=True)
class Kinds:
    """The types of an aggregate's result and of its telling arguments."""

    result: str
    arguments: tuple[str, ...] = ()


def two_steps(aggregate: exp.Expr, others: Sequence[exp.Expr], grouped: bool, kinds: Kinds) -> TwoSteps:
    """The two steps of an aggregate that can be merged.

    others: all aggregates of its block. grouped: whether the block has groups.
    """
    call = plain_call(aggregate)
    name = function_name(call) or ""
    if name in _BY_VALUE:
        return TwoSteps((aggregate,), False, f"CAST({_BY_VALUE[name]}({{0}}) AS {kinds.result})")
    if name in _MEANS and kinds.result == "DOUBLE":
        merge = _average(kinds.arguments[0], not grouped or _shares_its_parts(aggregate, others))
        if merge is not None:
            parts = tuple(_same_call(aggregate, function) for function in (exp.Sum, exp.Count))
            return TwoSteps(parts, False, merge)
    return TwoSteps((aggregate,), True, "finalize(combine_aggr({0}))", _restored(call, name, kinds.arguments))


def _restored(call: exp.Expr, name: str, kinds: Sequence[str]) -> str | None:
    """A template that makes a state again of the plain value {0}; None if DuckDB does not say what it takes for that.

    DuckDB must be told the types to which it has cast the arguments, and the arguments that are constants.
    """
    constants = ""
    if name in _OF_DOUBLES:
        kinds = ["DOUBLE"] * len(kinds)
    elif (
        name in _QUANTILES and len(kinds) == 2 and not (name == "quantile_cont" and kinds[0].startswith("U"))
    ):
        fraction = arguments_of(call)[1].sql(dialect=DIALECT)
        kinds = [kinds[0], "DOUBLE[]" if kinds[1].endswith("[]") else "DOUBLE"]
        constants = f", [NULL, {fraction}]"
    elif name not in _OF_ANY:
        return None
    listed = ", ".join(map(quote_string, kinds))
    return f"to_aggregate_state({{0}}, '{name}', [{listed}]{constants})"


def telling_arguments(aggregate: exp.Expr) -> list[exp.Expr]:
    """The arguments of an aggregate if their types decide on its two steps."""
    return [] if function_name(plain_call(aggregate)) in _BY_VALUE else arguments_of(aggregate)


def arguments_of(aggregate: exp.Expr) -> list[exp.Expr]:
    """The arguments of an aggregate, DISTINCT and ORDER BY left out."""
    found: list[exp.Expr] = []
    for child in plain_call(aggregate).iter_expressions():
        found += child.expressions if isinstance(child, exp.Distinct) else [child]
    return [argument.this if isinstance(argument, exp.Order) else argument for argument in found]


def _shares_its_parts(aggregate: exp.Expr, others: Sequence[exp.Expr]) -> bool:
    """Whether DuckDB itself divides a sum by a count: it does so where that saves it an aggregate (EXPLAIN (SQL))."""
    argument = arguments_of(aggregate)
    for other in others:
        call = plain_call(other)
        if other is aggregate:
            continue
        if isinstance(call, (exp.Avg, exp.Count)) or (
            isinstance(call, exp.Sum) and arguments_of(call) == argument
        ):
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


def _same_call(aggregate: exp.Expr, function: type[exp.Func]) -> exp.Expr:
    """An average with another function over the same argument and the same FILTER."""
    if isinstance(aggregate, exp.Filter):
        return exp.Filter(this=_same_call(aggregate.this, function), expression=aggregate.expression.copy())
    return function(this=arguments_of(aggregate)[0].copy())
