"""Queries: from the text by way of its plan to a result that streams."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import DataError, IntegrityError, ProgrammingError
from ..executor import listing, system
from ..executor.composed import at_position
from ..executor.reading.binding import attached_sql
from ..executor.reading.result import Result, columns_of
from ..sql.classify import Classified
from ..storage import duck
from ..types import Column, Parameters
from .context import Context

if TYPE_CHECKING:
    from ..planner.moving import Moving
    from ..planner.plan import Plan
    from ..planner.planner import Planned


def run_query(context: Context, sql: str, parameters: Parameters, _: Classified) -> Result:
    """Plan a query and start it. Raises errors.Error."""
    if system.mentions(sql):
        system.refresh(context.gateway)
    gateway = context.connections.gateway
    listed = listing.listing_sql(context.gateway, sql)
    if listed is not None:
        return stream(gateway, listed, parameters)
    if not context.gateway.catalog.tables:
        return stream(gateway, sql, parameters)  # Without the planner, which takes long to import.
    made = plan(context, sql, parameters)
    result = _run(context, made, sql, parameters)
    if not context.gateway.versions.unchanged(made.left_out):
        # A shard was left out for what it held before a change that the other shards may show already.
        result.close()
        result = _run(context, plan_anew(context, sql, parameters, prune=False), sql, parameters)
    return result


def run_routed(context: Context, sql: str, parameters: Parameters) -> Result | None:
    """Run a statement of a shape that is known to need one shard only; None if it is not known."""
    shard = known_shard(context, sql, parameters)
    if shard is None:
        return None
    connection = context.connections.shard(shard)
    parsed = None if parameters is None else context.parsed.statement(connection, sql)
    return stream(connection, sql, parameters, parsed)


def known_shard(context: Context, sql: str, parameters: Parameters) -> int | None:
    """The shard to which a statement of this shape goes, if that is known."""
    catalog = context.gateway.catalog
    if not catalog.tables or not context.plans_are_shared:
        return None
    return context.plans.shard(sql, parameters, catalog.version)


def plan(context: Context, sql: str, parameters: Parameters) -> Plan:
    """The plan of a query, from the cache if it is known there."""
    from ..planner.cache import plan_key

    key = plan_key(sql, parameters) if context.plans_are_shared else None
    known = None if key is None else context.plans.plan(key, parameters, context.gateway.catalog.version)
    if known is not None and context.gateway.versions.unchanged(known.left_out):
        return known
    planned = _planned(context, sql, parameters)
    if key is not None and not planned.plan.provisional:
        context.plans.keep_plan(key, parameters, planned)
    return planned.plan


def plan_anew(context: Context, sql: str, parameters: Parameters, *, prune: bool = True) -> Plan:
    """Plan a query whatever the cache holds.

    prune: whether shards are left out because of their statistics. Such a plan holds while those do not change.
    """
    return _planned(context, sql, parameters, prune=prune).plan


def _planned(context: Context, sql: str, parameters: Parameters, *, prune: bool = True) -> Planned:
    """Plan a query and keep its shape for the next one."""
    from ..planner.plan import Tier
    from ..planner.planner import plan_query

    allow = frozenset(Tier) if context.allowed_tiers is None else context.allowed_tiers
    if context.has_own_macros or context.gateway.calls_macro(sql):
        # A shard does not know the session's own, and has only its own rows to give to others.
        allow -= {Tier.ROUTE}
    gateway = context.gateway
    statistics = gateway.statistics if prune else None
    with context.binder.given(parameters) as binder:
        planned = plan_query(sql, parameters, gateway.catalog, binder, allow, _moving(context), statistics)
    if planned.shape is not None and context.plans_are_shared:
        context.plans.keep(sql, planned.shape)
    return planned


def _moving(context: Context) -> Moving | None:
    """What the planner must know when the rows of shards cost something to move; None if they do not."""
    if context.binding != "streamed":
        return None
    from ..planner.moving import JoinStrategy, Moving

    allowed = frozenset(JoinStrategy) if context.allowed_joins is None else context.allowed_joins
    return Moving(context.gateway.statistics, context.collations.has, allowed)


def stream(
    connection: duck.Connection, sql: str, parameters: Parameters, parsed: duck.Statement | None = None
) -> Result:
    """Start a statement on a connection, whose rows then wait there. parsed: as in `duck.execute`."""
    duck.execute(connection, sql, parameters, parsed)
    return Result(columns_of(connection), "SELECT", source=connection, text=sql)


def _run(context: Context, plan: Plan, sql: str, parameters: Parameters) -> Result:
    from ..planner.plan import Tier

    gateway = context.connections.gateway
    if plan.tier is Tier.LOCAL:
        return stream(gateway, sql, parameters)
    try:
        if plan.tier is Tier.ROUTE and plan.shard is not None:
            return stream(context.connections.shard(plan.shard), sql, parameters)
        with at_position(None):
            if context.binding == "streamed":
                from ..executor.reading import streamed

                rows, streams, columns = streamed.start(
                    context.connections, plan, parameters, context.collations.has
                )
                columns = _named(columns, plan)
                return Result(
                    columns, "SELECT", source=rows, on_close=streams.close, interrupt=streams.interrupt
                )
            merged = attached_sql(plan)
            duck.execute(gateway, merged, parameters, context.parsed.statement(gateway, merged))
            return Result(_named(columns_of(gateway), plan), "SELECT", source=gateway)
    except (ProgrammingError, DataError, IntegrityError) as error:
        if plan.tier is Tier.ROUTE and not isinstance(error, ProgrammingError):
            raise
        # DuckDB judges the user's own text: either it runs as it stands, or the message and the position are right.
        return stream(gateway, sql, parameters)


def _named(columns: tuple[Column, ...], plan: Plan) -> tuple[Column, ...]:
    """The columns of a result under the names that the plan wants."""
    if plan.names is None:
        return columns
    return tuple(replace(column, name=name) for column, name in zip(columns, plan.names, strict=True))
