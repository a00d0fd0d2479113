"""Small writes of a known shape: they skip parsing and planning and, outside of BEGIN, share a commit with others.

Promises: such a write does what it would do on the road of every other change (`changes.py`).
Leaves to others: which writes are known (`changes/shapes.py`), how they are run together (`transactions/group.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..executor.reading.recording import CHANGE, work
from ..executor.reading.result import Result
from ..sql.classify import begins_as_write
from ..storage.settings import without_time
from ..transactions.group import SmallWrite
from ..transactions.transaction import State
from ..types import Parameters
from .context import Context

if TYPE_CHECKING:
    from ..executor.changes.shapes import KnownWrite


def run_small(context: Context, sql: str, parameters: Parameters) -> Result | None:
    """Run a write of a known shape; None if it is none. Raises errors.Error."""
    known = _known(context, sql, parameters)
    if known is None:
        return None
    from ..executor.changes.targets import WriteTarget

    shape = known.shape
    transactions = context.connections.transactions
    with transactions.changing(sql) as transaction:
        transaction.check_may_write(shape.verb)
        transactions.lock_catalog()
        if shape.catalog_version != context.gateway.catalog.version:
            return None  # Definitions have changed while it waited.
        transactions.lock([WriteTarget(shape.table, (known.shard,), known.keys)])
        if not transaction.implicit:
            return _run_within(context, known, sql, parameters)
        head = None if known.row is None or shape.row_text is None else shape.row_text.head
        write = SmallWrite(transaction.id, sql, parameters, shape.returning, head, known.row or "")
        transactions.write_small(known.shard, write)
    return Result(write.columns, f"{shape.tag} {write.count}", rows=write.rows, rowcount=write.count)


def _known(context: Context, sql: str, parameters: Parameters) -> KnownWrite | None:
    """What is known of a statement, if its text alone says what it does, whichever session sends it."""
    if not begins_as_write(sql) or not context.gateway.catalog.tables:
        return None
    if context.has_own_macros or context.connections.transactions.default_read_only:
        return None
    transaction = context.connections.transactions.current
    if transaction is not None and transaction.state is not State.ACTIVE:
        return None
    known = context.gateway.write_shapes.find(sql, parameters)
    if known is None or not known.shape.is_replayable:
        return None
    # It runs, and is read from the log again, without the session's settings.
    settings = context.connections.deviating(context.gateway.settings_version)
    if settings and (known.is_zoned or without_time(settings)):
        return None
    return known


def _run_within(context: Context, known: KnownWrite, sql: str, parameters: Parameters) -> Result:
    """Run it in the session's transaction."""
    from ..executor.changes.insert import changed

    with context.connections.transactions.atomic([known.shard]) as writers, work(CHANGE, known.shard) as done:
        connection = writers[known.shard].execute(sql, parameters)
        result = changed(connection, known.shape.tag, known.shape.returning)
        done.rows = result.rowcount
    return result
