"""MERGE INTO: one join of the target and the source at the gateway, which says for each row what happens to it.

Each clause is a step. A pair of rows, or a row without a partner, takes the first step of its kind whose condition
holds; its new values are computed beside it, and the shards get what is theirs (`staged_change.py`).
Promises: what DuckDB's MERGE does, whatever shards the rows are on: a row may be hit once, ERROR changes nothing.
"""

from __future__ import annotations

from ...catalog.model import Table
from ...errors import IntegrityError, NotSupportedError, invariant
from ...sql.change import Action, Clause, Match, Star, parse_change, relation_name
from ...sql.reader import Piece
from ...storage import duck
from ...types import Parameters, quote_identifier
from ..composed import Composed, execute
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.result import Result, columns_of
from .across import (
    Assigned,
    Computed,
    Target,
    carry,
    judge,
    old_values,
    row_columns,
    stage_rows,
    step_of,
    target_of,
    value_column,
)
from .identity import ROW
from .staged_change import STEP, numbered_rows, staging_table
from .unsteady import calls_unsteady_function

_SOURCE = '"duckraft source"'
_MESSAGE = '"duckraft message"'


def run_merge(
    gateway: Gateway,
    connections: SessionConnections,
    table: Table,
    text: str,
    parameters: Parameters,
) -> Result:
    """Run a MERGE into a table of the catalog. text: its parameters are numbered. Raises errors.Error."""
    parts = parse_change(text)
    if parts is None:
        invariant(False, "this MERGE is one of the known forms")
        raise AssertionError
    target = target_of(gateway, connections, table, parts, text, range(table.strategy.shard_count))
    judge(connections, target, parameters)
    return merge(connections, target, parameters)


def merge(connections: SessionConnections, target: Target, parameters: Parameters) -> Result:
    """Run a MERGE that `judge` has passed. Raises errors.Error; then no shard has changed."""
    computed = [
        _computed(connections, target, number, clause, parameters)
        for number, clause in enumerate(target.parts.clauses)
    ]
    changing = [one for one in computed if one is not None]
    rows: list[Piece] = [
        target.parts.prefix,
        Piece("SELECT ", None),
        *_with_step(target),
        *_message(target),
        *(
            piece
            for one in changing
            for value in one.values
            for piece in value_column(target, one.step.number, value, guarded=_is_steady(target))
        ),
        *old_values(target, changing),
        *_joined(connections, target),
    ]
    with staging_table(connections.gateway) as stage:
        stage_rows(connections, target, changing, rows, stage, parameters)
        _raise_errors(connections, target, stage)
        return carry(connections, target, changing, stage, parameters)


def _is_steady(target: Target) -> bool:
    """Whether a row's step comes out the same if it is worked out again, beside each of the new values."""
    conditions = [clause.condition for clause in target.parts.clauses if clause.condition is not None]
    return not any(calls_unsteady_function(condition.text) for condition in conditions)


def _joined(connections: SessionConnections, target: Target) -> list[Piece]:
    """FROM with the join that finds partners. Rows without one are in it where a clause is for them."""
    parts = target.parts
    matches = {clause.match for clause in parts.clauses}
    side = {
        (True, True): "FULL",
        (True, False): "RIGHT",
        (False, True): "LEFT",
        (False, False): "INNER",
    }[(Match.BY_TARGET in matches, Match.BY_SOURCE in matches)]
    rows = numbered_rows(connections, target.table, target.shards)
    pieces = [
        Piece(f" FROM ({rows}) AS {quote_identifier(target.alias)} {side} JOIN (", None),
        _given(parts.source),
        Piece(f"\nCROSS JOIN (SELECT true AS {_SOURCE}))", None),
    ]
    if parts.using is not None:
        return [*pieces, Piece(" USING ", None), parts.using]
    return [*pieces, Piece(" ON (", None), *target.own(_given(parts.condition)), Piece("\n)", None)]


