"""EXPLAIN, EXPLAIN ANALYZE and EXPLAIN ROUTE: plans, what running them cost, and shards, as rows.

Promises: without ANALYZE nothing is run. With it a query is run and its rows are thrown away; a change is made, as
PostgreSQL makes it.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from ..errors import DataError, IntegrityError, NotSupportedError, ProgrammingError
from ..executor import system
from ..executor.composed import Composed, at_position, check, numbered_from, part_of_statement
from ..executor.reading.binding import attached_sql
from ..executor.reading.result import BATCH_ROWS, Result
from ..sql.classify import Classified, StatementKind, classify
from ..sql.explain import ExplainParts, parse_explain
from ..sql.fingerprint import number_parameters
from ..sql.locking import without_row_locks
from ..types import Column, Parameters
from . import prepared
from .context import Context
from .queries import plan_anew, shards_read

if TYPE_CHECKING:
    from ..planner.costs import Costs
    from ..planner.explain import Values
    from ..planner.plan import Plan

_TEXT = "VARCHAR"
_CHANGES = frozenset(
    {
        StatementKind.INSERT,
        StatementKind.UPDATE,
        StatementKind.DELETE,
        StatementKind.MERGE,
        StatementKind.TRUNCATE,
        StatementKind.COPY_FROM,
    }
)


def explain(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """EXPLAIN: the plan as lines of text or as one JSON value; with ANALYZE also what running it cost."""
    parts = parse_explain(sql)
    executed = prepared.unfolded(context, sql, parts.body_start, parameters)
    if executed is not None:
        return explain(context, *executed, classified)
    body = sql[parts.body_start :]
    inner = classify(body)
    if inner.kind is StatementKind.EMPTY:
        raise ProgrammingError("EXPLAIN needs a statement", sqlstate="42601", position=len(sql) + 1)
    if inner.kind in (StatementKind.QUERY, StatementKind.ROW_LOCKS):
        return _explain_query(context, without_row_locks(body), parameters, parts)
    if inner.kind in _CHANGES:
        with part_of_statement(parts.body_start):
            return _explain_change(context, body, parameters, inner, parts)
    raise NotSupportedError(
        f"EXPLAIN does not take {inner.kind.value.upper()}",
        hint="It takes queries, INSERT, UPDATE, DELETE, MERGE, TRUNCATE and COPY … FROM.",
        position=parts.body_start + 1,
    )


def _explain_query(context: Context, body: str, parameters: Parameters, parts: ExplainParts) -> Result:
    from ..planner.explain import explain, values_of

    start = time.perf_counter()
    plan = plan_anew(context, body, parameters)
    planning_ms = (time.perf_counter() - start) * 1000
    _check_binds(context, body, parts.body_start, parameters)
    costs = None
    if parts.analyze:
        with part_of_statement(parts.body_start):
            costs = _run_query(context, plan, body, parameters, planning_ms)
    values = values_of(plan, body, context.gateway.node_of, costs)
    if parts.format == "json":
        return _json(values)
    return _lines(explain(plan, body, context.gateway.node_of, costs), values)


def _run_query(context: Context, plan: Plan, body: str, parameters: Parameters, planning_ms: float) -> Costs:
    """Run a plan, throw its rows away, and return what it cost."""
    from ..executor.reading.profile import costs_of, run_profiled
    from ..planner.plan import Tier

    connection = context.connections.gateway
    text = body
    if plan.tier is Tier.ROUTE and plan.shard is not None:
        connection = context.connections.shard(plan.shard)
    elif plan.tier is not Tier.LOCAL:
        if context.binding == "streamed":
            return _run_streamed(context, plan, body, parameters, planning_ms)
        text = attached_sql(plan)
    start = time.perf_counter()
    try:
        with at_position(None):
            operators = run_profiled(connection, text, parameters)
    except (ProgrammingError, DataError, IntegrityError):
        # As when it is run without EXPLAIN: DuckDB judges the user's own text.
        start = time.perf_counter()
        operators = run_profiled(context.connections.gateway, body, parameters)
    return costs_of(plan, operators, planning_ms, (time.perf_counter() - start) * 1000)


def _run_streamed(
    context: Context, plan: Plan, body: str, parameters: Parameters, planning_ms: float
) -> Costs:
    from ..executor.reading import streamed
    from ..executor.reading.recording import recording
    from ..planner.costs import Costs

    start = time.perf_counter()
    count = 0
    with recording() as recorder, at_position(None):
        rows, streams, _ = streamed.start(
            context.connections, plan, parameters, context.collations.has, shards_read(context, plan, body)
        )
        try:
            while batch := rows.fetchmany(BATCH_ROWS):
                count += len(batch)
        finally:
            streams.close()
    return Costs(count, planning_ms, (time.perf_counter() - start) * 1000, recorder.parts)


def _explain_change(
    context: Context, body: str, parameters: Parameters, inner: Classified, parts: ExplainParts
) -> Result:
    from ..executor.changes import dml
    from ..executor.reading.recording import CHANGE, recording
    from ..planner.costs import Costs
    from ..planner.explain import explain_change, values_of_change
    from .changes import change

    start = time.perf_counter()
    routes = dml.routes_of_change(context.gateway, context.connections, body, parameters, inner)
    planned = time.perf_counter()
    costs, changed = None, {}
    if parts.analyze:
        with recording() as recorder:
            result = change(context, body, parameters, inner)
        spent_ms = (time.perf_counter() - planned) * 1000
        costs = Costs(max(result.rowcount, 0), (planned - start) * 1000, spent_ms)
        changed = recorder.parts.get(CHANGE, {})
    verb = inner.kind.value.upper()
    values = values_of_change(verb, routes, context.gateway.node_of, costs, changed)
    if parts.format == "json":
        return _json(values)
    return _lines(explain_change(verb, routes, context.gateway.node_of, costs, changed), values)


def _lines(lines: list[str], values: Values) -> Result:
    return Result([Column("plan", _TEXT)], "EXPLAIN", rows=[(line,) for line in lines], plan=values)


def _json(values: Values) -> Result:
    text = json.dumps(values, ensure_ascii=False, indent=2)
    return Result([Column("plan", "JSON")], "EXPLAIN", rows=[(text,)])


def explain_route(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """EXPLAIN ROUTE: one row for each shard of each table that the statement can touch."""
    executed = prepared.unfolded(context, sql, classified.body_start, parameters)
    if executed is not None:
        return explain_route(context, *executed, classified)
    body = sql[classified.body_start :]
    inner = classify(body)
    if inner.kind in (StatementKind.QUERY, StatementKind.ROW_LOCKS):
        body = without_row_locks(body)
        _check_binds(context, body, classified.body_start, parameters)
        routes = list(plan_anew(context, body, parameters).routes)
    else:
        from ..executor.changes import dml

        with part_of_statement(classified.body_start):
            routes = dml.routes_of_change(context.gateway, context.connections, body, parameters, inner)
    node_of = context.gateway.catalog.shard
    rows = [
        (
            route.table.name,
            shard,
            route.table.strategy.describe_shard(shard),
            node_of(route.table.placements[shard]).node,
            route.reason,
        )
        for route in routes
        for shard in route.shards
    ]
    kinds = {"table": _TEXT, "shard": "INTEGER", "holds": _TEXT, "node": _TEXT, "reason": _TEXT}
    columns = [Column(name, kind) for name, kind in kinds.items()]
    return Result(columns, "EXPLAIN", rows=rows, rowcount=len(rows))


def _check_binds(context: Context, body: str, offset: int, parameters: Parameters) -> None:
    """Let DuckDB say what is wrong with a query at this offset of the statement, if anything is."""
    if system.mentions(body):
        system.refresh(context.gateway)
    with part_of_statement(offset), numbered_from(body):
        check(context.connections.gateway, Composed(((number_parameters(body), 0),)), parameters)
