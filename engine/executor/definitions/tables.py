"""CREATE TABLE, CREATE OR REPLACE TABLE and DROP TABLE.

A table is made in steps that a crash may interrupt anywhere: it enters the catalog as CREATING, its shards are made and
filled, it becomes READY; dropping goes the other way. A replacement is made beside the old table under a name of its
own (`replacement`); once the catalog calls it READY and the old one DROPPING, the change is decided, and what is left
is finished by `finish_replacement`, after a crash as well.
Promises: a statement that raises leaves the catalog, the shards and the gateway's views as they were.
Leaves to others: columns, keys and the strategy (`shape.py`), calling the rest after a crash (`recovery.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ...catalog.definition import placements_for
from ...catalog.model import Catalog, Table, TableState
from ...catalog.model import Sequence as SequenceOfCatalog
from ...errors import Error, NotSupportedError, ProgrammingError
from ...sql.clauses import CreateTable, ShardClause, parse_create_table
from ...sql.fingerprint import number_parameters
from ...sql.sequences import on_shards
from ...storage import duck, shard
from ...types import Parameters, quote_identifier
from ..changes.job import Load
from ..changes.load import load
from ..composed import numbered_from, shown_as
from ..connections import SessionConnections
from ..gateway import Gateway
from ..names import REPLACEMENT, check_name, full_type_names
from ..reading.binding import shard_table, shards_of
from ..reading.result import Result
from .foreign_keys import check_foreign_keys, check_is_not_parent
from .shape import shape_of, strategy_of


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
            return _create_elsewhere(connections, sql, create, parameters)
        schema, name = gateway.schema_and_name(create.name)
        existing = gateway.catalog.table(schema, name)
        if existing is not None and create.if_not_exists:
            return Result((), "CREATE TABLE")
        check_name(gateway, schema, name, or_replace=create.or_replace)
        if existing is not None:
            check_is_not_parent(gateway, [existing])
        shape = shape_of(gateway, connections, create, parameters)
        strategy = strategy_of(gateway, connections.gateway, create, shape)
        placements = placements_for(strategy)
        table = Table(
            schema, name, shape.columns, shape.primary_key, strategy, placements, TableState.CREATING, 0
        )
        check_foreign_keys(gateway, table, shape, create.clause.position)
        if existing is not None and shape.foreign_keys:
            raise NotSupportedError(
                "CREATE OR REPLACE cannot make a table with a foreign key",
                hint=f"DROP TABLE {quote_identifier(name)} first, then CREATE it.",
            )
        gateway.ensure_shards(list(placements))
        creation = _Creation(gateway, connections, create, parameters)
        if existing is None:
            return _build(creation, table)
        return _replace(creation, existing, table)


def drop_tables(gateway: Gateway, tables: Sequence[Table], catalog: Catalog | None = None) -> None:
    """Drop tables of the catalog, and the sequences that they own. The caller holds the write lock.

    catalog: one from which more is gone, for what goes with them. Raises ProgrammingError if a foreign key of another
    table refers to one of them.
    """
    check_is_not_parent(gateway, tables)
    catalog, owned = without_tables(gateway.catalog if catalog is None else catalog, tables)
    gateway.publish(catalog)
    for sequence in owned:
        gateway.drop_sequence(sequence)
    for table in tables:
        gateway.hide_table(table)
    sweep(gateway, tables)


def without_tables(catalog: Catalog, tables: Sequence[Table]) -> tuple[Catalog, list[SequenceOfCatalog]]:
    """The catalog with these tables DROPPING, and without the sequences that they own; these sequences."""
    keys = {table.key for table in tables}
    owned = [sequence for sequence in catalog.sequences if sequence.owner in keys]
    for sequence in owned:
        catalog = catalog.without_sequence(sequence.schema, sequence.name)
    for table in tables:
        catalog = catalog.with_table(replace(table, state=TableState.DROPPING))
    return catalog, owned


def sweep(gateway: Gateway, tables: Sequence[Table]) -> None:
    """Take from the shards and the catalog what was being made or dropped. Raises errors.Error.

    A table to which another refers by a foreign key goes after that one.
    """
    while tables:
        referred_to: list[Table] = []
        for table in tables:
            try:
                gateway.drop_from_shards(table)
            except Error:
                if len(referred_to) == len(tables) - 1:
                    raise
                referred_to.append(table)
                continue
            gateway.publish(gateway.catalog.without_table(table))
        tables = referred_to


def replacement(gateway: Gateway, existing: Table) -> Table | None:
    """The READY table that is to take the place of a DROPPING one, if there is one."""
    return gateway.catalog.table(existing.schema, existing.name + REPLACEMENT)


def finish_replacement(gateway: Gateway, existing: Table, aside: Table) -> Table:
    """Give the replacement the name of the old table, shard by shard; returns it under that name.

    It may have been begun before: on a shard where nothing is called by the replacement's name it is done.
    """
    table = replace(aside, name=existing.name)
    with gateway.writing() as transactions:
        numbers = sorted({*existing.placements, *aside.placements})
        with transactions.atomic(numbers) as writers:
            for number, writer in writers.items():
                old = shard.qualified(number, existing.schema, existing.name)
                if number not in aside.placements:
                    writer.execute(f"DROP TABLE IF EXISTS {old}")
                elif _is_there(gateway, aside, number):
                    new = shard.qualified(number, aside.schema, aside.name)
                    writer.execute(f"DROP TABLE IF EXISTS {old}")
                    writer.execute(f"ALTER TABLE {new} RENAME TO {quote_identifier(table.name)}")
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


def _build(creation: _Creation, table: Table) -> Result:
    """Make a new table on its shards, fill it if there is a query, show it."""
    gateway = creation.gateway
    gateway.publish(gateway.catalog.with_table(table))
    try:
        count = _make(creation, table)
        gateway.show_table(table)
        gateway.publish(gateway.catalog.with_table(replace(table, state=TableState.READY)))
    except BaseException as error:
        gateway.hide_table(table)
        _take_back(gateway, table, error)
        raise
    return _created(count)


def _replace(creation: _Creation, existing: Table, table: Table) -> Result:
    """CREATE OR REPLACE: the new table is made and filled beside the old one, and takes its name at the end."""
    gateway = creation.gateway
    aside = replace(table, name=table.name + REPLACEMENT)
    gateway.publish(gateway.catalog.with_table(aside))
    try:
        with shown_as(aside.name, table.name):
            count = _make(creation, aside)
        aside = replace(aside, state=TableState.READY)
        decided = gateway.catalog.with_table(aside).with_table(replace(existing, state=TableState.DROPPING))
        gateway.publish(decided)
    except BaseException as error:
        _take_back(gateway, aside, error)
        raise
    finish_replacement(gateway, existing, aside)
    return _created(count)


def _take_back(gateway: Gateway, table: Table, failure: BaseException) -> None:
    """Take back a table that could not be finished. What the disk refuses now is swept when the database opens."""
    if isinstance(failure, Error) and not failure.outcome_known:
        return  # The disk may have it finished; opening the database again finds out.
    with suppress(Error):
        sweep(gateway, [table])


def _make(creation: _Creation, table: Table) -> int | None:
    """Make the table on its shards, and fill it if there is a query: the number of rows then."""
    gateway, connections, create = creation.gateway, creation.connections, creation.create
    columns = full_type_names(gateway, on_shards(create.columns_sql))
    if create.query is not None:
        listed = ", ".join(f"{quote_identifier(column.name)} {column.type}" for column in table.columns)
        columns = f"({listed})"
    with connections.transactions.atomic(shards_of(table)) as writers:
        for number in range(table.strategy.shard_count):
            home = table.placements[number]
            schema = f"{shard.alias(home)}.{quote_identifier(table.schema)}"
            writers[home].execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            writers[home].execute(f"CREATE TABLE {shard_table(table, number)} {columns}")
    if create.query is None:
        return None
    if not create.with_data:
        return 0
    names = ", ".join(quote_identifier(column.name) for column in table.columns)
    query = f"SELECT * FROM ({create.query}\n) AS source({names})"
    with connections.transactions.atomic(shards_of(table)) as writers:
        by_shard = {number: writers[home] for number, home in enumerate(table.placements)}
        job = Load(table, tuple(column.name for column in table.columns), query, creation.parameters)
        return load(connections, by_shard, job).count


def _created(count: int | None) -> Result:
    if count is None:
        return Result((), "CREATE TABLE")
    return Result((), f"SELECT {count}", rowcount=count)


def _create_elsewhere(
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
    connection = duck.execute(connections.gateway, sql, parameters)
    counted = duck.guarded(connection.fetchall) if create.query is not None else []
    return _created(counted[0][0] if counted else None)
