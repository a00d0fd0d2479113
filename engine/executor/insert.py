"""INSERT: rows to the shards they belong to.

Three roads, each giving what the next would give:
- a VALUES list whose keys all belong to one shard: that shard gets the user's own text;
- another VALUES list: DuckDB fills a temporary table of the same columns and defaults, whose rows are then dealt out;
- a query: its rows are dealt out as they stream, in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sqlglot import exp

from ..catalog.model import Table
from ..errors import NoShardError, ProgrammingError
from ..planner.analysis import analyse
from ..planner.comparison import constant_of
from ..sharding import CANNOT_TELL, SpreadStrategy, coerce
from ..sql.fingerprint import number_parameters
from ..sql.insert import InsertParts, parse_insert
from ..sql.parameters import check_parameters, parameters_in
from ..storage import duck
from ..types import Column, Parameters, quote_identifier
from .binding import shard_table, shards_of
from .composed import Composed, at_position, execute, numbered_from, shown_as
from .connections import SessionConnections
from .gateway import Gateway
from .job import Load
from .load import load
from .result import Result, columns_of

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
        duck.execute(connections.gateway, sql, parameters)
        return changed(connections.gateway, "INSERT 0", parts is not None and parts.returning)
    shard = values_shard(gateway, connections, table, parts, sql, parameters)
    if shard is not None:
        connection = connections.shard(shard)
        duck.execute(connection, sql, parameters)
        return changed(connection, "INSERT 0", parts.returning)
    check_parameters(sql, parameters)
    gateway_connection = connections.gateway
    with _staging(gateway_connection, table, parts) as target:
        if parts.is_values or not _has_key(table, parts):
            execute(gateway_connection, target, parameters)
            columns = insertable(gateway_connection, table)
            names = ", ".join(quote_identifier(column.name) for column in columns)
            query = f"SELECT {names} FROM temp.{_STAGING}"
            return load_all(gateway, connections, _job(table, parts, columns, query, parameters))
        # DuckDB checks names, types and the number of columns before a row moves.
        execute(gateway_connection, Composed((("EXPLAIN ", None), *target.pieces)), parameters)
    with at_position(None):
        query, columns = _cast_query(gateway_connection, table, parts)
        return load_all(gateway, connections, _job(table, parts, columns, query, parameters))


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
    connections: SessionConnections,
    table: Table,
    parts: InsertParts,
    sql: str,
    parameters: Parameters,
) -> int | None:
    """The database's shard that all rows of a VALUES list belong to; None if there is no one such, or none certain."""
    if not parts.is_values or not (table.shard_key or table.is_reference) or gateway.calls_macro(sql):
        return None
    analysis = analyse(sql, gateway.catalog)
    if analysis is None or len(analysis.refs) != 1 or analysis.others:
        return None
    if table.is_reference:
        return table.placements[0]
    values = analysis.root.args.get("expression")
    if not isinstance(values, exp.Values):
        return None
    names = parts.columns or tuple(column.name for column in insertable(connections.gateway, table))
    folded = [name.lower() for name in names]
    if not all(name.lower() in folded for name in table.shard_key):
        return None
    shards: set[int] = set()
    for row in values.expressions:
        if not isinstance(row, exp.Tuple) or len(row.expressions) != len(names):
            return None
        key = []
        for column in table.strategy.key:
            constant = constant_of(row.expressions[folded.index(column.name.lower())])
            value = CANNOT_TELL if constant is None else constant.value(parameters, None)
            value = value if value is CANNOT_TELL else coerce(value, column.type)
            if value is CANNOT_TELL:
                return None
            key.append(value)
        try:
            shards.add(table.strategy.shard_of(key))
        except NoShardError:
            return None  # The road for many rows tells which row it is.
        if len(shards) > 1:
            return None
    return table.placements[shards.pop()] if shards else None


@contextmanager
def _staging(connection: duck.Connection, table: Table, parts: InsertParts) -> Iterator[Composed]:
    """The INSERT into a temporary table with the columns and defaults of `table`; messages call it `table`."""
    columns = ", ".join(
        f"{quote_identifier(column.name)} {column.type}" + (f" DEFAULT ({default})" if default else "")
        for column, default in _columns_with_defaults(connection, table)
    )
    duck.execute(connection, f"CREATE TEMP TABLE {_STAGING} ({columns})")
    alias = f" AS {quote_identifier(parts.alias)}" if parts.alias else ""
    into = (f"INSERT INTO temp.{_STAGING}{alias} ", None)
    try:
        with shown_as(_STAGING, table.name):
            yield Composed(((parts.prefix, 0), into, (parts.body, parts.body_start)))
    finally:
        duck.execute(connection, f"DROP TABLE temp.{_STAGING}")


