"""Queries: from the text by way of its plan to a result that streams."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..catalog.model import REFERENCE_SHARD, Table
from ..errors import DataError, Error, IntegrityError, ProgrammingError
from ..executor import listing, system
from ..executor.composed import at_position
from ..executor.reading.binding import attached_sql
from ..executor.reading.reach import reached
from ..executor.reading.result import Result, columns_of
from ..planner.plan import Plan, Tier
from ..sql.classify import Classified
from ..storage import duck
from ..transactions.transaction import Isolation, State, Transaction
from ..types import Column, Parameters
from .context import Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..executor.reading.overlay import Overlay
    from ..planner.moving import Moving
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
    transaction = context.connections.transactions.explicit
    if transaction is not None:
        return _run_within(context, transaction, sql, parameters)
    made = plan(context, sql, parameters)
    result = _run(context, made, sql, parameters)
    if not context.gateway.versions.unchanged(made.left_out):
        # A shard was left out for what it held before a change that the other shards may show already.
        result.close()
        result = _run(context, plan_anew(context, sql, parameters, prune=False), sql, parameters)
    return result


def _run_within(context: Context, transaction: Transaction, sql: str, parameters: Parameters) -> Result:
    """Run a query inside a transaction that was begun: no shard is left out for what others see in it."""
    transactions = context.connections.transactions
    transactions.lock_catalog()
    made = plan_anew(context, sql, parameters, prune=False)
    if transaction.isolation is Isolation.SERIALIZABLE:
        transactions.lock_read(_tables_read(context, made, sql))
    if not transactions.writers() or not _tables_read(context, made, sql):
        return _run(context, made, sql, parameters)
    if made.tier is Tier.ROUTE:
        if _sees_itself(context, made, sql):
            return _run(context, made, sql, parameters)
        made = _planned(context, sql, parameters, prune=False, without=Tier.ROUTE).plan
    return _run_over(context, made, sql, parameters)


def _tables_read(context: Context, plan: Plan, sql: str) -> list[tuple[Table, int]]:
    """(table, shard of the database) for all that a plan may read, by way of views and macros, too."""
    routes = [(route.table, route.shards) for route in plan.routes]
    is_over_views = plan.tier is Tier.GATHER and not routes
    may_call = plan.tier is not Tier.ROUTE and (context.has_own_state or context.gateway.calls_macro(sql))
    if is_over_views or plan.reads_more or may_call:
        catalog = context.gateway.catalog
        tables = catalog.ready_tables()
        routes = [
            (table, tuple(range(table.strategy.shard_count)))
            for table in (tables if context.has_own_state else reached(sql, catalog, tables))
        ]
    return [
        (table, table.placements[0 if table.is_reference else shard])
        for table, shards in routes
        for shard in shards
    ]


def shards_read(context: Context, plan: Plan, sql: str) -> set[int]:
    """The shards of the database that a plan may read."""
    return {shard for _, shard in _tables_read(context, plan, sql)}


def _sees_itself(context: Context, plan: Plan, sql: str) -> bool:
    """Whether one shard can answer a query with all that the transaction has written."""
    written = set(context.connections.transactions.writers())
    return not written & (shards_read(context, plan, sql) - {plan.shard})


def _run_over(context: Context, plan: Plan, sql: str, parameters: Parameters) -> Result:
    """Run a query that may read several shards, of which the transaction has written some."""
    transactions = context.connections.transactions
    shards = shards_read(context, plan, sql)
    try:
        with at_position(None):
            return _start_over(context, shards, lambda overlay: overlay.bind(plan, sql, parameters), plan)
    except (ProgrammingError, DataError, IntegrityError) as error:
        if transactions.holds_snapshot:
            raise _as_judged(context, sql, parameters, error) from None
        try:
            return _start_over(
                context, shards, lambda overlay: overlay.over_views(sql, parameters), None, sql
            )
        except Error as again:
            # A writer whose transaction the first error has ended says no more than that.
            raise (error if again.sqlstate == "25P02" else again) from None


def _start_over(
    context: Context,
    shards: set[int],
    bind: Callable[[Overlay], tuple[str, Parameters]],
    plan: Plan | None,
    text: str = "",
) -> Result:
    """Start what `bind` makes of a query, on what the transaction sees. text: the user's, if that is what runs."""
    transactions = context.connections.transactions
    gateway = context.connections.gateway
    overlay = transactions.overlay(
        context.gateway, has_own_names=context.has_own_state, is_collated=context.collations.has
    )

    def close() -> None:
        overlay.close()
        transactions.end_reading(gateway)

    def run() -> None:
        duck.execute(gateway, *bind(overlay))

    try:
        transactions.read_together(shards, run)
    except BaseException:
        close()
        raise
    columns = columns_of(gateway) if plan is None else _named(columns_of(gateway), plan)
    return Result(columns, "SELECT", source=gateway, text=text, on_close=close)


def run_routed(context: Context, sql: str, parameters: Parameters) -> Result | None:
    """Run a statement of a shape that is known to need one shard only; None if it is not known."""
    shard = known_shard(context, sql, parameters)
    transaction = context.connections.transactions.explicit
    if shard is not None and transaction is not None:
        if not _may_route(transaction):
            return None
        # From its first statement on a transaction keeps the definitions, which may have changed before it has them.
        context.connections.transactions.lock_catalog()
        shard = known_shard(context, sql, parameters)
    if shard is None:
        return None
    connection = context.connections.transactions.on_shard(shard)
    parsed = None if parameters is None else context.parsed.statement(connection, sql)
    return stream(connection, sql, parameters, parsed)


