"""Changes of data: which road INSERT, COPY, UPDATE, DELETE, MERGE and TRUNCATE take.

An UPDATE or DELETE that each shard can make by itself runs there as the user's own text. Any other, and every MERGE, is
computed at the gateway and carried to the shards by row number.
Promises: a statement changes all the shards it should, or raises and changes none.
Leaves to others: `insert.py`, `copying.py`; the changes computed at the gateway (`across.py`, `merge.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...catalog.model import Table
from ...errors import NotSupportedError, ProgrammingError
from ...planner.analysis import Analysis, TableRef, analyse
from ...planner.colocation import aligned
from ...planner.conditions import Conditions, collect
from ...planner.plan import TableRoute
from ...planner.route import routers
from ...sql.change import ChangeParts, parse_change
from ...sql.classify import Classified, StatementKind
from ...sql.fingerprint import number_parameters
from ...sql.insert import parse_copy, parse_insert
from ...sql.lexer import significant
from ...sql.names import name_at
from ...sql.parameters import check_parameters
from ...sql.sequences import draws
from ...storage import duck
from ...storage.operations import Operation
from ...types import Column, Parameters, Row
from ..composed import Composed, check, execute_whole, numbered_from
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.binding import shard_table, shards_of
from ..reading.recording import CHANGE, work
from ..reading.result import Result
from .across import change_rows, judge, target_of
from .columns import drawing_defaults
from .copying import run_copy
from .insert import changed, run_insert, values_shard
from .instants import with_values
from .merge import merge
from .pinned import PinnedRows
from .replaying import may_run_again, settings_for


def run(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    classified: Classified,
) -> Result:
    """Run a statement that changes data, whose targets are locked. Raises errors.Error."""
    match classified.kind:
        case StatementKind.INSERT:
            return run_insert(gateway, connections, sql, parameters)
        case StatementKind.COPY_FROM:
            return run_copy(gateway, connections, sql, parameters)
        case StatementKind.TRUNCATE:
            return _truncate(gateway, connections, sql)
        case _:
            return _change(gateway, connections, sql, parameters, classified.kind.value.upper())


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
    match classified.kind:
        case StatementKind.INSERT | StatementKind.COPY_FROM:
            routes = _routes_of_insert(gateway, sql, parameters, classified.kind)
        case StatementKind.UPDATE | StatementKind.DELETE | StatementKind.MERGE:
            routes = _routes_of_rows(gateway, connections, sql, parameters)
        case StatementKind.TRUNCATE:
            table = truncated_table(gateway, sql)
            if table is None:
                return []
            return [TableRoute(table, table.name, _all_shards(table), "every row goes")]
        case _:
            raise NotSupportedError(
                f"EXPLAIN does not take {classified.kind.value.upper()}",
                hint="It takes queries, INSERT, UPDATE, DELETE, MERGE, TRUNCATE and COPY … FROM.",
            )
    if not routes:
        # Not about our tables: DuckDB knows whether it could run.
        check(connections.gateway, Composed(((sql, 0),)), parameters)
    return routes


def _routes_of_insert(
    gateway: Gateway, sql: str, parameters: Parameters, kind: StatementKind
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
        number = values_shard(gateway, table, parts, sql, parameters)
        if number is not None:
            shard = table.placements.index(number)
            return [TableRoute(table, table.name, (shard,), "every key of the list belongs to this shard")]
    return [TableRoute(table, table.name, _all_shards(table), "each row goes to the shard of its key")]


def _all_shards(table: Table) -> tuple[int, ...]:
    return tuple(range(table.strategy.shard_count))


_DIFFERS = "what it does could differ from one run to the next"


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """An UPDATE, DELETE or MERGE of a table of the catalog, and how it runs.

    text: with its parameters numbered. routes: of its tables, the target's first. across: why no shard can make its
    part alone; None if each can. pinned: the shard keys of the rows that it reads and writes, if it names them and
    neither reads others nor moves any.
    """

    table: Table
    parts: ChangeParts
    text: str
    routes: tuple[TableRoute, ...]
    across: str | None
    pinned: PinnedRows | None = None

    @property
    def places_rows(self) -> bool:
        """Whether rows may come to shards on which no row was found: new ones, or such with another shard key."""
        key = {name.lower() for name in self.table.shard_key}
        return self.parts.verb == "MERGE" or any(
            column.lower() in key for clause in self.parts.clauses for column in clause.columns or ()
        )


def _change(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters, verb: str
) -> Result:
    planned = planned_change(gateway, sql, parameters)
    if planned is None:
        return _elsewhere(gateway, connections, sql, parameters, verb)
    if planned.across is None and not _reads_changed_reference(connections, planned):
        return _alone(gateway, connections, planned, sql, parameters)
    check_parameters(planned.text, parameters)
    with numbered_from(sql):
        target = target_of(
            gateway, connections, planned.table, planned.parts, planned.text, planned.routes[0].shards
        )
        judge(connections, target, parameters)
        if verb == "MERGE":
            return merge(connections, target, parameters)
        return change_rows(connections, target, parameters)


def _reads_changed_reference(connections: SessionConnections, planned: PlannedChange) -> bool:
    """Whether a shard's writer would read a reference table that the transaction has changed, by another writer."""
    own = connections.transactions.own
    if own is None or planned.table.is_reference:
        return False
    return any(route.table.is_reference and own.is_changed(route.table, 0) for route in planned.routes[1:])


