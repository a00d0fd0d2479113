"""Changes of data: where UPDATE, DELETE and TRUNCATE run, and which road INSERT and COPY take.

Promises: a statement changes all the shards it should, or raises and changes none. It runs on a shard as the user's own
text, and only where each shard's part can be right by itself.
"""

from __future__ import annotations

from sqlglot import exp

from ..catalog.model import REFERENCE_SHARD, Table
from ..errors import NotSupportedError
from ..planner.analysis import Analysis, TableRef, analyse
from ..planner.colocation import aligned
from ..planner.conditions import collect
from ..planner.explain import explain_routes
from ..planner.plan import TableRoute
from ..planner.route import routers
from ..sql.classify import Classified, StatementKind
from ..sql.fingerprint import number_parameters
from ..sql.insert import parse_copy, parse_insert
from ..sql.lexer import Kind, significant
from ..sql.names import name_at
from ..storage import duck
from ..types import Column, Parameters, Row
from .binding import shard_table, shards_of
from .composed import Composed, execute
from .connections import SessionConnections
from .copying import run_copy
from .gateway import Gateway
from .insert import changed, run_insert, values_shard
from .result import Result


def run(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    classified: Classified,
) -> Result:
    """Run a statement that changes data. The caller holds the write lock. Raises errors.Error."""
    match classified.kind:
        case StatementKind.INSERT:
            return run_insert(gateway, connections, sql, parameters)
        case StatementKind.COPY_FROM:
            return run_copy(gateway, connections, sql, parameters)
        case StatementKind.TRUNCATE:
            return _truncate(gateway, connections, sql)
        case _:
            return _update_or_delete(gateway, connections, sql, parameters, classified.kind)


def routes_of_change(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    classified: Classified,
) -> list[TableRoute]:
    """The shards that a change can touch, without running it; empty for one that touches no table of the catalog.

    Raises errors.Error for a statement that could not run.
    """
    if classified.kind in (StatementKind.INSERT, StatementKind.COPY_FROM):
        routes = _routes_of_insert(gateway, connections, sql, parameters, classified.kind)
    elif classified.kind in (StatementKind.UPDATE, StatementKind.DELETE):
        analysis, target = _analysed(gateway, connections, sql, parameters, classified.kind)
        found = {}
        if analysis is not None and target is not None:
            _shards_to_change(analysis, target, parameters, classified.kind.value.upper())
            found = routers(analysis, collect(analysis))
        routes = [router.route(parameters) for router in found.values()]
    else:
        raise NotSupportedError(
            f"EXPLAIN does not take {classified.kind.value.upper()}",
            hint="It takes queries, INSERT, UPDATE, DELETE and COPY … FROM.",
        )
    if not routes:
        # Not about our tables: DuckDB knows whether it could run.
        explained = Composed((("EXPLAIN ", None), (sql, 0)))
        execute(connections.gateway, explained, parameters)
    return routes


def explain_change(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    classified: Classified,
) -> list[str]:
    """The lines of EXPLAIN for a change of data."""
    routes = routes_of_change(gateway, connections, sql, parameters, classified)
    return explain_routes(classified.kind.value.upper(), routes)


def _routes_of_insert(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters, kind: StatementKind
) -> list[TableRoute]:
    sql = number_parameters(sql)
    parts = parse_insert(sql) if kind is StatementKind.INSERT else None
    target = parts if kind is StatementKind.INSERT else parse_copy(sql)
    table = gateway.find_table(target.name) if target is not None else None
    if table is None:
        return []
    if table.is_reference:
        return [TableRoute(table, table.name, (0,), "reference table: every copy gets every row")]
    if parts is not None:
        number = values_shard(gateway, connections, table, parts, sql, parameters)
        if number is not None:
            shard = table.placements.index(number)
            return [TableRoute(table, table.name, (shard,), "every key of the list belongs to this shard")]
    everywhere = tuple(range(table.strategy.shard_count))
    return [TableRoute(table, table.name, everywhere, "each row goes to the shard of its key")]


def _update_or_delete(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters, kind: StatementKind
) -> Result:
    verb, returning = kind.value.upper(), _returns(sql)
    analysis, target = _analysed(gateway, connections, sql, parameters, kind)
    if analysis is None or target is None:
        duck.execute(connections.gateway, sql, parameters)
        return changed(connections.gateway, verb, returning)
    results: list[Row] = []
    columns: tuple[Column, ...] = ()
    count = 0
    with connections.atomic(_shards_to_change(analysis, target, parameters, verb)) as writers:
        for connection in writers.values():
            duck.execute(connection, sql, parameters)
            outcome = changed(connection, verb, returning)
            columns = outcome.columns
            results += outcome.fetchall()
            count += outcome.rowcount
    return Result(columns, f"{verb} {count}", rows=results, rowcount=count)