def _may_route(transaction: Transaction) -> bool:
    """Whether a query of one shard needs nothing in this transaction but that shard."""
    if transaction.state is not State.ACTIVE or transaction.failure is not None:
        return False  # Only its end is taken.
    if transaction.isolation is Isolation.SERIALIZABLE:
        return False
    reference = transaction.writers.get(REFERENCE_SHARD)
    return reference is None or not reference.changed


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


def _planned(
    context: Context, sql: str, parameters: Parameters, *, prune: bool = True, without: Tier | None = None
) -> Planned:
    """Plan a query and keep its shape for the next one. without: a tier that must not be used."""
    from ..planner.planner import plan_query

    allow = frozenset(Tier) if context.allowed_tiers is None else context.allowed_tiers
    if context.has_own_macros or context.gateway.calls_macro(sql):
        # A shard does not know the session's own, and has only its own rows to give to others.
        allow -= {Tier.ROUTE}
    allow -= {without}
    gateway = context.gateway
    statistics = gateway.statistics if prune else None
    with context.binder.given(parameters) as binder:
        planned = plan_query(sql, parameters, gateway.catalog, binder, allow, _moving(context), statistics)
    if planned.shape is not None and context.plans_are_shared:
        context.plans.keep(sql, planned.shape)
    return planned


def _moving(context: Context) -> Moving | None:
    """What the planner must know when the rows of shards cost something to move; None if they do not."""
    from ..planner.moving import JoinStrategy, Moving

    if context.binding != "streamed":
        if not context.connections.transactions.writers():
            return None
        # What leaves a writer is copied.
        return Moving(context.gateway.statistics, context.collations.has, frozenset({JoinStrategy.GATHER}))
    allowed = frozenset(JoinStrategy) if context.allowed_joins is None else context.allowed_joins
    return Moving(context.gateway.statistics, context.collations.has, allowed)


def stream(
    connection: duck.Connection, sql: str, parameters: Parameters, parsed: duck.Statement | None = None
) -> Result:
    """Start a statement on a connection, whose rows then wait there. parsed: as in `duck.execute`."""
    duck.execute(connection, sql, parameters, parsed)
    return Result(columns_of(connection), "SELECT", source=connection, text=sql)


def _run(context: Context, plan: Plan, sql: str, parameters: Parameters) -> Result:
    transactions = context.connections.transactions
    if plan.tier is Tier.LOCAL and not _tables_read(context, plan, sql):
        return stream(context.connections.gateway, sql, parameters)
    try:
        if plan.tier is Tier.ROUTE and plan.shard is not None:
            return _run_on_shard(context, plan, plan.shard, sql, parameters)
        with at_position(None):
            if context.binding == "streamed" and plan.fragments():
                from ..executor.reading import streamed

                rows, streams, columns = streamed.start(
                    context.connections,
                    plan,
                    parameters,
                    context.collations.has,
                    shards_read(context, plan, sql),
                )
                columns = _named(columns, plan)
                return Result(
                    columns, "SELECT", source=rows, on_close=streams.close, interrupt=streams.interrupt
                )
            gateway = context.connections.gateway
            merged = attached_sql(plan) if plan.merge else sql
            parsed = context.parsed.statement(gateway, merged)
            transactions.read_together(
                shards_read(context, plan, sql), lambda: _start(gateway, merged, parameters, parsed)
            )
            columns = _named(columns_of(gateway), plan)
            return Result(
                columns, "SELECT", source=gateway, on_close=partial(transactions.end_reading, gateway)
            )
    except (ProgrammingError, DataError, IntegrityError) as error:
        if plan.tier is Tier.ROUTE and not isinstance(error, ProgrammingError):
            raise
        return _as_written(context, sql, parameters, error)


def _run_on_shard(context: Context, plan: Plan, shard: int, sql: str, parameters: Parameters) -> Result:
    """Run the user's own text on one shard."""
    connection = context.connections.transactions.on_shard(shard)
    if len(shards_read(context, plan, sql)) < 2:
        return stream(connection, sql, parameters)
    # Reference tables are in a file of their own.
    transactions = context.connections.transactions
    transactions.read_together(
        {shard}, lambda: _start(connection, sql, parameters, None), connection=connection
    )
    return Result(
        columns_of(connection),
        "SELECT",
        source=connection,
        text=sql,
        on_close=partial(transactions.end_reading, connection),
    )


def _start(
    connection: duck.Connection, sql: str, parameters: Parameters, parsed: duck.Statement | None
) -> None:
    duck.execute(connection, sql, parameters, parsed)


def _as_written(context: Context, sql: str, parameters: Parameters, error: Error) -> Result:
    """DuckDB judges the user's own text: either it runs as it stands, or the message and the position are right."""
    transactions = context.connections.transactions
    if transactions.holds_snapshot:
        raise _as_judged(context, sql, parameters, error) from None
    transactions.end_reading()
    gateway = context.connections.gateway
    numbers = list(context.gateway.transactions.stores)
    transactions.read_together(numbers, lambda: _start(gateway, sql, parameters, None))
    return Result(
        columns_of(gateway),
        "SELECT",
        source=gateway,
        text=sql,
        on_close=partial(transactions.end_reading, gateway),
    )


def _as_judged(context: Context, sql: str, parameters: Parameters, error: Error) -> Error:
    """What DuckDB says of the user's own text, where `error` has ended the transaction in which that would run."""
    with context.connections.reader(None) as connection:
        try:
            duck.rows(connection, f"DESCRIBE {sql}", parameters)
        except Error as judged:
            return judged
    return error


def _named(columns: tuple[Column, ...], plan: Plan) -> tuple[Column, ...]:
    """The columns of a result under the names that the plan wants."""
    if plan.names is None:
        return columns
    return tuple(replace(column, name=name) for column, name in zip(columns, plan.names, strict=True))
