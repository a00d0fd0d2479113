"""ALTER TABLE, CREATE INDEX and DROP INDEX: the user's own text on every shard of a table.

Before the shards commit, the catalog notes an ALTER as a definition of the kind `ALTER`; after a crash in between, the
shards that lack it get it (`redo_alterations`).
Promises: a statement that raises leaves every shard as it was; the shard key and the keys it keeps unique stay right.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from ..catalog.definition import check_keys
from ..catalog.model import Definition, Table
from ..errors import Error, NotSupportedError, invariant
from ..sql.lexer import Lexeme, significant
from ..sql.names import name_at, object_name
from ..storage import duck, shard
from ..types import quote_identifier
from .binding import shard_table, shards_of
from .composed import Composed, execute
from .connections import SessionConnections
from .gateway import Gateway
from .result import Result
from .shape import read_shape

_JOURNAL = "ALTER"


def alter(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run an ALTER. The caller holds the write lock. Raises errors.Error."""
    lexemes = significant(sql)
    start = _start_of_name(lexemes)
    found = name_at(lexemes, start)
    is_table = len(lexemes) > 1 and lexemes[1].upper == "TABLE"
    table = gateway.find_table(found[0]) if found is not None and is_table else None
    if found is None or table is None:
        _check_is_not_kept(gateway, found[0] if found is not None else ("",))
        duck.execute(connections.gateway, sql)
        return Result((), "ALTER")
    _check_alteration(table, lexemes[found[1] :])
    span = (lexemes[start].start, lexemes[found[1] - 1].end)
    with connections.atomic(shards_of(table)) as writers:
        for number, home in enumerate(table.placements):
            execute(writers[home], _on_shard(sql, span, table, number))
        changed = _reread(writers[table.placements[0]], table)
        journal = Definition(_JOURNAL, table.schema, table.name, sql)
        gateway.publish(gateway.catalog.with_definition(journal))
    _publish(gateway, changed)
    return Result((), "ALTER TABLE")


