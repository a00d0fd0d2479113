"""The interface of every sharding strategy, and the set of predicates they are asked about.

A strategy answers three questions about one table's key:
- `shard_of(values)`: which shard holds this key (one key, in Python; used for routing);
- `shard_sql(columns)`: the same as a DuckDB expression over key columns (in bulk; used for loading);
- `shards_for(predicates)`: which shards can hold a row that satisfies all these predicates (used for pruning).

Promises: the three agree. `shard_of(v)` is in `shards_for(p)` whenever key v satisfies p, and `shard_sql` gives the
number `shard_of` gives for every value of the declared type. Placement never changes between versions and machines.
Leaves to others: parsing predicates out of SQL (`planner/route.py`), where shards live (`catalog`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Value = Any
"""A key value as DuckDB's Python client returns it: None, bool, int, float, Decimal, str, bytes, date, time,
datetime (naive or aware), timedelta, UUID."""


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """One column of a shard key: its name and its DuckDB type as DESCRIBE prints it, such as `DECIMAL(15,2)`."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """The key column equals one of these values (`=`, `IN`). A None among them stands for `IS NULL`."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """The key column lies between two bounds; None means unbounded. NULL keys never satisfy it."""

    lower: Value | None
    upper: Value | None
    lower_inclusive: bool = True
    upper_inclusive: bool = True


Predicate = OneOf | Interval

Predicates = Mapping[str, Sequence[Predicate]]
"""Predicates by key column name; all of them must hold. A column that is absent is not restricted."""


class Strategy(Protocol):
    """How the rows of one table are placed on its shards, numbered 0 to shard_count − 1."""

    @property
    def kind(self) -> str:
        """`hash`, `consistent hash`, `range`, `directory`, `reference` or `spread`."""
        ...

    @property
    def key(self) -> tuple[KeyColumn, ...]:
        """The key columns; empty for `reference` and `spread`."""
        ...

    @property
    def shard_count(self) -> int:
        """How many shards the table has; 1 for `reference`."""
        ...

    def shard_of(self, values: Sequence[Value]) -> int:
        """The shard of one complete key, values in the order of `key`, already of the key's types.

        Raises NoShardError if no shard takes it, and NotSupportedError for `spread`, where no value tells the shard.
        """
        ...

    def shard_sql(self, columns: Sequence[str]) -> str:
        """A deterministic DuckDB expression of type INTEGER over these (already quoted) SQL expressions.

        It is NULL for a row that has no shard. Raises NotSupportedError for `spread`: its rows are dealt as they come.
        """
        ...

    def shards_for(self, predicates: Predicates) -> frozenset[int]:
        """The shards that can hold a row for which all `predicates` are true. May be empty. Never too few."""
        ...

    def clause(self) -> str:
        """The DDL clause that makes this strategy, such as `SHARD BY HASH (k) SHARDS 4`."""
        ...

    def describe_shard(self, shard: int) -> str:
        """What the shard holds, for people: `hash`, `[10, 20)`, `'a', 'b'`, `default`, `all rows`."""
        ...

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `sharding.from_json` makes an equal strategy."""
        ...
