"""Tables with NULLs and duplicates, and both forms of a statement run over them by one plain DuckDB."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from duckraft.engine.catalog.model import Catalog, Table, TableState
from duckraft.engine.executor.binder import GatewayBinder
from duckraft.engine.planner.analysis import DIALECT, analyse
from duckraft.engine.planner.rewrite.rules import Rewritten, rewrite
from duckraft.engine.sharding import HashStrategy, KeyColumn
from duckraft.engine.storage import duck
from duckraft.engine.types import Column

TABLES: dict[str, dict[str, str]] = {
    # Keys are of different types and scales; `name` and `price` are columns of two tables.
    "people": {"id": "INTEGER", "name": "VARCHAR", "city": "VARCHAR", "price": "DECIMAL(10,2)"},
    "sales": {
        "sale": "BIGINT",
        "person": "BIGINT",
        "price": "DECIMAL(10,2)",
        "cut": "DECIMAL(4,2)",
        "weight": "DOUBLE",
        "pieces": "INTEGER",
        "note": "VARCHAR",
    },
    "lines": {"line": "INTEGER", "sale": "BIGINT", "name": "VARCHAR", "amount": "DOUBLE", "big": "HUGEINT"},
    "cities": {"city": "VARCHAR", "mayor": "INTEGER"},
    "odd": {"city": "VARCHAR", "people": "STRUCT(id INTEGER)"},
}
SEEDS = range(5)

_MOST_ROWS = 14
_KEYED_APART = {"people": "city", "sales": "note", "lines": "name", "cities": "city", "odd": "city"}


class Bench:
    """A plain DuckDB with the tables, and a catalog that says that they are sharded, on columns that nothing joins."""

    def __init__(self, connection: duck.Connection) -> None:
        self.connection = connection
        self.binder = GatewayBinder(lambda: connection)
        self.catalog = Catalog("bench", 1, 2)
        for name, columns in TABLES.items():
            self.catalog = self.catalog.with_table(_table(name, columns, _KEYED_APART[name]))
        for seed in SEEDS:
            self._fill(seed)

    def use(self, seed: int) -> None:
        """Take the data of a seed."""
        self.connection.execute(f"USE seed_{seed}")

    def _fill(self, seed: int) -> None:
        """Tables with few values each, so that they meet; NULLs and equal rows among them; seed 0: no rows at all."""
        values = random.Random(seed)
        self.connection.execute(f"CREATE SCHEMA seed_{seed}")
        self.use(seed)
        for name, columns in TABLES.items():
            listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            self.connection.execute(f"CREATE TABLE {name} ({listed})")
            rows: list[str] = []
            for _ in range(values.randint(0, _MOST_ROWS) if seed else 0):
                row = ", ".join(_literal(kind, values) for kind in columns.values())
                rows += [f"({row})"] * values.choice((1, 1, 2))
            if rows:
                self.connection.execute(f"INSERT INTO {name} VALUES {', '.join(rows)}")

    def rewritten(self, sql: str) -> Rewritten | None:
        """What the rules make of a statement; that the statement itself is valid is checked."""
        assert self.binder.describe(sql) is not None, f"not a statement: {sql}"
        analysis = analyse(sql, self.catalog)
        assert analysis is not None
        before = analysis.root.sql(dialect=DIALECT)
        found = rewrite(analysis, self.catalog, self.binder)
        assert analysis.root.sql(dialect=DIALECT) == before
        return found

    def text(self, sql: str) -> str:
        """The text that a statement which must be rewritten becomes."""
        found = self.rewritten(sql)
        assert found is not None, f"not rewritten: {sql}"
        return found.analysis.text

    def answer(self, sql: str) -> tuple[list[tuple[str, str]], Counter[tuple[Any, ...]]]:
        """Names, types and rows."""
        self.connection.execute(sql)
        columns = [(str(item[0]), str(item[1])) for item in self.connection.description or ()]
        return columns, Counter(map(_hashable, self.connection.fetchall()))

    def assert_same(self, sql: str, other: str) -> int:
        """Both texts give the same columns and rows on all data; how many rows that were."""
        rows = 0
        for seed in SEEDS:
            self.use(seed)
            expected = self.answer(sql)
            rows += expected[1].total()
            assert self.answer(other) == expected, f"seed {seed}\n{sql}\n{other}"
        return rows


@contextmanager
def bench() -> Iterator[Bench]:
    """A bench that is closed at the end."""
    connection = duck.open_instance(threads=1)
    try:
        yield Bench(connection)
    finally:
        connection.close()


def _table(name: str, columns: dict[str, str], key: str) -> Table:
    return Table(
        "main",
        name,
        tuple(Column(column, kind) for column, kind in columns.items()),
        (),
        HashStrategy((KeyColumn(key, columns[key]),), 2),
        (0, 1),
        TableState.READY,
        1,
    )


def _literal(kind: str, values: random.Random) -> str:
    if values.random() < 0.2:
        return "NULL"
    number = values.randint(0, 3)
    if kind == "VARCHAR":
        return f"'{'abcd'[number]}'"
    if kind.startswith("STRUCT"):
        return f"{{'id': {number}}}"
    return f"{number}.25" if kind.startswith("DECIMAL") else str(number)


def _hashable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(str(value) if isinstance(value, dict) else value for value in row)
