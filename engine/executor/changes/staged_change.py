"""A change that was computed at the gateway, carried to the shards.

The rows to change wait in a table of the gateway: each says by shard and by its identity which row it is about, the
number of the step that changes it, the step's new values, and the shard where the row belongs afterwards. Each shard
takes its own by one operation; a row that belongs elsewhere afterwards is deleted here and inserted there.
Promises: all shards change, or none. Rows leave before any arrives, so that a key may pass from one row to another.
What runs on a shard is what is recorded, but for RETURNING: running it again on the same rows gives the same.
Leaves to others: which rows and what values (`across.py`), how a row is found (`identity.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

from ...catalog.model import Table
from ...errors import invariant
from ...sql.change import Action
from ...sql.lexer import significant
from ...sql.parameters import parameters_in
from ...sql.reader import Piece
from ...storage import duck
from ...storage.operations import Operation
from ...storage.rows import ROWS_NAME, bound, rows_of
from ...storage.settings import Settings
from ...transactions.writer import ShardWriter
from ...types import Column, Parameters, Row, quote_identifier, quote_string
from ..composed import at_position
from ..connections import SessionConnections
from ..reading.binding import shard_table
from ..reading.recording import CHANGE, work
from ..reading.result import Result, columns_of
from .columns import column_of
from .identity import ROW, Identity, located, old_name

SHARD = '"duckraft shard"'
STEP = '"duckraft step"'
PLACE = '"duckraft place"'
_CHANGE = '"duckraft change"'


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to the staged rows of one number: an UPDATE, a DELETE or an INSERT.

    columns: those whose new values are staged. moves: whether it may change the shard of a row.
    """

    number: int
    action: Action
    columns: tuple[str, ...] = ()
    moves: bool = False


@dataclass(frozen=True, slots=True)
class StagedChange:
    """Staged rows and what to do with them.

    stage: the full name of their table. identity: of the rows. settings: with which its operations are to run again.
    insertable: the columns that a row which moves takes with it. returning: the user's pieces of the list behind
    RETURNING, of which there are none without one.
    """

    verb: str
    table: Table
    alias: str
    stage: str
    steps: tuple[Step, ...]
    identity: Identity
    settings: Settings
    insertable: tuple[str, ...]
    returning: tuple[Piece, ...] = ()
    parameters: Parameters = None

    @property
    def steps_by_number(self) -> dict[int, Step]:
        """Its steps by their numbers."""
        return {step.number: step for step in self.steps}


def value_name(step: int, column: str) -> str:
    """The name of the staged column with the new values of `column`."""
    return quote_identifier(f"duckraft {step} {column}")


def numbered_rows(connections: SessionConnections, table: Table, shards: Sequence[int]) -> str:
    """A query for the rows of these shards of a table, with SHARD and ROW beside its columns. Raises errors.Error."""
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    parts = []
    for shard in shards:
        rows, number = connections.transactions.numbered(table, shard)
        parts.append(f"SELECT {shard} AS {SHARD}, {number} AS {ROW}, {columns} FROM {rows}")
    return " UNION ALL ".join(parts)


@contextmanager
def staging_table(connection: duck.Connection) -> Iterator[str]:
    """A name for a table at the gateway that every connection sees; the table is dropped in the end."""
    name = f"memory.duckraft.{quote_identifier(f'change {uuid.uuid4().hex}')}"
    try:
        yield name
    finally:
        duck.clean_up(connection, f"DROP TABLE IF EXISTS {name}")


Way: TypeAlias = tuple[int, int | None, int | None]
"""What rows have in common: their step, their shard (None for new rows), their place (None if no shard takes them)."""


def ways_of(gateway: duck.Connection, stage: str) -> list[Way]:
    """The ways that staged rows take, each once."""
    found = duck.rows(gateway, f"SELECT DISTINCT {STEP}, {SHARD}, {PLACE} FROM {stage}")
    return [(step, shard, place) for step, shard, place in found]


