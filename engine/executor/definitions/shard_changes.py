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
from ...storage import shard
from ...storage.operations import Operation
from ...transactions.writer import ShardWriter
from ..composed import Composed, execute
from ..connections import SessionConnections
from ..gateway import Gateway
from .filled import FilledColumn

Writers = dict[int, ShardWriter]


def change_shards(
    gateway: Gateway,
    connections: SessionConnections,
    statements: Mapping[int, Sequence[Composed]],
    catalog_after: Callable[[Writers], Catalog],
    filled: FilledColumn | None = None,
) -> None:
    """Run statements on shards of the database, and put in force the catalog that follows from them.

    statements: by number of the shard. catalog_after: gets the connections, on which the statements have run and have
    not been committed; it may raise. filled: a column whose values the statements do not tell. The caller holds the
    write lock. Raises errors.Error.
    """
    redo(gateway)
    before = gateway.catalog
    number = before.version + 1
    noted: Catalog | None = None
    settings = connections.deviating(gateway.settings_version)
    try:
        with connections.transactions.atomic(sorted(statements)) as writers:
            for home, texts in statements.items():
                for text in texts:
                    execute(writers[home].connection, text)
                    writers[home].record(Operation(text.sql, settings=settings))
                if filled is not None:
                    shard_number = filled.table.placements.index(home)
                    values = filled.operation(writers[home].connection, shard_number, settings)
                    if values is not None:
                        writers[home].record(values)
                note_change(writers[home], number)
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
            # Some shards may have it: the next opening of the database brings it to the others.
            with suppress(Error):
                gateway.publish(noted)
        raise
    gateway.publish(after)


def note_change(writer: ShardWriter, change: int) -> None:
    """Note in the shard, inside its open transaction, that it has made this change of definitions."""
    table = f"{shard.alias(writer.number)}.duckraft.changes"
    writer.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT CAST({change} AS BIGINT) AS last")


def redo(gateway: Gateway) -> None:
    """Make the pending change on the shards that lack it. Raises errors.Error."""
    pending = gateway.catalog.pending
    if pending is None:
        return
    with gateway.writing() as transactions:
        for home, texts in pending.statements:
            if shard.last_change(gateway.instance, home) < pending.number:
                with transactions.atomic([home]) as writers:
                    for text in texts:
                        writers[home].execute(text)
                    note_change(writers[home], pending.number)
    gateway.publish(replace(gateway.catalog, pending=None))
