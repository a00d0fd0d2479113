"""Views, macros, types and schemas: made at the gateway, and kept as text for the next time the database opens.

Promises: what the catalog keeps and what the gateway has change together or not at all.
"""

from __future__ import annotations

from itertools import pairwise

from ..catalog.model import Catalog, Definition
from ..errors import ProgrammingError
from ..sql.classify import Classified
from ..sql.lexer import significant
from ..sql.names import object_name
from ..storage import duck, shard
from ..types import Parameters, quote_identifier
from .connections import SessionConnections
from .gateway import Gateway
from .result import Result
from .tables import drop_table

_TAGS = {"MACRO TABLE": "MACRO"}


def create_definition(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    classified: Classified,
) -> Result:
    """Run a CREATE VIEW, MACRO, FUNCTION, TYPE or SCHEMA. The caller holds the write lock. Raises errors.Error."""
    kind = _kind(sql, classified.object_kind)
    tag = f"CREATE {_TAGS.get(kind, kind)}"
    name = object_name(sql, classified.object_kind)
    if kind == "VIEW" and gateway.find_table(name) is not None:
        raise ProgrammingError(
            f'Existing object "{name[-1]}" is a table, not a view',
            sqlstate="42809",
            hint="DROP TABLE it first.",
        )
    if classified.temporary or _is_elsewhere(gateway, kind, name):
        duck.execute(connections.gateway, sql, parameters)
        return Result((), tag)
    schema, last = _place(gateway, kind, name)
    definition = Definition(kind, schema, last, sql)
    if any(known.key == definition.key for known in gateway.catalog.definitions):
        if classified.if_exists:
            return Result((), tag)
        if classified.or_replace:
            gateway.forget_waiting(definition.key)
    changed = gateway.catalog.with_definition(definition)
    _run_and_publish(gateway, connections, sql, parameters, changed)
    gateway.make_definitions()
    return Result((), tag)


def drop_definition(gateway: Gateway, connections: SessionConnections, sql: str, kind: str) -> Result:
    """Run a DROP of a view, macro, function or type, or of what DuckDB alone knows. The caller holds the write lock."""
    name = object_name(sql, kind.split()[-1] if kind else "")
    stored = {"FUNCTION": "MACRO", "FUNCTION TABLE": "MACRO TABLE"}.get(kind, kind)
    tag = f"DROP {_TAGS.get(stored, stored)}"
    if _is_elsewhere(gateway, kind, name):
        duck.execute(connections.gateway, sql)
        return Result((), tag)
    schema, last = _place(gateway, stored, name)
    if stored == "VIEW" and gateway.catalog.table(schema, last) is not None:
        raise ProgrammingError(
            f'"{last}" is not a view', sqlstate="42809", hint=f"Use DROP TABLE {quote_identifier(last)}."
        )
    changed = gateway.catalog.without_definition(stored, schema, last)
    if gateway.forget_waiting((stored, schema.lower(), last.lower())):
        gateway.publish(changed)
        return Result((), tag)
    known = len(changed.definitions) < len(gateway.catalog.definitions)
    _run_and_publish(gateway, connections, sql, None, changed if known else None)
    return Result((), tag)


def drop_schema(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run a DROP SCHEMA; with CASCADE its tables and definitions go with it. The caller holds the write lock."""
    name = object_name(sql, "SCHEMA")
    schema = name[-1].lower()
    if schema == "main" or _is_elsewhere(gateway, "SCHEMA", name):
        duck.execute(connections.gateway, sql)
        return Result((), "DROP SCHEMA")
    cascade = any(lexeme.upper == "CASCADE" for lexeme in significant(sql))
    tables = [table for table in gateway.catalog.ready_tables() if table.schema.lower() == schema]
    if tables and not cascade:
        raise ProgrammingError(
            f'Cannot drop schema "{name[-1]}" because the table "{tables[0].name}" is in it',
            sqlstate="2BP01",
            hint="DROP its tables first, or use DROP SCHEMA … CASCADE.",
        )
    for table in tables:
        drop_table(gateway, table)
    changed = gateway.catalog.without_definition("SCHEMA", "main", schema)
    for definition in gateway.catalog.definitions:
        if definition.schema.lower() == schema:
            gateway.forget_waiting(definition.key)
            changed = changed.without_definition(definition.kind, definition.schema, definition.name)
    _run_and_publish(gateway, connections, sql, None, changed)
    for known in gateway.catalog.shards:
        duck.execute(
            gateway.instance,
            f"DROP SCHEMA IF EXISTS {shard.alias(known.number)}.{quote_identifier(schema)} CASCADE",
        )
    return Result((), "DROP SCHEMA")


def _run_and_publish(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    catalog: Catalog | None,
) -> None:
    """Run the user's text at the gateway; it takes effect only if `catalog`, unless it is None, was saved."""
    connection = connections.gateway
    duck.execute(connection, "BEGIN")
    try:
        duck.execute(connection, sql, parameters)
        if catalog is not None:
            gateway.publish(catalog)
    except BaseException:
        duck.execute(connection, "ROLLBACK")
        raise
    duck.execute(connection, "COMMIT")


def _kind(sql: str, object_kind: str) -> str:
    """The kind under which the catalog keeps it: macros that give a table are a kind of their own, as in DuckDB."""
    if object_kind not in ("MACRO", "FUNCTION"):
        return object_kind
    words = [lexeme.upper for lexeme in significant(sql)]
    gives_table = ("AS", "TABLE") in pairwise(words)
    return "MACRO TABLE" if gives_table else "MACRO"


def _place(gateway: Gateway, kind: str, name: tuple[str, ...]) -> tuple[str, str]:
    """(schema, name) under which the catalog keeps it; schemas are kept as if they were in main."""
    return ("main", name[-1]) if kind == "SCHEMA" else gateway.schema_and_name(name)


def _is_elsewhere(gateway: Gateway, kind: str, name: tuple[str, ...]) -> bool:
    """Whether it is in another database than this one."""
    return gateway.is_elsewhere((*name, "") if kind == "SCHEMA" and len(name) > 1 else name)
