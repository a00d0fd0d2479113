"""Changes of data and of definitions: one at a time, under the database's write lock."""

from __future__ import annotations

from ..errors import NotSupportedError
from ..executor import system
from ..executor.reading.result import Result
from ..sql.change import changes_within
from ..sql.classify import Classified, StatementKind
from ..types import Parameters
from .context import Context


def change(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """INSERT, UPDATE, DELETE, MERGE, TRUNCATE, COPY … FROM."""
    from ..executor.changes import dml

    if system.mentions(sql):
        system.refresh(context.gateway)
    with context.connections.transactions.changing(sql) as transaction:
        transaction.check_may_write(classified.kind.value.upper())
        context.connections.transactions.lock_catalog()
        targets = context.gateway.write_targets.of(sql, parameters, classified)
        context.connections.transactions.lock(targets)
        return dml.run(context.gateway, context.connections, sql, parameters, classified)


def check_none_within(context: Context, sql: str) -> None:
    """Raise NotSupportedError for a common table expression that changes a table of the catalog."""
    for name, offset in changes_within(sql):
        if context.gateway.find_table(name) is not None:
            raise NotSupportedError(
                f'a WITH that changes "{name[-1]}" is not supported on a sharded table',
                hint="Send the change as a statement of its own, with RETURNING, and use its rows in the next one.",
                position=offset + 1,
            )


def define(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """CREATE, DROP, ALTER."""
    from ..executor.definitions import ddl

    if system.mentions(sql):
        system.refresh(context.gateway)
    with (
        context.connections.transactions.defining(temporary=classified.temporary),
        context.gateway.write_lock,
    ):
        result = ddl.run(context.gateway, context.connections, sql, parameters, classified)
    context.binder.forget_functions()
    if classified.temporary and classified.kind is StatementKind.CREATE_DEFINITION:
        context.has_own_macros = True
    return result
