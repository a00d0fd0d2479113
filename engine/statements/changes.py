"""Changes of data, each in the session's transaction or in one of its own; changes of definitions, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import NotSupportedError
from ..executor import system
from ..executor.reading.result import Result
from ..sql.change import changes_within
from ..sql.classify import Classified, StatementKind
from ..transactions.transaction import Isolation
from ..types import Parameters
from .context import Context
from .own_rows import changing_own

if TYPE_CHECKING:
    from ..executor.changes.targets import WriteTarget


def change(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """INSERT, UPDATE, DELETE, MERGE, TRUNCATE, COPY … FROM."""
    from ..executor.changes import dml

    if system.mentions(sql):
        system.refresh(context.gateway)
    with context.connections.transactions.changing(sql) as transaction:
        transaction.check_may_write(classified.kind.value.upper())
        context.connections.transactions.lock_catalog()
        targets = context.gateway.write_targets.of(sql, parameters, classified)
        if transaction.isolation is Isolation.SERIALIZABLE or (
            transaction.implicit and context.default_isolation is Isolation.SERIALIZABLE
        ):
            _lock_read(context, sql, targets)
        context.connections.transactions.lock(targets)
        with changing_own(context):
            result = dml.run(context.gateway, context.connections, sql, parameters, classified)
        if not context.has_own_macros:
            context.gateway.write_shapes.learn(sql, parameters)
        return result


def _lock_read(context: Context, sql: str, targets: Sequence[WriteTarget]) -> None:
    """Keep what a change reads besides the rows that it writes as it is, to the end of the transaction."""
    from ..executor.reading.reach import reached

    if targets and all(target.keys is not None for target in targets):
        return  # Such a change reads nothing else.
    catalog = context.gateway.catalog
    context.connections.transactions.lock_read(
        (table, shard)
        for table in reached(sql, catalog, catalog.ready_tables())
        for shard in set(table.placements)
    )


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
