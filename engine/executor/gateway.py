"""The gateway: one DuckDB instance with the shards attached, and the catalog in force.

Promises: a catalog is in force only after it was saved. A table that a crash left half made or half dropped is swept
away when the gateway opens, so that no later statement sees it. Two changes of data or definitions never run at the
same time (`write_lock`).
Leaves to others: what to change (`ddl.py`, `dml.py`), sessions (`session.py`).
"""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

from ..catalog.model import REFERENCE_SHARD, Catalog, Shard, Table, TableState
from ..catalog.store import CatalogStore, MemoryCatalogStore
from ..storage import duck, shard
from ..storage.directory import SHARDS_NAME, DataDirectory, sync_directory
from ..types import quote_identifier
from .binding import shards_of, view_sql

DEFAULT_SHARDS = 4


class Gateway:
    """The state that all sessions of a database share."""

    def __init__(
        self,
        directory: DataDirectory | None,
        store: CatalogStore | MemoryCatalogStore,
        catalog: Catalog,
        instance: duck.Connection,
    ) -> None:
        self.directory = directory
        self.instance = instance
        self.write_lock = threading.RLock()
        self._store = store
        self._catalog = catalog

    @classmethod
    def open(
        cls, path: Path | None, shards: int | None, threads: int | None, memory_limit: str | None
    ) -> Gateway:
        """Open or make the database at `path` (None: in memory). Raises errors.OperationalError subclasses."""
        directory = DataDirectory.open(path, create=True) if path is not None else None
        try:
            store = CatalogStore(directory.path) if directory is not None else MemoryCatalogStore()
            instance = duck.open_instance(threads, memory_limit)
            try:
                if directory is not None and directory.has_catalog:
                    catalog = store.load()
                    gateway = cls(directory, store, catalog, instance)
                    gateway._recover()
                else:
                    catalog = Catalog(uuid.uuid4().hex, 1, shards or DEFAULT_SHARDS)
                    store.create(catalog)
                    gateway = cls(directory, store, catalog, instance)
                duck.execute(instance, "CREATE SCHEMA IF NOT EXISTS memory.duckraft")
            except BaseException:
                instance.close()
                raise
        except BaseException:
            if directory is not None:
                directory.close()
            raise
        return gateway

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self._catalog

    def publish(self, catalog: Catalog) -> None:
        """Save `catalog`, then put it in force. If saving fails the old one stays. The caller holds the write lock."""
        self._store.save(catalog)
        self._catalog = catalog

    def ensure_shards(self, numbers: list[int]) -> None:
        """Make those of these shards that the database does not have yet, and the one of reference tables, which every
        search path names. The caller holds the write lock."""
        known = {known.number for known in self._catalog.shards}
        missing = [number for number in sorted({REFERENCE_SHARD, *numbers}) if number not in known]
        made: list[Shard] = []
        for number in missing:
            path = self._path(number)
            shard.create(self.instance, number, path, self._catalog.database_id)
            relative = str(path.relative_to(self.directory.path)) if path and self.directory else None
            made.append(Shard(number, relative))
        if made and self.directory is not None:
            sync_directory(self.directory.path / SHARDS_NAME)
        if made:
            self.publish(self._catalog.with_shards(tuple(made)))

    def show_table(self, table: Table) -> None:
        """Make or renew the gateway's view of a table."""
        duck.execute(self.instance, view_sql(table))

    def hide_table(self, table: Table) -> None:
        """Take the gateway's view of a table away."""
        name = f"memory.{quote_identifier(table.schema)}.{quote_identifier(table.name)}"
        duck.execute(self.instance, f"DROP VIEW IF EXISTS {name}")

    def drop_from_shards(self, table: Table) -> None:
        """Drop what the shards have of a table, as far as it is there."""
        for number in shards_of(self._catalog, table):
            name = shard.qualified(number, table.schema, table.name)
            duck.execute(self.instance, f"DROP TABLE IF EXISTS {name}")

    def close(self) -> None:
        """Write everything to the shard files and give the directory up."""
        self.instance.close()
        if self.directory is not None:
            self.directory.close()

    def _path(self, number: int) -> Path | None:
        if self.directory is None:
            return None
        if number == REFERENCE_SHARD:
            return self.directory.reference_path
        return self.directory.shard_path(number)

    def _recover(self) -> None:
        """Attach the shards, finish what a crash interrupted, and show tables and definitions."""
        directory = self.directory
        if directory is not None:
            directory.check_shard_files(known.file for known in self._catalog.shards if known.file)
            for known in self._catalog.shards:
                if known.file is not None:
                    path = directory.path / known.file
                    shard.attach(self.instance, known.number, path, self._catalog.database_id)
        for table in list(self._catalog.tables.values()):
            if table.state is not TableState.READY:
                self.drop_from_shards(table)
                self.publish(self._catalog.without_table(table))
        schemas = {table.schema for table in self._catalog.tables.values()} - {"main"}
        for schema in sorted(schemas):
            duck.execute(self.instance, f"CREATE SCHEMA IF NOT EXISTS memory.{quote_identifier(schema)}")
        for definition in self._catalog.definitions:
            if definition.kind in ("SCHEMA", "TYPE"):
                duck.execute(self.instance, definition.sql)
        for table in self._catalog.ready_tables():
            self.show_table(table)
        for definition in self._catalog.definitions:
            if definition.kind not in ("SCHEMA", "TYPE"):
                duck.execute(self.instance, definition.sql)
