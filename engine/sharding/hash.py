"""Hash sharding: a key lives where its stable hash says, so that keys spread evenly.

The hashes 0 to 2^32 − 1 are cut into as many equal parts as there are shards. Changing the number of shards moves most
rows; where that matters, see `consistent.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import ProgrammingError
from .key_types import KeyType
from .keys import types_of
from .restriction import possible_keys, restrict_key
from .stable_hash import NULL_HASH, combine, combine_sql
from .strategy import KeyColumn, Predicates, Value
from .values import name_list

MAX_SHARDS = 4096


@dataclass(frozen=True, slots=True)
class HashStrategy:
    """`SHARD BY HASH (…) SHARDS n`, n from 1 to 4096. Raises ProgrammingError 22023 for another n."""

    key: tuple[KeyColumn, ...]
    shard_count: int
    types: tuple[KeyType, ...] = field(init=False, repr=False, compare=False)

    max_shards: ClassVar[int] = MAX_SHARDS

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", types_of(self.key))
        check_shard_count(self.shard_count, self.max_shards)

    @property
    def kind(self) -> str:
        """The name of the strategy, as the catalog and the DDL have it."""
        return "hash"

    def shard_of(self, values: Sequence[Value]) -> int:
        """The shard of one complete key. Raises DataError for a value of another type."""
        return self.shard_of_hash(
            combine(
                NULL_HASH if value is None else key_type.hash(key_type.canonical(value))
                for key_type, value in zip(self.types, values, strict=True)
            )
        )

    def shard_sql(self, columns: Sequence[str]) -> str:
        """The shard number as an expression over these expressions, one for each key column in order."""
        parts = [key_type.hash_sql(column) for key_type, column in zip(self.types, columns, strict=True)]
        return self.shard_of_hash_sql(combine_sql(parts))

    def shard_of_hash(self, key_hash: int) -> int:
        """The shard of a stable hash."""
        return key_hash * self.shard_count >> 32

    def shard_of_hash_sql(self, key_hash: str) -> str:
        """`shard_of_hash` of a UBIGINT expression, as an INTEGER."""
        return f"({key_hash} * {self.shard_count} >> 32)::INTEGER"

    def shards_for(self, predicates: Predicates) -> frozenset[int]:
        """The shards of the keys that the predicates leave, if those can be counted out; else all."""
        restrictions = restrict_key(self.key, self.types, predicates)
        if restrictions is None:
            return frozenset()
        keys = possible_keys(restrictions)
        if keys is None:
            return frozenset(range(self.shard_count))
        return frozenset(self._shard_of_canonical(key) for key in keys)

    def _shard_of_canonical(self, canonical: Sequence[Any]) -> int:
        return self.shard_of_hash(
            combine(
                NULL_HASH if part is None else key_type.hash(part)
                for key_type, part in zip(self.types, canonical, strict=True)
            )
        )

    def clause(self) -> str:
        """The DDL clause that makes this strategy."""
        columns = name_list(column.name for column in self.key)
        return f"SHARD BY {self.kind.upper()} ({columns}) SHARDS {self.shard_count}"

    def describe_shard(self, shard: int) -> str:
        """What the shard holds, for people."""
        return f"hash part {shard + 1} of {self.shard_count}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `sharding.from_json` makes an equal strategy."""
        return {"kind": self.kind, "key": key_to_json(self.key), "shards": self.shard_count}


def check_shard_count(count: int, most: int) -> None:
    """Raise ProgrammingError 22023 unless there can be `count` shards."""
    if not 1 <= count <= most:
        raise ProgrammingError(f"{count} shards: the number of shards must be 1 to {most}", sqlstate="22023")


def key_to_json(key: Sequence[KeyColumn]) -> list[list[str]]:
    """The key columns as the catalog's JSON has them: [name, type] of each."""
    return [[column.name, column.type] for column in key]