def apply(connections: SessionConnections, change: StagedChange, ways: Sequence[Way]) -> Result:
    """Carry the change to the shards. ways: those of all staged rows. Raises errors.Error."""
    moving = {
        (step, shard, place)
        for step, shard, place in ways
        if shard is not None and place is not None and shard != place
    }
    staying = {place for step, shard, place in ways if place is not None and shard in (None, place)}
    leaving = sorted({shard for _, shard, _ in moving})
    arriving = sorted({(place, step) for step, _, place in moving})
    # One shard is asked also where no row changes: it knows the columns of RETURNING.
    involved = sorted(staying.union(leaving, (place for place, _ in arriving)) or {0})
    numbers = {shard: change.table.placements[shard] for shard in involved}
    with at_position(None), connections.transactions.atomic(sorted(set(numbers.values()))) as writers:
        carrier = _Carrier(connections.gateway, change, writers)
        for shard in leaving:
            carrier.leave(shard)
        for shard in sorted(staying) or involved[:1]:
            carrier.stay(shard)
        for shard, step in arriving:
            carrier.arrive(shard, change.steps_by_number[step])
    tag = f"{change.verb} {carrier.count}"
    return Result(carrier.columns, tag, rows=carrier.rows, rowcount=carrier.count)


class _Carrier:
    """Runs a change's operations on the shards, and adds up what they gave."""

    def __init__(
        self, gateway: duck.Connection, change: StagedChange, writers: dict[int, ShardWriter]
    ) -> None:
        self.count = 0
        self.rows: list[Row] = []
        self.columns: tuple[Column, ...] = ()
        self._gateway = gateway
        self._change = change
        self._writers = writers

    def leave(self, shard: int) -> None:
        """Take away the rows that belong elsewhere."""
        change = self._change
        own = f"{SHARD} = {shard} AND {PLACE} <> {shard}"
        old = [(old_name(column.name), column.type) for column in change.identity.columns]
        self._run(shard, own, [(STEP, "INTEGER"), *old], lambda source: _leave_sql(change, shard, source))

    def stay(self, shard: int) -> None:
        """Change the rows that stay on a shard, and insert those that are new there."""
        change = self._change
        own = f"{PLACE} = {shard} AND ({SHARD} IS NULL OR {SHARD} = {shard})"
        columns = [(STEP, "INTEGER")]
        columns += [(old_name(column.name), column.type) for column in change.identity.columns]
        columns += [
            (value_name(step.number, name), column_of(change.table, name).type)
            for step in change.steps
            for name in step.columns
        ]
        self._run(shard, own, columns, lambda source: _stay_sql(change, shard, source), change.returning)

    def arrive(self, shard: int, step: Step) -> None:
        """Insert the rows that come from other shards: for the user they were updated."""
        change = self._change
        own = f"{STEP} = {step.number} AND {PLACE} = {shard} AND {SHARD} <> {shard}"
        columns = [
            (
                value_name(step.number, name) if name in step.columns else old_name(name),
                column_of(change.table, name).type,
            )
            for name in change.insertable
        ]
        returning = tuple(_as_update(piece) for piece in change.returning)
        self._run(shard, own, columns, lambda source: _arrive_sql(change, shard, step, source), returning)

    def _run(
        self,
        shard: int,
        own: str,
        columns: Sequence[tuple[str, str]],
        statement: Callable[[str], str],
        returning: Sequence[Piece] | None = None,
    ) -> None:
        """Run a statement on a shard of the table, and record it.

        own: a condition on the staged rows that it is fed with. columns: (name, type) of what it needs of them.
        statement: its text, for the relation with these rows. returning: None if its rows do not count.
        """
        query = f"SELECT {', '.join(name for name, _ in columns)} FROM {self._change.stage} WHERE {own}"
        number = self._change.table.placements[shard]
        with work(CHANGE, number) as done:
            # In one piece: with its first rows changed, a second piece might find other rows than meant.
            fed = next(rows_of(self._gateway, query, [kind for _, kind in columns], whole=True), None)
            sql = statement(ROWS_NAME if fed is not None else _no_rows(columns))
            operation = Operation(sql, None, fed, self._change.settings)
            given = self._given(self._writers[number].connection, operation, returning)
            if fed is not None:
                count = duck.rows(self._gateway, f"SELECT count(*) FROM ({query})")[0][0]
                invariant(given == count, "a shard has the rows that the gateway has seen there")
                self._writers[number].record(operation)
            if returning is not None:
                done.rows = given
                self.count += given

    def _given(
        self, connection: duck.Connection, operation: Operation, returning: Sequence[Piece] | None
    ) -> int:
        """Run an operation with RETURNING behind it, and take what it gives. Returns how many rows it changed."""
        sql = operation.sql + (_returning(returning) if returning else "")
        with bound(connection, operation.rows) if operation.rows is not None else nullcontext():
            duck.execute(connection, sql, parameters_in(sql, self._change.parameters))
            if returning:
                self.columns = self.columns or columns_of(connection)
            rows = duck.guarded(connection.fetchall)
        if returning:
            self.rows += rows
        count: int = len(rows) if returning else rows[0][0]
        return count


