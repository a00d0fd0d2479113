"""INSERT: rows to the shards they belong to.

Three roads, each giving what the next would give:
- a VALUES list whose keys all belong to one shard: that shard gets the user's own text;
- another VALUES list: DuckDB fills a temporary table of the same columns and defaults, whose rows are then dealt out;
- a query: its rows are dealt out as they stream, in one pass.
A row that ON CONFLICT DO UPDATE gives another shard key may have to move: such a statement is run as a MERGE.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace

from sqlglot import exp

from ...catalog.model import Table
from ...planner.analysis import Analysis, analyse
from ...planner.comparison import Constant, constant_of
from ...sharding import SpreadStrategy
from ...sql.fingerprint import number_parameters
from ...sql.insert import InsertParts, parse_insert
from ...sql.parameters import check_parameters, parameters_in
from ...sql.sequences import draws
from ...storage import duck
from ...storage.operations import Operation
from ...types import Column, Parameters, quote_identifier
from ..composed import Composed, at_position, check, execute, execute_whole, numbered_from, shown_as
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.binding import shard_table, shards_of
from ..reading.recording import CHANGE, work
from ..reading.result import Result, columns_of
from .columns import Insertable, column_of, drawing_defaults, insertable_columns, row_count
from .conflict import computed_conflict, moving_conflict, named_replacement, run_conflict
from .instants import with_values
from .job import Load
from .load import load
from .pinned import PinnedRows
from .replaying import may_run_again, settings_for, unsteady_defaults

_STAGING = "__duckraft_staging"


def run_insert(gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters) -> Result:
    """Run an INSERT. Raises errors.Error; then no shard has changed."""
    with numbered_from(sql):
        return _insert(gateway, connections, number_parameters(sql), parameters)


def _insert(gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters) -> Result:
    parts = parse_insert(sql)
    table = gateway.find_table(parts.name) if parts is not None else None
    if parts is None or table is None:
        # Not one of our tables: a temporary one, or DuckDB's own error.
        connections.transactions.show_own(sql)
        duck.execute(connections.gateway, sql, parameters)
        return changed(connections.gateway, "INSERT 0", parts is not None and parts.returning)
    shard = values_shard(gateway, table, parts, sql, parameters)
    if shard is not None:
        with connections.transactions.atomic([shard]) as writers, work(CHANGE, shard) as done:
            writer = writers[shard]
            text = with_values(writer.connection, sql)
            execute_whole(writer.connection, text, parameters)
            result = changed(writer.connection, "INSERT 0", parts.returning)
            settings = settings_for(gateway, connections, table, sql, parameters)
            writer.record(Operation(text.sql, parameters, settings=settings))
            done.rows = result.rowcount
        return result
    check_parameters(sql, parameters)
    connection = connections.gateway
    connections.transactions.show_own(f"{parts.prefix} {parts.body}")
    columns = insertable_columns(gateway, table)
    with _staging(connection, table, columns, parts) as target:
        if not parts.is_values:
            # DuckDB checks names, types and the number of columns before a row moves.
            check(connection, target, parameters)
            parts = _with_names(connection, parts, parameters)
        conflict = computed_conflict(gateway, table, parts)
        if conflict is not None:
            execute(connection, target, parameters)
            rows = f"temp.{_STAGING}"
            return run_conflict(gateway, connections, table, columns, parts, conflict, rows, parameters)
        unsteady = unsteady_defaults(gateway, columns)
        parts = named_replacement(gateway, table, parts, unsteady)
        given = _given(table, columns, parts, unsteady)
        if parts.is_values:
            execute(connection, target, parameters)
            names = ", ".join(quote_identifier(column.name) for column in given)
            query = f"SELECT {names} FROM temp.{_STAGING}"
            return load_all(gateway, connections, _job(table, parts, given, query, parameters))
    with at_position(None):
        query = _cast_query(given, columns, parts)
        return load_all(gateway, connections, _job(table, parts, given, query, parameters))


def changed(connection: duck.Connection, verb: str, returning: bool) -> Result:
    """The result of a statement that DuckDB ran as a whole."""
    if returning:
        columns = columns_of(connection)
        rows = duck.guarded(connection.fetchall)
        return Result(columns, f"{verb} {len(rows)}", rows=rows, rowcount=len(rows))
    row = duck.guarded(connection.fetchone)
    count = row[0] if row is not None and isinstance(row[0], int) else 0
    return Result((), f"{verb} {count}", rowcount=count)


def values_shard(
    gateway: Gateway,
    table: Table,
    parts: InsertParts,
    sql: str,
    parameters: Parameters,
) -> int | None:
    """The database's shard that can run an INSERT of a VALUES list by itself; None if there is no one certain."""
    if not (parts.is_values and may_run_again(gateway, table, sql)):
        return None
    if table.is_reference:
        return table.placements[0] if _runs_alone(gateway, table, parts, sql) is not None else None
    pinned = pinned_values(gateway, table, parts, sql)
    shards = None if pinned is None else pinned.shards(parameters)
    # A row without a shard takes the road for many rows, which tells which one it is.
    return next(iter(shards)) if shards is not None and len(shards) == 1 else None


