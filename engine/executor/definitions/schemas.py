"""DROP SCHEMA; with CASCADE all that is in it goes in one step of the catalog.

Promises: after a crash the schema is there with all that it had, or is gone with all of it.
"""

from __future__ import annotations

from ...catalog.model import Catalog, Table
from ...errors import ProgrammingError
from ...sql.lexer import significant
from ...sql.names import object_name
from ...storage import duck, shard
from ...types import quote_identifier
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.result import Result
from .foreign_keys import check_is_not_parent
from .objects import is_elsewhere, run_and_publish
from .sequences import dependents_of
from .tables import sweep, without_tables


def drop_schema(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run a DROP SCHEMA. The caller holds the write lock. Raises errors.Error."""
    name = object_name(sql, "SCHEMA")
    schema = name[-1].lower()
    if schema == "main" or is_elsewhere(gateway, "SCHEMA", name):
        duck.execute(connections.gateway, sql)
        return Result((), "DROP SCHEMA")
    tables = _tables_of(gateway, schema)
    if tables and not any(lexeme.upper == "CASCADE" for lexeme in significant(sql)):
        raise ProgrammingError(
            f'Cannot drop entry "{name[-1]}" because there are entries that depend on it.',
            sqlstate="2BP01",
            detail="\n".join(f'table "{table.name}" depends on schema "{name[-1]}".' for table in tables),
            hint="DROP what is in it first, or use DROP SCHEMA … CASCADE.",
        )
    check_is_not_parent(gateway, tables)
    changed, owned = without_tables(_without_definitions(gateway, schema), tables)
    run_and_publish(gateway, connections, sql, None, lambda: changed)
    for sequence in owned:
        gateway.drop_sequence(sequence)
    for table in tables:
        if table.schema.lower() != schema:
            gateway.hide_table(table)
    sweep(gateway, tables)
    numbers = [known.number for known in gateway.catalog.shards]
    with gateway.writing() as transactions, transactions.atomic(numbers) as writers:
        for number, writer in writers.items():
            writer.execute(f"DROP SCHEMA IF EXISTS {shard.alias(number)}.{quote_identifier(schema)} CASCADE")
    return Result((), "DROP SCHEMA")


def _tables_of(gateway: Gateway, schema: str) -> list[Table]:
    """The tables in the schema, and those elsewhere whose defaults draw from a sequence in it."""
    tables = {table.key: table for table in gateway.catalog.ready_tables() if table.schema.lower() == schema}
    for sequence in gateway.catalog.sequences:
        if sequence.schema.lower() == schema:
            tables |= {table.key: table for table in dependents_of(gateway, sequence)}
    return list(tables.values())


def _without_definitions(gateway: Gateway, schema: str) -> Catalog:
    changed = gateway.catalog.without_definition("SCHEMA", "main", schema)
    for definition in gateway.catalog.definitions:
        if definition.schema.lower() == schema:
            gateway.forget_waiting(definition.key)
            changed = changed.without_definition(definition.kind, definition.schema, definition.name)
    for sequence in gateway.catalog.sequences:
        if sequence.schema.lower() == schema:
            gateway.sequence_blocks.pop(sequence.key, None)
            changed = changed.without_sequence(sequence.schema, sequence.name)
    return changed
