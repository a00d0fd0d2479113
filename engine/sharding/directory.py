"""Directory sharding: a map says which key value lives on which shard, and a default shard takes all others.

NULL can be a value of the map. Without a default, a key that is not in the map has no shard.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import NoShardError, NotSupportedError, ProgrammingError
from .hash import MAX_SHARDS, check_shard_count, key_to_json
from .key_types import KeyType
from .keys import types_of
from .restriction import Restriction, restrict_key
from .strategy import KeyColumn, Predicates, Value
from .values import name_list, sql_literal, to_json

_DESCRIBED_VALUES = 8


@dataclass(frozen=True, slots=True)
class DirectoryStrategy:
    """`SHARD BY DIRECTORY (k) (SHARD 0 VALUES ('a', 'b'), …, DEFAULT SHARD 3) [SHARDS n]`.

    entries: (value, shard) pairs, each value once; None is NULL. default_shard: of all other values, or None.
    Raises NotSupportedError for a key of several columns, ProgrammingError 42P17 for a value given twice or a map
    that is empty, 22023 for a shard that is not there, DataError for values of another type.
    """

    key: tuple[KeyColumn, ...]
    shard_count: int
    entries: tuple[tuple[Value, int], ...] = field(compare=False)
    default_shard: int | None = None
    type: KeyType = field(init=False, repr=False, compare=False)
    shards: dict[Any, int] = field(init=False, repr=False)
    ordered: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        types = types_of(self.key)
        if len(types) != 1:
            raise NotSupportedError(
                "a directory maps the values of one column",
                hint="Name one column, or shard by HASH or RANGE, whose keys can have several.",
            )
        object.__setattr__(self, "type", types[0])
        check_shard_count(self.shard_count, MAX_SHARDS)
        object.__setattr__(self, "shards", self._map())
        values = [canonical for canonical in self.shards if canonical is not None]
        object.__setattr__(self, "ordered", tuple(sorted(values)))
        if not self.entries and self.default_shard is None:
            raise ProgrammingError("a directory needs an entry or a default shard", sqlstate="42P17")

    def __hash__(self) -> int:
        return hash((self.key, self.shard_count, self.default_shard, len(self.shards)))

    def _map(self) -> dict[Any, int]:
        """The shard of each canonical form; checks every entry."""
        shards: dict[Any, int] = {}
        for value, shard in self.entries:
            if value is not None:
                self.type.literal(value)
            canonical = None if value is None else self.type.canonical(value)
            if canonical in shards:
                raise ProgrammingError(f"{sql_literal(value)} is in the directory twice", sqlstate="42P17")
            shards[canonical] = shard
        for shard in {*shards.values(), *(() if self.default_shard is None else (self.default_shard,))}:
            if not 0 <= shard < self.shard_count:
                raise ProgrammingError(
                    f"shard {shard}: the shards of this table are 0 to {self.shard_count - 1}",
                    sqlstate="22023",
                )
        return shards

    @property
    def kind(self) -> str:
        """The name of the strategy, as the catalog and the DDL have it."""
        return "directory"

    def shard_of(self, values: Sequence[Value]) -> int:
        """The shard of one key. Raises NoShardError if no entry and no default takes it, DataError for another type."""
        (value,) = values
        shard = self.shards.get(None if value is None else self.type.canonical(value), self.default_shard)
        if shard is None:
            raise NoShardError(
                f"key {sql_literal(value)} is not in the directory of the table",
                hint="Add an entry for it, or a default shard.",
            )
        return shard

    def shard_sql(self, columns: Sequence[str]) -> str:
        """The shard number as an expression over the one key column.

        A sub-select, which DuckDB runs as a hash join: it costs the same for ten entries as for thousands.
        """
        (column,) = columns
        default = "NULL" if self.default_shard is None else str(self.default_shard)
        null = str(self.shards.get(None, default))
        pairs = [
            f"({self.type.literal(value)}, {shard})" for value, shard in self.entries if value is not None
        ]
        if not pairs:
            return f"(CASE WHEN {column} IS NULL THEN {null} ELSE {default} END)::INTEGER"
        name = "entry"
        while name in column.lower():
            name += "_"
        found = (
            f"(SELECT {name}.{name}_shard FROM (VALUES {', '.join(pairs)}) AS {name}({name}_key, {name}_shard) "
            f"WHERE {name}.{name}_key = {self.type.comparable_sql(column)})"
        )
        return f"(CASE WHEN {column} IS NULL THEN {null} ELSE coalesce({found}, {default}) END)::INTEGER"

    def shards_for(self, predicates: Predicates) -> frozenset[int]:
        """The shards of the entries that the predicates leave, and the default unless they name every value."""
        restrictions = restrict_key(self.key, (self.type,), predicates)
        if restrictions is None:
            return frozenset()
        (restriction,) = restrictions
        if restriction.values is not None:
            found = {self.shards.get(value, self.default_shard) for value in restriction.values}
        elif restriction == Restriction():
            found = {*self.shards.values(), self.default_shard}
        else:
            found = {*self._shards_between(restriction), self.default_shard}
        return frozenset(shard for shard in found if shard is not None)

    def _shards_between(self, restriction: Restriction) -> set[int]:
        """The shards of the entries within the bounds, which leave NULL out."""
        first, last = 0, len(self.ordered)
        if restriction.lower is not None:
            search = bisect_left if restriction.lower_inclusive else bisect_right
            first = search(self.ordered, restriction.lower)
        if restriction.upper is not None:
            search = bisect_right if restriction.upper_inclusive else bisect_left
            last = search(self.ordered, restriction.upper)
        return {self.shards[canonical] for canonical in self.ordered[first:last]}

    def clause(self) -> str:
        """The DDL clause that makes this strategy."""
        parts = [
            f"SHARD {shard} VALUES ({', '.join(sql_literal(value) for value in self._values_of(shard))})"
            for shard in sorted(set(self.shards.values()))
        ]
        if self.default_shard is not None:
            parts.append(f"DEFAULT SHARD {self.default_shard}")
        named = max([*self.shards.values(), -1 if self.default_shard is None else self.default_shard]) + 1
        shards = f" SHARDS {self.shard_count}" if self.shard_count > named else ""
        return f"SHARD BY DIRECTORY ({name_list([self.key[0].name])}) ({', '.join(parts)}){shards}"

    def describe_shard(self, shard: int) -> str:
        """What the shard holds, for people: `'a', 'b'`, `default`."""
        values = self._values_of(shard)
        parts = [sql_literal(value) for value in values[:_DESCRIBED_VALUES]]
        if len(values) > _DESCRIBED_VALUES:
            parts.append(f"{len(values) - _DESCRIBED_VALUES} more")
        if shard == self.default_shard:
            parts.append("default")
        return ", ".join(parts) or "nothing"

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `sharding.from_json` makes an equal strategy."""
        return {
            "kind": self.kind,
            "key": key_to_json(self.key),
            "shards": self.shard_count,
            "entries": [[to_json(value), shard] for value, shard in self.entries],
            "default": self.default_shard,
        }

    def _values_of(self, shard: int) -> list[Value]:
        return [value for value, of in self.entries if of == shard]
