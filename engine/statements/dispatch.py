"""Which road a statement takes, told by its kind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

from ..errors import ProgrammingError
from ..executor.definitions import sequence_blocks
from ..executor.own_settings import as_written, reading_own
from ..executor.protection import check_target
from ..executor.reading.result import Result
from ..sql.classify import Classified, StatementKind, classify
from ..sql.split import single_statement
from ..types import Parameters
from . import (
    changes,
    explaining,
    exporting,
    local,
    locks,
    queries,
    row_locks,
    settings,
    small_writes,
    temporary,
    transactions,
)
from .context import Context
from .own_rows import seeing_own

_Handler = Callable[[Context, str, Parameters, Classified], Result]

_HANDLERS: dict[StatementKind, _Handler] = {
    StatementKind.QUERY: queries.run_query,
    StatementKind.EXPLAIN: explaining.explain,
    StatementKind.EXPLAIN_ROUTE: explaining.explain_route,
    StatementKind.SHOW_CATALOG: local.show_catalog,
    StatementKind.SETTING: settings.setting,
    StatementKind.COPY_TO: local.gateway_statement,
    StatementKind.PREPARED: local.prepared,
    StatementKind.ATTACHMENT: local.gateway_statement,
    StatementKind.CHECKPOINT: local.checkpoint,
    StatementKind.FILES: exporting.transfer,
    StatementKind.INSERT: changes.change,
    StatementKind.UPDATE: changes.change,
    StatementKind.DELETE: changes.change,
    StatementKind.MERGE: changes.change,
    StatementKind.TRUNCATE: changes.change,
    StatementKind.COPY_FROM: changes.change,
    StatementKind.CREATE_TABLE: changes.define,
    StatementKind.CREATE_DEFINITION: changes.define,
    StatementKind.CREATE_INDEX: changes.define,
    StatementKind.CREATE_SEQUENCE: changes.define,
    StatementKind.COMMENT: changes.define,
    StatementKind.DROP: changes.define,
    StatementKind.ALTER: changes.define,
    StatementKind.TRANSACTION: transactions.transact,
    StatementKind.LOCK: locks.lock,
    StatementKind.ADVISORY: locks.advisory,
    StatementKind.ROW_LOCKS: row_locks.select_locking,
    StatementKind.KILL: transactions.kill,
}


_OVER_VIEWS = frozenset({StatementKind.COPY_TO, StatementKind.CREATE_TABLE, StatementKind.SETTING})
"""Statements besides queries and changes in whose texts DuckDB finds the gateway's views."""
_MANY = 1 << 30
_OF_NAMES = frozenset({StatementKind.DROP, StatementKind.ALTER})


def run(context: Context, sql: str, parameters: Parameters) -> Result:
    """Run the one statement in `sql`. Raises errors.Error."""
    own = context.connections.transactions
    try:
        result = _run(context, sql, parameters)
    except BaseException as error:
        own.fail(error)
        if isinstance(error, RecursionError):
            raise ProgrammingError(
                "the statement nests too deep",
                sqlstate="54001",
                hint="Put long lists into a table, or take the statement apart.",
            ) from None
        raise
    transaction = own.explicit
    if result.streaming and transaction is not None:
        result.on_error = lambda error: own.fail(error) if own.explicit is transaction else None
    if sequence_blocks.may_draw(context.gateway, sql):
        result.before_rows(lambda: sequence_blocks.settle(context.gateway))
    return result


def _run(context: Context, sql: str, parameters: Parameters) -> Result:
    is_hidden = bool(context.temporaries) and temporary.hides(context, sql)
    if not is_hidden:
        known = small_writes.run_small(context, sql, parameters) or queries.run_routed(
            context, sql, parameters
        )
        if known is not None:
            return known
    sql = single_statement(sql)
    classified = classify(sql)
    if classified.kind is StatementKind.EMPTY:
        return Result((), "")
    handler = _HANDLERS[classified.kind]
    if classified.kind is not StatementKind.TRANSACTION:
        context.connections.transactions.check_usable()
    check_target(sql, classified)
    changes.check_none_within(context, sql)
    if classified.temporary or "setseed" in sql.lower():
        context.has_own_state = True
    answered = settings.shown(context, sql) or transactions.shown(context, sql) or local.called(context, sql)
    if answered is not None:
        return answered
    reading = reading_own(sql)

    def run() -> Result:
        hidden = temporary.run_hidden(context, reading, parameters, classified) if is_hidden else None
        return hidden if hidden is not None else handler(context, reading, parameters, classified)

    copies = classified.kind is StatementKind.COPY_TO or (
        classified.kind is StatementKind.CREATE_TABLE and classified.temporary
    )
    with context.connections.transactions.one_moment() if copies else nullcontext():
        result = seeing_own(context, reading, run) if is_hidden or classified.kind in _OVER_VIEWS else run()
        if copies:
            result.keep(_MANY)  # Names of files at most; the snapshot ends here.
    if classified.temporary or (context.temporaries and classified.kind in _OF_NAMES):
        temporary.note_temporaries(context)
    if reading is not sql:
        result.columns = tuple(replace(column, name=as_written(column.name)) for column in result.columns)
    return result