def _elsewhere(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters, verb: str
) -> Result:
    """Run what is not about a table of the catalog: DuckDB changes a temporary table, or says what is wrong."""
    connections.transactions.show_own(sql)
    try:
        duck.execute(connections.gateway, sql, parameters)
    except ProgrammingError as error:
        known = {table.name.lower() for table in gateway.catalog.ready_tables()}
        named = any(lexeme.identifier.lower() in known for lexeme in significant(sql))
        if error.sqlstate == "42601" or not named or parse_change(sql) is not None:
            raise
        raise NotSupportedError(
            f"this form of {verb} is not understood for a sharded table",
            hint="Write one column and its value at a time.",
        ) from None
    return changed(connections.gateway, verb, _returns(sql))


def _alone(
    gateway: Gateway,
    connections: SessionConnections,
    planned: PlannedChange,
    sql: str,
    parameters: Parameters,
) -> Result:
    """Run the user's own text on each shard, with one value for `now()` on all."""
    verb, returning = planned.parts.verb, planned.parts.returning is not None
    # A condition that no shard can meet is still judged by one, which also knows the columns of RETURNING.
    numbers = [planned.table.placements[shard] for shard in planned.routes[0].shards or (0,)]
    results: list[Row] = []
    columns: tuple[Column, ...] = ()
    count = 0
    settings = settings_for(gateway, connections, planned.table, sql, parameters)
    with connections.transactions.atomic(numbers) as writers:
        text = with_values(next(iter(writers.values())).connection, sql)
        operation = Operation(text.sql, parameters, settings=settings)
        for number, writer in writers.items():
            with work(CHANGE, number) as done:
                execute_whole(writer.connection, text, parameters)
                outcome = changed(writer.connection, verb, returning)
                done.rows = outcome.rowcount
            if outcome.rowcount:
                writer.record(operation)
            columns = outcome.columns
            results += outcome.fetchall()
            count += outcome.rowcount
    return Result(columns, f"{verb} {count}", rows=results, rowcount=count)


def _routes_of_rows(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters
) -> list[TableRoute]:
    planned = planned_change(gateway, sql, parameters)
    if planned is None:
        return []
    with numbered_from(sql):
        target = target_of(
            gateway, connections, planned.table, planned.parts, planned.text, planned.routes[0].shards
        )
        judge(connections, target, parameters)
    return list(planned.routes)