def _analysed(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters, kind: StatementKind
) -> tuple[Analysis | None, TableRef | None]:
    """The statement and the table of the catalog that it changes; None if it changes something else.

    Raises ProgrammingError for a statement that DuckDB cannot read, and NotSupportedError for a change that the shards
    could not make, whatever the values in it.
    """
    verb = kind.value.upper()
    analysis = analyse(number_parameters(sql), gateway.catalog)
    target = _target(analysis) if analysis is not None else None
    if analysis is None:
        # DuckDB says what is wrong with it, if anything is; a shard has the tables as tables.
        judge = connections.shard(REFERENCE_SHARD) if gateway.catalog.shards else connections.gateway
        execute(judge, Composed((("EXPLAIN ", None), (sql, 0))), parameters)
    if analysis is None or target is None:
        _refuse_if_named(gateway, sql, verb)
        return None, None
    if gateway.calls_macro(sql):
        raise _cannot(verb, target.table, "it calls a macro, which may read rows of other shards")
    if kind is StatementKind.UPDATE:
        _check_key_stays(analysis, target)
    if analysis.uses_row_numbers():
        raise NotSupportedError(
            "rowid numbers the rows of a shard, not those of a table",
            hint="Name the rows by a key of the table.",
        )
    return analysis, target


def _target(analysis: Analysis) -> TableRef | None:
    """The table that an UPDATE or DELETE changes, if it is one of the catalog."""
    node = analysis.root.this
    return next((ref for ref in analysis.refs if ref.node is node), None)


def _returns(sql: str) -> bool:
    return any(lexeme.upper == "RETURNING" for lexeme in significant(sql))


def _refuse_if_named(gateway: Gateway, sql: str, verb: str) -> None:
    """A change that could not be analysed must not run if it may be about a sharded table."""
    names = {table.name.lower() for table in gateway.catalog.ready_tables()}
    for lexeme in significant(sql):
        if lexeme.kind in (Kind.WORD, Kind.QUOTED) and lexeme.identifier.lower() in names:
            raise NotSupportedError(
                f'this form of {verb} is not supported on the sharded table "{lexeme.identifier}"',
                hint="Name one table without its database, and write the condition with plain comparisons in WHERE.",
                position=lexeme.start + 1,
            )


def _check_key_stays(analysis: Analysis, target: TableRef) -> None:
    key = {name.lower() for name in target.table.shard_key}
    for assignment in analysis.root.args.get("expressions") or []:
        column = assignment.this if isinstance(assignment, exp.EQ) else assignment
        for name in (found.name for found in column.find_all(exp.Column)):
            if name.lower() in key:
                raise NotSupportedError(
                    f'column "{name}" is the shard key of "{target.table.name}": changing it would move the row '
                    "to another shard",
                    hint="DELETE the row and INSERT it with its new key.",
                )


def _shards_to_change(analysis: Analysis, target: TableRef, parameters: Parameters, verb: str) -> list[int]:
    """The database's shards on which the statement can run, each by itself. Raises NotSupportedError if none can."""
    if target.table.is_reference:
        if all(ref.table.is_reference for ref in analysis.refs) and not analysis.others:
            return [REFERENCE_SHARD]
        raise _cannot(verb, target.table, "a reference table can only be changed by reference tables")
    conditions = collect(analysis)
    if analysis.others:
        raise _cannot(verb, target.table, f"the shards cannot see {', '.join(analysis.others)}")
    sharded = [ref for ref in analysis.refs if not ref.table.is_reference]
    if not aligned(sharded, conditions):
        raise _cannot(verb, target.table, "its rows depend on rows of other shards")
    shards = routers(analysis, conditions)[target].shards(parameters)
    # A condition that no shard can meet is still judged by one, which also knows the columns of RETURNING.
    return [target.table.placements[shard] for shard in shards or (0,)]


def _cannot(verb: str, table: Table, why: str) -> NotSupportedError:
    return NotSupportedError(
        f'this {verb} of "{table.name}" is not supported yet: {why}',
        hint="Join on the shard key of co-located tables, use reference tables, or select the keys first.",
    )


def _truncate(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    lexemes = [lexeme for lexeme in significant(sql) if lexeme.upper != "TABLE"]
    found = name_at(lexemes, 1)
    table = gateway.find_table(found[0]) if found is not None and found[1] == len(lexemes) else None
    if table is None:
        _refuse_if_named(gateway, sql, "TRUNCATE")
        duck.execute(connections.gateway, sql)
        return Result((), "TRUNCATE")
    with connections.atomic(shards_of(table)) as writers:
        for shard, number in enumerate(table.placements):
            duck.execute(writers[number], f"DELETE FROM {shard_table(table, shard)}")
    return Result((), "TRUNCATE")
