"""Changes of definitions: tables on their shards, views, macros, types and schemas at the gateway.

A table is made in steps that a crash may interrupt anywhere: it enters the catalog as CREATING, its shards are made, it
becomes READY; dropping goes the other way. A table in between is unseen, and swept away when the database opens.
Promises: a statement that raises leaves the catalog, the shards and the gateway's views as they were.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..catalog.definition import Shape, placements_for, strategy_for
from ..catalog.model import Definition, Table, TableState
from ..errors import NotSupportedError, ProgrammingError
from ..sharding import Strategy
from ..sql.classify import Classified, StatementKind
from ..sql.clauses import CreateTable, ShardClause, parse_create_table
from ..sql.fingerprint import number_parameters
from ..sql.lexer import Kind, Lexeme, significant
from ..storage import duck, shard
from ..types import Column, Parameters, quote_identifier
from .binding import shard_table, shards_of
from .connections import SessionConnections
from .gateway import Gateway
from .insert import find_table
from .load import Load, load
from .result import Result, columns_of


def run(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    classified: Classified,
) -> Result:
    """Run a statement that changes definitions. The caller holds the write lock."""
    match classified.kind:
        case StatementKind.CREATE_TABLE if not classified.temporary:
            return _create_table(gateway, connections, sql, parameters)
        case StatementKind.CREATE_TABLE:
            return _create_temporary(gateway, connections, sql, parameters)
        case StatementKind.CREATE_DEFINITION:
            return _create_definition(gateway, connections, sql, parameters, classified)
        case StatementKind.CREATE_INDEX:
            return _on_all_shards(gateway, connections, sql, _index_table(gateway, sql), "CREATE INDEX")
        case StatementKind.ALTER:
            return _alter(gateway, connections, sql)
        case _:
            return _drop(gateway, connections, sql, classified)


def checkpoint(gateway: Gateway) -> None:
    """Write what is in the shards' write-ahead logs to their files."""
    with gateway.write_lock:
        for known in gateway.catalog.shards:
            duck.execute(gateway.instance, f"CHECKPOINT {shard.alias(known.number)}")


def _create_table(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters
) -> Result:
    create = parse_create_table(number_parameters(sql))
    if len(create.name) > 2:
        # Another database that the user attached: DuckDB's own business.
        duck.execute(connections.gateway, sql, parameters)
        return Result((), "CREATE TABLE")
    schema = create.name[0] if len(create.name) == 2 else "main"
    name = create.name[-1]
    existing = gateway.catalog.table(schema, name)
    if existing is not None and create.if_not_exists:
        return Result((), "CREATE TABLE")
    if existing is not None and not create.or_replace:
        raise ProgrammingError(
            f'Table with name "{name}" already exists!',
            sqlstate="42P07",
            hint="DROP it first, or use CREATE OR REPLACE TABLE or CREATE TABLE IF NOT EXISTS.",
        )
    if existing is None:
        _check_name_is_free(gateway, schema, name)
    shape = _shape(connections.gateway, create, schema, name, parameters)
    strategy = _strategy(gateway, connections.gateway, create.clause, shape)
    table = Table(
        schema, name, shape.columns, shape.primary_key, strategy, placements_for(strategy), TableState.CREATING, 0
    )
    gateway.ensure_shards(list(table.placements))
    if existing is None:
        return _build(gateway, connections, create, table, parameters)
    return _replace_table(gateway, connections, create, existing, table, parameters)


def _build(
    gateway: Gateway,
    connections: SessionConnections,
    create: CreateTable,
    table: Table,
    parameters: Parameters,
) -> Result:
    """Make a new table on its shards, fill it if there is a query, show it."""
    gateway.publish(gateway.catalog.with_table(table))
    try:
        _make_on_shards(gateway, connections, create, table)
        count = _fill(connections, create, table, parameters)
        gateway.show_table(table)
        gateway.publish(gateway.catalog.with_table(replace(table, state=TableState.READY)))
    except BaseException:
        gateway.hide_table(table)
        gateway.drop_from_shards(table)
        gateway.publish(gateway.catalog.without_table(table))
        raise
    return _created(create, count)