def pinned_values(gateway: Gateway, table: Table, parts: InsertParts, sql: str) -> PinnedRows | None:
    """The shard keys of a VALUES list that the shards can take as the user's own text; None if they are not certain."""
    if not table.shard_key:
        return None
    analysis = _runs_alone(gateway, table, parts, sql)
    values = None if analysis is None else analysis.root.args.get("expression")
    if not isinstance(values, exp.Values):
        return None
    names = parts.columns or tuple(one.column.name for one in insertable_columns(gateway, table))
    folded = [name.lower() for name in names]
    if not all(name.lower() in folded for name in table.shard_key):
        return None
    places = [folded.index(name.lower()) for name in table.shard_key]
    rows: list[list[Constant]] = []
    for row in values.expressions:
        if not isinstance(row, exp.Tuple) or len(row.expressions) != len(names):
            return None
        constants = [constant_of(row.expressions[place]) for place in places]
        if None in constants:
            return None
        rows.append([constant for constant in constants if constant is not None])
    return PinnedRows.of_values(table, rows) if rows else None


def _runs_alone(gateway: Gateway, table: Table, parts: InsertParts, sql: str) -> Analysis | None:
    """An INSERT of a VALUES list, parsed, if a shard can run it by itself as long as all rows are its own."""
    if not parts.is_values or gateway.calls_macro(sql) or moving_conflict(table, parts) is not None:
        return None
    analysis = analyse(sql, gateway.catalog)
    if analysis is None or len(analysis.refs) != 1 or analysis.others:
        return None
    if gateway.catalog.sequences:
        names = parts.columns or tuple(one.column.name for one in insertable_columns(gateway, table))
        if draws(sql) or drawing_defaults(gateway, table, () if "DEFAULT" in sql.upper() else names):
            return None
    return analysis


@contextmanager
def _staging(
    connection: duck.Connection, table: Table, columns: Sequence[Insertable], parts: InsertParts
) -> Iterator[Composed]:
    """The INSERT into a temporary table with the columns and defaults of `table`; messages call it `table`."""
    defined = ", ".join(
        f"{quote_identifier(one.column.name)} {one.column.type}"
        + (f" DEFAULT ({one.default})" if one.default else "")
        for one in columns
    )
    duck.execute(connection, f"CREATE OR REPLACE TEMP TABLE {_STAGING} ({defined})")
    alias = f" AS {quote_identifier(parts.alias)}" if parts.alias else ""
    into = (f"INSERT INTO temp.{_STAGING}{alias} ", None)
    try:
        with shown_as(_STAGING, table.name):
            yield Composed(((parts.prefix, 0), into, (parts.body, parts.body_start)))
    finally:
        duck.clean_up(connection, f"DROP TABLE temp.{_STAGING}")


def _with_names(connection: duck.Connection, parts: InsertParts, parameters: Parameters) -> InsertParts:
    """BY NAME as a list of columns: those of the query."""
    if not parts.by_name:
        return parts
    probe = f"SELECT * FROM ({parts.query}\n) LIMIT 0"
    with at_position(None):
        duck.execute(connection, probe, parameters_in(probe, parameters))
    return replace(parts, columns=tuple(column.name for column in columns_of(connection)), by_name=False)