def _no_rows(columns: Sequence[tuple[str, str]]) -> str:
    """A relation of these columns that is empty. A writer may not see what is staged at the gateway."""
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns)
    return f"(SELECT {nulls} WHERE false)"


def _located(change: StagedChange, shard: int, source: str) -> str:
    steps = [str(step.number) for step in change.steps if step.action is not Action.INSERT]
    changing = f"given.{STEP} IN ({', '.join(steps)})" if steps else "false"
    return located(change.identity, source, shard_table(change.table, shard), changing)


def _leave_sql(change: StagedChange, shard: int, source: str) -> str:
    rows = f"SELECT {ROW} FROM ({_located(change, shard, source)})"
    return f"DELETE FROM {shard_table(change.table, shard)} WHERE rowid IN ({rows})"


def _stay_sql(change: StagedChange, shard: int, source: str) -> str:
    """Measured with 100,000 rows of a million: UPDATE takes a third of the time of the MERGE that does the same."""
    target = f"{shard_table(change.table, shard)} AS {quote_identifier(change.alias)}"
    rows = _located(change, shard, source)
    found = f"{_CHANGE}.{ROW} = {quote_identifier(change.alias)}.rowid"
    match change.verb:
        case "UPDATE":
            return f"UPDATE {target} SET {_sets(change.steps[0])} FROM ({rows}) AS {_CHANGE} WHERE {found}"
        case "DELETE":
            return f"DELETE FROM {target} WHERE rowid IN (SELECT {ROW} FROM ({rows}))"
        case _:
            clauses = [_clause(step) for step in change.steps] or ["WHEN MATCHED THEN DO NOTHING"]
            return f"MERGE INTO {target} USING ({rows}) AS {_CHANGE} ON {found} {' '.join(clauses)}"


def _sets(step: Step) -> str:
    return ", ".join(
        f"{quote_identifier(column)} = {_CHANGE}.{value_name(step.number, column)}" for column in step.columns
    )


def _clause(step: Step) -> str:
    condition = f"AND {_CHANGE}.{STEP} = {step.number} THEN"
    if step.action is Action.DELETE:
        return f"WHEN MATCHED {condition} DELETE"
    if step.action is Action.UPDATE:
        return f"WHEN MATCHED {condition} UPDATE SET {_sets(step)}"
    staged = [f"{_CHANGE}.{value_name(step.number, column)}" for column in step.columns]
    names = [quote_identifier(column) for column in step.columns]
    if not names:
        return f"WHEN NOT MATCHED {condition} INSERT DEFAULT VALUES"
    return f"WHEN NOT MATCHED {condition} INSERT ({', '.join(names)}) VALUES ({', '.join(staged)})"


def _arrive_sql(change: StagedChange, shard: int, step: Step, source: str) -> str:
    names = ", ".join(map(quote_identifier, change.insertable))
    values = ", ".join(
        f"{_CHANGE}.{value_name(step.number, name) if name in step.columns else old_name(name)}"
        for name in change.insertable
    )
    return (
        f"MERGE INTO {shard_table(change.table, shard)} AS {quote_identifier(change.alias)}"
        f" USING {source} AS {_CHANGE} ON false WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
    )


def _as_update(piece: Piece) -> Piece:
    """A piece of RETURNING in which `merge_action` says that the row was updated."""
    text, position = "", 0
    for lexeme in significant(piece.text):
        if lexeme.identifier.lower() == "merge_action":
            text += piece.text[position : lexeme.start] + quote_string(Action.UPDATE)
            position = lexeme.end
    return Piece(text + piece.text[position:], None)


def _returning(pieces: Sequence[Piece]) -> str:
    return " RETURNING " + "".join(piece.text for piece in pieces) if pieces else ""
