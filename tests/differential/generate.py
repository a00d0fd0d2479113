"""Random schemas, data and queries from a seed, for hunting wrong answers.

Promises: the same seed gives the same schema, data and queries; rows that a query gives are fixed but for their order,
and where it is ordered, by all of its columns. Sums are over values that add up exactly in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from .harness import Statement
from .layouts import TableSpec

# Ascending, as ranges need them. The types of keys that can be summed in any order are in _SUMMABLE.
POOLS: dict[str, tuple[str, ...]] = {
    "INTEGER": ("-2147483648", "-5", "-1", "0", "1", "2", "3", "5", "7", "10", "100", "2147483647"),
    "BIGINT": ("-9223372036854775808", "-3", "0", "1", "2", "3", "4", "2147483648", "9223372036854775807"),
    "VARCHAR": ("''", "' '", "'0'", "'1'", "'A'", "'a'", "'a '", "'ab'", "'b'", "'it''s'", "'é'", "'日本'"),
    "DATE": (
        "DATE '0001-01-01'",
        "DATE '1969-12-31'",
        "DATE '1970-01-01'",
        "DATE '2024-02-29'",
        "DATE '2024-03-01'",
        "DATE '9999-12-31'",
    ),
    "TIMESTAMP": (
        "TIMESTAMP '0001-01-01 00:00:00'",
        "TIMESTAMP '1969-12-31 23:59:59.999999'",
        "TIMESTAMP '1970-01-01 00:00:00'",
        "TIMESTAMP '2024-02-29 12:00:00'",
        "TIMESTAMP '2024-02-29 12:00:00.000001'",
        "TIMESTAMP '9999-12-31 23:59:59.999999'",
    ),
    "DECIMAL(18,4)": (
        "-99999999999999.9999",
        "-1.5000",
        "-0.0001",
        "0.0000",
        "0.1000",
        "1.0000",
        "1.0001",
        "2.0000",
        "99999999999999.9999",
    ),
    "DOUBLE": (
        "'-inf'::DOUBLE",
        "-1e300::DOUBLE",
        "-1.5::DOUBLE",
        "0::DOUBLE",
        "0.1::DOUBLE",
        "1::DOUBLE",
        "2.5::DOUBLE",
        "9007199254740993::DOUBLE",
        "'inf'::DOUBLE",
        "'nan'::DOUBLE",
    ),
    "UUID": (
        "'00000000-0000-0000-0000-000000000000'::UUID",
        "'12345678-1234-5678-1234-567812345678'::UUID",
        "'7fffffff-ffff-ffff-ffff-ffffffffffff'::UUID",
        "'80000000-0000-0000-0000-000000000000'::UUID",
        "'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID",
    ),
    "BOOLEAN": ("false", "true"),
    "mood": ("'sad'::mood", "'ok'::mood", "'Happy'::mood"),
}

BEFORE = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'Happy')"

_SMALL = ("-2", "0", "1", "1", "2", "3")
_SUMMABLE = frozenset({"INTEGER", "BIGINT", "DECIMAL(18,4)"})
_JOINS = (
    "JOIN",
    "JOIN",
    "LEFT JOIN",
    "LEFT JOIN",
    "RIGHT JOIN",
    "FULL JOIN",
    "SEMI JOIN",
    "ANTI JOIN",
    "CROSS JOIN",
)
_COMPARISONS = ("=", "=", "=", "<>", "<", "<=", ">", ">=", "IS NOT DISTINCT FROM", "IS DISTINCT FROM")
_DIRECTIONS = ("", " DESC", " NULLS FIRST", " DESC NULLS FIRST", " ASC NULLS LAST", " DESC NULLS LAST")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as a query names it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables with their columns, and the statements that fill them."""

    tables: tuple[TableSpec, ...]
    columns: dict[str, tuple[Column, ...]]
    inserts: tuple[str, ...]


