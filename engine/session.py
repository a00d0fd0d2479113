"""A session: one user's statements, one after another.

Promises: a statement either does all it says or raises an `errors.Error` and changes nothing. The result of a statement
stays readable while the next one runs. `cancel` may be called from any thread.
Leaves to others: planning (`planner`), running (`executor`), how statements arrive (`shell`, `proxy`, `dbapi.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from .errors import DataError, Error, IntegrityError, InterfaceError, NotSupportedError, ProgrammingError
from .executor import listing, system
from .executor.binder import GatewayBinder
from .executor.binding import attached_sql
from .executor.composed import Composed, at_position, execute, part_of_statement
from .executor.connections import SessionConnections
from .executor.protection import check_target
from .executor.result import Result, columns_of
from .executor.settings import apply_setting
from .sql.classify import Classified, StatementKind, classify
from .sql.lexer import significant
from .sql.split import single_statement
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
        self._has_own_macros = False
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

        shard = self._known_shard(sql, parameters)
        if shard is not None:
            return Plan(Tier.ROUTE, "a known shape of statement", (), self._gateway.catalog.version, shard)
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
        shard = self._known_shard(sql, parameters)
        if shard is not None:
            return self._stream(self._connections.shard(shard), sql, parameters)
        sql = single_statement(sql)
        classified = classify(sql)
        if classified.kind is StatementKind.EMPTY:
            return Result((), "")
        handler = _HANDLERS.get(classified.kind)
        if handler is None:
            raise _not_yet(sql, classified.kind)
        check_target(sql, classified)
        return handler(self, sql, parameters, classified)

    @property
    def _plans_are_shared(self) -> bool:
        """Whether this session's plans are those that any other would make."""
        return self.allowed_tiers is None and not self._has_own_macros

    def _known_shard(self, sql: str, parameters: Parameters) -> int | None:
        """The shard to which a statement of this shape goes, if that is known."""
        plans = self.database.plans if self._gateway.catalog.tables and self._plans_are_shared else None
        return plans.shard(sql, parameters, self._gateway.catalog.version) if plans else None

    def _query(self, sql: str, parameters: Parameters, _: Classified) -> Result:
        if system.mentions(sql):
            system.refresh(self._gateway)
        gateway = self._connections.gateway
        listed = listing.listing_sql(self._gateway, sql)
        if listed is not None:
            return self._stream(gateway, listed, parameters)
        if not self._gateway.catalog.tables:
            return self._stream(gateway, sql, parameters)  # Without the planner, which takes long to import.
        return self._run(self._plan(sql, parameters), sql, parameters)

    def _run(self, plan: Plan, sql: str, parameters: Parameters) -> Result:
        from .planner.plan import Tier

        gateway = self._connections.gateway
        if plan.tier is Tier.LOCAL:
            return self._stream(gateway, sql, parameters)
        try:
            if plan.tier is Tier.ROUTE and plan.shard is not None:
                return self._stream(self._connections.shard(plan.shard), sql, parameters)
            with at_position(None):
                duck.execute(gateway, attached_sql(plan), parameters)
                columns = columns_of(gateway)
                if plan.names is not None:
                    columns = tuple(
                        replace(column, name=name) for column, name in zip(columns, plan.names, strict=True)
                    )
                return Result(columns, "SELECT", source=gateway)
        except (ProgrammingError, DataError, IntegrityError) as error:
            if plan.tier is Tier.ROUTE and not isinstance(error, ProgrammingError):
                raise
            # DuckDB judges the user's own text: either it runs as it stands, or the message and the position are right.
            return self._stream(gateway, sql, parameters)

    def _plan(self, sql: str, parameters: Parameters) -> Plan:
        """The plan of a query, from the cache if it has no parameters and is known."""
        if parameters is not None or not self._plans_are_shared:
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
        if self._has_own_macros or self._gateway.calls_macro(sql):
            allow -= {
                Tier.ROUTE
            }  # A shard does not know the session's own, and has only its own rows to give to others.
        planned = plan_query(sql, parameters, self._gateway.catalog, self._binder, allow)
        if planned.shape is not None and self._plans_are_shared:
            self.database.plans.keep(sql, planned.shape)
        return planned.plan

    def _stream(self, connection: duck.Connection, sql: str, parameters: Parameters) -> Result:
        duck.execute(connection, sql, parameters)
        return Result(columns_of(connection), "SELECT", source=connection, text=sql)

    def _explain(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        from .planner.explain import explain

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
            plan = self._plan_anew(body, parameters)
            self._check_binds(body, classified.body_start, parameters)
            lines = explain(plan, body)
        else:
            from .executor import dml

            with part_of_statement(classified.body_start):
                lines = dml.explain_change(self._gateway, self._connections, body, parameters, inner)
        return Result([Column("plan", _TEXT)], "EXPLAIN", rows=[(line,) for line in lines])

    def _check_binds(self, body: str, offset: int, parameters: Parameters) -> None:
        """Let DuckDB say what is wrong with a query at this offset of the statement, if anything is."""
        if system.mentions(body):
            system.refresh(self._gateway)
        with part_of_statement(offset):
            execute(self._connections.gateway, Composed((("EXPLAIN ", None), (body, 0))), parameters)

    def _explain_route(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        body = sql[classified.body_start :]
        inner = classify(body)
        if inner.kind is StatementKind.QUERY:
            self._check_binds(body, classified.body_start, parameters)
            routes = list(self._plan_anew(body, parameters).routes)
        else:
            from .executor import dml

            with part_of_statement(classified.body_start):
                routes = dml.routes_of_change(self._gateway, self._connections, body, parameters, inner)
        node_of = self._gateway.catalog.shard
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

    def _show_catalog(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        """`SHOW SHARDS WHERE …` is a query on `duckraft.shards`."""
        system.refresh(self._gateway)
        start = classified.body_start
        query = Composed(((f"FROM memory.duckraft.{classified.object_kind}", None), (sql[start:], start)))
        connection = execute(self._connections.gateway, query, parameters)
        return Result(columns_of(connection), "SHOW", source=connection)

    def _setting(self, sql: str, parameters: Parameters, _: Classified) -> Result:
        if parameters is not None:
            raise ProgrammingError("a setting takes no parameters", sqlstate="42P02")
        listed = listing.listing_sql(self._gateway, sql)
        if listed is not None:
            return self._stream(self._connections.gateway, listed, None)
        if system.mentions(sql):
            system.refresh(self._gateway)
        return apply_setting(self._connections, sql)

    def _gateway_statement(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        """A statement that concerns the gateway alone, such as COPY … TO, EXECUTE or ATTACH."""
        if system.mentions(sql):
            system.refresh(self._gateway)
        connection = duck.execute(self._connections.gateway, sql, parameters)
        columns = columns_of(connection)
        tag = sql.split(None, 1)[0].upper()
        if [column.name for column in columns] == ["Success"]:
            return Result((), tag)
        if classified.kind is StatementKind.COPY_TO and [column.name for column in columns] == ["Count"]:
            count = duck.guarded(connection.fetchall)[0][0]
            return Result((), f"COPY {count}", rowcount=count)
        return Result(columns, tag, source=connection)

    def _prepared(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        lexemes = significant(sql)
        body = next((lexeme.end for lexeme in lexemes if lexeme.upper == "AS"), None)
        if lexemes[0].upper == "PREPARE" and body is not None:
            inner = classify(sql[body:])
            if inner.kind is not StatementKind.QUERY:
                raise NotSupportedError(
                    f"PREPARE of {inner.kind.value.upper()} is not supported yet",
                    hint="Send the statement with parameters: what is known of it is kept from one time to the next.",
                )
        return self._gateway_statement(sql, parameters, classified)

    def _checkpoint(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        from .executor import ddl

        if significant(sql)[0].upper == "CHECKPOINT":
            ddl.checkpoint(self._gateway)
            return Result((), "CHECKPOINT")
        return self._gateway_statement(sql, parameters, classified)

    def _change(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        from .executor import dml

        if system.mentions(sql):
            system.refresh(self._gateway)
        with self._gateway.write_lock:
            return dml.run(self._gateway, self._connections, sql, parameters, classified)

    def _define(self, sql: str, parameters: Parameters, classified: Classified) -> Result:
        from .executor import ddl

        if system.mentions(sql):
            system.refresh(self._gateway)
        with self._gateway.write_lock:
            result = ddl.run(self._gateway, self._connections, sql, parameters, classified)
        self._binder.forget_functions()
        if classified.temporary and classified.kind is StatementKind.CREATE_DEFINITION:
            self._has_own_macros = True
        return result


def _not_yet(sql: str, kind: StatementKind) -> Error:
    words = [lexeme.upper for lexeme in significant(sql)[:2]]
    two = words[0] in ("CREATE", "COMMENT", "EXPORT", "IMPORT", "MERGE", "COPY")
    hints = {
        StatementKind.TRANSACTION: "Each statement is its own transaction over all its shards.",
        StatementKind.CREATE_SEQUENCE: "Number rows with row_number() while loading them.",
        StatementKind.FILES: "Use COPY … TO and COPY … FROM for each table.",
        StatementKind.MERGE: "Use INSERT … ON CONFLICT DO UPDATE, UPDATE and DELETE.",
    }
    return NotSupportedError(
        f"{' '.join(words if two else words[:1])} is not supported yet", hint=hints.get(kind)
    )


_Handler = Callable[[Session, str, Parameters, Classified], Result]

_HANDLERS: dict[StatementKind, _Handler] = {
    StatementKind.QUERY: Session._query,
    StatementKind.EXPLAIN: Session._explain,
    StatementKind.EXPLAIN_ROUTE: Session._explain_route,
    StatementKind.SHOW_CATALOG: Session._show_catalog,
    StatementKind.SETTING: Session._setting,
    StatementKind.COPY_TO: Session._gateway_statement,
    StatementKind.PREPARED: Session._prepared,
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
}
