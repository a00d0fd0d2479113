"""Calls of window functions, with every form of frame.

Where rows may be tied in the order of a window, only what is the same for all of them is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from .conditions import condition
from .expressions import fill
from .schema import Column
from .scope import Maker, of_kind

_DIRECTIONS = ("", "", " DESC", " NULLS FIRST", " DESC NULLS LAST")
_EXCLUSIONS = ("", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES", " EXCLUDE NO OTHERS")

_SAME_FOR_TIES = ("rank()", "dense_rank()", "percent_rank()", "cume_dist()")
_SETS = (
    "sum({int})",
    "sum({num})",
    "count(*)",
    "count({any})",
    "min({any})",
    "max({any})",
    "avg({int})",
    "count(DISTINCT {any})",
    "bool_or({bool})",
    "quantile_disc({int}, 0.5)",
    "median({int})",
)
_BY_ORDER = (
    "row_number()",
    "ntile(3)",
    "lag({any})",
    "lead({any}, 2)",
    "lag({int}, 1, 0)",
    "lead({any} IGNORE NULLS)",
)
_BY_FRAME = (
    "first_value({any})",
    "last_value({any})",
    "nth_value({any}, 2)",
    "first_value({any} IGNORE NULLS)",
    "last_value({any} IGNORE NULLS)",
    "list({int})",
    "string_agg({text}, '+')",
)


def window(maker: Maker, columns: Sequence[Column], order: Sequence[str]) -> str:
    """A call with its OVER clause. order: names that put the rows in order."""
    form = maker.random.random()
    if form < 0.2 or not order:
        return _over(maker, columns, maker.choose(_SETS), _partition(maker, columns))
    if form < 0.3:
        over = f"{_partition(maker, columns)} ORDER BY {_terms(maker, columns)}"
        return _over(maker, columns, maker.choose(_SAME_FOR_TIES), over)
    if form < 0.5:
        over = f"{_partition(maker, columns)} ORDER BY {_terms(maker, columns)}{_peers_frame(maker)}"
        return _over(maker, columns, maker.choose(_SETS), over)
    if form < 0.6:
        return _ranged(maker, columns)
    if form < 0.75:
        over = f"{_partition(maker, columns)} ORDER BY {total(maker, columns, order)}"
        return _over(maker, columns, maker.choose(_BY_ORDER), over)
    over = f"{_partition(maker, columns)} ORDER BY {total(maker, columns, order)}{_rows_frame(maker)}"
    return _over(maker, columns, maker.choose(_BY_FRAME + _SETS), over)


def total(maker: Maker, columns: Sequence[Column], order: Sequence[str]) -> str:
    """Terms of an ORDER BY that tie only equal rows."""
    terms = [f"{name}{maker.choose(_DIRECTIONS)}" for name in order]
    return ", ".join([_terms(maker, columns), *terms] if maker.chance(0.5) else terms)


def _terms(maker: Maker, columns: Sequence[Column]) -> str:
    count = maker.choose((1, 1, 2))
    return ", ".join(f"{maker.choose(columns).name}{maker.choose(_DIRECTIONS)}" for _ in range(count))


def _partition(maker: Maker, columns: Sequence[Column]) -> str:
    count = maker.choose((0, 1, 1, 2))
    names = ", ".join(maker.choose(columns).name for _ in range(count))
    return f"PARTITION BY {names}" if names else ""


def _over(maker: Maker, columns: Sequence[Column], call: str, over: str) -> str:
    text = fill(maker, columns, call, 1)
    if maker.chance(0.1) and call in _SETS:
        text += f" FILTER (WHERE {condition(maker, columns, nested=False)})"
    return f"{text} OVER ({over.strip()})"


def _bounds(maker: Maker, offset: str) -> str:
    """Bounds that are in the right order."""
    starts = ("UNBOUNDED PRECEDING", f"{offset} PRECEDING", "CURRENT ROW")
    ends = ("CURRENT ROW", f"{offset} FOLLOWING", "UNBOUNDED FOLLOWING")
    if maker.chance(0.15):
        return maker.choose(starts[:2] if offset else starts[:1])
    return f"BETWEEN {maker.choose(starts)} AND {maker.choose(ends)}"


def _peers_frame(maker: Maker) -> str:
    """A frame that has all rows that are tied, or none of them."""
    if maker.chance(0.3):
        return ""
    if maker.chance(0.5):
        unit, bounds = "GROUPS", _bounds(maker, maker.choose("012"))
    else:
        unit = "RANGE"
        bounds = f"BETWEEN {maker.choose(('UNBOUNDED PRECEDING', 'CURRENT ROW'))} AND "
        bounds += maker.choose(("CURRENT ROW", "UNBOUNDED FOLLOWING"))
    return f" {unit} {bounds}{maker.choose(_EXCLUSIONS)}"


def _rows_frame(maker: Maker) -> str:
    if maker.chance(0.2):
        return ""
    unit, bounds = maker.choose(("ROWS", "ROWS", "GROUPS")), _bounds(maker, maker.choose("0123"))
    return f" {unit} {bounds}{maker.choose(_EXCLUSIONS)}"


def _ranged(maker: Maker, columns: Sequence[Column]) -> str:
    """A frame by distance from the value of the one term of the order."""
    numbers, dates = of_kind(columns, "int"), of_kind(columns, "DATE")
    if numbers and not (dates and maker.chance(0.3)):
        name, offset = maker.choose(numbers), maker.choose("123")
    elif dates:
        name, offset = maker.choose(dates), maker.choose(("INTERVAL 1 DAY", "INTERVAL 2 MONTH"))
    else:
        name, offset = "1", "1"
    over = f"{_partition(maker, columns)} ORDER BY {name}{maker.choose(_DIRECTIONS)}"
    return _over(
        maker,
        columns,
        maker.choose(_SETS),
        f"{over} RANGE {_bounds(maker, offset)}{maker.choose(_EXCLUSIONS)}",
    )