def make_schema(random: Random) -> Schema:
    """Three tables; mostly with keys of one type, so that they can be joined on them."""
    main_type = random.choice(list(POOLS))
    tables: list[TableSpec] = []
    columns: dict[str, tuple[Column, ...]] = {}
    inserts: list[str] = []
    for number in range(3):
        name = f"t{number}"
        key_type = main_type if random.random() < 0.75 else random.choice(list(POOLS))
        listed = [
            Column("k", key_type),
            Column("j", main_type),
            Column("a", "INTEGER"),
            Column("b", "VARCHAR"),
            Column("x", "DECIMAL(9,2)"),
        ]
        columns[name] = tuple(listed)
        text = ", ".join(f"{column.name} {column.type}" for column in listed)
        tables.append(TableSpec(name, text, "k", _cuts(key_type), has_ranges=key_type != "mood"))
        rows = [random_row(random, listed) for _ in range(random.choice((0, 6, 25, 25, 40, 40)))]
        if rows:
            inserts.append(f"INSERT INTO {name} VALUES {', '.join(rows)}")
    return Schema(tuple(tables), columns, tuple(inserts))


def _cuts(key_type: str) -> tuple[str, ...]:
    """The values that a shard clause can name: Python has no infinite dates and gives the first and last for them."""
    unnamed = ("nan", "inf", "0001-01-01", "9999-12-31")
    return tuple(value for value in POOLS[key_type] if not any(part in value for part in unnamed))


def random_row(random: Random, columns: Sequence[Column]) -> str:
    """A row of VALUES for the columns of a table, the key first."""
    values = [_value(random, column, rows_of_small=number > 1) for number, column in enumerate(columns)]
    return f"({', '.join(values)})"


def _value(random: Random, column: Column, *, rows_of_small: bool) -> str:
    if random.random() < 0.15:
        return "NULL"
    if rows_of_small and column.type != "VARCHAR":
        return random.choice(_SMALL)
    return random.choice(POOLS.get(column.type, _SMALL))


@dataclass(frozen=True, slots=True)
class Query:
    """A query by its clauses, so that clauses can be dropped.

    items: the columns of the result; order: a direction for each of them, or nothing. prefix: a WITH clause.
    """

    items: tuple[str, ...]
    source: str
    joins: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    having: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    limit: str = ""
    distinct: bool = False
    prefix: str = ""

    def sql(self) -> str:
        """Its text."""
        parts = [f"{self.prefix}SELECT {'DISTINCT ' if self.distinct else ''}{', '.join(self.items)}"]
        parts += [f"FROM {self.source}", *self.joins]
        for word, conditions in (("WHERE", self.where), ("HAVING", self.having)):
            if word == "HAVING" and self.group:
                parts.append(f"GROUP BY {', '.join(self.group)}")
            if conditions:
                parts.append(f"{word} {' AND '.join(conditions)}")
        if self.order:
            terms = [f"{number}{self.order[number - 1]}" for number in range(1, len(self.items) + 1)]
            parts.append(f"ORDER BY {', '.join(terms)}{self.limit}")
        return " ".join(parts)

    def statement(self) -> Statement:
        """It as a statement to compare."""
        return Statement(self.sql(), None, bool(self.order))

    def smaller(self) -> Iterator[Query]:
        """Queries with one thing less, the largest things first."""
        if self.order:
            yield replace(self, order=(), limit="")
        if self.limit:
            yield replace(self, limit="")
        if self.distinct:
            yield replace(self, distinct=False)
        for name in ("joins", "where", "having", "group"):
            values: tuple[str, ...] = getattr(self, name)
            for number in reversed(range(len(values))):
                changes = {name: values[:number] + values[number + 1 :]}
                if name == "group":
                    changes["items"] = tuple(item for item in self.items if item != values[number])
                yield replace(self, **changes)  # type: ignore[arg-type]
        if len(self.items) > 1:
            for number in range(len(self.items)):
                order = self.order[:number] + self.order[number + 1 :]
                yield replace(self, items=self.items[:number] + self.items[number + 1 :], order=order)


def shrink(query: Query, fails: Callable[[Query], bool]) -> Query:
    """A smaller query that still fails, if dropping clauses leads to one."""
    for smaller in query.smaller():
        if smaller.items and fails(smaller):
            return shrink(smaller, fails)
    return query


