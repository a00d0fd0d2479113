"""CREATE TABLE, CREATE OR REPLACE TABLE and DROP TABLE.

A table is made in steps that a crash may interrupt anywhere: it enters the catalog as CREATING, its shards are made and
filled, it becomes READY; dropping goes the other way. A replacement is made beside the old table under a name of its
own (`replacement`); once the catalog calls it READY and the old one DROPPING, the change is decided, and what is left
is finished by `finish_replacement`, after a crash as well.
Promises: a statement that raises leaves the catalog, the shards and the gateway's views as they were.
Leaves to others: columns, keys and the strategy (`shape.py`), calling the rest after a crash (`recovery.py`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from ..catalog.definition import placements_for
from ..catalog.model import Table, TableState
from ..errors import Error, ProgrammingError
from ..sql.clauses import CreateTable, ShardClause, parse_create_table
from ..sql.fingerprint import number_parameters
from ..storage import duck, shard
from ..types import Parameters, quote_identifier
from .binding import shard_table, shards_of
from .composed import numbered_from, shown_as
from .connections import SessionConnections
from .gateway import Gateway
from .job import Load
from .load import load
from .result import Result
from .shape import shape_of, strategy_of

_REPLACEMENT = "\x1freplacement"
"""What follows the name of a table in that of its replacement; no user's table may be called so."""


@dataclass(frozen=True, slots=True)
class _Creation:
    """A CREATE TABLE on its way: what was asked for, and by whom."""

    gateway: Gateway
    connections: SessionConnections
    create: CreateTable
    parameters: Parameters


def create_table(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters
) -> Result:
    """Run a CREATE TABLE. The caller holds the write lock. Raises errors.Error."""
    with numbered_from(sql):
        create = parse_create_table(number_parameters(sql))
        if create.temporary or gateway.is_elsewhere(create.name):
            return _create_elsewhere(gateway, connections, sql, create, parameters)
        schema, name = gateway.schema_and_name(create.name)
        existing = gateway.catalog.table(schema, name)
        if existing is not None and create.if_not_exists:
            return Result((), "CREATE TABLE")
        _check_name(gateway, connections, schema, name, create)
        shape = shape_of(connections.gateway, create, parameters)
        strategy = strategy_of(gateway, connections.gateway, create, shape)
        placements = placements_for(strategy)
        table = Table(
            schema, name, shape.columns, shape.primary_key, strategy, placements, TableState.CREATING, 0
        )
        gateway.ensure_shards(list(placements))
        creation = _Creation(gateway, connections, create, parameters)
        if existing is None:
            return _build(creation, table)
        return _replace(creation, existing, table)


def drop_table(gateway: Gateway, table: Table) -> None:
    """Drop a table of the catalog. The caller holds the write lock."""
    gateway.publish(gateway.catalog.with_table(replace(table, state=TableState.DROPPING)))
    gateway.hide_table(table)
    gateway.drop_from_shards(table)
    gateway.publish(gateway.catalog.without_table(table))


def replacement(gateway: Gateway, existing: Table) -> Table | None:
    """The READY table that is to take the place of a DROPPING one, if there is one."""
    return gateway.catalog.table(existing.schema, existing.name + _REPLACEMENT)


def finish_replacement(gateway: Gateway, existing: Table, aside: Table) -> Table:
    """Give the replacement the name of the old table, shard by shard; returns it under that name.

    It may have been begun before: on a shard where nothing is called by the replacement's name it is done.
    """
    table = replace(aside, name=existing.name)
    for number in sorted({*existing.placements, *aside.placements}):
        old = shard.qualified(number, existing.schema, existing.name)
        duck.execute(gateway.instance, "BEGIN")
        try:
            if number not in aside.placements:
                duck.execute(gateway.instance, f"DROP TABLE IF EXISTS {old}")
            elif _is_there(gateway, aside, number):
                new = shard.qualified(number, aside.schema, aside.name)
                duck.execute(gateway.instance, f"DROP TABLE IF EXISTS {old}")
                duck.execute(gateway.instance, f"ALTER TABLE {new} RENAME TO {quote_identifier(table.name)}")
        except BaseException:
            duck.execute(gateway.instance, "ROLLBACK")
            raise
        duck.execute(gateway.instance, "COMMIT")
    gateway.hide_table(aside)
    gateway.show_table(table)
    gateway.publish(gateway.catalog.without_table(aside).with_table(table))
    return table


def _is_there(gateway: Gateway, table: Table, number: int) -> bool:
    found = duck.rows(
        gateway.instance,
        "SELECT 1 FROM system.main.duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?",
        [shard.alias(number), table.schema, table.name],
    )
    return bool(found)