def _replace_table(
    gateway: Gateway,
    connections: SessionConnections,
    create: CreateTable,
    existing: Table,
    table: Table,
    parameters: Parameters,
) -> Result:
    """CREATE OR REPLACE: the new table is made and filled beside the old one, and takes its name at the end."""
    aside = replace(table, name=f"{table.name} (new)")
    gateway.publish(gateway.catalog.with_table(aside))
    try:
        _make_on_shards(gateway, connections, create, aside)
        count = _fill(connections, create, aside, parameters)
    except BaseException:
        gateway.drop_from_shards(aside)
        gateway.publish(gateway.catalog.without_table(aside))
        raise
    gateway.publish(gateway.catalog.with_table(replace(existing, state=TableState.DROPPING)))
    gateway.hide_table(existing)
    gateway.drop_from_shards(existing)
    for number in range(table.strategy.shard_count):
        renamed = f"ALTER TABLE {shard_table(aside, number)} RENAME TO {quote_identifier(table.name)}"
        duck.execute(gateway.instance, renamed)
    gateway.show_table(table)
    gateway.publish(gateway.catalog.with_table(replace(table, state=TableState.READY)).without_table(aside))
    return _created(create, count)


def _created(create: CreateTable, count: int | None) -> Result:
    if create.query is None or count is None:
        return Result((), "CREATE TABLE")
    return Result((), f"SELECT {count}", rowcount=count)


def _shape(
    connection: duck.Connection, create: CreateTable, schema: str, name: str, parameters: Parameters
) -> Shape:
    """The columns and keys of the new table, found by letting DuckDB make it where nobody sees it."""
    scratch = f"temp.{quote_identifier(name)}"
    if create.columns_sql and create.query is None:
        duck.execute(connection, f"CREATE TEMP TABLE {quote_identifier(name)} {create.columns_sql}")
    elif create.query is not None:
        query = f"{create.columns_sql} AS SELECT * FROM ({create.query}\n) LIMIT 0"
        duck.execute(connection, f"CREATE TEMP TABLE {quote_identifier(name)} {query}", parameters)
    else:
        raise ProgrammingError(
            f'table "{schema}.{name}" needs columns or AS and a query',
            sqlstate="42601",
            hint="Write CREATE TABLE t (a INTEGER, …) SHARD BY …",
        )
    try:
        columns = tuple(
            Column(str(row[0]), str(row[1])) for row in duck.rows(connection, f"DESCRIBE {scratch}")
        )
        constraints = duck.rows(
            connection,
            "SELECT constraint_type, constraint_column_names FROM duckdb_constraints()"
            " WHERE database_name = 'temp' AND table_name = ?",
            [name],
        )
    finally:
        duck.execute(connection, f"DROP TABLE {scratch}")
    if any(kind == "FOREIGN KEY" for kind, _ in constraints):
        raise NotSupportedError(
            "foreign keys are not supported yet", hint="Leave the FOREIGN KEY or REFERENCES clause out."
        )
    primary = next((tuple(names) for kind, names in constraints if kind == "PRIMARY KEY"), ())
    keys = tuple(tuple(names) for kind, names in constraints if kind in ("PRIMARY KEY", "UNIQUE"))
    return Shape(columns, primary, keys)


def _strategy(gateway: Gateway, connection: duck.Connection, clause: ShardClause, shape: Shape) -> Strategy:
    other = None
    if clause.colocate_with is not None:
        other = find_table(gateway, clause.colocate_with)
        if other is None:
            raise ProgrammingError(
                f'table "{".".join(clause.colocate_with)}" does not exist',
                sqlstate="42P01",
                position=clause.position,
            )

    def evaluate(expression: str, kind: str) -> Any:
        return duck.rows(connection, f"SELECT CAST(({expression}) AS {kind})")[0][0]

    return strategy_for(clause, shape, gateway.catalog.default_shards, other, evaluate)


def _check_name_is_free(gateway: Gateway, schema: str, name: str) -> None:
    for definition in gateway.catalog.definitions:
        if definition.key == ("VIEW", schema.lower(), name.lower()):
            raise ProgrammingError(f'View with name "{name}" already exists!', sqlstate="42P07")
    if schema.lower() == "duckraft":
        raise ProgrammingError('the schema "duckraft" is reserved for system tables', sqlstate="42939")
    known = duck.rows(
        gateway.instance,
        "SELECT 1 FROM duckdb_schemas() WHERE database_name = 'memory' AND lower(schema_name) = lower(?)",
        [schema],
    )
    if not known:
        raise ProgrammingError(
            f'Schema with name "{schema}" does not exist!', sqlstate="3F000", hint=f"CREATE SCHEMA {schema} first."
        )