def create_index(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run a CREATE INDEX. The caller holds the write lock. Raises errors.Error."""
    lexemes = significant(sql)
    at = next((index + 1 for index, lexeme in enumerate(lexemes) if lexeme.upper == "ON"), len(lexemes))
    found = name_at(lexemes, at)
    table = gateway.find_table(found[0]) if found is not None else None
    if found is None or table is None:
        duck.execute(connections.gateway, sql)
        return Result((), "CREATE INDEX")
    if any(lexeme.upper == "UNIQUE" for lexeme in lexemes[:at]) and not table.is_reference:
        raise NotSupportedError(
            "a unique index on a sharded table is not supported yet",
            hint="Declare UNIQUE or PRIMARY KEY with the shard key in CREATE TABLE.",
        )
    span = (lexemes[at].start, lexemes[found[1] - 1].end)
    with connections.atomic(shards_of(table)) as writers:
        for number, home in enumerate(table.placements):
            execute(writers[home], _on_shard(sql, span, table, number))
    return Result((), "CREATE INDEX")


def drop_index(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Drop an index on every shard that has it. The caller holds the write lock. Raises errors.Error."""
    name = object_name(sql, "INDEX")
    homes = {
        (database, schema)
        for database, schema in duck.rows(
            gateway.instance,
            "SELECT database_name, schema_name FROM system.main.duckdb_indexes() WHERE lower(index_name) = lower(?)",
            [name[-1]],
        )
        if len(name) == 1 or schema.lower() == name[-2].lower()
    }
    numbers = {shard.alias(known.number): known.number for known in gateway.catalog.shards}
    schemas = {numbers[database]: schema for database, schema in homes if database in numbers}
    if not schemas:
        duck.execute(connections.gateway, sql)
    with connections.atomic(sorted(schemas)) as writers:
        for number, schema in schemas.items():
            duck.execute(writers[number], f"DROP INDEX {shard.qualified(number, schema, name[-1])}")
    return Result((), "DROP INDEX")


def redo_alterations(gateway: Gateway) -> None:
    """Bring every shard to where an ALTER was taking it when the process ended."""
    for journal in [known for known in gateway.catalog.definitions if known.kind == _JOURNAL]:
        table = gateway.catalog.table(journal.schema, journal.name)
        if table is None:
            gateway.publish(gateway.catalog.without_definition(*journal.key))
            continue
        lexemes = significant(journal.sql)
        start = _start_of_name(lexemes)
        found = name_at(lexemes, start)
        invariant(found is not None, "the journal of an ALTER names no table")
        behind = found[1] if found is not None else start
        span = (lexemes[start].start, lexemes[behind - 1].end)
        for number in range(table.strategy.shard_count):
            shape = read_shape(gateway.instance, *shard_name(table, number))
            if shape.columns == table.columns:
                # A change that columns do not show may be there already; the shard then refuses it.
                with suppress(Error):
                    execute(gateway.instance, _on_shard(journal.sql, span, table, number))
        _publish(gateway, _reread(gateway.instance, table))


def shard_name(table: Table, number: int) -> tuple[str, str, str]:
    """(database, schema, name) of one shard of a table."""
    return shard.alias(table.placements[number]), table.schema, table.name


def _start_of_name(lexemes: list[Lexeme]) -> int:
    """Where the name stands in `ALTER TABLE [IF EXISTS] name`."""
    return 4 if [lexeme.upper for lexeme in lexemes[2:4]] == ["IF", "EXISTS"] else 2


def _publish(gateway: Gateway, changed: Table) -> None:
    journal = (_JOURNAL, changed.schema, changed.name)
    gateway.publish(gateway.catalog.with_table(changed).without_definition(*journal))
    gateway.show_table(changed)


def _on_shard(sql: str, span: tuple[int, int], table: Table, number: int) -> Composed:
    """The user's text with the name of the table, which is at `span`, as that of one of its shards."""
    start, end = span
    return Composed(((sql[:start], 0), (shard_table(table, number), None), (sql[end:], end)))


def _reread(connection: duck.Connection, table: Table) -> Table:
    """The table with the columns and the primary key that its first shard has now."""
    shape = read_shape(connection, *shard_name(table, 0))
    types = {column.name.lower(): column.type for column in shape.columns}
    for key in table.strategy.key:
        if types.get(key.name.lower()) != key.type:
            raise _cannot_change_key(table, key.name)
    check_keys(shape, table.strategy, None)
    return replace(table, columns=shape.columns, primary_key=shape.primary_key)


def _check_alteration(table: Table, rest: list[Lexeme]) -> None:
    """Refuse what the shards would do but must not. rest: what stands behind the table's name."""
    words = [lexeme.upper for lexeme in rest]
    if words[:2] == ["RENAME", "TO"]:
        raise NotSupportedError(
            "ALTER TABLE … RENAME TO is not supported yet",
            hint="CREATE TABLE new AS FROM old, then DROP the old.",
        )
    key = {name.lower() for name in table.shard_key}
    named = next((lexeme for lexeme in rest[1:3] if lexeme.identifier.lower() in key), None)
    if words[:1] == ["ALTER"] and named is not None and {"TYPE", "COLLATE"} & set(words):
        raise _cannot_change_key(table, named.identifier)


def _cannot_change_key(table: Table, column: str) -> NotSupportedError:
    return NotSupportedError(
        f'column "{column}" is the shard key of "{table.name}" and cannot be changed',
        hint="CREATE TABLE a new one with the key you want, AS FROM the old one.",
    )


def _check_is_not_kept(gateway: Gateway, name: tuple[str, ...]) -> None:
    """Refuse to alter a view: the catalog keeps the text that made it, and would make it so again."""
    if gateway.is_elsewhere(name):
        return
    key = ("VIEW", *(part.lower() for part in gateway.schema_and_name(name)))
    if any(definition.key == key for definition in gateway.catalog.definitions):
        raise NotSupportedError(
            "ALTER of a view is not supported yet",
            hint=f"CREATE OR REPLACE VIEW {quote_identifier(name[-1])} AS …",
        )
