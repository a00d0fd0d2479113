"""Changes of definitions on several shards that a crash cannot leave half done.

The statements run in a transaction on each shard. Before the first of these commits, the catalog file gets what the
catalog is to be, with the statements as its `pending` change. Each shard notes the change's number in the transaction
that makes it, so that after a crash `redo` knows which shards still lack it.
Promises: a change that raises leaves every shard and the catalog as they were; one that was decided reaches them all.
Leaves to others: what to change (`alter.py`, `indexes.py`), the views of the gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ...catalog.model import Catalog, PendingChange
from ...errors import Error, invariant
from ...storage import duck, shard
from ..composed import Composed, execute
from ..connections import SessionConnections
from ..gateway import Gateway

Connections = dict[int, duck.Connection]


def change_shards(
    gateway: Gateway,
    connections: SessionConnections,
    statements: Mapping[int, Sequence[Composed]],
    catalog_after: Callable[[Connections], Catalog],
) -> None:
    """Run statements on shards of the database, and put in force the catalog that follows from them.

    statements: by number of the shard. catalog_after: gets the connections, on which the statements have run and have
    not been committed; it may raise. The caller holds the write lock. Raises errors.Error.
    """
    redo(gateway)
    before = gateway.catalog
    number = before.version + 1
    noted: Catalog | None = None
    try:
        with connections.atomic(sorted(statements)) as writers:
            for home, texts in statements.items():
                for text in texts:
                    execute(writers[home], text)
                shard.note_change(writers[home], home, number)
            after = catalog_after(writers)
            invariant(after.version >= number, "a change of definitions makes a new version")
            texts_by_shard = tuple(
                (home, tuple(text.sql for text in texts)) for home, texts in statements.items()
            )
            noted = replace(after, pending=PendingChange(number, texts_by_shard))
            gateway.note(noted)
    except Error as error:
        if noted is not None and error.outcome_known:
            with suppress(Error):
                gateway.publish(before)
        elif noted is not None:
            # Some shards have it: the next opening of the database brings it to the others.
            gateway.publish(noted)
        raise
    gateway.publish(after)


def redo(gateway: Gateway) -> None:
    """Make the pending change on the shards that lack it. Raises errors.Error."""
    pending = gateway.catalog.pending
    if pending is None:
        return
    connections = SessionConnections(gateway.instance, gateway.versions)
    try:
        for home, texts in pending.statements:
            if shard.last_change(gateway.instance, home) < pending.number:
                with connections.atomic([home]) as writers:
                    for text in texts:
                        duck.execute(writers[home], text)
                    shard.note_change(writers[home], home, pending.number)
    finally:
        connections.close()
    gateway.publish(replace(gateway.catalog, pending=None))
