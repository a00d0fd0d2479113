"""Statements that concern the gateway: settings, lists, files, prepared statements, checkpoints."""

from __future__ import annotations

from ..errors import NotSupportedError, ProgrammingError
from ..executor import listing, system
from ..executor.composed import Composed, execute
from ..executor.result import Result, columns_of
from ..executor.settings import apply_setting
from ..sql.classify import Classified, StatementKind, classify
from ..sql.lexer import significant
from ..storage import duck
from ..types import Parameters
from .context import Context
from .queries import stream


def gateway_statement(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """A statement that concerns the gateway alone, such as COPY … TO, EXECUTE or ATTACH."""
    if system.mentions(sql):
        system.refresh(context.gateway)
    connection = duck.execute(context.connections.gateway, sql, parameters)
    columns = columns_of(connection)
    tag = sql.split(None, 1)[0].upper()
    if [column.name for column in columns] == ["Success"]:
        return Result((), tag)
    if classified.kind is StatementKind.COPY_TO and [column.name for column in columns] == ["Count"]:
        count = duck.guarded(connection.fetchall)[0][0]
        return Result((), f"COPY {count}", rowcount=count)
    return Result(columns, tag, source=connection)


def show_catalog(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """`SHOW SHARDS WHERE …` is a query on `duckraft.shards`."""
    system.refresh(context.gateway)
    start = classified.body_start
    query = Composed(((f"FROM memory.duckraft.{classified.object_kind}", None), (sql[start:], start)))
    connection = execute(context.connections.gateway, query, parameters)
    return Result(columns_of(connection), "SHOW", source=connection)


def setting(context: Context, sql: str, parameters: Parameters, _: Classified) -> Result:
    """SET, RESET, USE, PRAGMA, INSTALL, LOAD."""
    if parameters is not None:
        raise ProgrammingError("a setting takes no parameters", sqlstate="42P02")
    listed = listing.listing_sql(context.gateway, sql)
    if listed is not None:
        return stream(context.connections.gateway, listed, None)
    if system.mentions(sql):
        system.refresh(context.gateway)
    return apply_setting(context.connections, sql)


def prepared(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """PREPARE, EXECUTE, DEALLOCATE."""
    lexemes = significant(sql)
    body = next((lexeme.end for lexeme in lexemes if lexeme.upper == "AS"), None)
    if lexemes[0].upper == "PREPARE" and body is not None:
        inner = classify(sql[body:])
        if inner.kind is not StatementKind.QUERY:
            raise NotSupportedError(
                f"PREPARE of {inner.kind.value.upper()} is not supported yet",
                hint="Send the statement with parameters: what is known of it is kept from one time to the next.",
            )
    return gateway_statement(context, sql, parameters, classified)


def checkpoint(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """CHECKPOINT writes the shards' logs to their files; VACUUM and ANALYZE are DuckDB's."""
    from ..executor import ddl

    if significant(sql)[0].upper == "CHECKPOINT":
        ddl.checkpoint(context.gateway)
        return Result((), "CHECKPOINT")
    return gateway_statement(context, sql, parameters, classified)