def _make_on_shards(
    gateway: Gateway, connections: SessionConnections, create: CreateTable, table: Table
) -> None:
    columns = create.columns_sql
    if create.query is not None:
        listed = ", ".join(f"{quote_identifier(column.name)} {column.type}" for column in table.columns)
        columns = f"({listed})"
    with connections.atomic(shards_of(gateway.catalog, table)) as writers:
        for number in range(table.strategy.shard_count):
            home = table.placements[number]
            schema = f"{shard.alias(home)}.{quote_identifier(table.schema)}"
            duck.execute(writers[home], f"CREATE SCHEMA IF NOT EXISTS {schema}")
            duck.execute(writers[home], f"CREATE TABLE {shard_table(table, number)} {columns}")


def _fill(
    connections: SessionConnections, create: CreateTable, table: Table, parameters: Parameters
) -> int | None:
    if create.query is None:
        return None
    names = ", ".join(quote_identifier(column.name) for column in table.columns)
    query = f"SELECT * FROM ({create.query}\n) AS source({names})"
    with connections.atomic(sorted(set(table.placements))) as writers:
        by_shard = {number: writers[home] for number, home in enumerate(table.placements)}
        job = Load(table, tuple(column.name for column in table.columns), query, parameters)
        return load(connections.gateway, by_shard, job).count


def _create_temporary(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters
) -> Result:
    """A temporary table lives in the session's gateway, unsharded."""
    create = parse_create_table(number_parameters(sql))
    if create.clause != ShardClause(position=create.clause.position):
        raise ProgrammingError(
            "a temporary table is not sharded", sqlstate="42P16", position=create.clause.position
        )
    if find_table(gateway, create.name) is not None:
        raise ProgrammingError(
            f'Table with name "{create.name[-1]}" already exists!',
            sqlstate="42P07",
            hint="Give the temporary table a name of its own.",
        )
    duck.execute(connections.gateway, sql, parameters)
    return Result((), "CREATE TABLE")


def _create_definition(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    classified: Classified,
) -> Result:
    """A view, macro, type or schema: made at the gateway, and kept as text for the next time it opens."""
    kind = "MACRO" if classified.object_kind == "FUNCTION" else classified.object_kind
    name = _object_name(sql, classified.object_kind)
    schema = name[-2] if len(name) > 1 and kind != "SCHEMA" else "main"
    if kind == "VIEW" and gateway.catalog.table(schema, name[-1]) is not None:
        raise ProgrammingError(
            f'Existing object "{name[-1]}" is a table, not a view', sqlstate="42809", hint="DROP TABLE it first."
        )
    if kind == "SCHEMA" and name[-1].lower() == "duckraft":
        raise ProgrammingError('the schema "duckraft" is reserved for system tables', sqlstate="42939")
    duck.execute(connections.gateway, sql, parameters)
    if not classified.temporary:
        # Replayed when the database opens, where nothing of the kind exists yet.
        gateway.publish(gateway.catalog.with_definition(Definition(kind, schema, name[-1], sql)))
    return Result((), f"CREATE {kind}")


def _drop(
    gateway: Gateway, connections: SessionConnections, sql: str, classified: Classified
) -> Result:
    kind = classified.object_kind
    name = _object_name(sql, kind.split()[-1] if kind else "")
    table = find_table(gateway, name) if kind in ("TABLE", "VIEW") else None
    if kind == "TABLE" and table is not None:
        gateway.publish(gateway.catalog.with_table(replace(table, state=TableState.DROPPING)))
        gateway.hide_table(table)
        gateway.drop_from_shards(table)
        gateway.publish(gateway.catalog.without_table(table))
        return Result((), "DROP TABLE")
    if kind == "VIEW" and table is not None:
        raise ProgrammingError(
            f'"{table.name}" is not a view', sqlstate="42809", hint=f"Use DROP TABLE {table.name}."
        )
    if kind == "INDEX":
        return _drop_index(gateway, connections, sql, name, classified.if_exists)
    if kind == "SCHEMA":
        _check_schema_is_empty(gateway, name[-1])
    duck.execute(connections.gateway, sql)
    if kind in ("VIEW", "MACRO", "MACRO TABLE", "FUNCTION", "TYPE", "SCHEMA"):
        stored = "MACRO" if kind in ("FUNCTION", "MACRO TABLE") else kind
        schema = name[-2] if len(name) > 1 and kind != "SCHEMA" else "main"
        gateway.publish(gateway.catalog.without_definition(stored, schema, name[-1]))
    return Result((), f"DROP {kind}")


