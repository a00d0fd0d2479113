"""Range sharding: shard 0 holds the keys below the first bound, each further shard those from one bound to the next.

Keys of several columns compare as tuples, column by column. NULL sorts after every value, as DuckDB sorts it: such keys
are on the shard that ends with MAXVALUE. Without MAXVALUE, NULL and the keys above the last bound have no shard.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import DataError, NoShardError, NotSupportedError, ProgrammingError
from .hash import MAX_SHARDS, check_shard_count, key_to_json
from .key_types import KeyType
from .keys import types_of
from .restriction import MAX_KEYS, Restriction, restrict_key
from .strategy import KeyColumn, Predicates, Value
from .values import name_list, sql_literal, to_json

Point = tuple[tuple[int, Any], ...]
"""A place in the order of keys: per column a rank and, if the rank is _VALUE, a canonical form."""

_VALUE = 1
_BEFORE_ALL = (0, None)
_NULL = (2, None)


@dataclass(frozen=True, slots=True)
class RangeStrategy:
    """`SHARD BY RANGE (…) (VALUES LESS THAN (…), …, MAXVALUE)`.

    bounds: the upper bound of each shard, a value for each key column; strictly ascending, no NULL.
    has_maxvalue: whether one more shard holds all keys above the last bound.
    Raises ProgrammingError 42P17 for bounds that are no such list, DataError for values of another type.
    """

    key: tuple[KeyColumn, ...]
    bounds: tuple[tuple[Value, ...], ...] = field(compare=False)
    has_maxvalue: bool
    types: tuple[KeyType, ...] = field(init=False, repr=False, compare=False)
    points: tuple[Point, ...] = field(init=False, repr=False)
    literals: tuple[tuple[str, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        types = types_of(self.key)
        for column, key_type in zip(self.key, types, strict=True):
            if not key_type.ordered:
                raise NotSupportedError(
                    f'column "{column.name}" of type {column.type} cannot be sharded by range',
                    hint="Shard by DIRECTORY or HASH: DuckDB sorts this type in a way of its own.",
                )
        object.__setattr__(self, "types", types)
        if any(len(bound) != len(self.key) or None in bound for bound in self.bounds):
            raise ProgrammingError(
                f"each bound of a range must have {len(self.key)} values, none of them NULL", sqlstate="42P17"
            )
        object.__setattr__(self, "points", tuple(self._point(bound) for bound in self.bounds))
        object.__setattr__(self, "literals", tuple(self._literals(bound) for bound in self.bounds))
        for lower, upper, bound in zip(self.points, self.points[1:], self.bounds[1:], strict=False):
            if lower >= upper:
                raise ProgrammingError(
                    f"range bounds must ascend: {_bound_sql(bound)} is not above the bound before it",
                    sqlstate="42P17",
                )
        check_shard_count(self.shard_count, MAX_SHARDS)

    @property
    def kind(self) -> str:
        """The name of the strategy, as the catalog and the DDL have it."""
        return "range"

    @property
    def shard_count(self) -> int:
        """The number of ranges."""
        return len(self.bounds) + self.has_maxvalue

    def shard_of(self, values: Sequence[Value]) -> int:
        """The shard of one complete key. Raises NoShardError above the last bound, DataError for another type."""
        shard = bisect_right(self.points, self._point(values))
        if shard == self.shard_count:
            raise NoShardError(
                f"key {_bound_sql(values)} is above the last range of the table",
                hint="Give the table a range that ends with MAXVALUE.",
            )
        return shard

    def shard_sql(self, columns: Sequence[str]) -> str:
        """The shard number as an expression over these expressions, one for each key column in order."""
        compared = [
            key_type.comparable_sql(column) for key_type, column in zip(self.types, columns, strict=True)
        ]
        return f"({self._search_sql(compared, 0, len(self.bounds))})::INTEGER"

    def shards_for(self, predicates: Predicates) -> frozenset[int]:
        """The shards whose ranges overlap what the predicates leave of the order of keys."""
        restrictions = restrict_key(self.key, self.types, predicates)
        if restrictions is None:
            return frozenset()
        prefixes: list[Point] = [()]
        rest = Restriction()
        for restriction in restrictions:
            values = restriction.values
            if values is None or (prefixes != [()] and len(prefixes) * len(values) > MAX_KEYS):
                rest = restriction if values is None else rest
                break
            prefixes = [(*prefix, _part(value)) for prefix in prefixes for value in values]
        shards: set[int] = set()
        for prefix in prefixes:
            first, last = self._overlap(prefix, rest)
            shards.update(range(first, min(last, self.shard_count - 1) + 1))
        return frozenset(shards)

    def clause(self) -> str:
        """The DDL clause that makes this strategy."""
        ranges = [f"VALUES LESS THAN {_bound_sql(bound)}" for bound in self.bounds]
        ranges += ["MAXVALUE"] if self.has_maxvalue else []
        return f"SHARD BY RANGE ({name_list(column.name for column in self.key)}) ({', '.join(ranges)})"

    def describe_shard(self, shard: int) -> str:
        """What the shard holds, for people: `[10, 20)`."""
        lower = f"[{self._bound_text(shard - 1)}" if shard > 0 else "[MINVALUE"
        upper = f"{self._bound_text(shard)})" if shard < len(self.bounds) else "MAXVALUE]"
        return f"{lower}, {upper}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `sharding.from_json` makes an equal strategy."""
        return {
            "kind": self.kind,
            "key": key_to_json(self.key),
            "bounds": [[to_json(value) for value in bound] for bound in self.bounds],
            "maxvalue": self.has_maxvalue,
        }

    def _point(self, values: Sequence[Value]) -> Point:
        return tuple(
            [
                _NULL if value is None else (_VALUE, key_type.canonical(value))
                for key_type, value in zip(self.types, values, strict=True)
            ]
        )

    def _literals(self, bound: Sequence[Value]) -> tuple[str, ...]:
        return tuple(key_type.literal(value) for key_type, value in zip(self.types, bound, strict=True))

    def _search_sql(self, columns: Sequence[str], first: int, last: int) -> str:
        """The shard, known to be `first` to `last`, by halving: a key is compared with few of many bounds."""
        if first == last:
            return str(first) if first < self.shard_count else "NULL"
        middle = (first + last) // 2
        below = self._search_sql(columns, first, middle)
        above = self._search_sql(columns, middle + 1, last)
        # A comparison with NULL is not true, so NULL goes above every bound.
        return f"CASE WHEN {_less_sql(columns, self.literals[middle])} THEN {below} ELSE {above} END"

    def _overlap(self, prefix: Point, rest: Restriction) -> tuple[int, int]:
        """The first and the last range with keys that begin with `prefix` and go on as `rest` allows."""
        if len(prefix) == len(self.key):
            only = bisect_right(self.points, prefix)
            return only, only
        lower = _BEFORE_ALL if rest.lower is None else _part(rest.lower)
        first = bisect_right(self.points, (*prefix, lower, _BEFORE_ALL if rest.lower_inclusive else _NULL))
        if rest.upper is None:
            return first, bisect_right(self.points, (*prefix, _NULL))
        if rest.upper_inclusive:
            return first, bisect_right(self.points, (*prefix, _part(rest.upper), _NULL))
        return first, bisect_left(self.points, (*prefix, _part(rest.upper)))

    def _bound_text(self, shard: int) -> str:
        """An upper bound for people: without a parenthesis if it has one column."""
        bound = self.bounds[shard]
        return sql_literal(bound[0]) if len(bound) == 1 else _bound_sql(bound)


def _part(canonical: Any) -> tuple[int, Any]:
    return _NULL if canonical is None else (_VALUE, canonical)


def _less_sql(columns: Sequence[str], literals: Sequence[str]) -> str:
    """Whether a key is less than a bound, column by column; not true if a column that decides is NULL."""
    less = f"{columns[0]} < {literals[0]}"
    if len(columns) == 1:
        return less
    return f"({less} OR ({columns[0]} = {literals[0]} AND {_less_sql(columns[1:], literals[1:])}))"


def _bound_sql(values: Sequence[Value]) -> str:
    """A bound as our DDL has it, such as `(10, 'a')`. A key that an error names may be of any class."""
    try:
        return f"({', '.join(sql_literal(value) for value in values)})"
    except (DataError, TypeError):
        return repr(tuple(values))
