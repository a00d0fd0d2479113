"""What a change of data can write: tables, their shards and, if it names few, shard keys. That is what it locks.

Promises: nothing is written that is not among the targets; when in doubt there is more. Two changes that could write
the same row have a shard in common, and a key if both tell theirs. What foreign keys make DuckDB look at counts as
written.
Leaves to others: the locks (`transactions`), how the change runs (`dml.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ...catalog.model import Table
from ...errors import NotSupportedError
from ...sql.classify import Classified, StatementKind
from ...sql.fingerprint import number_parameters
from ...sql.insert import parse_copy, parse_insert
from ...types import Parameters
from ..definitions.foreign_keys import relations
from ..gateway import Gateway
from .dml import planned_change, truncated_table
from .insert import pinned_values
from .pinned import PinnedKey


@dataclass(frozen=True, slots=True)
class WriteTarget:
    """A table that a change can write.

    shards: numbers of the database's shards, ascending. keys: the shard keys of all rows that it reads or writes there,
    with their shards; None if they are many or not certain, so that it may be any row of the shards.
    """

    table: Table
    shards: tuple[int, ...]
    keys: tuple[PinnedKey, ...] | None = None


class WriteTargets:
    """Finds the targets of changes; one for all sessions of a database. Safe for threads."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._lock = threading.Lock()
        self._relations: tuple[int, Mapping[tuple[str, str], frozenset[tuple[str, str]]]] = (-1, {})

    def of(self, sql: str, parameters: Parameters, classified: Classified) -> tuple[WriteTarget, ...]:
        """What a statement can write, the table that it names first; empty for one that is about no table of ours.

        The caller keeps definitions from changing. Raises errors.Error for a statement that could not run.
        """
        target = self._target(sql, parameters, classified.kind)
        if target is None:
            return ()
        related = self.related(target.table)
        if not related:
            return (target,)
        whole = WriteTarget(target.table, target.shards)
        return (whole, *(_beside(table, target.shards) for table in related))

    def related(self, table: Table) -> list[Table]:
        """The tables, besides itself, that a foreign key links to this one, in either direction."""
        catalog = self._gateway.catalog
        version, found = self._relations
        if version != catalog.version:
            with self._lock:
                found = relations(self._gateway)
                self._relations = (catalog.version, found)
        return [catalog.tables[key] for key in sorted(found.get(table.key, ())) if key in catalog.tables]

    def _target(self, sql: str, parameters: Parameters, kind: StatementKind) -> WriteTarget | None:
        match kind:
            case StatementKind.INSERT:
                return _of_insert(self._gateway, sql, parameters)
            case StatementKind.UPDATE | StatementKind.DELETE | StatementKind.MERGE:
                return _of_change(self._gateway, sql, parameters)
            case StatementKind.COPY_FROM:
                copied = parse_copy(number_parameters(sql))
                table = None if copied is None else self._gateway.find_table(copied.name)
            case StatementKind.TRUNCATE:
                table = truncated_table(self._gateway, sql)
            case _:
                raise NotSupportedError(f"{kind.value.upper()} changes no rows")
        return None if table is None else _whole(table)


def _of_insert(gateway: Gateway, sql: str, parameters: Parameters) -> WriteTarget | None:
    sql = number_parameters(sql)
    parts = parse_insert(sql)
    table = None if parts is None else gateway.find_table(parts.name)
    if parts is None or table is None:
        return None
    if table.is_reference:
        return _whole(table)
    pinned = pinned_values(gateway, table, parts, sql)
    shards = None if pinned is None else pinned.shards(parameters)
    if pinned is None or shards is None:
        return _whole(table)
    return WriteTarget(table, tuple(sorted(shards)), pinned.keys(parameters))


def _of_change(gateway: Gateway, sql: str, parameters: Parameters) -> WriteTarget | None:
    planned = planned_change(gateway, sql, parameters)
    if planned is None:
        return None
    table = planned.table
    if planned.places_rows:
        return _whole(table)
    # Where no shard can have such a row, one is asked all the same.
    shards = {table.placements[shard] for shard in planned.routes[0].shards or (0,)}
    keys = None if planned.pinned is None else planned.pinned.keys(parameters)
    return WriteTarget(table, tuple(sorted(shards)), keys)


def _whole(table: Table) -> WriteTarget:
    return WriteTarget(table, tuple(sorted(set(table.placements))))


def _beside(table: Table, shards: tuple[int, ...]) -> WriteTarget:
    """All rows of a table on the shards that it has in common with another one."""
    return WriteTarget(table, tuple(shard for shard in shards if shard in table.placements))
