"""Opening an existing database: what a crash interrupted is undone or finished, then everything is shown.

Promises: after it, each table is as before or as after the statement that was interrupted, its definition at least
(its rows too, if the statement was about one table as a whole).
"""

from __future__ import annotations

from ..catalog.model import Table, TableState
from ..sql.sequences import draws
from ..storage import duck, shard
from ..storage.directory import DataDirectory
from ..types import quote_identifier
from .definitions.sequence_blocks import restore_sequences
from .definitions.shard_changes import redo
from .definitions.tables import finish_replacement, replacement, sweep
from .gateway import HOME, Gateway


def recover(gateway: Gateway, directory: DataDirectory) -> None:
    """Attach the shards, finish what a crash interrupted, and show tables and definitions. Raises errors.Error."""
    catalog = gateway.catalog
    for unknown in directory.shards_with_logs() - {known.number for known in catalog.shards}:
        log = gateway.open_log(unknown, create=True)  # Of a shard that was being made; any other is refused.
        if log is not None:
            log.close()
    directory.check_shard_files(known.file for known in catalog.shards if known.file)
    for known in catalog.shards:
        if known.file is not None:
            shard.attach(gateway.instance, known.number, directory.path / known.file, catalog.database_id)
            log = gateway.open_log(known.number, create=False)
            gateway.transactions.add_shard(known.number, log, gateway.instance)
    _show_schemas(gateway)
    definitions = gateway.catalog.definitions
    gateway.draws_unseen = any(draws(known.sql) for known in definitions)
    gateway.await_definitions(known for known in definitions if known.kind == "TYPE")
    gateway.transactions.recover(gateway.instance)
    _settle_tables(gateway)
    restore_sequences(gateway)
    # Macros may be called by what is still to be done on the shards; those that read tables wait for these.
    gateway.await_definitions(known for known in definitions if known.kind.startswith("MACRO"))
    redo(gateway)
    for table in gateway.catalog.ready_tables():
        gateway.show_table(table)
    gateway.await_definitions(known for known in definitions if known.kind == "VIEW")


def _show_schemas(gateway: Gateway) -> None:
    schemas = [known.name for known in gateway.catalog.definitions if known.kind == "SCHEMA"]
    schemas += [table.schema for table in gateway.catalog.ready_tables()]
    for schema in dict.fromkeys(schemas):
        duck.execute(gateway.instance, f"CREATE SCHEMA IF NOT EXISTS {HOME}.{quote_identifier(schema)}")


def _settle_tables(gateway: Gateway) -> None:
    """Finish replacements that were decided; sweep away what was being made or dropped."""
    unfinished: list[Table] = []
    for table in list(gateway.catalog.tables.values()):
        if table.state is TableState.DROPPING:
            aside = replacement(gateway, table)
            if aside is not None:
                finish_replacement(gateway, table, aside)
                continue
        if table.state is not TableState.READY:
            unfinished.append(table)
    sweep(gateway, unfinished)
