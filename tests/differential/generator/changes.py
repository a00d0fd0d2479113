"""Random changes of data on a generated schema: INSERT, UPDATE and DELETE, by key and not.

Promises: which rows a change leaves is fixed, whatever order rows are read in.
"""

from __future__ import annotations

from random import Random

from .conditions import condition
from .schema import Schema, random_row
from .scope import Maker

_SETTABLE = (("a", "INTEGER"), ("b", "VARCHAR"), ("x", "DECIMAL(9,2)"))
_LISTED = "id, k, j, a, b, x"


class ChangeMaker:
    """Random changes on one schema."""

    def __init__(self, schema: Schema, random: Random) -> None:
        self.schema = schema
        self.random = random

    def change(self) -> str:
        """One statement."""
        name = self.random.choice([table.name for table in self.schema.tables])
        form = self.random.random()
        if form < 0.35:
            return self._insert(name)
        if form < 0.5:
            return self._insert_select(name)
        if form < 0.8:
            return self._update(name)
        return f"DELETE FROM {name} WHERE {self._where(name)}{self._returning()}"

    def _insert(self, name: str) -> str:
        columns = self.schema.columns[name]
        rows = [random_row(self.random, columns) for _ in range(self.random.choice((1, 1, 2, 5, 30)))]
        return f"INSERT INTO {name} VALUES {', '.join(rows)}{self._returning()}"

    def _insert_select(self, name: str) -> str:
        others = [
            table.name
            for table in self.schema.tables
            if self.schema.columns[table.name][1].kind == self.schema.columns[name][1].kind
        ]
        source = self.random.choice(others)
        named, listed = ("", "*") if self.random.random() < 0.5 else (f" ({_LISTED})", _LISTED)
        text = f"SELECT {listed} FROM {source} WHERE {self._where(source)}"
        return f"INSERT INTO {name}{named} {text} LIMIT ALL"

    def _update(self, name: str) -> str:
        column, kind = self.random.choice(_SETTABLE)
        value = {
            "INTEGER": self.random.choice(("a + 1", "3", "NULL", "-a", "coalesce(a, 0)", "length(b)")),
            "VARCHAR": self.random.choice(("b || '.'", "'new'", "NULL", "k::VARCHAR", "upper(b)")),
            "DECIMAL(9,2)": self.random.choice(("x / 2", "1.25", "NULL", "a", "-x")),
        }[kind]
        return f"UPDATE {name} SET {column} = {value} WHERE {self._where(name)}{self._returning()}"

    def _where(self, name: str) -> str:
        return condition(Maker(self.schema, self.random), self.schema.columns[name], nested=False)

    def _returning(self) -> str:
        return self.random.choice(("", "", "", " RETURNING *", " RETURNING k, a AS first"))
