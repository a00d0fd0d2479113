"""Whether two databases gave the same answer to a query.

Promises: names, the number of rows and every value count; floating-point values may differ by 1e-9 of their size, since
they depend on the order of summing. Rows count as a set, but what ORDER BY fixes must come in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

RELATIVE_TOLERANCE = 1e-9

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave: the names of its columns and its rows in order."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]


def ordering(sql: str, names: Sequence[str]) -> tuple[int, ...]:
    """The columns of the result, from 0, that the query's ORDER BY starts with."""
    import sqlglot
    from sqlglot import exp

    order = sqlglot.parse_one(sql, read="duckdb").args.get("order")
    columns: list[int] = []
    for term in order.expressions if order is not None else ():
        if not isinstance(term.this, exp.Column) or term.this.name not in names:
            break
        columns.append(names.index(term.this.name))
    return tuple(columns)


def difference(expected: Answer, got: Answer, ordered_by: Sequence[int] = ()) -> str | None:
    """What differs first, in a line; None if nothing does. ordered_by: columns, from 0, whose order is fixed."""
    if expected.names != got.names:
        return f"columns {', '.join(got.names)} instead of {', '.join(expected.names)}"
    if len(expected.rows) != len(got.rows):
        return f"{len(got.rows)} rows instead of {len(expected.rows)}"
    for number, (left, right) in enumerate(zip(expected.rows, got.rows, strict=True), start=1):
        for column in ordered_by:
            if not _same_value(left[column], right[column]):
                return f"row {number} has {right[column]!r} in the order instead of {left[column]!r}"
    pairs = zip(sorted(expected.rows, key=_sort_key), sorted(got.rows, key=_sort_key), strict=True)
    for left, right in pairs:
        if not all(map(_same_value, left, right)):
            return f"{right!r} instead of {left!r}"
    return None


def _same_value(left: object, right: object) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE) or (
            math.isnan(left) and math.isnan(right)
        )
    return type(left) is type(right) and left == right


def _sort_key(row: Row) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Floating-point values last: rows that differ in nothing else come in an order that small errors keep."""
    exact = tuple(repr(value) for value in row if not isinstance(value, float))
    return exact, tuple(value for value in row if isinstance(value, float))