def _check_schema_is_empty(gateway: Gateway, schema: str) -> None:
    for table in gateway.catalog.ready_tables():
        if table.schema.lower() == schema.lower():
            raise ProgrammingError(
                f'Cannot drop schema "{schema}" because the table "{table.name}" is in it',
                sqlstate="2BP01",
                hint="DROP its tables first.",
            )


def _drop_index(
    gateway: Gateway, connections: SessionConnections, sql: str, name: tuple[str, ...], if_exists: bool
) -> Result:
    """Drop an index on every shard that has it."""
    homes = duck.rows(
        gateway.instance,
        "SELECT DISTINCT database_name, schema_name FROM duckdb_indexes()"
        " WHERE lower(index_name) = lower(?) AND starts_with(database_name, 'duckraft_')",
        [name[-1]],
    )
    if not homes and not if_exists:
        duck.execute(connections.gateway, sql)
    for database, schema in homes:
        duck.execute(
            gateway.instance, f"DROP INDEX {database}.{quote_identifier(schema)}.{quote_identifier(name[-1])}"
        )
    return Result((), "DROP INDEX")


def _index_table(gateway: Gateway, sql: str) -> Table:
    """The table that a CREATE INDEX is about."""
    lexemes = significant(sql)
    for index, lexeme in enumerate(lexemes):
        if lexeme.upper == "ON":
            table = find_table(gateway, _name_at(lexemes, index + 1))
            if table is None:
                break
            if any(word.upper == "UNIQUE" for word in lexemes[:index]) and not table.is_reference:
                raise NotSupportedError(
                    "a unique index on a sharded table is not supported yet",
                    hint="Declare UNIQUE or PRIMARY KEY with the shard key in CREATE TABLE.",
                )
            return table
    raise ProgrammingError("CREATE INDEX names no table of this database", sqlstate="42P01")


def _alter(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """ALTER TABLE as it stands on every shard; the columns are read anew, and the shard key must still be there."""
    lexemes = [lexeme for lexeme in significant(sql) if lexeme.upper not in ("IF", "EXISTS")]
    words = [lexeme.upper for lexeme in lexemes]
    table = find_table(gateway, _name_at(lexemes, 2)) if words[1:2] == ["TABLE"] else None
    if table is None:
        duck.execute(connections.gateway, sql)
        return Result((), "ALTER")
    if "RENAME" in words and words[words.index("RENAME") + 1 : words.index("RENAME") + 2] == ["TO"]:
        raise NotSupportedError(
            "ALTER TABLE … RENAME TO is not supported yet", hint="CREATE TABLE new AS FROM old, then DROP the old."
        )
    result = _on_all_shards(gateway, connections, sql, table, "ALTER TABLE")
    return result


def _on_all_shards(
    gateway: Gateway, connections: SessionConnections, sql: str, table: Table, tag: str
) -> Result:
    """Run the user's own text on every shard of a table, in one transaction each, and show the table anew."""
    with connections.atomic(shards_of(gateway.catalog, table)) as writers:
        for connection in writers.values():
            duck.execute(connection, sql)
        first = writers[table.placements[0]]
        described = duck.rows(first, f"DESCRIBE {shard_table(table, 0)}")
        columns = tuple(Column(str(row[0]), str(row[1])) for row in described)
        types = {column.name.lower(): column.type for column in columns}
        for key in table.strategy.key:
            if types.get(key.name.lower()) != key.type:
                raise NotSupportedError(
                    f'column "{key.name}" is the shard key of "{table.name}" and cannot be changed',
                    hint="CREATE TABLE a new one with the key you want, AS FROM the old one.",
                )
    changed = replace(table, columns=columns)
    gateway.publish(gateway.catalog.with_table(changed))
    gateway.show_table(changed)
    return Result((), tag)


def _object_name(sql: str, kind: str) -> tuple[str, ...]:
    """The name behind `CREATE … kind [IF NOT EXISTS]` or `DROP kind [IF EXISTS]`."""
    lexemes = [lexeme for lexeme in significant(sql) if lexeme.upper not in ("IF", "NOT", "EXISTS")]
    for index, lexeme in enumerate(lexemes):
        if lexeme.upper == kind:
            return _name_at(lexemes, index + 1)
    return ("",)


def _name_at(lexemes: list[Lexeme], index: int) -> tuple[str, ...]:
    parts: list[str] = []
    while index < len(lexemes) and lexemes[index].kind in (Kind.WORD, Kind.QUOTED):
        parts.append(lexemes[index].identifier)
        if index + 1 >= len(lexemes) or lexemes[index + 1].text != ".":
            break
        index += 2
    return tuple(parts) or ("",)