class QueryMaker:
    """Random queries on one schema."""

    def __init__(self, schema: Schema, random: Random) -> None:
        self.schema = schema
        self.random = random
        self._depth = 0
        self._aliases = 0

    def query(self) -> Query:
        """A query of one to three relations."""
        self._aliases = 0
        source, columns = self._source()
        joins: list[str] = []
        for _ in range(self.random.choice((0, 0, 1, 1, 2))):
            columns = self._join(joins, columns)
        where = tuple(self._condition(columns) for _ in range(self.random.choice((0, 0, 1, 1, 2))))
        chosen = self._aggregated(columns) if self.random.random() < 0.45 else self._rows(columns)
        query = replace(chosen, source=source, joins=tuple(joins), where=where)
        if self.random.random() < 0.5:
            order = tuple(self.random.choice(_DIRECTIONS) for _ in query.items)
            query = replace(
                query, order=order, limit=self.random.choice(("", " LIMIT 3", " LIMIT 4 OFFSET 2"))
            )
        return query

    def own_condition(self, table: str) -> str:
        """A condition on a table alone, its columns named without it."""
        return self._condition(list(self.schema.columns[table]), nested=False)

    def _alias(self) -> str:
        self._aliases += 1
        return f"r{self._aliases}"

    def _table(self) -> tuple[str, tuple[Column, ...], str]:
        """(its name, its columns as the alias has them, the alias)."""
        name = self.random.choice([table.name for table in self.schema.tables])
        alias = self._alias()
        columns = tuple(Column(f"{alias}.{column.name}", column.type) for column in self.schema.columns[name])
        return name, columns, alias

    def _source(self) -> tuple[str, list[Column]]:
        name, columns, alias = self._table()
        form = self.random.random()
        if form < 0.8:
            return f"{name} AS {alias}", list(columns)
        inner = f"SELECT k, j, a, b, x FROM {name}"
        bare = [Column(column.name.split(".")[1], column.type) for column in columns]
        if form < 0.9:
            return f"({inner} WHERE {self._condition(bare)}) AS {alias}", list(columns)
        if form < 0.95:
            return f"({inner} UNION ALL {inner} WHERE {self._condition(bare)}) AS {alias}", list(columns)
        sums = "count(*)::INTEGER AS a, max(b) AS b, sum(x)::DECIMAL(9,2) AS x"
        grouped = f"SELECT k, j, {sums} FROM {name} GROUP BY k, j"
        return f"({grouped}) AS {alias}", list(columns)

    def _join(self, joins: list[str], columns: list[Column]) -> list[Column]:
        """Add a join; the columns that can be used behind it."""
        kind = self.random.choice(_JOINS)
        name, more, alias = self._table()
        both = [*columns, *more]
        if kind == "CROSS JOIN":
            joins.append(f"{kind} {name} AS {alias}")
            return both
        pairs = [(one, two) for one in columns for two in more if one.type == two.type]
        keys = [pair for pair in pairs if pair[0].name.endswith(".k") and pair[1].name.endswith(".k")]
        one, two = self.random.choice(keys if keys and self.random.random() < 0.6 else pairs)
        on = [f"{one.name} {'=' if self.random.random() < 0.9 else 'IS NOT DISTINCT FROM'} {two.name}"]
        while self.random.random() < 0.35:
            on.append(self._condition(both, nested=False))
        joins.append(f"{kind} {name} AS {alias} ON {' AND '.join(on)}")
        return columns if kind in ("SEMI JOIN", "ANTI JOIN") else both

    def _rows(self, columns: list[Column]) -> Query:
        items = self.random.sample(
            [column.name for column in columns], self.random.randint(1, min(4, len(columns)))
        )
        if self.random.random() < 0.2:
            items.append(f"coalesce({self.random.choice(columns).name}::VARCHAR, '-') AS text")
        return Query(tuple(items), "", distinct=self.random.random() < 0.25)

    def _aggregated(self, columns: list[Column]) -> Query:
        groups = [column.name for column in self.random.sample(columns, self.random.choice((0, 1, 1, 2)))]
        aggregates = tuple(self._aggregate(columns) for _ in range(self.random.randint(1, 3)))
        having = (f"count(*) {self.random.choice(('>', '<', '<>'))} {self.random.choice('0123')}",)
        return Query(
            (*groups, *aggregates),
            "",
            group=tuple(groups),
            having=having if self.random.random() < 0.25 else (),
            distinct=self.random.random() < 0.1,
        )

    def _aggregate(self, columns: list[Column]) -> str:
        column = self.random.choice(columns)
        name = column.name
        forms = ["count(*)", f"count({name})", f"count(DISTINCT {name})", f"min({name})", f"max({name})"]
        forms += [f"list({name} ORDER BY {name})", f"bool_or({name} IS NULL)", f"quantile_disc({name}, 0.5)"]
        forms.append(f"count(*) FILTER (WHERE {self._condition(columns, nested=False)})")
        if column.type in _SUMMABLE or column.type == "DECIMAL(9,2)":
            forms += [f"sum({name})", f"sum({name})", f"sum(DISTINCT {name})"]
        if column.type == "INTEGER" and not name.endswith((".k", ".j")):
            forms += [
                f"avg({name})",
                f"stddev({name})",
                f"median({name})",
                f"sum({name} + 1) - 2",
                f"mad({name})",
            ]
        return self.random.choice(forms)

    def _condition(self, columns: list[Column], *, nested: bool = True) -> str:
        form = self.random.random()
        if form < 0.1:
            return f"NOT ({self._condition(columns, nested=nested)})"
        if form < 0.25:
            parts = [self._condition(columns, nested=nested) for _ in range(2)]
            return f"({self.random.choice((' OR ', ' AND ')).join(parts)})"
        if nested and form < 0.35 and self._depth < 1:
            return self._subquery(columns)
        keys = [column for column in columns if column.name.endswith("k")]
        column = self.random.choice(keys if keys and self.random.random() < 0.6 else columns)
        return self._comparison(column, columns)

    def _comparison(self, column: Column, columns: list[Column]) -> str:
        name, form = column.name, self.random.random()
        if form < 0.1:
            return f"{name} IS {self.random.choice(('', 'NOT '))}NULL"
        if form < 0.3:
            negated = self.random.choice(("", "", "NOT "))
            count = self.random.randint(1, 4)
            return f"{name} {negated}IN ({', '.join(self._literal(column) for _ in range(count))})"
        if form < 0.45:
            return f"{name} BETWEEN {self._literal(column)} AND {self._literal(column)}"
        if form < 0.6:
            others = [other.name for other in columns if other.type == column.type]
            return f"{name} {self.random.choice(_COMPARISONS)} {self.random.choice(others)}"
        if form < 0.7:
            return f"{self._literal(column)} {self.random.choice(_COMPARISONS)} {name}"
        return f"{name} {self.random.choice(_COMPARISONS)} {self._literal(column)}"

    def _literal(self, column: Column) -> str:
        """A constant that can be compared with a column: of its type, as text, or NULL."""
        if self.random.random() < 0.04:
            return "NULL"
        literal = self.random.choice(POOLS.get(column.type, _SMALL))
        form = self.random.random()
        if form < 0.1:
            return f"CAST({literal} AS {column.type})"
        if form < 0.3:
            return literal.split("::")[0].removeprefix("DATE ").removeprefix("TIMESTAMP ")
        if form < 0.35 and column.type in ("INTEGER", "BIGINT", "DECIMAL(18,4)", "DOUBLE"):
            return self.random.choice(("1.5", "2.0", "1e0", "-1.00001", "'3'"))
        return literal

    def _subquery(self, columns: list[Column]) -> str:
        self._depth += 1
        name, inner, alias = self._table()
        outer = self.random.choice(columns)
        same = [column for column in inner if column.type == outer.type]
        form = self.random.random()
        condition = self._condition(list(inner))
        negated = self.random.choice(("", "NOT "))
        if same and form < 0.4:
            text = (
                f"{outer.name} {negated}IN (SELECT {same[0].name} FROM {name} AS {alias} WHERE {condition})"
            )
        elif same and form < 0.8:
            link = f"{self.random.choice(same).name} = {outer.name}"
            text = f"{negated}EXISTS (SELECT 1 FROM {name} AS {alias} WHERE {link} AND {condition})"
        else:
            link = f"{self.random.choice(same).name} = {outer.name}" if same else "true"
            text = f"(SELECT count(*) FROM {name} AS {alias} WHERE {link}) > {self.random.choice('012')}"
        self._depth -= 1
        return text
