"""A session: one user's statements, one after another.

Promises: a statement either does all it says or raises an `errors.Error` and changes nothing. The result of a statement
stays readable while the next one runs. `cancel` may be called from any thread.
Leaves to others: planning (`planner`), running (`executor`), how statements arrive (`shell`, `proxy`, `dbapi.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import Error, InterfaceError, NotSupportedError, ProgrammingError
from .executor import ddl, dml, system
from .executor.binder import GatewayBinder
from .executor.binding import attached_sql
from .executor.connections import SessionConnections
from .executor.result import Result, columns_of
from .sql.classify import Classified, StatementKind, classify
from .storage import duck
from .types import Column, Parameters

if TYPE_CHECKING:
    from .database import Database
    from .planner.plan import Plan, Tier

_TEXT = "VARCHAR"


class Session:
    """Made by `Database.session()`; used by one thread at a time, but for `cancel`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._gateway = database.gateway
        self._connections = SessionConnections(self._gateway.instance)
        self._binder = GatewayBinder(self._connections.gateway)
        self._open_result: Result | None = None
        self._closed = False
        self.allowed_tiers: frozenset[Tier] | None = None
        """Tiers that queries may use besides gather; None for all. The differential tests compare them."""

    def execute(self, sql: str, parameters: Parameters = None) -> Result:
        """Run exactly one statement.

        parameters: for `?` and `$1` a sequence, for `$name` a mapping. Raises errors.Error.
        """
        if self._closed:
            raise InterfaceError("the session is closed")
        if self._open_result is not None:
            self._open_result.detach()
            self._open_result = None
        result = self._execute(sql, parameters)
        if result.streaming:
            self._open_result = result
        return result

    def plan(self, sql: str, parameters: Parameters = None) -> Plan:
        """Plan a query without running it."""
        from .planner.plan import Plan, Tier

        catalog = self._gateway.catalog
        if self.allowed_tiers is None:
            shard = self.database.plans.shard(sql, parameters, catalog.version)
            if shard is not None:
                return Plan(Tier.ROUTE, "a known shape of statement", (), catalog.version, shard)
        return self._plan(sql, parameters)

    def cancel(self) -> None:
        """Stop the statement that is running, if one is; it raises QueryCanceledError."""
        self._connections.interrupt()

    def close(self) -> None:
        """End the session. Closing twice is fine."""
        if not self._closed:
            self._closed = True
            if self._open_result is not None:
                self._open_result.close()
            self._connections.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _execute(self, sql: str, parameters: Parameters) -> Result:
        if self.allowed_tiers is None and len(self.database.plans):
            shard = self.database.plans.shard(sql, parameters, self._gateway.catalog.version)
            if shard is not None:
                return self._stream(self._connections.shard(shard), sql, parameters)
        classified = classify(sql)
        handler = _HANDLERS.get(classified.kind)
        if handler is None:
            raise _not_yet(classified)
        return handler(self, sql, parameters, classified)

    def _query(self, sql: str, parameters: Parameters, _: Classified) -> Result:
        from .planner.plan import Tier

        if system.mentions(sql):
            system.refresh(self._gateway)
        plan = self._plan(sql, parameters)
        if plan.tier is Tier.ROUTE and plan.shard is not None:
            return self._stream(self._connections.shard(plan.shard), sql, parameters)
        gateway = self._connections.gateway
        if plan.tier is Tier.LOCAL:
            return self._stream(gateway, sql, parameters)
        try:
            return self._stream(gateway, attached_sql(plan), parameters)
        except ProgrammingError:
            # DuckDB judges the user's own text: either it runs as it stands, or the message and the position are right.
            return self._stream(gateway, sql, parameters)

    def _plan(self, sql: str, parameters: Parameters) -> Plan:
        """The plan of a query, from the cache if it has no parameters and is known."""
        if parameters is not None or self.allowed_tiers is not None:
            return self._plan_anew(sql, parameters)
        known = self.database.plans.plan(sql, self._gateway.catalog.version)
        if known is not None:
            return known
        plan = self._plan_anew(sql, parameters)
        self.database.plans.keep_plan(sql, plan)
        return plan

    def _plan_anew(self, sql: str, parameters: Parameters) -> Plan:
        from .planner.plan import Tier
        from .planner.planner import plan_query

        allow = frozenset(Tier) if self.allowed_tiers is None else self.allowed_tiers
        planned = plan_query(sql, parameters, self._gateway.catalog, self._binder, allow)
        if planned.shape is not None and self.allowed_tiers is None:
            self.database.plans.keep(sql, planned.shape)
        return planned.plan

    def _stream(self, connection: duck.Connection, sql: str, parameters: Parameters) -> Result:
        duck.execute(connection, sql, parameters)
        return Result(columns_of(connection), "SELECT", source=connection)

    def _explain(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        from .planner.explain import explain

        if classified.analyze or sql[classified.body_start : classified.body_start + 1] == "(":
            raise NotSupportedError(
                "EXPLAIN ANALYZE and EXPLAIN (…) are not supported yet",
                hint="Plain EXPLAIN shows the distributed plan; EXPLAIN ROUTE shows the shards.",
            )
        body = sql[classified.body_start :]
        inner = classify(body)
        if inner.kind is StatementKind.QUERY:
            plan = self._plan_anew(body, parameters)
            self._check_binds(body, parameters)
            lines = explain(plan, body)
        else:
            lines = dml.explain_change(self._gateway, body, parameters, inner)
        return Result([Column("plan", _TEXT)], "EXPLAIN", rows=[(line,) for line in lines])

    def _check_binds(self, sql: str, parameters: Parameters) -> None:
        """Let DuckDB say what is wrong with a query, if anything is, without running it."""
        if system.mentions(sql):
            system.refresh(self._gateway)
        duck.execute(self._connections.gateway, f"EXPLAIN {sql}", parameters)

    def _explain_route(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        body = sql[classified.body_start :]
        inner = classify(body)
        if inner.kind is StatementKind.QUERY:
            self._check_binds(body, parameters)
            routes = self._plan_anew(body, parameters).routes
        else:
            routes = dml.routes_of_change(self._gateway, body, parameters, inner)
        catalog = self._gateway.catalog
        rows = [
            (
                route.table.name,
                shard,
                route.table.strategy.describe_shard(shard),
                catalog.shard(route.table.placements[shard]).node,
                route.reason,
            )
            for route in routes
            for shard in route.shards
        ]
        columns = [
            Column("table", _TEXT),
            Column("shard", "INTEGER"),
            Column("holds", _TEXT),
            Column("node", _TEXT),
            Column("reason", _TEXT),
        ]
        return Result(columns, "EXPLAIN", rows=rows, rowcount=len(rows))

    def _show_catalog(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        """`SHOW SHARDS WHERE …` is a query on `duckraft.shards`."""
        system.refresh(self._gateway)
        name, rest = classified.object_kind, sql[classified.body_start :]
        result = self._stream(self._connections.gateway, f"FROM memory.duckraft.{name} {rest}", parameters)
        result.tag = "SHOW"
        return result

    def _setting(self, sql: str, parameters: Parameters, _: Classified) -> Result:
        if parameters is not None:
            raise ProgrammingError("a setting takes no parameters", sqlstate="42P02")
        connection = self._connections.apply_setting(sql)
        columns = columns_of(connection)
        if [column.name for column in columns] == ["Success"]:
            return Result((), sql.split(None, 1)[0].upper())
        return Result(columns, "PRAGMA", source=connection)

    def _gateway_statement(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        """A statement that concerns the gateway alone, such as COPY … TO, PREPARE or ATTACH."""
        if system.mentions(sql):
            system.refresh(self._gateway)
        connection = self._connections.gateway
        duck.execute(connection, sql, parameters)
        columns = columns_of(connection)
        tag = sql.split(None, 1)[0].upper()
        if [column.name for column in columns] == ["Success"]:
            return Result((), tag)
        if classified.kind is StatementKind.COPY_TO and [column.name for column in columns] == ["Count"]:
            count = duck.guarded(connection.fetchall)[0][0]
            return Result((), f"COPY {count}", rowcount=count)
        return Result(columns, tag, source=connection)

    def _checkpoint(self, sql: str, parameters: Parameters, _: Classified) -> Result:
        first = sql.split(None, 1)[0].upper()
        if first != "CHECKPOINT":
            return self._gateway_statement(sql, parameters, Classified(StatementKind.CHECKPOINT))
        ddl.checkpoint(self._gateway)
        return Result((), "CHECKPOINT")

    def _change(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        with self._gateway.write_lock:
            return dml.run(self._gateway, self._connections, sql, parameters, classified)

    def _define(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        with self._gateway.write_lock:
            return ddl.run(self._gateway, self._connections, sql, parameters, classified)

    def _empty(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        return Result((), "")


def _not_yet(classified: Classified) -> Error:
    what = classified.kind.value.upper()
    hints = {
        StatementKind.TRANSACTION: "Each statement is its own transaction over all its shards.",
        StatementKind.CREATE_SEQUENCE: "Number rows with row_number() while loading them.",
        StatementKind.FILES: "Use COPY … TO and COPY … FROM for each table.",
    }
    return NotSupportedError(f"{what} statements are not supported yet", hint=hints.get(classified.kind))


_Handler = Callable[[Session, str, Parameters, Classified], Result]

_HANDLERS: dict[StatementKind, _Handler] = {
    StatementKind.QUERY: Session._query,
    StatementKind.EXPLAIN: Session._explain,
    StatementKind.EXPLAIN_ROUTE: Session._explain_route,
    StatementKind.SHOW_CATALOG: Session._show_catalog,
    StatementKind.SETTING: Session._setting,
    StatementKind.COPY_TO: Session._gateway_statement,
    StatementKind.PREPARED: Session._gateway_statement,
    StatementKind.ATTACHMENT: Session._gateway_statement,
    StatementKind.CHECKPOINT: Session._checkpoint,
    StatementKind.INSERT: Session._change,
    StatementKind.UPDATE: Session._change,
    StatementKind.DELETE: Session._change,
    StatementKind.TRUNCATE: Session._change,
    StatementKind.COPY_FROM: Session._change,
    StatementKind.CREATE_TABLE: Session._define,
    StatementKind.CREATE_DEFINITION: Session._define,
    StatementKind.CREATE_INDEX: Session._define,
    StatementKind.DROP: Session._define,
    StatementKind.ALTER: Session._define,
    StatementKind.EMPTY: Session._empty,
}