def _given(
    table: Table, columns: Sequence[Insertable], parts: InsertParts, unsteady: Set[str]
) -> list[Column]:
    """The columns that the rows carry to the shards, in the order in which the statement names them.

    A shard must not work out defaults that decide on the shard, or the unsteady ones, as `now()` is one. Where there
    is a conflict to resolve, INSERT OR REPLACE replaces the named columns only.
    """
    if parts.columns is None:
        return [one.column for one in columns]
    named = [column_of(table, name) for name in parts.columns]
    folded = {column.name.lower() for column in named}
    key = {name.lower() for name in table.shard_key}
    resolves = parts.verb != "INSERT INTO" or parts.tail[:2].upper() == "ON"
    return named + [
        one.column
        for one in columns
        if one.column.name.lower() not in folded
        and (
            one.column.name.lower() in key
            or one.column.name in unsteady
            or (one.default is not None and not resolves)
        )
    ]


def _cast_query(given: Sequence[Column], columns: Sequence[Insertable], parts: InsertParts) -> str:
    """The rows of the user's query with the target's names and types, and the defaults of what it leaves out."""
    count = len(given if parts.columns is None else parts.columns)
    names = ", ".join(quote_identifier(column.name) for column in given[:count])
    return with_defaults(given, count, columns, f"SELECT * FROM ({parts.query}\n) AS source({names})")


def with_defaults(given: Sequence[Column], count: int, columns: Sequence[Insertable], query: str) -> str:
    """A query whose columns are the first `count` of `given`, with their types, and the defaults of the others."""
    defaults = {one.column.name: one.default or "NULL" for one in columns}
    casts = ", ".join(
        f"CAST({quote_identifier(column.name) if at < count else f'({defaults[column.name]})'} AS {column.type})"
        f" AS {quote_identifier(column.name)}"
        for at, column in enumerate(given)
    )
    return f"SELECT {casts} FROM ({query}\n)"


def _job(
    table: Table, parts: InsertParts, columns: Sequence[Column], query: str, parameters: Parameters
) -> Load:
    alias = f" AS {quote_identifier(parts.alias)}" if parts.alias else ""
    return Load(
        table,
        tuple(column.name for column in columns),
        query,
        parameters,
        verb=parts.verb,
        target_alias=alias,
        tail=parts.tail,
        returning=parts.returning,
    )


def load_all(gateway: Gateway, connections: SessionConnections, job: Load) -> Result:
    """Deal the rows out, all or none. Raises errors.Error."""
    if isinstance(job.table.strategy, SpreadStrategy):
        with gateway.asking() as connection:
            job = replace(job, dealt=row_count(connection, job.table))
    if gateway.catalog.sequences:
        job = _with_drawn_defaults(gateway, job)
    job = replace(job, settings=settings_for(gateway, connections, job.table, job.tail, job.parameters))
    with connections.transactions.atomic(shards_of(job.table)) as writers:
        by_shard = {shard: writers[number] for shard, number in enumerate(job.table.placements)}
        loaded = load(connections, by_shard, job)
    tag = f"INSERT 0 {loaded.count}"
    if not job.returning:
        return Result((), tag, rowcount=loaded.count)
    columns = loaded.columns or _returned_columns(connections, job)
    return Result(columns, tag, rows=loaded.returned, rowcount=loaded.count)


def _with_drawn_defaults(gateway: Gateway, job: Load) -> Load:
    """The job with the values that the shards cannot draw from sequences, drawn by its query."""
    drawn = drawing_defaults(gateway, job.table, job.columns)
    if not drawn:
        return job
    values = ", ".join(
        f"CAST({one.default} AS {one.column.type}) AS {quote_identifier(one.column.name)}" for one in drawn
    )
    return replace(
        job,
        columns=(*job.columns, *(one.column.name for one in drawn)),
        query=f"SELECT *, {values} FROM ({job.query}\n)",
    )


def _returned_columns(connections: SessionConnections, job: Load) -> tuple[Column, ...]:
    """The columns of RETURNING where no row was there to return."""
    connection = connections.shard(job.table.placements[0])
    names = ", ".join(quote_identifier(name) for name in job.columns)
    empty = f"SELECT {names} FROM {shard_table(job.table, 0)} LIMIT 0"
    sql = f"{job.verb} {shard_table(job.table, 0)}{job.target_alias} ({names}) {empty} {job.tail}"
    duck.execute(connection, sql, parameters_in(job.tail, job.parameters))
    return columns_of(connection)
