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
from ..executor.reading.result import Result, columns_of
from ..planner.plan import Plan, Tier
from ..sql.classify import Classified
from ..storage import duck
from ..transactions.transaction import Isolation, State, Transaction
from ..types import Column, Parameters
from .context import Context

if TYPE_CHECKING:
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
        transactions.lock_read(_tables_read(context, made))
    if transactions.writers() and not (made.tier is Tier.ROUTE and _sees_itself(context, made)):
        return _run_over(context, made, sql, parameters)
    return _run(context, made, sql, parameters)


def _tables_read(context: Context, plan: Plan) -> list[tuple[Table, int]]:
    """(table, shard of the database) for all that a plan may read."""
    if plan.tier is Tier.LOCAL:
        return []
    routes = [(route.table, route.shards) for route in plan.routes]
    if not routes:
        tables = context.gateway.catalog.ready_tables()
        routes = [(table, tuple(range(table.strategy.shard_count))) for table in tables]
    return [
        (table, table.placements[0 if table.is_reference else shard])
        for table, shards in routes
        for shard in shards
    ]


def shards_read(context: Context, plan: Plan) -> set[int]:
    """The shards of the database that a plan may read."""
    return {shard for _, shard in _tables_read(context, plan)}


def _sees_itself(context: Context, plan: Plan) -> bool:
    """Whether one shard can answer a query with all that the transaction has written."""
    written = set(context.connections.transactions.writers())
    return not written & (shards_read(context, plan) - {plan.shard})


def _run_over(context: Context, plan: Plan, sql: str, parameters: Parameters) -> Result:
    """Run a query that reads several shards, of which the transaction has written some."""
    from ..executor.reading.overlay import Overlay

    transactions = context.connections.transactions
    overlay = Overlay(
        context.gateway,
        context.connections.gateway,
        transactions.writers(),
        transactions.may_have_changed,
        has_own_names=context.has_own_state,
        is_collated=context.collations.has,
    )

    def close() -> None:
        overlay.close()
        transactions.end_reading()

    def run() -> None:
        text, given = overlay.bind(plan, sql, parameters)
        duck.execute(context.connections.gateway, text, given)

    try:
        transactions.read_together(shards_read(context, plan), run)
    except BaseException:
        close()
        raise
    gateway = context.connections.gateway
    return Result(_named(columns_of(gateway), plan), "SELECT", source=gateway, on_close=close)


def run_routed(context: Context, sql: str, parameters: Parameters) -> Result | None:
    """Run a statement of a shape that is known to need one shard only; None if it is not known."""
    shard = known_shard(context, sql, parameters)
    transaction = context.connections.transactions.explicit
    if shard is None or (transaction is not None and not _may_route(transaction)):
        return None
    connection = context.connections.transactions.on_shard(shard)
    parsed = None if parameters is None else context.parsed.statement(connection, sql)
    return stream(connection, sql, parameters, parsed)


def _may_route(transaction: Transaction) -> bool:
    """Whether a query of one shard needs nothing in this transaction but that shard."""
    if transaction.state is not State.ACTIVE or transaction.failure is not None:
        return False  # Only its end is taken.
    if transaction.isolation is Isolation.SERIALIZABLE or not transaction.has_looked:
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


def _planned(context: Context, sql: str, parameters: Parameters, *, prune: bool = True) -> Planned:
    """Plan a query and keep its shape for the next one."""
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
    transactions = context.connections.transactions
    if plan.tier is Tier.LOCAL:
        return stream(context.connections.gateway, sql, parameters)
    try:
        if plan.tier is Tier.ROUTE and plan.shard is not None:
            return _run_on_shard(context, plan, plan.shard, sql, parameters)
        with at_position(None):
            if context.binding == "streamed":
                from ..executor.reading import streamed

                rows, streams, columns = streamed.start(
                    context.connections,
                    plan,
                    parameters,
                    context.collations.has,
                    shards_read(context, plan),
                )
                columns = _named(columns, plan)
                return Result(
                    columns, "SELECT", source=rows, on_close=streams.close, interrupt=streams.interrupt
                )
            gateway = context.connections.gateway
            merged = attached_sql(plan)
            parsed = context.parsed.statement(gateway, merged)
            transactions.read_together(
                shards_read(context, plan), lambda: _start(gateway, merged, parameters, parsed)
            )
            columns = _named(columns_of(gateway), plan)
            return Result(columns, "SELECT", source=gateway, on_close=partial(transactions.end_reading, gateway))
    except (ProgrammingError, DataError, IntegrityError) as error:
        if plan.tier is Tier.ROUTE and not isinstance(error, ProgrammingError):
            raise
        return _as_written(context, sql, parameters, error)


def _run_on_shard(context: Context, plan: Plan, shard: int, sql: str, parameters: Parameters) -> Result:
    """Run the user's own text on one shard."""
    connection = context.connections.transactions.on_shard(shard)
    if len(shards_read(context, plan)) < 2:
        return stream(connection, sql, parameters)
    # Reference tables are in a file of their own.
    transactions = context.connections.transactions
    transactions.read_together(
        {shard}, lambda: _start(connection, sql, parameters, None), connection=connection
    )
    return Result(
        columns_of(connection), "SELECT", source=connection, text=sql, on_close=partial(transactions.end_reading, connection)
    )


def _start(
    connection: duck.Connection, sql: str, parameters: Parameters, parsed: duck.Statement | None
) -> None:
    duck.execute(connection, sql, parameters, parsed)


def _as_written(context: Context, sql: str, parameters: Parameters, error: Error) -> Result:
    """DuckDB judges the user's own text: either it runs as it stands, or the message and the position are right."""
    transactions = context.connections.transactions
    if transactions.holds_snapshot:
        # The error has ended the transaction that it would have to run in.
        with context.connections.reader(None) as connection:
            duck.rows(connection, f"DESCRIBE {sql}", parameters)
        raise error
    transactions.end_reading()
    gateway = context.connections.gateway
    numbers = list(context.gateway.transactions.stores)
    transactions.read_together(numbers, lambda: _start(gateway, sql, parameters, None))
    return Result(columns_of(gateway), "SELECT", source=gateway, text=sql, on_close=partial(transactions.end_reading, gateway))


def _named(columns: tuple[Column, ...], plan: Plan) -> tuple[Column, ...]:
    """The columns of a result under the names that the plan wants."""
    if plan.names is None:
        return columns
    return tuple(replace(column, name=name) for column, name in zip(columns, plan.names, strict=True))