def _check_name(
    gateway: Gateway, connections: SessionConnections, schema: str, name: str, create: CreateTable
) -> None:
    """Refuse a name that is taken, by a table, a view or a temporary table of the session, or that cannot be."""
    taken = None
    if not create.or_replace and gateway.catalog.table(schema, name) is not None:
        taken = ("Table", "DROP it first, or use CREATE OR REPLACE TABLE or CREATE TABLE IF NOT EXISTS.")
    elif any(known.key == ("VIEW", schema.lower(), name.lower()) for known in gateway.catalog.definitions):
        taken = ("View", "DROP VIEW it first.")
    elif duck.rows(
        connections.gateway,
        "SELECT 1 FROM system.main.duckdb_tables() WHERE temporary AND lower(table_name) = lower(?)"
        " UNION ALL SELECT 1 FROM system.main.duckdb_views() WHERE temporary AND lower(view_name) = lower(?)",
        [name, name],
    ):
        taken = ("Temporary table", "It would hide the new table in this session: DROP it first.")
    if taken is not None:
        raise ProgrammingError(
            f'{taken[0]} with name "{name}" already exists!', sqlstate="42P07", hint=taken[1]
        )
    if _REPLACEMENT in name:
        raise ProgrammingError("a table's name cannot have this control character", sqlstate="42602")
    if not gateway.has_schema(schema):
        raise ProgrammingError(
            f'Schema with name "{schema}" does not exist!',
            sqlstate="3F000",
            hint=f"CREATE SCHEMA {quote_identifier(schema)} first.",
        )


def _build(creation: _Creation, table: Table) -> Result:
    """Make a new table on its shards, fill it if there is a query, show it."""
    gateway = creation.gateway
    gateway.publish(gateway.catalog.with_table(table))
    try:
        count = _make(creation, table)
        gateway.show_table(table)
        gateway.publish(gateway.catalog.with_table(replace(table, state=TableState.READY)))
    except BaseException:
        gateway.hide_table(table)
        _sweep(gateway, table)
        raise
    return _created(count)


def _replace(creation: _Creation, existing: Table, table: Table) -> Result:
    """CREATE OR REPLACE: the new table is made and filled beside the old one, and takes its name at the end."""
    gateway = creation.gateway
    aside = replace(table, name=table.name + _REPLACEMENT)
    gateway.publish(gateway.catalog.with_table(aside))
    try:
        with shown_as(aside.name, table.name):
            count = _make(creation, aside)
        aside = replace(aside, state=TableState.READY)
        decided = gateway.catalog.with_table(aside).with_table(replace(existing, state=TableState.DROPPING))
        gateway.publish(decided)
    except BaseException:
        _sweep(gateway, aside)
        raise
    finish_replacement(gateway, existing, aside)
    return _created(count)


def _sweep(gateway: Gateway, table: Table) -> None:
    """Take back a table that could not be finished. What the disk refuses now is swept when the database opens."""
    with suppress(Error):
        gateway.drop_from_shards(table)
        gateway.publish(gateway.catalog.without_table(table))


def _make(creation: _Creation, table: Table) -> int | None:
    """Make the table on its shards, and fill it if there is a query: the number of rows then."""
    connections, create = creation.connections, creation.create
    columns = create.columns_sql
    if create.query is not None:
        listed = ", ".join(f"{quote_identifier(column.name)} {column.type}" for column in table.columns)
        columns = f"({listed})"
    with connections.atomic(shards_of(table)) as writers:
        for number in range(table.strategy.shard_count):
            home = table.placements[number]
            schema = f"{shard.alias(home)}.{quote_identifier(table.schema)}"
            duck.execute(writers[home], f"CREATE SCHEMA IF NOT EXISTS {schema}")
            duck.execute(writers[home], f"CREATE TABLE {shard_table(table, number)} {columns}")
    if create.query is None:
        return None
    if not create.with_data:
        return 0
    names = ", ".join(quote_identifier(column.name) for column in table.columns)
    query = f"SELECT * FROM ({create.query}\n) AS source({names})"
    with connections.atomic(shards_of(table)) as writers:
        by_shard = {number: writers[home] for number, home in enumerate(table.placements)}
        job = Load(table, tuple(column.name for column in table.columns), query, creation.parameters)
        return load(connections.gateway, by_shard, job).count


def _created(count: int | None) -> Result:
    if count is None:
        return Result((), "CREATE TABLE")
    return Result((), f"SELECT {count}", rowcount=count)


def _create_elsewhere(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    create: CreateTable,
    parameters: Parameters,
) -> Result:
    """A temporary table, or one in a database that the user attached: DuckDB's own business, unsharded."""
    if create.clause != ShardClause(position=create.clause.position):
        raise ProgrammingError(
            "only tables of this database are sharded, not temporary ones or those of attached databases",
            sqlstate="42P16",
            position=create.clause.position,
        )
    if create.temporary and gateway.find_table(create.name) is not None:
        raise ProgrammingError(
            f'Table with name "{create.name[-1]}" already exists!',
            sqlstate="42P07",
            hint="Give the temporary table a name of its own.",
        )
    connection = duck.execute(connections.gateway, sql, parameters)
    counted = duck.guarded(connection.fetchall) if create.query is not None else []
    return _created(counted[0][0] if counted else None)
