"""From the clauses of CREATE TABLE to a strategy and placements.

Promises: a table that comes out can be loaded and routed; what the clauses cannot mean is refused with the reason and
the position. Values inside clauses are evaluated by the caller's DuckDB, with the type of the key column.
Leaves to others: making the table (`executor/ddl.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import NotSupportedError, ProgrammingError
from ..sharding import (
    ConsistentHashStrategy,
    DirectoryStrategy,
    HashStrategy,
    KeyColumn,
    RangeStrategy,
    ReferenceStrategy,
    SpreadStrategy,
    Strategy,
    from_json,
)
from ..sql.clauses import ShardClause
from ..types import Column
from .model import REFERENCE_SHARD, Table

Evaluate = Callable[[str, str], Any]
"""(SQL expression, DuckDB type) → its value, cast to the type."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key: its columns, the name of the table it refers to (in the same schema), and that one's columns."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns and the keys of a table, as DuckDB found them. keys: of PRIMARY KEY and UNIQUE constraints.

    generated: the names of the generated columns.
    """

    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    generated: tuple[str, ...] = ()


def strategy_for(
    clause: ShardClause, shape: Shape, default_shards: int, other: Table | None, evaluate: Evaluate
) -> Strategy:
    """The strategy that the clauses mean. other: the table that COLOCATE WITH names.

    Raises ProgrammingError or NotSupportedError.
    """
    columns = {column.name.lower(): column for column in shape.columns}
    key = tuple(_key_column(name, columns, clause) for name in clause.columns)
    if other is not None:
        return _like(other, clause, key, shape)
    shards = clause.shards if clause.shards is not None else default_shards
    strategy: Strategy
    match clause.kind:
        case "hash":
            strategy = HashStrategy(key, shards)
        case "consistent hash":
            strategy = ConsistentHashStrategy(key, shards)
        case "range":
            bounds = [_evaluated(bound, key, clause, evaluate) for bound in clause.bounds]
            strategy = RangeStrategy(key, tuple(bounds), clause.has_maxvalue)
        case "directory":
            strategy = _directory(clause, key, evaluate)
        case "reference":
            strategy = ReferenceStrategy()
        case "spread":
            strategy = SpreadStrategy(shards)
        case _:
            strategy = _default(shape, shards)
    _check_counts(clause, strategy)
    check_keys(shape, strategy, clause.position)
    return strategy


def placements_for(strategy: Strategy) -> tuple[int, ...]:
    """Where the shards of a new table go: shard i of the table on shard i of the database."""
    return (REFERENCE_SHARD,) if strategy.kind == "reference" else tuple(range(strategy.shard_count))


def with_renamed_key(strategy: Strategy, old: str, new: str) -> Strategy:
    """The strategy of a table of which this column got another name."""
    fields = strategy.to_json()
    if strategy.key:
        fields["key"] = [
            [new if column.name.lower() == old.lower() else column.name, column.type]
            for column in strategy.key
        ]
    return from_json(fields)


def check_keys(shape: Shape, strategy: Strategy, position: int | None) -> None:
    """Raise NotSupportedError unless every unique key decides on the shard: only then one shard can keep it unique."""
    if strategy.kind == "reference":
        return
    shard_key = {column.name.lower() for column in strategy.key}
    for key in shape.keys:
        if not shard_key or not shard_key <= {name.lower() for name in key}:
            by = f"the shard key ({', '.join(column.name for column in strategy.key)})"
            raise NotSupportedError(
                f"the unique key ({', '.join(key)}) does not contain {by if shard_key else 'a shard key'}, "
                "so no shard could keep it unique",
                hint="Shard by columns of the unique key, add the shard key to it, or make the table REFERENCE.",
                position=position,
            )


def _default(shape: Shape, shards: int) -> Strategy:
    """Without a clause: by hash of the primary key, or evenly where there is none."""
    types = {column.name.lower(): column for column in shape.columns}
    key = tuple(KeyColumn(types[name.lower()].name, types[name.lower()].type) for name in shape.primary_key)
    return HashStrategy(key, shards) if key else SpreadStrategy(shards)


def _directory(clause: ShardClause, key: tuple[KeyColumn, ...], evaluate: Evaluate) -> DirectoryStrategy:
    if len(key) != 1:
        return DirectoryStrategy(key, 1, (), 0)  # It says itself why several columns cannot be.
    kind = key[0].type
    entries = tuple(
        (evaluate(value, kind), entry.shard) for entry in clause.entries for value in entry.values
    )
    named = [shard for _, shard in entries]
    if clause.default_shard is not None:
        named.append(clause.default_shard)
    shards = clause.shards if clause.shards is not None else max(named, default=0) + 1
    return DirectoryStrategy(key, shards, entries, clause.default_shard)


def _like(other: Table, clause: ShardClause, key: tuple[KeyColumn, ...], shape: Shape) -> Strategy:
    """The strategy of the table that COLOCATE WITH names, for this table's key."""
    if not other.shard_key:
        raise ProgrammingError(
            f'"{other.name}" has no shard key to be co-located by',
            sqlstate="42P17",
            position=clause.position,
        )
    if not key:
        columns = {column.name.lower(): column for column in shape.columns}
        key = tuple(_key_column(name, columns, clause) for name in other.shard_key)
    theirs = [column.type for column in other.strategy.key]
    if [column.type for column in key] != theirs:
        raise ProgrammingError(
            f'the shard key must have the types of that of "{other.name}": {", ".join(theirs)}',
            sqlstate="42804",
            position=clause.position,
        )
    strategy: Strategy
    match other.strategy:
        case ConsistentHashStrategy():
            strategy = ConsistentHashStrategy(key, other.strategy.shard_count)
        case HashStrategy():
            strategy = HashStrategy(key, other.strategy.shard_count)
        case RangeStrategy():
            strategy = RangeStrategy(key, other.strategy.bounds, other.strategy.has_maxvalue)
        case DirectoryStrategy():
            strategy = DirectoryStrategy(
                key, other.strategy.shard_count, other.strategy.entries, other.strategy.default_shard
            )
        case _:
            raise NotSupportedError(f"tables cannot be co-located by {other.strategy.kind}")
    if (clause.kind is not None and clause.kind != strategy.kind) or clause.bounds or clause.entries:
        raise ProgrammingError(
            f'COLOCATE WITH takes the strategy of "{other.name}", which is {strategy.clause()}',
            sqlstate="42P17",
            hint="Leave the SHARD BY clause out, or name only its key columns with the same kind.",
            position=clause.position,
        )
    _check_counts(clause, strategy)
    check_keys(shape, strategy, clause.position)
    return strategy


def _key_column(name: str, columns: dict[str, Column], clause: ShardClause) -> KeyColumn:
    column = columns.get(name.lower())
    if column is None:
        raise ProgrammingError(
            f'shard key column "{name}" is not a column of the table',
            sqlstate="42703",
            hint=f"It has {', '.join(known.name for known in columns.values())}.",
            position=clause.position,
        )
    return KeyColumn(column.name, column.type)


def _evaluated(
    bound: tuple[str, ...], key: Sequence[KeyColumn], clause: ShardClause, evaluate: Evaluate
) -> tuple[Any, ...]:
    if len(bound) != len(key):
        raise ProgrammingError(
            f"the range bound ({', '.join(bound)}) has {len(bound)} values for {len(key)} key columns",
            sqlstate="42P17",
            position=clause.position,
        )
    return tuple(evaluate(value, column.type) for value, column in zip(bound, key, strict=True))


def _check_counts(clause: ShardClause, strategy: Strategy) -> None:
    if clause.shards is not None and clause.shards != strategy.shard_count:
        raise ProgrammingError(
            f"SHARDS {clause.shards} does not fit: the clause makes {strategy.shard_count} shards",
            sqlstate="42P17",
            hint="Leave SHARDS out.",
            position=clause.position,
        )
