"""Changes that no shard can make alone: computed at the gateway as one query, then carried to the shards row by row.

The query reads the target with each row's shard and DuckDB's number for it, joins what the statement joins, and gives
for every row to change its identity, the step that changes it and the new values, in the user's own text. All the rest
of the statement reads the gateway's views, and so the rows as they were before it.
Promises: DuckDB judges the user's own statement first, on an empty stand-in of the target, so that it refuses what it
would refuse and its messages have its positions.
Leaves to others: bringing the rows to the shards (`staged_change.py`), MERGE's steps (`merge.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...catalog.model import Table
from ...errors import NoShardError, NotSupportedError, ProgrammingError
from ...sharding import SpreadStrategy
from ...sql.change import Action, ChangeParts, takes_all_columns, unqualified
from ...sql.lexer import Kind, significant
from ...sql.reader import Piece
from ...storage import duck
from ...storage.settings import Settings
from ...types import Parameters, quote_identifier
from ..composed import Composed, check, execute, shown_as
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.result import Result
from .columns import Described, Insertable, column_of, described_columns, row_count, stand_in
from .identity import ROW, Identity, identity_of, old_name
from .job import no_shard
from .replaying import settings_for
from .staged_change import (
    PLACE,
    SHARD,
    STEP,
    StagedChange,
    Step,
    apply,
    numbered_rows,
    staging_table,
    value_name,
    ways_of,
)

_STAND_IN = "__duckraft_target"
_TWICE = (
    "MERGE INTO command cannot affect the same target row more than once. A target row matched more than one source "
    "row; ensure the source rows are deduplicated or the ON condition is unique."
)


@dataclass(frozen=True, slots=True)
class Assigned:
    """The new value of a column: the pieces of its expression."""

    column: str
    value: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Computed:
    """A step, and for an UPDATE or INSERT the values of its columns, in their order."""

    step: Step
    values: tuple[Assigned, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """The table that a change is about, as its statement sees it.

    shards: those whose rows it can change. identity: of its rows. text: the statement's, with its parameters numbered.
    """

    table: Table
    alias: str
    shards: tuple[int, ...]
    described: Described
    identity: Identity
    settings: Settings
    text: str
    parts: ChangeParts

    @property
    def columns(self) -> tuple[Insertable, ...]:
        """The columns that can be inserted into."""
        return self.described.insertable

    @property
    def text_beside(self) -> str:
        """The statement's text without the name of the table that it changes."""
        return f"{self.text[: self.parts.target_start]} {self.text[self.parts.target_end :]}"

    def own(self, piece: Piece) -> list[Piece]:
        """The user's piece, in which the target goes by its alias alone."""
        if self.parts.alias is not None:
            return [piece]
        return unqualified(piece, self.table.schema, self.table.name)

    def assigned(self, column: str, value: Piece | None) -> Assigned:
        """The value that an assignment gives, the user's or the default. `judge` has passed the column."""
        known = next(one for one in self.columns if one.column.name.lower() == column.lower())
        if value is not None:
            return Assigned(known.column.name, tuple(self.own(value)))
        return Assigned(known.column.name, (Piece(known.default or "NULL", None),))


def target_of(
    gateway: Gateway,
    connections: SessionConnections,
    table: Table,
    parts: ChangeParts,
    text: str,
    shards: Sequence[int],
) -> Target:
    """The target of a statement, if its rows can be numbered. Raises NotSupportedError."""
    described = described_columns(gateway, table)
    # Conditions that no shard can meet are still judged, by one that then finds no row.
    identity = identity_of(gateway, table, [one.column for one in described.insertable])
    alias = parts.alias or table.name
    settings = settings_for(gateway, connections, table)
    target = Target(table, alias, tuple(shards) or (0,), described, identity, settings, text, parts)
    _check_no_row_numbers(target)
    return target


def judge(connections: SessionConnections, target: Target, parameters: Parameters) -> None:
    """Have DuckDB say what is wrong with the user's statement, if anything is. Raises errors.Error."""
    parts = target.parts
    text = target.text
    alias = f" AS {quote_identifier(target.alias)}" if parts.alias is None else ""
    rest = target.own(Piece(text[parts.target_end :], parts.target_end))
    pieces: list[tuple[str, int | None]] = [
        (text[: parts.target_start], 0),
        (f"temp.{_STAND_IN}{alias}", None),
        *((piece.text, piece.offset) for piece in rest),
    ]
    connection = connections.gateway
    made = stand_in(connection, target.table, target.described, _STAND_IN)
    with made, shown_as(_STAND_IN, target.table.name):
        check(connection, Composed(tuple(pieces)), parameters)


