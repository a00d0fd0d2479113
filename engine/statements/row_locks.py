"""Runs SELECT … FOR UPDATE and FOR SHARE.

The query runs, the keys of its rows are locked, and it runs again as long as others may have changed rows between its
snapshot and the last lock: in the end every row it gives was locked before it was read. With SKIP LOCKED more rows are
read than LIMIT wants, and those that others hold are left out. Locks on rows that are not given in the end are given
back.
Leaves to others: which queries can do this, and how a row's key is found (`executor/row_locks.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import Error
from ..executor.reading.result import Result
from ..executor.row_locks import LockingQuery, LockTarget, locking_query
from ..sql.classify import Classified
from ..sql.locking import parse_row_locks
from ..sql.parameters import parameters_in, position_before_numbering
from ..transactions.transaction import Isolation, Transaction
from ..types import Column, Parameters, Row
from . import queries
from .context import Context

_MORE = 16
"""Rows that are read beyond those wanted, since others may hold some; four times as many each time they do not do."""

_Place = tuple[LockTarget, int, tuple[Any, ...] | None]


def select_locking(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """A query that may end with FOR UPDATE or FOR SHARE. Raises errors.Error."""
    locking = parse_row_locks(sql)
    if locking is None:
        return queries.run_query(context, sql, parameters, classified)
    query = locking_query(context.gateway, locking, parameters)
    transactions = context.connections.transactions
    with transactions.changing(sql) as transaction:
        transaction.check_may_write("SELECT FOR UPDATE")
        transactions.lock_catalog()
        work = _Locking(context, query, transaction, locking.sql, parameters, classified)
        columns, rows = work.run()
    return Result(columns, "SELECT", rows=rows[query.dropped :], rowcount=len(rows[query.dropped :]))


@dataclass(slots=True)
class _Locking:
    """One such statement at work. locked: the places that it has locked so far."""

    context: Context
    query: LockingQuery
    transaction: Transaction
    sql: str
    parameters: Parameters
    classified: Classified
    locked: set[_Place] = field(default_factory=set)

    def run(self) -> tuple[Sequence[Column], list[Row]]:
        """The columns and the rows that the user sees, all locked."""
        more = _MORE
        while True:
            count = None if self.query.wanted is None else self.query.wanted + more
            before = self._changes()
            columns, found = self._read(count)
            known = len(self.locked)
            rows = self._lock(found)
            may_have_more = count is not None and len(found) == count and len(rows) < (self.query.wanted or 0)
            if may_have_more:
                more *= 4
            elif len(self.locked) == known or self._is_still(before):
                break
        self._give_back(rows)
        visible = len(columns) - self.query.hidden
        return columns[:visible], [row[:visible] for row in rows]

    def _read(self, count: int | None) -> tuple[Sequence[Column], list[Row]]:
        text = self.query.text.sql if count is None else f"{self.query.text.sql} LIMIT {count}"
        with self._positions():
            parameters = parameters_in(text, self.parameters)
            result = queries.run_routed(self.context, text, parameters)
            if result is None:
                result = queries.run_query(self.context, text, parameters, self.classified)
            return result.columns, result.fetchall()

    def _lock(self, found: list[Row]) -> list[Row]:
        """Lock rows in their order until there are as many as wanted; those that had to be skipped are left out."""
        rows: list[Row] = []
        for row in found:
            if self.query.wanted is not None and len(rows) >= self.query.wanted:
                break
            if all(self._take(place) for place in self._places(row)):
                rows.append(row)
        return rows

    def _places(self, row: Row) -> Iterator[_Place]:
        keys = row[len(row) - self.query.hidden :]
        for target in self.query.targets:
            for shard, key in target.places(keys):
                yield target, shard, key

    def _take(self, place: _Place) -> bool:
        if place in self.locked:
            return True
        target, shard, key = place
        transactions = self.context.connections.transactions
        taken = transactions.shared.lock(
            self.transaction,
            target.table,
            shard,
            key,
            shared=target.lock.shared,
            timeout_s=transactions.lock_timeout_s,
            wait=target.lock.wait.value,
        )
        if taken:
            self.locked.add(place)
        return taken

    def _give_back(self, rows: list[Row]) -> None:
        """Give up what was locked for rows that are not given after all."""
        needed = {place for row in rows for place in self._places(row)}
        for target, shard, key in self.locked - needed:
            self.context.connections.transactions.shared.unlock(
                self.transaction, target.table, shard, key, shared=target.lock.shared
            )

    def _changes(self) -> list[tuple[int, int | None]]:
        """For each shard of the locked tables how often it was changed."""
        versions = self.context.gateway.versions
        shards = {shard for target in self.query.targets for shard in target.table.placements}
        return [(shard, versions.changes(shard)) for shard in sorted(shards)]

    def _is_still(self, before: list[tuple[int, int | None]]) -> bool:
        """Whether nothing was committed since, so that what was read is what was locked."""
        if self.transaction.isolation is Isolation.REPEATABLE_READ:
            return True  # It sees the same again. What others have changed was found out by locking it.
        return all(count is not None for _, count in before) and before == self._changes()

    @contextmanager
    def _positions(self) -> Iterator[None]:
        """Errors inside have positions in the user's statement."""
        try:
            yield
        except Error as error:
            if error.position is not None:
                position = self.query.text.user_position(error.position)
                error.position = None if position is None else position_before_numbering(self.sql, position)
            raise