def _with_step(target: Target) -> list[Piece]:
    """The columns that say which row it is and which step it takes, NULL for DO NOTHING."""
    row = f"{quote_identifier(target.alias)}.{ROW}"
    kinds = {
        Match.BY_TARGET: f"{row} IS NULL",
        Match.BY_SOURCE: f"{_SOURCE} IS NULL",
        Match.MATCHED: "true",
    }
    before, after = row_columns(target, "\0").split("\0")
    pieces = [Piece(f"{before}CASE", None)]
    for match, condition in kinds.items():
        clauses = [(number, one) for number, one in enumerate(target.parts.clauses) if one.match is match]
        pieces.append(Piece(f" WHEN {condition} THEN CASE WHEN false THEN NULL", None))
        for number, clause in clauses:
            holds = (
                [Piece("true", None)]
                if clause.condition is None
                else [Piece("(", None), *target.own(clause.condition), Piece("\n)", None)]
            )
            step = "NULL" if clause.action is Action.NOTHING else str(number)
            pieces += [Piece(" WHEN ", None), *holds, Piece(f" THEN {step}", None)]
        pieces.append(Piece(" END", None))
    return [*pieces, Piece(f" END{after}", None)]


def _computed(
    connections: SessionConnections, target: Target, number: int, clause: Clause, parameters: Parameters
) -> Computed | None:
    """The step of a clause; None for one that changes nothing."""
    if clause.action is Action.DELETE:
        return step_of(target, number, clause.action)
    if clause.action not in (Action.UPDATE, Action.INSERT):
        return None
    insertable = tuple(one.column.name for one in target.columns)
    values: tuple[Piece | None, ...] = clause.values
    columns = insertable if clause.columns is None else clause.columns
    if clause.star is not None:
        names, values = _of_source(connections, target, parameters)
        columns = names if clause.star is Star.NAME else insertable
    assigned: list[Assigned] = [target.assigned(*one) for one in zip(columns, values, strict=True)]
    return step_of(target, number, clause.action, assigned)


def _of_source(
    connections: SessionConnections, target: Target, parameters: Parameters
) -> tuple[tuple[str, ...], tuple[Piece, ...]]:
    """The names of the source's columns, and an expression for each."""
    parts = target.parts
    source = _given(parts.source)
    name = relation_name(source.text)
    if name is None:
        raise NotSupportedError(
            "the columns of this source cannot be taken all at once",
            hint="Give the source a name, or write the columns and their values.",
            position=None if source.offset is None else source.offset + 1,
        )
    pieces = (parts.prefix, Piece("SELECT * FROM ", None), source, Piece("\nLIMIT 0", None))
    composed = Composed(tuple((piece.text, piece.offset) for piece in pieces))
    columns = columns_of(execute(connections.gateway, composed, parameters))
    names = tuple(column.name for column in columns)
    return names, tuple(Piece(f"{quote_identifier(name)}.{quote_identifier(one)}", None) for one in names)


def _message(target: Target) -> list[Piece]:
    """The column with what a step that is an ERROR says; nothing where there is none."""
    pieces: list[Piece] = []
    for number, clause in enumerate(target.parts.clauses):
        if clause.action is Action.ERROR and clause.message is not None:
            before = Piece(f" WHEN {number} THEN CAST((", None)
            pieces += [before, *target.own(clause.message), Piece("\n) AS VARCHAR)", None)]
    if not any(clause.action is Action.ERROR for clause in target.parts.clauses):
        return []
    return [Piece(f", CASE {STEP} WHEN -1 THEN NULL", None), *pieces, Piece(f" END AS {_MESSAGE}", None)]


def _raise_errors(connections: SessionConnections, target: Target, stage: str) -> None:
    """Raise IntegrityError if a row takes a step that is an ERROR."""
    clauses = target.parts.clauses
    errors = [str(number) for number, clause in enumerate(clauses) if clause.action is Action.ERROR]
    if not errors:
        return
    found = duck.rows(
        connections.gateway,
        f"SELECT {STEP}, {_MESSAGE} FROM {stage} WHERE {STEP} IN ({', '.join(errors)}) ORDER BY rowid LIMIT 1",
    )
    if found:
        number, message = found[0]
        clause = clauses[number]
        condition = f" AND ({clause.condition.text})" if clause.condition is not None else ""
        text = f"Merge error condition {clause.match}{condition}"
        raise IntegrityError(f"{text}: {message}" if message else text, sqlstate="23000")


def _given(piece: Piece | None) -> Piece:
    """A piece that every MERGE has."""
    if piece is None:
        invariant(False, "a MERGE has a source, and a condition or columns")
        raise AssertionError
    return piece