def change_rows(connections: SessionConnections, target: Target, parameters: Parameters) -> Result:
    """Run an UPDATE or DELETE that `judge` has passed. Raises errors.Error; then no shard has changed."""
    (clause,) = target.parts.clauses
    values: tuple[Assigned, ...] = ()
    if clause.action is Action.UPDATE:
        columns = clause.columns or ()
        values = tuple(target.assigned(*one) for one in zip(columns, clause.values, strict=True))
    computed = step_of(target, 0, clause.action, values)
    parts = target.parts
    distinct = "DISTINCT " if clause.action is Action.DELETE and parts.source else ""
    numbered = numbered_rows(connections, target.table, target.shards)
    rows: list[Piece] = [
        parts.prefix,
        Piece(f"SELECT {distinct}{row_columns(target, '0')}", None),
        *(piece for value in values for piece in value_column(target, 0, value)),
        *old_values(target, [computed]),
        Piece(f" FROM ({numbered}) AS {quote_identifier(target.alias)}", None),
    ]
    if parts.source is not None:
        rows += [Piece(", ", None), *target.own(parts.source)]
    if parts.condition is not None:
        rows += [Piece(" WHERE (", None), *target.own(parts.condition), Piece("\n)", None)]
    with staging_table(connections.gateway) as stage:
        stage_rows(connections, target, [computed], rows, stage, parameters)
        return carry(connections, target, [computed], stage, parameters)


def carry(
    connections: SessionConnections,
    target: Target,
    computed: Sequence[Computed],
    stage: str,
    parameters: Parameters,
) -> Result:
    """Bring what `stage_rows` has written to the shards."""
    _keep_one_of_each(connections.gateway, target, computed, stage)
    ways = ways_of(connections.gateway, stage)
    if any(place is None for _, _, place in ways):
        raise _not_placed(connections.gateway, target, computed, stage)
    returning = target.parts.returning
    change = StagedChange(
        target.parts.verb,
        target.table,
        target.alias,
        stage,
        tuple(one.step for one in computed),
        target.identity,
        target.settings,
        tuple(one.column.name for one in target.columns),
        tuple(target.own(returning)) if returning is not None else (),
        parameters,
    )
    return apply(connections, change, ways)


def stage_rows(
    connections: SessionConnections,
    target: Target,
    computed: Sequence[Computed],
    rows: Iterable[Piece],
    stage: str,
    parameters: Parameters,
) -> None:
    """Write the rows of a query into the table `stage`, with the shard where each belongs afterwards.

    rows: gives SHARD, ROW, STEP and the columns of `value_column` and `old_values`; rows without a step are left out.
    """
    place = _place(connections.gateway, target.table, computed)
    pieces = [
        Piece(
            f"CREATE OR REPLACE TABLE {stage} AS SELECT *, CAST({place} AS INTEGER) AS {PLACE} FROM (", None
        ),
        *rows,
        Piece(f"\n) WHERE {STEP} IS NOT NULL", None),
    ]
    connections.transactions.show_own(target.text_beside)
    composed = Composed(tuple((piece.text, piece.offset) for piece in pieces))
    connections.transactions.at_once(lambda: execute(connections.gateway, composed, parameters))


def step_of(target: Target, number: int, action: Action, values: Sequence[Assigned] = ()) -> Computed:
    """A step with its values. An INSERT gets the defaults of what it leaves out, once for all shards."""
    given = {value.column for value in values}
    if action is Action.INSERT:
        values = [
            *values,
            *(
                target.assigned(one.column.name, None)
                for one in target.columns
                if one.column.name not in given and (one.default or one.column.name in target.table.shard_key)
            ),
        ]
    key = {name.lower() for name in target.table.shard_key}
    moves = action is Action.UPDATE and any(value.column.lower() in key for value in values)
    columns = tuple(value.column for value in values)
    return Computed(Step(number, action, columns, moves), tuple(values))


def row_columns(target: Target, step: str) -> str:
    """The columns of a query of rows that say which row, and which step changes it. step: SQL of its number."""
    alias = quote_identifier(target.alias)
    return f"{alias}.{SHARD}, {alias}.{ROW}, {step} AS {STEP}"


def value_column(target: Target, number: int, value: Assigned, *, guarded: bool = False) -> list[Piece]:
    """One more column, with a new value. guarded: it is not computed for rows that have another step."""
    kind = column_of(target.table, value.column).type
    before, after = (f"CASE WHEN {STEP} = {number} THEN ", " END") if guarded else ("", "")
    return [
        Piece(f", {before}CAST((", None),
        *value.value,
        Piece(f"\n) AS {kind}){after} AS {value_name(number, value.column)}", None),
    ]


