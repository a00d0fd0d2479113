"""SELECT statements: rows, groups, windows, set operations, common table expressions, recursion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .aggregates import aggregate
from .conditions import condition, equated, scalar_subquery, table
from .expressions import expression, some_expression
from .relations import from_clause
from .schema import Column
from .scope import Maker, Relation
from .values import sql_type
from .windows import total, window

_DIRECTIONS = ("", "", " DESC", " NULLS FIRST", " DESC NULLS FIRST", " ASC NULLS LAST", " DESC NULLS LAST")
_LIMITS = ("", "", " LIMIT 3", " LIMIT 4 OFFSET 2", " OFFSET 1", " LIMIT 0", " LIMIT (SELECT 2)")
_SET_WORDS = ("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")


@dataclass(slots=True)
class Select:
    """One SELECT by its clauses.

    items: (text, kind) of the result's columns. order: decides which rows DISTINCT ON keeps.
    """

    items: list[tuple[str, str]]
    source: str
    where: str = ""
    group: str = ""
    having: str = ""
    qualify: str = ""
    distinct: str = ""
    order: str = ""

    def sql(self) -> str:
        """Its text."""
        parts = [f"SELECT {self.distinct}{', '.join(text for text, _ in self.items)} FROM {self.source}"]
        clauses = (
            ("WHERE", self.where),
            ("GROUP BY", self.group),
            ("HAVING", self.having),
            ("QUALIFY", self.qualify),
            ("ORDER BY", self.order),
        )
        parts += [f"{word} {text}" for word, text in clauses if text]
        return " ".join(parts)


def select(maker: Maker, joins: Sequence[int] = (0, 0, 0, 1, 1, 1, 2, 2, 3)) -> Select:
    """Rows or groups of one or more relations."""
    relation = from_clause(maker, maker.choose(joins))
    form = maker.random.random()
    if form < 0.4:
        made = _rows(maker, relation)
    elif form < 0.8:
        made = _groups(maker, relation)
    else:
        made = _windowed(maker, relation)
    count = maker.choose((0, 0, 0, 1, 1, 1, 2))
    made.where = " AND ".join(condition(maker, relation.columns) for _ in range(count))
    return made


def ordered(maker: Maker, text: str, count: int) -> str:
    """A query, often in the order of all of its columns, with or without a limit. count: its columns."""
    if maker.chance(0.5):
        return text
    if maker.chance(0.4):
        return f"{text} ORDER BY ALL{maker.choose(_DIRECTIONS)}{maker.choose(_LIMITS)}"
    numbers = maker.random.sample(range(1, count + 1), count)
    terms = ", ".join(f"{number}{maker.choose(_DIRECTIONS)}" for number in numbers)
    return f"{text} ORDER BY {terms}{maker.choose(_LIMITS)}"


def _item(maker: Maker, relation: Relation) -> tuple[str, str]:
    form = maker.random.random()
    if form < 0.6:
        column = maker.choose(relation.columns)
        return column.name, column.kind
    if form < 0.92 or maker.depth > 0:
        return some_expression(maker, relation.columns)
    return scalar_subquery(maker, relation.columns)


def _rows(maker: Maker, relation: Relation) -> Select:
    made = Select([_item(maker, relation) for _ in range(maker.random.randint(1, 5))], relation.sql)
    form = maker.random.random()
    if form < 0.18:
        made.distinct = "DISTINCT "
    elif form < 0.28 and relation.order:
        names = [maker.choose(relation.columns).name for _ in range(maker.choose((1, 1, 2)))]
        made.distinct = f"DISTINCT ON ({', '.join(names)}) "
        terms = [f"{name}{maker.choose(_DIRECTIONS)}" for name in names]
        made.order = f"{', '.join(terms)}, {total(maker, relation.columns, relation.order)}"
    return made


def _groups(maker: Maker, relation: Relation) -> Select:
    grouped: list[tuple[str, str]] = []
    for _ in range(maker.choose((0, 1, 1, 1, 2, 2, 3))):
        if maker.chance(0.8):
            column = maker.choose(relation.columns)
            grouped.append((column.name, column.kind))
        else:
            grouped.append(some_expression(maker, relation.columns))
    made = [aggregate(maker, relation.columns, relation.order) for _ in range(maker.random.randint(1, 3))]
    texts = list(dict.fromkeys(text for text, _ in grouped))
    items = [*grouped, *made]
    result = Select(items, relation.sql)
    if texts:
        result.group = _grouping(maker, texts, items, len(grouped))
    if maker.chance(0.25):
        result.having = _having(maker, relation, nested=maker.depth == 0)
    if maker.chance(0.08):
        result.distinct = "DISTINCT "
    elif texts and maker.chance(0.08):
        result.items.append((f"rank() OVER (ORDER BY {made[0][0]})", "int"))
    return result


def _grouping(maker: Maker, texts: list[str], items: list[tuple[str, str]], count: int) -> str:
    """A GROUP BY clause over these texts, which are the first `count` items."""
    form = maker.random.random()
    listed = ", ".join(texts)
    if form < 0.6:
        return listed
    if form < 0.68:
        return ", ".join(str(number) for number in range(1, count + 1))
    if form < 0.74:
        return "ALL"
    if maker.chance(0.4):
        items.append((f"GROUPING({', '.join(texts)})", "int"))
    if form < 0.82:
        return f"CUBE ({listed})"
    if form < 0.9:
        return f"ROLLUP ({listed})"
    sets = ["()", *(f"({', '.join(maker.random.sample(texts, size))})" for size in range(1, len(texts) + 1))]
    return f"GROUPING SETS ({', '.join(sets)})"


def _having(maker: Maker, relation: Relation, *, nested: bool) -> str:
    text, kind = aggregate(maker, relation.columns, relation.order, nested=False)
    form = maker.random.random()
    if kind != "int" or form < 0.4:
        return f"count(*) {maker.choose(('>', '<', '<>'))} {maker.choose('0123')}"
    if nested and form < 0.6:
        scalar, scalar_kind = scalar_subquery(maker, ())
        if scalar_kind == "int":
            return f"{text} >= {scalar}"
    return f"{text} {maker.choose(('>', '<=', '='))} {maker.constant('int')}"


def _windowed(maker: Maker, relation: Relation) -> Select:
    items = [_item(maker, relation) for _ in range(maker.random.randint(1, 3))]
    calls = [window(maker, relation.columns, relation.order) for _ in range(maker.choose((1, 1, 2)))]
    made = Select([*items, *((call, "other") for call in calls)], relation.sql)
    if maker.chance(0.2) and relation.order:
        over = f"PARTITION BY {maker.choose(relation.columns).name} ORDER BY "
        over += total(maker, relation.columns, relation.order)
        made.qualify = f"row_number() OVER ({over}) <= {maker.random.randint(1, 3)}"
    elif maker.chance(0.15):
        made.qualify = f"{maker.choose(calls)} IS NOT NULL"
    elif maker.chance(0.1):
        made.distinct = "DISTINCT "
    return made


def of_kinds(maker: Maker, kinds: Sequence[str]) -> str:
    """A SELECT of columns c1, c2, … of these kinds."""
    relation = from_clause(maker, maker.choose((0, 0, 0, 1, 1, 2)))
    count = maker.choose((0, 0, 1, 1))
    where = " AND ".join(condition(maker, relation.columns) for _ in range(count))
    items = [expression(maker, relation.columns, kind, maker.choose((0, 0, 1, 2))) for kind in kinds]
    listed = ", ".join(
        f"CAST({item} AS {sql_type(kind)}) AS c{number}"
        for number, (item, kind) in enumerate(zip(items, kinds, strict=True), start=1)
    )
    distinct = maker.choose(("", "", "", "DISTINCT "))
    return f"SELECT {distinct}{listed} FROM {relation.sql}{f' WHERE {where}' if where else ''}"


def kinds_of_schema(maker: Maker, count: int) -> list[str]:
    """Kinds of columns of the tables, often that of the key first."""
    listed = maker.schema.columns["t0"]
    kinds = [listed[1].kind if maker.chance(0.6) else maker.choose(listed).kind]
    kinds += [maker.choose(listed).kind for _ in range(count - 1)]
    return ["int" if kind == "id" else kind for kind in kinds]


def set_operation(maker: Maker) -> tuple[str, int]:
    """Two or three SELECTs of the same kinds, and the number of columns."""
    kinds = kinds_of_schema(maker, maker.random.randint(1, 3))
    text = of_kinds(maker, kinds)
    for _ in range(maker.choose((1, 1, 1, 2))):
        right = of_kinds(maker, kinds)
        word = maker.choose(_SET_WORDS)
        if maker.chance(0.15):
            text, right = f"({text})", f"({right})"
        elif maker.chance(0.1) and word.startswith("UNION"):
            word = f"{word} BY NAME"
        text = f"{text} {word} {right}"
    return text, len(kinds)


def with_clause(maker: Maker) -> str:
    """A WITH clause; what it defines can then be named."""
    made = []
    for number in range(maker.choose((1, 1, 2))):
        kinds = kinds_of_schema(maker, 3)
        names = ("k", "v", "w")
        maker.depth += 1
        text = _grouped_of_kinds(maker, kinds) if maker.chance(0.3) else of_kinds(maker, kinds)
        maker.depth -= 1
        word = maker.choose(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
        made.append(f"q{number}({', '.join(names)}) AS {word}({text})")
        columns = tuple(Column(name, kind) for name, kind in zip(names, kinds, strict=True))
        maker.named.append((f"q{number}", columns))
    return f"WITH {', '.join(made)} "


def _grouped_of_kinds(maker: Maker, kinds: list[str]) -> str:
    """Groups; the kinds of the aggregates are put in place of those asked for."""
    relation = from_clause(maker, maker.choose((0, 1)))
    group = maker.choose(relation.columns)
    kinds[:] = ["int" if group.kind == "id" else group.kind, "int", "int"]
    name = maker.choose(relation.columns).name
    return f"SELECT {group.name}, count(*)::INTEGER, count(DISTINCT {name})::INTEGER FROM {relation.sql} GROUP BY 1"


def recursive(maker: Maker) -> tuple[str, int]:
    """A recursive query: keys reached from some rows, with the number of steps."""
    first, second = table(maker), table(maker)
    start = condition(maker, first.columns, nested=False)
    steps = maker.random.randint(1, 3)
    here, there = maker.choose(first.columns), maker.choose(second.columns)
    link = equated(maker, [Column("w.k", here.kind)], second.columns) or "w.n = 0"
    reached = there.name if there.kind == here.kind else "w.k"
    recursion = (
        f"SELECT {reached}, w.n + 1 FROM w JOIN {second.sql} ON {link} WHERE w.n < {steps}"
        f"{f' AND {condition(maker, second.columns, nested=False)}' if maker.chance(0.5) else ''}"
    )
    body = f"SELECT {here.name} AS k, 0 AS n FROM {first.sql} WHERE {start} UNION {recursion}"
    head = f"WITH RECURSIVE w AS ({body}) "
    if maker.chance(0.5):
        return f"{head}SELECT k, n FROM w", 2
    other = table(maker)
    on = equated(maker, [Column("w.k", here.kind)], other.columns) or "w.n = 1"
    return (
        f"{head}SELECT w.n, count(*), count(DISTINCT w.k) FROM w LEFT JOIN {other.sql} ON {on} GROUP BY w.n",
        3,
    )
