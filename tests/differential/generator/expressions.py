"""Scalar expressions of every kind, from templates.

A template is text with `{kind}` where an expression of this kind goes. `{any}` is some column, `{one}` too, and
`{same}` is an expression of the kind that `{one}` has. No template fails for any value, and none lets values that are
equal but look different show (−0.0, or 30 days and a month).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from .schema import Column
from .scope import Maker, of_kind

SHORT = {
    "text": "VARCHAR",
    "date": "DATE",
    "moment": "TIMESTAMP",
    "list": "INTEGER[]",
    "texts": "VARCHAR[]",
    "struct": "STRUCT(p INTEGER, q VARCHAR)",
    "map": "MAP(VARCHAR, INTEGER)",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "uuid": "UUID",
}
"""Names of kinds in templates, where they differ."""

TEMPLATES: dict[str, tuple[str, ...]] = {
    "int": (
        "{int} + {int}",
        "{int} - 2 * {int}",
        "{int} % 3",
        "-({int})",
        "abs({int})",
        "coalesce({int}, {int})",
        "nullif({int}, 1)",
        "CASE WHEN {bool} THEN {int} ELSE {int} END",
        "CASE {int} WHEN 1 THEN 10 WHEN {int} THEN 20 END",
        "if({bool}, {int}, 0)",
        "length({text})",
        "ascii({text})",
        "strpos({text}, 'a')",
        "greatest({int}, {int}, 1)",
        "least({int}, {int})",
        "sign({num})::INTEGER",
        "year({date})",
        "extract(month FROM {moment})",
        "date_part('dow', {date})",
        "len({list})",
        "{list}[1]",
        "list_sum({list})::INTEGER",
        "list_max({list})",
        "list_reduce(list_concat([0], list_filter({list}, lambda v: v IS NOT NULL)), lambda v, w: v + w)",
        "list_position({list}, {int})",
        "{struct}.p",
        "struct_extract({struct}, 'p')",
        "{map}['a']",
        "cardinality({map})::INTEGER",
        "twice({int})",
        "or_else({int}, w := -1)",
        "TRY_CAST({text} AS INTEGER)",
        "{bool}::INTEGER",
        "(hash({uuid}) % 5)::INTEGER",
        "({int} & 3) | 4",
        "round({num})::INTEGER",
        "datediff('day', DATE '2024-01-01', DATE '2024-02-01' + {int}::INTEGER)",
    ),
    "num": (
        "{num} * 2",
        "{num} + 0.25",
        "-({num})",
        "round({num}, 1)",
        "abs({num})",
        "{int}::DECIMAL(9,2)",
        "coalesce({num}, 0)",
        "twice({num})",
    ),
    "VARCHAR": (
        "upper({text})",
        "{text} || '-'",
        "{text} || {int}::VARCHAR",
        "coalesce({text}, '?')",
        "substr({text}, 1, 2)",
        "{text}[1]",
        "concat({text}, '/', {int}, {bool})",
        "concat_ws('/', {text}, {int})",
        "replace({text}, 'a', 'bb')",
        "reverse({text})",
        "trim({text})",
        "lpad({text}, 4, '*')",
        "left({text}, 1)",
        "repeat({text}, 2)",
        "regexp_replace({text}, '[a-c]', '*', 'g')",
        "regexp_extract({text}, '([a-z])(.)?', 1)",
        "{int}::VARCHAR",
        "{num}::VARCHAR",
        "{date}::VARCHAR",
        "strftime({moment}, '%Y-%m')",
        "{uuid}::VARCHAR",
        "{list}::VARCHAR",
        "{struct}::VARCHAR",
        "{struct}.q",
        "array_to_string({texts}, ',')",
        "CASE WHEN {bool} THEN {text} ELSE 'no' END",
        "format('{{}}:{{}}', {text}, {int})",
        "typeof({any})",
        "md5({text})",
        "to_json({struct})::VARCHAR",
    ),
    "DATE": (
        "({date} + INTERVAL 1 MONTH)::DATE",
        "{date} - 1",
        "date_trunc('month', {date})::DATE",
        "last_day({date})",
        "make_date(2024, 1 + abs({int}::INTEGER) % 12, 1)",
        "{moment}::DATE",
        "greatest({date}, {date})",
    ),
    "TIMESTAMP": (
        "{moment} + INTERVAL 1 HOUR",
        "date_trunc('hour', {moment})",
        "{date}::TIMESTAMP",
        "least({moment}, {moment})",
    ),
    "BOOLEAN": (
        "{one} = {same}",
        "{one} IS DISTINCT FROM {same}",
        "{any} IS NULL",
        "NOT {bool}",
        "{bool} AND {bool}",
        "{bool} OR {bool}",
        "{bool} IS NOT TRUE",
        "{text} LIKE 'a%'",
        "{text} ILIKE '%A%'",
        "{text} NOT LIKE '%\\_%' ESCAPE '\\'",
        "{text} SIMILAR TO '[a-b]+'",
        "{text} ~ 'a|b'",
        "{text} GLOB '*a*'",
        "starts_with({text}, 'a')",
        "contains({text}, 'b')",
        "{int} BETWEEN {int} AND {int}",
        "{int} NOT IN ({int}, 2, NULL)",
        "({int}, {text}) = (1, 'a')",
        "({int}, {text}) IN ((1, 'a'), (2, 'b'), (NULL, ''))",
        "({int}, {text}) < ({int}, {text})",
        "list_contains({list}, {int})",
        "list_has_any({list}, [1, {int}])",
        "{int} = ANY({list})",
        "list_bool_or(list_transform({list}, lambda v: v > 1))",
        "map_contains({map}, 'a')",
        "isnan({double})",
        "isfinite({double})",
        "{struct}.q = {text}",
        "{struct} = {struct}",
        "{list} < {list}",
        "{date} < {date}",
        "{moment} >= {date}",
        "CASE WHEN {bool} THEN {bool} ELSE false END",
        "coalesce({bool}, {bool})",
        "{num} > {int}",
        "xor({int}, 1) > 1",
    ),
    "INTEGER[]": (
        "list_transform({list}, lambda v: v + 1)",
        "list_transform({list}, lambda v, i: v * i)",
        "list_filter({list}, lambda v: v > 0)",
        "list_filter({list}, lambda v: v > {int})",
        "[v * 2 FOR v IN {list} IF v IS NOT NULL]",
        "list_sort({list})",
        "list_reverse_sort({list})",
        "list_sort(list_distinct({list}))",
        "{list}[2:]",
        "{list}[:-2]",
        "list_concat({list}, [{int}])",
        "list_append({list}, {int})",
        "[{int}, {int}]",
        "list_value({int})",
        "list_apply({list}, lambda v: v + {int})",
        "list_resize({list}, 2)",
        "range(0, abs({int}) % 4)::INTEGER[]",
        "map_values({map})",
        "list_intersect({list}, [{int}])",
    ),
    "VARCHAR[]": (
        "string_split({text}, 'a')",
        "map_keys({map})",
        "list_transform({texts}, lambda v: upper(v))",
        "list_transform({list}, lambda v: v || {text})",
        "list_sort({texts}, 'DESC', 'NULLS FIRST')",
        "[{text}, {text}]",
        "list_filter({texts}, lambda v: length(v) > 0)",
    ),
    "STRUCT(p INTEGER, q VARCHAR)": (
        "{'p': {int}, 'q': {text}}",
        "struct_pack(p := {int}, q := {text})",
        "struct_update({struct}, p := {int})",
        "CASE WHEN {bool} THEN {struct} END",
        "coalesce({struct}, {'p': 0, 'q': {text}})",
    ),
    "MAP(VARCHAR, INTEGER)": (
        "MAP {'z': {int}}",
        "map(['a', 'b'], [{int}, 1])",
        "map_from_entries([('a', {int})])",
        "map_concat({map}, MAP {'c': {int}})",
    ),
    "DOUBLE": (
        "{int} / 4",
        "{num}::DOUBLE",
        "sqrt(abs({int}))",
        "coalesce({double}, 0.5::DOUBLE)",
        "CASE WHEN {bool} THEN {double} END",
    ),
}

_HOLE = re.compile(r"\{(any|one|same|int|num|text|date|moment|list|texts|struct|map|double|bool|uuid)\}")
_DEPTH = 2


@cache
def _parts(template: str) -> tuple[str, ...]:
    """Text and names of holes by turns."""
    return tuple(_HOLE.split(template))


def fill(maker: Maker, columns: Sequence[Column], template: str, depth: int = _DEPTH) -> str:
    """The template with an expression in each hole."""
    parts = list(_parts(template))
    chosen: Column | None = None
    for number in range(1, len(parts), 2):
        hole = parts[number]
        if hole in ("any", "one"):
            chosen = maker.choose(columns)
            parts[number] = chosen.name
        elif hole == "same" and chosen is not None:
            parts[number] = expression(maker, columns, chosen.kind, 0)
        else:
            parts[number] = expression(maker, columns, SHORT.get(hole, hole), depth - 1)
    return "".join(parts)


def expression(maker: Maker, columns: Sequence[Column], kind: str, depth: int = _DEPTH) -> str:
    """An expression of a kind: a column, a constant, or one from a template, which is put in brackets."""
    form = maker.random.random()
    templates = TEMPLATES.get(kind)
    if templates is not None and depth > 0 and form < 0.45:
        return f"({fill(maker, columns, maker.choose(templates), depth)})"
    names = of_kind(columns, kind)
    if names and form < 0.92:
        return maker.choose(names)
    return maker.constant(kind) if not names or form < 0.97 else "NULL"


def some_expression(maker: Maker, columns: Sequence[Column]) -> tuple[str, str]:
    """An expression of a kind that the columns suggest, and its kind."""
    kind = maker.choose(columns).kind if maker.chance(0.7) else maker.choose(list(TEMPLATES))
    kind = "int" if kind == "id" else kind
    return expression(maker, columns, kind), kind
