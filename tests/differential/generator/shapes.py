"""Statements of a form of their own: PIVOT, UNPIVOT, stars, samples, unnested lists, keys looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .conditions import condition, equated, key_condition, scalar_subquery, table
from .expressions import expression
from .relations import from_clause, same_key, source
from .schema import Column
from .scope import Maker, of_kind
from .values import POOLS
from .windows import total

_PIVOTED = ("sum(a)", "count(*)", "max(b)", "min(x)", "sum(x)", "list(a ORDER BY id)", "count(DISTINCT k)")


def shape(maker: Maker) -> str:
    """One statement."""
    return maker.choose(_SHAPES)(maker)


def lookup(maker: Maker) -> str:
    """Rows of one key, or of a few."""
    relation = table(maker)
    names = [column.name for column in relation.columns]
    key = relation.columns[1 if len(relation.columns) > 3 else 0]
    listed = maker.choose(("*", ", ".join(maker.random.sample(names, 2)), "count(*)", f"max({names[0]})"))
    where = key_condition(maker, key, relation.columns)
    if maker.chance(0.3):
        where += f" AND {condition(maker, relation.columns)}"
    return f"SELECT {listed} FROM {relation.sql} WHERE {where}"


def _bare_table(maker: Maker) -> tuple[str, Sequence[Column]]:
    """The name of a table and its columns as it calls them."""
    name = maker.choose([spec.name for spec in maker.schema.tables])
    return name, maker.schema.columns[name]


def _pivot(maker: Maker) -> str:
    name, columns = _bare_table(maker)
    calls = ", ".join(maker.random.sample(_PIVOTED, maker.choose((1, 1, 2))))
    group = maker.choose(("", " GROUP BY k", " GROUP BY k, a", " GROUP BY j"))
    rows = (
        name
        if maker.chance(0.5)
        else f"(SELECT id, k, j, a, b, x FROM {name} WHERE {condition(maker, columns)})"
    )
    form = maker.random.random()
    if form < 0.4:
        return f"PIVOT {rows} ON {maker.choose(('b', 'a', 'a, b'))} USING {calls}{group}"
    values = maker.choose(("b IN ('a', 'b', '')", "a IN (1, 2, 3)"))
    if form < 0.7:
        return f"PIVOT {rows} ON {values} USING {calls}{group}"
    named = f"{calls.split(', ', maxsplit=1)[0]} AS n" if "ORDER" not in calls else "count(*) AS n"
    return f"SELECT * FROM {rows} PIVOT ({named} FOR {values}{maker.choose(('', ' GROUP BY k'))})"


def _unpivot(maker: Maker) -> str:
    name, columns = _bare_table(maker)
    rows = f"(SELECT id, k, a, x FROM {name} WHERE {condition(maker, columns)})"
    nulls = maker.choose(("", " INCLUDE NULLS"))
    if maker.chance(0.5):
        return f"UNPIVOT {rows} ON a, x INTO NAME what VALUE amount"
    return f"SELECT * FROM {rows} UNPIVOT{nulls} (amount FOR what IN (a, id))"


def _star(maker: Maker) -> str:
    relation = from_clause(maker, 0)
    names = [column.name.split(".")[1] for column in relation.columns]
    numbers = [name.split(".")[1] for name in of_kind(relation.columns, "int")]
    one = maker.choose(names)
    where = f" WHERE {condition(maker, relation.columns)}" if maker.chance(0.5) else ""
    tail = f"FROM {relation.sql}{where}"
    forms = [
        f"FROM {relation.sql}{where}",
        f"SELECT * EXCLUDE ({one}) {tail}",
        f"SELECT * REPLACE ({one} IS NULL AS {one}) {tail}",
        f"SELECT * RENAME ({one} AS other) {tail}",
        f"SELECT COLUMNS(* EXCLUDE ({one})) {tail}",
        f"SELECT count(COLUMNS(*)) {tail}",
        f"SELECT max(COLUMNS(lambda c: c <> '{one}')) {tail}",
        f"SELECT COLUMNS('^[a-k]$') {tail}",
        f"SELECT * LIKE '{one[0]}%' {tail}",
        f"SELECT DISTINCT * {tail}",
        f"SELECT {maker.choose(relation.columns).name.split('.')[0]} {tail}",
        f"SELECT *, count(*) OVER (PARTITION BY {one}) AS n {tail}",
        f"{tail} SELECT {one}, count(*) GROUP BY ALL",
        f"SELECT min(COLUMNS([c FOR c IN (*) IF c <> '{one}'])) {tail}",
        f"DESCRIBE SELECT * {tail}",
        f"SELECT {one} AS z, z IS NULL AS missing {tail}{' AND' if where else ' WHERE'} z IS NOT NULL",
    ]
    if numbers:
        number = maker.choose(numbers)
        forms.append(f"SELECT * REPLACE ({number} + 1 AS {number}) {tail}")
        forms.append(f"SELECT COLUMNS('^{number}$') + 1 {tail}")
    return maker.choose(forms)


def _joined_star(maker: Maker) -> str:
    left, right = table(maker), table(maker)
    link = equated(maker, left.columns, right.columns) or "false"
    kind = maker.choose(("JOIN", "LEFT JOIN", "FULL JOIN", "SEMI JOIN", "RIGHT JOIN"))
    if same_key(left, right) and maker.chance(0.6):
        if maker.chance(0.3):
            return f"SELECT * FROM {left.sql} NATURAL {kind} {right.sql}"
        names = ("k", "id", "k, a") if len(left.columns) > 3 and len(right.columns) > 3 else ("k",)
        return f"SELECT * FROM {left.sql} {kind} {right.sql} USING ({maker.choose(names)})"
    alias = left.columns[0].name.split(".")[0]
    listed = maker.choose(("*", f"{alias}.*", f"{alias}.* EXCLUDE ({left.columns[0].name.split('.')[1]})"))
    return f"SELECT {listed} FROM {left.sql} {kind} {right.sql} ON {link}"


def _counted(maker: Maker) -> str:
    """How many rows a limit or a sample lets through, whichever they are."""
    relation = table(maker)
    size = maker.random.randint(0, 12)
    rows = f"SELECT * FROM {relation.sql}"
    where = f" WHERE {condition(maker, relation.columns)}" if maker.chance(0.6) else ""
    forms = (
        f"SELECT count(*) FROM ({rows}{where} LIMIT {size})",
        f"SELECT count(*) FROM ({rows}{where} LIMIT {size} OFFSET {maker.random.randint(0, 5)})",
        f"SELECT count(*) FROM ({rows} USING SAMPLE {size} ROWS)",
        f"SELECT count(*) FROM ({rows} USING SAMPLE reservoir({size} ROWS) REPEATABLE (7))",
        f"SELECT count(*) FROM {relation.sql} TABLESAMPLE reservoir({size} ROWS) REPEATABLE (3){where}"
        if not where
        else f"SELECT count(*) FROM {relation.sql} TABLESAMPLE 0 ROWS{where}",
        f"SELECT count(*) FROM ({rows}{where}) USING SAMPLE 100%",
    )
    return maker.choose(forms)


def _unnested(maker: Maker) -> str:
    relation = source(maker)
    values = expression(maker, relation.columns, maker.choose(("INTEGER[]", "VARCHAR[]")))
    where = f" WHERE {condition(maker, relation.columns)}" if maker.chance(0.5) else ""
    one = maker.choose(relation.columns).name
    forms = (
        f"SELECT {one}, unnest({values}) AS v FROM {relation.sql}{where}",
        f"SELECT v, count(*) FROM (SELECT unnest({values}) AS v FROM {relation.sql}{where}) GROUP BY v",
        f"SELECT {one}, u.v FROM {relation.sql}, unnest({values}) AS u(v){where}",
        f"SELECT unnest({{'p': {one}, 'q': 1}}) FROM {relation.sql}{where}",
        f"SELECT {one}, (SELECT count(*) FROM unnest({values}) AS u(v) WHERE v IS NOT NULL) FROM {relation.sql}{where}",
    )
    return maker.choose(forms)


def _named_windows(maker: Maker) -> str:
    relation = from_clause(maker, maker.choose((0, 0, 1)))
    one, other = maker.choose(relation.columns).name, maker.choose(relation.columns).name
    number = maker.choose(of_kind(relation.columns, "int") or ["1"])
    order = total(maker, relation.columns, relation.order)
    return (
        f"SELECT {one}, row_number() OVER w, sum({number}) OVER (w ROWS 2 PRECEDING), lag({other}) OVER w"
        f" FROM {relation.sql} WHERE {condition(maker, relation.columns)}"
        f" WINDOW w AS (PARTITION BY {maker.choose((one, other))} ORDER BY {order})"
    )


def _ordered_by_subquery(maker: Maker) -> str:
    """A LIMIT whose rows a subquery decides on."""
    relation = table(maker)
    scalar, _ = scalar_subquery(maker, relation.columns)
    names = ", ".join(column.name for column in relation.columns[:3])
    order = ", ".join(relation.order)
    return f"SELECT {names} FROM {relation.sql} ORDER BY {scalar}, {order} LIMIT {maker.random.randint(1, 5)}"


def _grouped_by_subquery(maker: Maker) -> str:
    relation = table(maker)
    scalar, _ = scalar_subquery(maker, relation.columns)
    number = maker.choose(of_kind(relation.columns, "int") or ["1"])
    forms = (
        f"SELECT {scalar} AS g, count(*), sum({number}) FROM {relation.sql} GROUP BY g",
        f"SELECT max({scalar}) FROM {relation.sql}",
        f"SELECT {number}, count(*) FILTER (WHERE {scalar} IS NOT NULL) FROM {relation.sql} GROUP BY 1",
        f"SELECT {number}, max({scalar}) OVER (PARTITION BY {number}) FROM {relation.sql}",
        f"SELECT CASE WHEN {scalar} IS NULL THEN 0 ELSE {number} END FROM {relation.sql}",
    )
    return maker.choose(forms)


def _without_tables(maker: Maker) -> str:
    kind = maker.choose([kind for kind in POOLS if kind not in ("int", "num")])
    values = ", ".join(f"({maker.constant(kind)})" for _ in range(3))
    return maker.choose(
        (f"VALUES {values}", f"SELECT {maker.constant(kind)} AS v", f"SELECT typeof({maker.constant(kind)})")
    )


_SHAPES: tuple[Callable[[Maker], str], ...] = (
    _pivot,
    _pivot,
    _unpivot,
    _star,
    _star,
    _star,
    _joined_star,
    _counted,
    _unnested,
    _unnested,
    _named_windows,
    _ordered_by_subquery,
    _grouped_by_subquery,
    _grouped_by_subquery,
    _without_tables,
)
