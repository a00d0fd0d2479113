"""Statements that concern the gateway: settings, lists, files, prepared statements, checkpoints."""

from __future__ import annotations

from ..errors import NotSupportedError
from ..executor import activity, system
from ..executor.composed import Composed, execute
from ..executor.gateway import HOME
from ..executor.reading.binding import shards_of
from ..executor.reading.result import Result, columns_of
from ..executor.settings import REFUSED
from ..sql.classify import Classified, StatementKind
from ..sql.lexer import significant
from ..sql.names import name_at
from ..storage import duck
from ..types import Parameters
from .context import Context

_VERBS = frozenset({"VACUUM", "ANALYZE", "FULL", "VERBOSE"})


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
    start = classified.body_start
    query = Composed(((f"FROM memory.duckraft.{classified.object_kind}", None), (sql[start:], start)))
    if classified.object_kind not in activity.NAMES:
        system.refresh(context.gateway)
        connection = execute(context.connections.gateway, query, parameters)
        return Result(columns_of(connection), "SHOW", source=connection)
    # On a connection of its own: the session's may look at the database as it was when its transaction began.
    system.refresh_activity(context.gateway)
    with context.connections.reader(None) as connection:
        execute(connection, query, parameters)
        columns = columns_of(connection)
        rows = duck.guarded(connection.fetchall)
    return Result(columns, "SHOW", rows=rows, rowcount=len(rows))


def prepared(context: Context, sql: str, parameters: Parameters, _: Classified) -> Result:
    """PREPARE, EXECUTE, DEALLOCATE."""
    from . import prepared as family

    verb = significant(sql)[0].upper
    if verb == "EXECUTE":
        return family.run_prepared(context, sql, parameters)
    return family.prepare(context, sql) if verb == "PREPARE" else family.deallocate(context, sql)


def checkpoint(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """CHECKPOINT brings what is committed into the shards' files; VACUUM and ANALYZE of a table go to its shards."""
    lexemes = significant(sql)
    verb = lexemes[0].upper
    if "CHECKPOINT" in (lexeme.upper for lexeme in lexemes[:2]):
        if lexemes[-1].upper == "CHECKPOINT" or lexemes[-1].identifier.lower() == HOME:
            write_shards(context)
            return Result((), "CHECKPOINT")
        return gateway_statement(context, sql, parameters, classified)
    at = next((index for index, lexeme in enumerate(lexemes) if lexeme.upper not in _VERBS), len(lexemes))
    found = name_at(lexemes, at)
    table = context.gateway.find_table(found[0]) if found is not None else None
    if table is None:
        return gateway_statement(context, sql, parameters, classified)
    with context.gateway.write_lock:
        for number in shards_of(table):
            duck.execute(context.connections.shard(number), sql, parameters)
    return Result((), verb)


def write_shards(context: Context) -> None:
    """Bring what is committed into the shards' files. Raises errors.Error."""
    from ..executor.definitions import ddl

    ddl.checkpoint(context.gateway)


def called(context: Context, sql: str) -> Result | None:
    """A CALL that concerns more than the gateway's own memory; None for every other statement."""
    lexemes = significant(sql[:200]) if sql[:5].lower() == "call " else []
    if len(lexemes) != 4 or [lexeme.text for lexeme in lexemes[2:]] != ["(", ")"]:
        return None
    name = lexemes[1].identifier.lower()
    if name in ("checkpoint", "force_checkpoint"):
        write_shards(context)
        return Result((), "CALL")
    if name in REFUSED:
        raise NotSupportedError(REFUSED[name].reason, hint=REFUSED[name].hint)
    return None
