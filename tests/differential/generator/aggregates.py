"""Calls of aggregate functions: plain, DISTINCT, with FILTER, ordered.

Values that depend on the order of summing are rounded, so that comparing or grouping by them is safe.
"""

from __future__ import annotations

from collections.abc import Sequence

from .conditions import condition
from .expressions import fill
from .schema import Column
from .scope import Maker

# (template, kind of the value; None: that of the column). {order} stands for names that put the rows in order.
_PLAIN: tuple[tuple[str, str | None], ...] = (
    ("count(*)", "int"),
    ("count(*)", "int"),
    ("count({any})", "int"),
    ("count(DISTINCT {any})", "int"),
    ("count(DISTINCT {int})", "int"),
    ("min({any})", None),
    ("max({any})", None),
    ("sum({int})", "int"),
    ("sum({int})", "int"),
    ("sum({num})", "sum"),
    ("sum(DISTINCT {int})", "int"),
    ("avg({int})", "DOUBLE"),
    ("round(avg({num}), 6)", "DOUBLE"),
    ("round(sum(CASE WHEN abs({double}) < 100 OR NOT isfinite({double}) THEN {double} END), 6)", "DOUBLE"),
    ("bool_and({bool})", "BOOLEAN"),
    ("bool_or({bool})", "BOOLEAN"),
    ("count_if({bool})", "int"),
    ("bit_or({int}::BIGINT)", "int"),
    ("bit_xor({int}::BIGINT)", "int"),
    ("round(stddev({int}), 6)", "DOUBLE"),
    ("round(var_pop({int}), 6)", "DOUBLE"),
    ("median({int})", "DOUBLE"),
    ("quantile_disc({any}, 0.5)", None),
    ("quantile_cont({int}, 0.25)", "DOUBLE"),
    ("mad({int})", "DOUBLE"),
    ("approx_count_distinct({any})", "int"),
    ("histogram({int})", "other"),
    ("max({int}, 2)", "other"),
    ("min({any}, 2)", "other"),
    ("list_sort(list({int}))", "other"),
)
_ORDERED: tuple[tuple[str, str | None], ...] = (
    ("list({any} ORDER BY {order})", "other"),
    ("string_agg({text}, ',' ORDER BY {order})", "VARCHAR"),
    ("string_agg(DISTINCT {text}, '/')", "one text"),
    ("first({any} ORDER BY {order})", None),
    ("last({any} ORDER BY {order})", None),
    ("any_value({any} ORDER BY {order})", None),
    ("arg_min({any}, ({order}))", None),
    ("arg_max({any}, ({order}))", None),
    ("array_agg({any} ORDER BY {any}, {order})", "other"),
)
_WRAPPED = ("round(", "list_sort(")
"""Templates that start with these are no calls of an aggregate that a FILTER can follow."""


def aggregate(
    maker: Maker, columns: Sequence[Column], order: Sequence[str], *, nested: bool = True
) -> tuple[str, str]:
    """A call over these columns, and the kind of its value: `other` where it is none of the kinds.

    order: names that put the rows in order. nested: subqueries may be part of a FILTER.
    """
    template, kind = maker.choose(_ORDERED if order and maker.chance(0.2) else _PLAIN)
    if kind == "one text":
        name = next((column.name for column in columns if column.kind == "VARCHAR"), "'x'")
        return f"string_agg(DISTINCT {name}, '/' ORDER BY {name})", "VARCHAR"
    if kind is None and "{any}" in template:
        column = maker.choose(columns)
        template = template.replace("{any}", column.name)
        kind = "int" if column.kind == "id" else column.kind
    text = fill(maker, columns, template.replace("{order}", ", ".join(order)), 2 if maker.chance(0.4) else 1)
    if maker.chance(0.15) and not template.startswith(_WRAPPED):
        text += f" FILTER (WHERE {condition(maker, columns, nested=nested and maker.chance(0.2))})"
    return text, kind or "other"