def planned_change(gateway: Gateway, sql: str, parameters: Parameters) -> PlannedChange | None:
    """How an UPDATE, DELETE or MERGE runs; None if it is not about a table of the catalog, or not readable."""
    text = number_parameters(sql)
    parts = parse_change(text)
    table = gateway.find_table(parts.target) if parts is not None else None
    if parts is None or table is None:
        return None
    analysis = analyse(text, gateway.catalog)
    target = _target(analysis) if analysis is not None else None
    if analysis is not None and target is None and len(parts.target) == 1:
        return None  # A common table expression has the table's name, and cannot be changed.
    if analysis is None or target is None or target.table is not table:
        reason = "it is computed at the gateway"
        return PlannedChange(table, parts, text, (_whole(table, parts.alias or table.name, reason),), reason)
    conditions = collect(analysis)
    across = _why_not_alone(gateway, analysis, target, conditions, parts)
    route = routers(analysis, conditions)[target].route(parameters)
    pinned = None
    if across in (None, _DIFFERS) and len(analysis.refs) == 1:
        # What the rows of other keys say may change until the locks of these are held.
        pinned = PinnedRows.of_conditions(table, conditions.comparisons[target])
    if across is None:
        others = [
            router.route(parameters)
            for ref, router in routers(analysis, conditions).items()
            if ref is not target
        ]
        return PlannedChange(table, parts, text, (route, *others), None, pinned)
    read = [_whole(ref.table, ref.name, "read at the gateway") for ref in analysis.refs if ref is not target]
    route = replace(route, reason=f"{route.reason}; computed at the gateway: {across}")
    return PlannedChange(table, parts, text, (route, *read), across, pinned)


def _whole(table: Table, name: str, reason: str) -> TableRoute:
    return TableRoute(table, name, _all_shards(table), reason)


def _target(analysis: Analysis) -> TableRef | None:
    """The table that an UPDATE or DELETE changes, if it is one of the catalog."""
    node = analysis.root.this
    return next((ref for ref in analysis.refs if ref.node is node), None)


def _why_not_alone(
    gateway: Gateway,
    analysis: Analysis,
    target: TableRef,
    conditions: Conditions,
    parts: ChangeParts,
) -> str | None:
    """Why the shards cannot each make their part of a change with the user's own text; None if they can."""
    if parts.verb == "MERGE":
        return "a MERGE is one join of all shards"
    if analysis.uses_row_numbers():
        return "it names rowid"
    if gateway.catalog.sequences and (
        draws(analysis.text)
        or ("DEFAULT" in analysis.text.upper() and drawing_defaults(gateway, target.table, ()))
    ):
        return "only the gateway can draw from a sequence"
    if gateway.calls_macro(analysis.text):
        return "it calls a macro, which may read rows of other shards"
    if analysis.others:
        return f"the shards cannot see {', '.join(dict.fromkeys(analysis.others))}"
    if target.table.is_reference:
        if not all(ref.table.is_reference for ref in analysis.refs):
            return "reference tables do not see the rows of shards"
        return None if may_run_again(gateway, target.table, analysis.text) else _DIFFERS
    key = {name.lower() for name in target.table.shard_key}
    if any(column.lower() in key for clause in parts.clauses for column in clause.columns or ()):
        return "a row whose shard key changes moves"
    if not aligned([ref for ref in analysis.refs if not ref.table.is_reference], conditions):
        return "its rows depend on rows of other shards"
    if not may_run_again(gateway, target.table, analysis.text):
        return _DIFFERS
    return None


def _returns(sql: str) -> bool:
    return any(lexeme.upper == "RETURNING" for lexeme in significant(sql))


def truncated_table(gateway: Gateway, sql: str) -> Table | None:
    """The table of the catalog that a TRUNCATE names; None if that is another's."""
    lexemes = [lexeme for lexeme in significant(sql) if lexeme.upper != "TABLE"]
    found = name_at(lexemes, 1)
    return gateway.find_table(found[0]) if found is not None and found[1] == len(lexemes) else None


def _truncate(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    table = truncated_table(gateway, sql)
    if table is None:
        connection = duck.execute(connections.gateway, sql)
        return Result((), "TRUNCATE", rowcount=duck.guarded(connection.fetchall)[0][0])
    count = 0
    with connections.transactions.atomic(shards_of(table)) as writers:
        for shard, number in enumerate(table.placements):
            with work(CHANGE, number) as done:
                connection = writers[number].execute(f"DELETE FROM {shard_table(table, shard)}")
                done.rows = duck.guarded(connection.fetchall)[0][0]
            count += done.rows
    return Result((), "TRUNCATE", rowcount=count)
