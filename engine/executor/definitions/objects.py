"""Views, macros, types and schemas: made at the gateway, and kept as text for the next time the database opens.

Promises: what the catalog keeps and what the gateway has change together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from ...catalog.model import Catalog, Definition
from ...errors import ProgrammingError
from ...sql.classify import Classified
from ...sql.lexer import significant
from ...sql.names import object_name
from ...storage import duck
from ...types import Parameters, quote_identifier
from ..connections import SessionConnections
from ..gateway import HOME, Gateway
from ..reading.result import Result

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
    if kind == "VIEW" and not classified.temporary and gateway.find_table(name) is not None:
        raise ProgrammingError(
            f'Existing object "{name[-1]}" is a table, not a view',
            sqlstate="42809",
            hint="DROP TABLE it first.",
        )
    if classified.temporary or is_elsewhere(gateway, kind, name):
        duck.execute(connections.gateway, sql, parameters)
        return Result((), tag)
    schema, last = _place(gateway, kind, name)
    definition = Definition(kind, schema, last, sql)
    if any(known.key == definition.key for known in gateway.catalog.definitions):
        if classified.if_exists:
            return Result((), tag)
        if classified.or_replace:
            gateway.forget_waiting(definition.key)

    def catalog_after() -> Catalog:
        text = _type_text(connections.gateway, schema, last) if kind == "TYPE" else sql
        catalog = gateway.catalog.without_comments(kind, schema, last)
        return catalog.with_definition(replace(definition, sql=text))

    run_and_publish(gateway, connections, sql, parameters, catalog_after)
    gateway.make_definitions()
    return Result((), tag)


def drop_definition(gateway: Gateway, connections: SessionConnections, sql: str, kind: str) -> Result:
    """Run a DROP of a view, macro, function or type, or of what DuckDB alone knows. The caller holds the write lock."""
    name = object_name(sql, kind.split()[-1] if kind else "")
    stored = {"FUNCTION": "MACRO", "FUNCTION TABLE": "MACRO TABLE"}.get(kind, kind)
    tag = f"DROP {_TAGS.get(stored, stored)}"
    if is_elsewhere(gateway, kind, name):
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
    run_and_publish(gateway, connections, sql, None, (lambda: changed) if known else None)
    return Result((), tag)


def run_and_publish(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    catalog_after: Callable[[], Catalog] | None,
) -> None:
    """Run the user's text at the gateway; it takes effect only if the catalog that follows from it was saved.

    catalog_after: called when the text has run and is not committed; None if it leaves the catalog as it is.
    """
    connection = connections.gateway
    duck.execute(connection, "BEGIN")
    try:
        duck.execute(connection, sql, parameters)
        if catalog_after is not None:
            gateway.publish(catalog_after())
    except BaseException:
        duck.clean_up(connection, "ROLLBACK")
        raise
    duck.execute(connection, "COMMIT")


def _type_text(connection: duck.Connection, schema: str, name: str) -> str:
    """The text that makes this type again, whatever becomes of the query or of the types that it was made from."""
    qualified = f"{HOME}.{quote_identifier(schema)}.{quote_identifier(name)}"
    described = duck.rows(connection, f"DESCRIBE SELECT CAST(NULL AS {qualified})")[0][1]
    return f"CREATE TYPE {qualified} AS {described}"


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


def is_elsewhere(gateway: Gateway, kind: str, name: tuple[str, ...]) -> bool:
    """Whether a definition is in another database than this one."""
    return gateway.is_elsewhere((*name, "") if kind == "SCHEMA" and len(name) > 1 else name)