def old_values(target: Target, computed: Sequence[Computed]) -> list[Piece]:
    """The columns with the row as it was: what says which row it is, and all of it if a step may take it elsewhere."""
    moves = any(one.step.moves for one in computed)
    names = tuple(one.column.name for one in target.columns) if moves else target.identity.names
    alias = quote_identifier(target.alias)
    return [Piece(f", {alias}.{quote_identifier(name)} AS {old_name(name)}", None) for name in names]


def _key_columns(table: Table, step: Step) -> list[str]:
    """The staged columns that hold the shard key of a row after `step`."""
    return [
        value_name(step.number, name) if name in step.columns else old_name(name) for name in table.shard_key
    ]


def _place(gateway: duck.Connection, table: Table, computed: Sequence[Computed]) -> str:
    """SQL for the shard where a row belongs after its step."""
    cases = []
    for one in computed:
        step = one.step
        if step.action is Action.INSERT and isinstance(table.strategy, SpreadStrategy):
            dealt = row_count(gateway, table)
            place = f"(row_number() OVER () - 1 + {dealt}) % {table.strategy.shard_count}"
        elif step.action is Action.INSERT and not table.shard_key:
            place = "0"
        elif step.action is Action.INSERT or step.moves:
            place = table.strategy.shard_sql(_key_columns(table, step))
        else:
            continue
        cases.append(f"WHEN {step.number} THEN {place}")
    return f"CASE {STEP} {' '.join(cases)} ELSE {SHARD} END" if cases else SHARD


def _not_placed(
    gateway: duck.Connection, target: Target, computed: Sequence[Computed], stage: str
) -> NoShardError:
    """The error for a row that has no shard after its step."""
    steps = {one.step.number: one.step for one in computed}
    lost = f"FROM {stage} WHERE {PLACE} IS NULL"
    step = steps[duck.rows(gateway, f"SELECT {STEP} {lost} LIMIT 1")[0][0]]
    keys = ", ".join(_key_columns(target.table, step))
    key = duck.rows(gateway, f"SELECT {keys} {lost} AND {STEP} = {step.number} LIMIT 1")[0]
    return no_shard(target.table, key)


def _keep_one_of_each(
    gateway: duck.Connection, target: Target, computed: Sequence[Computed], stage: str
) -> None:
    """A row that an UPDATE finds twice is changed by the last it finds, as in DuckDB; a MERGE must not find one."""
    if target.parts.source is None or not any(one.step.action is not Action.INSERT for one in computed):
        return
    again = f"SELECT 1 FROM {stage} WHERE {SHARD} IS NOT NULL AND {_changes(computed)}"
    if not duck.rows(gateway, f"{again} GROUP BY {SHARD}, {ROW} HAVING count(*) > 1 LIMIT 1"):
        return
    if target.parts.verb == "MERGE":
        raise ProgrammingError(_TWICE, sqlstate="22023")
    last = f"SELECT max(rowid) FROM {stage} GROUP BY {SHARD}, {ROW}"
    duck.execute(gateway, f"DELETE FROM {stage} WHERE rowid NOT IN ({last})")


def _changes(computed: Sequence[Computed]) -> str:
    numbers = [str(one.step.number) for one in computed if one.step.action is not Action.INSERT]
    return f"{STEP} IN ({', '.join(numbers)})"


def _check_no_row_numbers(target: Target) -> None:
    """Refuse what would see DuckDB's row numbers, or the columns that we put beside the user's."""
    names = [column.name for column in target.table.columns]
    if any(name.lower() == "rowid" for name in names):
        raise NotSupportedError(
            f'"{target.table.name}" has a column called rowid: its rows cannot be told apart by number',
            hint="Rename the column, or change the rows by conditions on one table and on its shard key.",
        )
    text = target.text[: target.parts.target_start] + target.text[target.parts.target_end :]
    for lexeme in significant(text):
        if lexeme.kind in (Kind.WORD, Kind.QUOTED) and lexeme.identifier.lower() == "rowid":
            raise NotSupportedError(
                "rowid numbers the rows of a shard, not those of a table",
                hint="Name the rows by a key of the table.",
            )
    for piece in _expressions(target.parts):
        if takes_all_columns(piece.text, target.alias, names):
            raise NotSupportedError(
                f'all columns of "{target.alias}" at once cannot be meant in a change that needs several shards',
                hint="Name the columns.",
                position=None if piece.offset is None else piece.offset + 1,
            )


def _expressions(parts: ChangeParts) -> Iterable[Piece]:
    """The user's expressions that are computed at the gateway beside the target."""
    found = [parts.condition]
    for clause in parts.clauses:
        found += [clause.condition, clause.message, *clause.values]
    return (piece for piece in found if piece is not None)
