"""CREATE INDEX and DROP INDEX: an index of a sharded table is on each of its shards, or on none.

Leaves to others: how the shards change together (`shard_changes.py`).
"""

from __future__ import annotations

from ...catalog.model import Table
from ...errors import NotSupportedError, ProgrammingError
from ...sql.lexer import Lexeme, significant
from ...sql.names import name_at, object_name
from ...storage import duck, shard
from ...types import quote_identifier
from ..composed import Composed
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.binding import shard_table
from ..reading.result import Result
from .shape import items_of
from .shard_changes import change_shards


def create_index(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run a CREATE INDEX. The caller holds the write lock. Raises errors.Error."""
    lexemes = significant(sql)
    at = next((index + 1 for index, lexeme in enumerate(lexemes) if lexeme.upper == "ON"), len(lexemes))
    found = name_at(lexemes, at)
    table = gateway.find_table(found[0]) if found is not None else None
    if found is None or table is None:
        duck.execute(connections.gateway, sql)
        return Result((), "CREATE INDEX")
    words = [lexeme.upper for lexeme in lexemes[:at]]
    name = object_name(sql, "INDEX")[-1]
    if homes_of_index(gateway, (table.schema, name)):
        if "EXISTS" in words:
            return Result((), "CREATE INDEX")
        raise ProgrammingError(f'Index with name "{name}" already exists!', sqlstate="42P07")
    if "UNIQUE" in words:
        _check_unique(table, lexemes[found[1] :])
    start, end = lexemes[at].start, lexemes[found[1] - 1].end
    statements = {
        home: [Composed(((sql[:start], 0), (shard_table(table, number), None), (sql[end:], end)))]
        for number, home in enumerate(table.placements)
    }
    change_shards(gateway, connections, statements, lambda _: gateway.catalog.next_version())
    return Result((), "CREATE INDEX")


def drop_index(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Drop an index on every shard that has it. The caller holds the write lock. Raises errors.Error."""
    name = object_name(sql, "INDEX")
    homes = {} if gateway.is_elsewhere(name) else homes_of_index(gateway, gateway.schema_and_name(name))
    if not homes:
        duck.execute(connections.gateway, sql)
        return Result((), "DROP INDEX")
    statements = {
        number: [Composed(((f"DROP INDEX {qualified}", None),))] for number, qualified in homes.items()
    }
    change_shards(gateway, connections, statements, lambda _: gateway.catalog.next_version())
    return Result((), "DROP INDEX")


def homes_of_index(gateway: Gateway, name: tuple[str, str]) -> dict[int, str]:
    """The shards of the database that have an index of this (schema, name), each with its full name there."""
    found = duck.rows(
        gateway.instance,
        "SELECT database_name, schema_name, index_name FROM system.main.duckdb_indexes()"
        " WHERE lower(schema_name) = lower(?) AND lower(index_name) = lower(?)",
        list(name),
    )
    numbers = {shard.alias(known.number): known.number for known in gateway.catalog.shards}
    return {
        numbers[database]: ".".join([database, quote_identifier(schema), quote_identifier(index)])
        for database, schema, index in found
        if database in numbers
    }


def _check_unique(table: Table, lexemes: list[Lexeme]) -> None:
    """Refuse an index whose values could be unique on each shard and not over all. lexemes: behind the table's name."""
    if table.is_reference:
        return
    columns = {
        item[0].identifier.lower()
        for item in items_of(lexemes)
        if item and (len(item) == 1 or item[1].text == ")" or item[1].upper in ("ASC", "DESC", "NULLS"))
    }
    if table.shard_key and {name.lower() for name in table.shard_key} <= columns:
        return
    by = f"the shard key ({', '.join(table.shard_key)})" if table.shard_key else "a shard key"
    raise NotSupportedError(
        f'a unique index of "{table.name}" that does not contain {by} cannot be kept: no shard sees the others\' rows',
        hint="Add the shard key to the columns, shard the table by columns of the index, or make it REFERENCE.",
    )
