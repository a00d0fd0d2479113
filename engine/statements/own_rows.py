"""What a transaction has written before, for statements that run on the gateway's connection.

Queries see to that themselves (`queries.py`); all others read the gateway's views, or the shards by number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ..executor.reading.result import BATCH_ROWS, Result
from .context import Context


@contextmanager
def changing_own(context: Context) -> Iterator[None]:
    """While the block runs, a change asks its transaction for what it has written (`SessionTransactions.own`)."""
    transactions = context.connections.transactions
    if transactions.own is not None or transactions.explicit is None or not transactions.writers():
        yield
        return
    transactions.look_together()
    overlay = transactions.overlay(
        context.gateway, has_own_names=context.has_own_state, is_collated=context.collations.has
    )
    transactions.own = overlay
    try:
        yield
    finally:
        transactions.own = None
        overlay.close()
        transactions.end_reading()


def seeing_own(context: Context, sql: str, run: Callable[[], Result]) -> Result:
    """What `run` makes of a text that reads the gateway's views: they show what the transaction has written.

    Raises errors.Error.
    """
    transactions = context.connections.transactions
    if transactions.explicit is None or not transactions.writers():
        return run()
    with changing_own(context):
        transactions.show_own(sql)
        result = run()
        if not result.keep(BATCH_ROWS):
            from ..executor.reading.spilled import SpilledRows

            result.move(partial(SpilledRows, directory=context.gateway.scratch.path))
    return result
