"""Changes that come between queries, so that what is remembered of the data must be kept up to date.

Unlike those of `changes`, they leave `id` unique in every table, on which the order of rows in queries relies.
"""

from __future__ import annotations

from random import Random

from .conditions import condition
from .schema import Column, Schema, random_row, value
from .scope import Maker

_FIRST_NEW_ID = 1_000_000


class BetweenMaker:
    """Random changes on one schema."""

    def __init__(self, schema: Schema, random: Random) -> None:
        self._schema = schema
        self._random = random
        self._next_id = _FIRST_NEW_ID

    def change(self) -> str:
        """One statement."""
        name = self._random.choice([spec.name for spec in self._schema.tables])
        columns = self._schema.columns[name]
        where = condition(Maker(self._schema, self._random), columns, nested=False)
        form = self._random.random()
        if form < 0.4:
            return self._insert(name, columns)
        if form < 0.55:
            return self._copy(name, columns)
        if form < 0.9:
            column = self._random.choice(columns[1:])
            return f"UPDATE {name} SET {column.name} = {value(self._random, column.kind)} WHERE {where}"
        return f"DELETE FROM {name} WHERE {where}"

    def _insert(self, name: str, columns: tuple[Column, ...]) -> str:
        rows = []
        for _ in range(self._random.choice((1, 1, 2, 4))):
            row = random_row(self._random, columns[1:])
            rows.append(f"({self._new_ids(1)}, {row[1:]}")
        return f"INSERT INTO {name} VALUES {', '.join(rows)}"

    def _copy(self, name: str, columns: tuple[Column, ...]) -> str:
        """A few rows of the table once more."""
        listed = ", ".join(column.name for column in columns[1:])
        first = self._new_ids(5)
        return (
            f"INSERT INTO {name} SELECT {first} + row_number() OVER (ORDER BY id), {listed} FROM {name}"
            " ORDER BY id LIMIT 4"
        )

    def _new_ids(self, count: int) -> int:
        first = self._next_id
        self._next_id += count
        return first
