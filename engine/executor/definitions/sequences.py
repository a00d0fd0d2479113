"""CREATE, DROP and ALTER SEQUENCE: sequences are DuckDB's own at the gateway, and lines of the catalog.

Promises: a sequence from which a table draws, or that a table owns, is not dropped before it.
Leaves to others: how far a sequence has come (`sequence_blocks.py`), defaults that draw from one (`insert.py`).
"""

from __future__ import annotations

from dataclasses import replace

from ...catalog.model import Catalog, Sequence, Table
from ...errors import ProgrammingError
from ...sql.classify import Classified
from ...sql.lexer import significant
from ...sql.names import name_at, object_name
from ...sql.sequences import at_gateway, sequence_names
from ...storage import duck, shard
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.result import Result
from .objects import run_and_publish
from .tables import drop_tables

_Key = tuple[str, str]


def create_sequence(
    gateway: Gateway, connections: SessionConnections, sql: str, classified: Classified
) -> Result:
    """Run a CREATE SEQUENCE. The caller holds the write lock. Raises errors.Error."""
    name = object_name(sql, "SEQUENCE")
    if classified.temporary or gateway.is_elsewhere(name):
        duck.execute(connections.gateway, sql)
        return Result((), "CREATE SEQUENCE")
    sequence = Sequence(*gateway.schema_and_name(name), sql)
    existing = gateway.catalog.sequence(sequence.schema, sequence.name)
    if existing is not None and classified.if_exists:
        return Result((), "CREATE SEQUENCE")
    if existing is not None and classified.or_replace:
        _check_dependents(existing, dependents_of(gateway, existing))
    catalog = gateway.catalog
    if existing is not None:
        catalog = catalog.without_sequence(sequence.schema, sequence.name)
    run_and_publish(gateway, connections, sql, None, lambda: catalog.with_sequence(sequence))
    gateway.sequence_blocks.pop(sequence.key, None)
    return Result((), "CREATE SEQUENCE")


def drop_sequence(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run a DROP SEQUENCE; with CASCADE the tables that draw from it go too, as in DuckDB. The caller holds the write
    lock. Raises errors.Error."""
    name = object_name(sql, "SEQUENCE")
    sequence = (
        None if gateway.is_elsewhere(name) else gateway.catalog.sequence(*gateway.schema_and_name(name))
    )
    if sequence is None:
        duck.execute(connections.gateway, sql)
        return Result((), "DROP SEQUENCE")
    dependents = dependents_of(gateway, sequence)
    changed = gateway.catalog.without_sequence(sequence.schema, sequence.name)
    if dependents and any(lexeme.upper == "CASCADE" for lexeme in significant(sql)):
        drop_tables(gateway, dependents, changed)
        gateway.drop_sequence(sequence)
    else:
        _check_dependents(sequence, dependents)
        run_and_publish(gateway, connections, sql, None, lambda: changed)
    gateway.sequence_blocks.pop(sequence.key, None)
    return Result((), "DROP SEQUENCE")


def alter_sequence(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run `ALTER SEQUENCE … OWNED BY table`; DuckDB has no other form. The caller holds the write lock.

    Raises errors.Error.
    """
    lexemes = [lexeme for lexeme in significant(sql) if lexeme.upper not in ("IF", "EXISTS")]
    found = name_at(lexemes, 2)
    words = [lexeme.upper for lexeme in lexemes[found[1] : found[1] + 2]] if found is not None else []
    owner = name_at(lexemes, found[1] + 2) if found is not None and words == ["OWNED", "BY"] else None
    table = gateway.find_table(owner[0]) if owner is not None else None
    sequence = None
    if found is not None and not gateway.is_elsewhere(found[0]):
        sequence = gateway.catalog.sequence(*gateway.schema_and_name(found[0]))
    if sequence is None or table is None:
        duck.execute(connections.gateway, sql)
        return Result((), "ALTER SEQUENCE")
    owned = replace(sequence, owner=table.key)
    gateway.publish(gateway.catalog.with_sequence(owned))
    return Result((), "ALTER SEQUENCE")


def with_owner_renamed(catalog: Catalog, table: Table, renamed: Table) -> Catalog:
    """The catalog in which the sequences of a table belong to it under its new name."""
    for sequence in catalog.sequences:
        if sequence.owner == table.key:
            catalog = catalog.with_sequence(replace(sequence, owner=renamed.key))
    return catalog


def dependents_of(gateway: Gateway, sequence: Sequence) -> list[Table]:
    """The tables that have a default from the sequence, or own it."""
    return [
        table
        for table in gateway.catalog.ready_tables()
        if table.key == sequence.owner or sequence.key in _drawn_by_defaults(gateway, table)
    ]


def _drawn_by_defaults(gateway: Gateway, table: Table) -> set[_Key]:
    found = duck.rows(
        gateway.instance,
        "SELECT column_default FROM system.main.duckdb_columns() WHERE column_default IS NOT NULL"
        " AND database_name = ? AND schema_name = ? AND table_name = ?",
        [shard.alias(table.placements[0]), table.schema, table.name],
    )
    names = [name for (default,) in found for name in sequence_names(at_gateway(default))]
    placed = [gateway.schema_and_name(name) for name in names]
    return {(schema.lower(), name.lower()) for schema, name in placed}


def _check_dependents(sequence: Sequence, tables: list[Table]) -> None:
    if tables:
        raise ProgrammingError(
            f'Cannot drop entry "{sequence.name}" because there are entries that depend on it.',
            sqlstate="2BP01",
            detail="\n".join(
                f'table "{table.name}" depends on sequence "{sequence.name}".' for table in tables
            ),
            hint="Use DROP … CASCADE to drop the tables too, or ALTER TABLE … ALTER … DROP DEFAULT first.",
        )