def _columns_with_defaults(connection: duck.Connection, table: Table) -> list[tuple[Column, str | None]]:
    """The columns that can be inserted into, with the SQL of their defaults: generated ones are left out.

    DuckDB lists the expression of a generated column as its default in one place and not in the other.
    """
    described = duck.rows(connection, f"DESCRIBE {shard_table(table, 0)}")
    defaults = {row[0]: row[4] for row in described}
    listed = duck.rows(
        connection,
        "SELECT column_name, column_default FROM system.main.duckdb_columns()"
        " WHERE database_name = ? AND schema_name = ? AND table_name = ?",
        [shard_table(table, 0).split(".", 1)[0], table.schema, table.name],
    )
    generated = {name for name, default in listed if default is not None and defaults.get(name) is None}
    return [(column, defaults[column.name]) for column in table.columns if column.name not in generated]


def insertable(connection: duck.Connection, table: Table) -> list[Column]:
    """The columns of a table that can be inserted into, in order."""
    return [column for column, _ in _columns_with_defaults(connection, table)]


def _has_key(table: Table, parts: InsertParts) -> bool:
    """Whether the statement itself gives every column of the shard key, so that no default decides on the shard."""
    if parts.by_name:
        return False
    if parts.columns is None:
        return True
    given = {name.lower() for name in parts.columns}
    return all(name.lower() in given for name in table.shard_key)


def column_of(table: Table, name: str) -> Column:
    """The column of this name. Raises ProgrammingError."""
    for column in table.columns:
        if column.name.lower() == name.lower():
            return column
    raise ProgrammingError(
        f'column "{name}" of table "{table.name}" does not exist',
        sqlstate="42703",
        hint=f"It has {', '.join(column.name for column in table.columns)}.",
    )


def _cast_query(connection: duck.Connection, table: Table, parts: InsertParts) -> tuple[str, list[Column]]:
    """The rows of the user's query with the target's names and types, and the columns they fill."""
    if parts.columns is not None:
        targets = [column_of(table, name) for name in parts.columns]
    else:
        targets = insertable(connection, table)
    names = ", ".join(quote_identifier(target.name) for target in targets)
    casts = ", ".join(
        f"CAST({quote_identifier(target.name)} AS {target.type}) AS {quote_identifier(target.name)}"
        for target in targets
    )
    return f"SELECT {casts} FROM ({parts.query}\n) AS source({names})", targets


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
        job = replace(job, dealt=_row_count(gateway, job.table))
    with connections.atomic(shards_of(job.table)) as writers:
        by_shard = {shard: writers[number] for shard, number in enumerate(job.table.placements)}
        loaded = load(connections.gateway, by_shard, job)
    tag = f"INSERT 0 {loaded.count}"
    if not job.returning:
        return Result((), tag, rowcount=loaded.count)
    columns = loaded.columns or _returned_columns(connections, job)
    return Result(columns, tag, rows=loaded.returned, rowcount=loaded.count)


def _returned_columns(connections: SessionConnections, job: Load) -> tuple[Column, ...]:
    """The columns of RETURNING where no row was there to return."""
    connection = connections.shard(job.table.placements[0])
    names = ", ".join(quote_identifier(name) for name in job.columns)
    empty = f"SELECT {names} FROM {shard_table(job.table, 0)} LIMIT 0"
    sql = f"{job.verb} {shard_table(job.table, 0)}{job.target_alias} ({names}) {empty} {job.tail}"
    duck.execute(connection, sql, parameters_in(job.tail, job.parameters))
    return columns_of(connection)


def _row_count(gateway: Gateway, table: Table) -> int:
    """How many rows a table has; DuckDB knows without reading them."""
    parts = [
        f"SELECT count(*) AS n FROM {shard_table(table, shard)}"
        for shard in range(table.strategy.shard_count)
    ]
    count: int = duck.rows(gateway.instance, f"SELECT sum(n) FROM ({' UNION ALL '.join(parts)})")[0][0]
    return count
