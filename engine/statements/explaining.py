"""EXPLAIN and EXPLAIN ROUTE: plans and shards as rows, without running the statement."""

from __future__ import annotations

from ..errors import NotSupportedError, ProgrammingError
from ..executor import system
from ..executor.composed import Composed, execute, part_of_statement
from ..executor.result import Result
from ..sql.classify import Classified, StatementKind, classify
from ..types import Column, Parameters
from .context import Context
from .queries import plan_anew

_TEXT = "VARCHAR"


def explain(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """EXPLAIN: the plan as lines of text."""
    from ..planner.explain import explain as lines_of

    body = sql[classified.body_start :]
    if classified.analyze or body.startswith("("):
        raise NotSupportedError(
            "EXPLAIN ANALYZE and EXPLAIN (…) are not supported yet",
            hint="Plain EXPLAIN shows the distributed plan; EXPLAIN ROUTE shows the shards.",
        )
    inner = classify(body)
    if inner.kind is StatementKind.EMPTY:
        raise ProgrammingError("EXPLAIN needs a statement", sqlstate="42601", position=len(sql) + 1)
    if inner.kind is StatementKind.QUERY:
        plan = plan_anew(context, body, parameters)
        _check_binds(context, body, classified.body_start, parameters)
        lines = lines_of(plan, body)
    else:
        from ..executor import dml

        with part_of_statement(classified.body_start):
            lines = dml.explain_change(context.gateway, context.connections, body, parameters, inner)
    return Result([Column("plan", _TEXT)], "EXPLAIN", rows=[(line,) for line in lines])


def explain_route(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """EXPLAIN ROUTE: one row for each shard of each table that the statement can touch."""
    body = sql[classified.body_start :]
    inner = classify(body)
    if inner.kind is StatementKind.QUERY:
        _check_binds(context, body, classified.body_start, parameters)
        routes = list(plan_anew(context, body, parameters).routes)
    else:
        from ..executor import dml

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
    with part_of_statement(offset):
        execute(context.connections.gateway, Composed((("EXPLAIN ", None), (body, 0))), parameters)
