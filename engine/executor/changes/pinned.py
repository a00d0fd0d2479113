"""Which shard keys a change names: those of its VALUES, or those that its WHERE leaves.

What is found is kept as the places of the constants, so that it can be worked out again for other parameters and
literals without parsing again.
Promises: if keys are told, every row that the change can write has one of them. A key is told in the canonical forms of
its columns, so that 1, 1.0 and '1' are the same key of a BIGINT. What is not certain is told as None.
Leaves to others: which statements can be pinned at all (`insert.py`, `dml.py`), locks (`transactions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ...catalog.model import Table
from ...errors import NoShardError
from ...planner.comparison import Comparison, Constant, Operator, is_comparable
from ...sharding import CANNOT_TELL
from ...sharding.key_types import KeyType
from ...sharding.keys import types_of
from ...types import Parameters

MOST_KEYS = 64
"""A change of more keys is told by its shards alone."""

Key = tuple[Any, ...]
"""The canonical forms of a shard key's values, in the order of its columns; None is NULL."""

PinnedKey = tuple[int, Key]
"""The number of the database's shard, and a key of rows that are there."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The constants of which one is the value of a key column. takes_null: whether NULL among them is such a value."""

    constants: tuple[Constant, ...]
    takes_null: bool

    def values(
        self, key_type: KeyType, parameters: Parameters, literals: Sequence[str] | None
    ) -> list[Any] | None:
        """The values, of the key's type; None if one is not certain."""
        found: list[Any] = []
        for constant in self.constants:
            value = constant.value(parameters, literals)
            if value is None:
                if self.takes_null:
                    found.append(None)
                continue
            value = value if value is CANNOT_TELL else key_type.coerce(value)
            if value is CANNOT_TELL:
                return None
            found.append(value)
        return found


@dataclass(frozen=True, slots=True)
class PinnedRows:
    """The keys of the rows that a change can write: for each of `rows`, every combination of its columns' choices."""

    table: Table
    types: tuple[KeyType, ...]
    rows: tuple[tuple[Choice, ...], ...]

    @classmethod
    def of_values(cls, table: Table, rows: Sequence[Sequence[Constant]]) -> PinnedRows:
        """Those of a VALUES list. rows: of each, the constants of the key's columns."""
        chosen = tuple(tuple(Choice((constant,), takes_null=True) for constant in row) for row in rows)
        return cls(table, types_of(table.strategy.key), chosen)

    @classmethod
    def of_conditions(cls, table: Table, comparisons: Sequence[Comparison]) -> PinnedRows | None:
        """Those that conditions leave, all of which must hold; None if they leave a column of the key open."""
        columns: list[Choice] = []
        for column in table.strategy.key:
            choices = (
                _choice(comparison, column.type)
                for comparison in comparisons
                if comparison.column.lower() == column.name.lower()
            )
            choice = next((choice for choice in choices if choice is not None), None)
            if choice is None:
                return None
            columns.append(choice)
        return cls(table, types_of(table.strategy.key), (tuple(columns),)) if columns else None

    def shards(self, parameters: Parameters, literals: Sequence[str] | None = None) -> set[int] | None:
        """The database's shards of all the keys; None if they are not certain, or one has no shard."""
        found: set[int] = set()
        for values in self._values(parameters, literals):
            shard = None if values is None else self._shard(values)
            if shard is None:
                return None
            found.add(shard)
        return found

    def keys(
        self, parameters: Parameters, literals: Sequence[str] | None = None
    ) -> tuple[PinnedKey, ...] | None:
        """The keys, each once, in an order that all changes share, so that they lock them in the same one.

        None if they are not certain, are more than MOST_KEYS, or one has no shard.
        """
        found: dict[PinnedKey, None] = {}
        for values in self._values(parameters, literals):
            shard = None if values is None else self._shard(values)
            if values is None or shard is None:
                return None
            found[shard, self._canonical(values)] = None
            if len(found) > MOST_KEYS:
                return None
        return tuple(found) if len(found) < 2 else tuple(sorted(found, key=_order))

    def _values(
        self, parameters: Parameters, literals: Sequence[str] | None
    ) -> Iterator[tuple[Any, ...] | None]:
        for row in self.rows:
            columns: list[list[Any]] = []
            for key_type, choice in zip(self.types, row, strict=True):
                values = choice.values(key_type, parameters, literals)
                if values is None:
                    yield None
                    return
                columns.append(values)
            yield from product(*columns)

    def _shard(self, values: tuple[Any, ...]) -> int | None:
        try:
            return self.table.placements[self.table.strategy.shard_of(values)]
        except NoShardError:
            return None

    def _canonical(self, values: tuple[Any, ...]) -> Key:
        return tuple(
            [
                None if value is None else key_type.canonical(value)
                for key_type, value in zip(self.types, values, strict=True)
            ]
        )


def _order(pinned: PinnedKey) -> tuple[Any, ...]:
    """What keys are sorted by: NULL compares with nothing."""
    shard, key = pinned
    return (shard, *((value is None, 0 if value is None else value) for value in key))


def _choice(comparison: Comparison, key_type: str) -> Choice | None:
    """What a condition leaves of its column, if that is one of some constants."""
    if comparison.operator is not Operator.IN:
        return None
    if not all(is_comparable(constant.as_type, key_type) for constant in comparison.constants):
        return None
    return Choice(comparison.constants, takes_null=False)  # `k = NULL` is never true.
