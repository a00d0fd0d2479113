"""The gateway: one DuckDB instance with the shards attached, and the catalog in force.

Promises: a catalog is in force only after it was saved. Two changes of definitions never run at the same time
(`write_lock`). The connection `instance` belongs to whoever holds that lock.
Leaves to others: what to change (`ddl.py`, `dml.py`), what a crash left behind (`recovery.py`), sessions.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..catalog.model import REFERENCE_SHARD, Catalog, Definition, Sequence, Shard, Table
from ..catalog.store import CatalogStore, MemoryCatalogStore
from ..errors import CatalogFileError, Error
from ..sharding.hash import MAX_SHARDS, check_shard_count
from ..sql.lexer import significant
from ..storage import duck, interruption, shard
from ..storage.directory import SHARDS_NAME, DataDirectory, file_error, sync_directory
from ..storage.log import ShardLog
from ..storage.scratch import Scratch
from ..transactions.transactions import Transactions
from ..types import quote_identifier, quote_string
from . import user_catalog
from .reading.binding import rows_name, shards_of, view_sql
from .session_transactions import SessionTransactions
from .sessions import Sessions
from .statistics import ShardStatistics
from .versions import ShardVersions, WriteLock

if TYPE_CHECKING:
    from .changes.shapes import WriteShapes
    from .changes.targets import WriteTargets

DEFAULT_SHARDS = 4
HOME = "memory"
"""The name of DuckDB's database in which the gateway has its views and definitions."""


class Gateway:
    """The state that all sessions of a database share.

    sync_log: makes a log's data durable; a test may put a disk in its place that fails.
    """

    sync_log: Callable[[int], None] = staticmethod(os.fdatasync)

    def __init__(
        self,
        directory: DataDirectory | None,
        store: CatalogStore | MemoryCatalogStore,
        catalog: Catalog,
        instance: duck.Connection,
    ) -> None:
        self.directory = directory
        self.instance = instance
        self.versions = ShardVersions()
        self.sessions = Sessions()
        self.transactions = Transactions(self.versions.changing, self.sessions.statement_of)
        self.write_lock = WriteLock(self.versions)
        self.system_lock = threading.Lock()
        """Held while the system tables are filled."""
        self.statistics = ShardStatistics(self)
        self._store = store
        self._catalog = catalog
        self.sequence_blocks: dict[tuple[str, str], tuple[int, int]] = {}
        """By sequence, the first and the last value of the block that is reserved in the catalog."""
        self.draws_unseen = False
        """Whether a view, macro, prepared statement or temporary table may draw from a sequence without saying so."""
        self.settings_version = 0
        """How often a session has changed a setting of DuckDB's."""
        self._waiting: list[Definition] = []
        self.scratch = Scratch.open(directory)
        duck.execute(instance, f"SET GLOBAL temp_directory = {quote_string(str(self.scratch.path))}")

    @classmethod
    def open(
        cls, path: Path | None, shards: int | None, threads: int | None, memory_limit: str | None
    ) -> Gateway:
        """Open or make the database at `path` (None: in memory). Raises errors.Error."""
        if shards is not None:
            check_shard_count(shards, MAX_SHARDS)
        instance = duck.open_instance(threads, memory_limit)
        try:
            directory = DataDirectory.open(path, create=True) if path is not None else None
        except BaseException:
            instance.close()
            raise
        try:
            gateway = cls._open_in(directory, instance, shards)
        except BaseException:
            instance.close()
            if directory is not None:
                directory.close()
            raise
        return gateway

    @classmethod
    def _open_in(
        cls, directory: DataDirectory | None, instance: duck.Connection, shards: int | None
    ) -> Gateway:
        duck.execute(instance, f"CREATE SCHEMA IF NOT EXISTS {HOME}.duckraft")
        user_catalog.make(instance)
        if directory is None or not directory.has_catalog:
            store = CatalogStore(directory.path) if directory is not None else MemoryCatalogStore()
            catalog = Catalog(uuid.uuid4().hex, 1, shards or DEFAULT_SHARDS)
            store.create(catalog)
            return cls(directory, store, catalog, instance)
        from .recovery import recover
        from .upgrade import upgrade

        store = CatalogStore(directory.path)
        catalog = store.load()
        upgrade(instance, directory, store, catalog)
        gateway = cls(directory, store, catalog, instance)
        try:
            recover(gateway, directory)
            if shards is not None and shards != gateway.catalog.default_shards:
                gateway.publish(
                    replace(gateway.catalog, default_shards=shards, version=gateway.catalog.version + 1)
                )
        except BaseException:
            for number in list(gateway.transactions.stores):
                gateway._remove_store(number)
            raise
        return gateway

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self._catalog

    def node_of(self, number: int) -> str:
        """The node that has a shard of the database."""
        return self._catalog.shard(number).node

    def publish(self, catalog: Catalog) -> None:
        """Save `catalog`, then put it in force. If saving fails the old one stays. The caller holds the write lock."""
        interruption.decide()
        self._store.save(catalog)
        self._catalog = catalog

    def note(self, catalog: Catalog) -> None:
        """Save `catalog` ahead of the change that it says; the one in force stays. The caller holds the write lock."""
        interruption.decide()
        self._store.save(catalog)

    def find_table(self, name: tuple[str, ...]) -> Table | None:
        """The table of the catalog that a name of one to three parts means."""
        return None if self.is_elsewhere(name) else self._catalog.table(*self.schema_and_name(name))

    def schema_and_name(self, name: tuple[str, ...]) -> tuple[str, str]:
        """The schema and the name in a name that is not elsewhere."""
        *qualifiers, last = name
        if qualifiers and qualifiers[0].lower() == HOME:
            del qualifiers[0]
        return (qualifiers[-1] if qualifiers else "main", last)

    def is_elsewhere(self, name: tuple[str, ...]) -> bool:
        """Whether a name is qualified by another database than this one: an attached one, or `temp`."""
        *qualifiers, _ = name
        if not qualifiers or qualifiers[0].lower() == HOME:
            return False
        first = qualifiers[0]
        return len(qualifiers) > 1 or (first.lower() in self._attached() and not self.has_schema(first))

    def has_schema(self, schema: str) -> bool:
        """Whether this database has a schema of this name."""
        with self.asking() as connection:
            found = duck.rows(
                connection,
                "SELECT 1 FROM system.main.duckdb_schemas() WHERE database_name = ? AND lower(schema_name) = lower(?)",
                [HOME, schema],
            )
        return bool(found)

    def calls_macro(self, sql: str) -> bool:
        """Whether a statement may call a macro of the user's: it can read tables, and a shard has only its own rows."""
        macros = {known.name.lower() for known in self._catalog.definitions if known.kind == "MACRO"}
        return bool(macros) and any(lexeme.identifier.lower() in macros for lexeme in significant(sql))

    @cached_property
    def write_targets(self) -> WriteTargets:
        """Tells what a change locks."""
        from .changes.targets import WriteTargets  # Late: it needs the planner.

        return WriteTargets(self)

    @cached_property
    def write_shapes(self) -> WriteShapes:
        """The small writes that are known."""
        from .changes.shapes import WriteShapes  # Late: it needs the planner.

        return WriteShapes(self, self.write_targets)

    @contextmanager
    def asking(self) -> Iterator[duck.Connection]:
        """A connection for questions about what is there, for any thread at any time."""
        connection = self.instance.cursor()
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[SessionTransactions]:
        """What changes shards outside of any session."""
        from .connections import SessionConnections

        connections = SessionConnections(self.instance, self.transactions)
        try:
            yield connections.transactions
        finally:
            connections.close()

    def ensure_shards(self, numbers: list[int]) -> None:
        """Make those of these shards that the database does not have yet, and the one of reference tables, which every
        search path names. The caller holds the write lock."""
        known = {known.number for known in self._catalog.shards}
        missing = [number for number in sorted({REFERENCE_SHARD, *numbers}) if number not in known]
        made: list[Shard] = []
        try:
            for number in missing:
                path = self._path(number)
                relative = str(path.relative_to(self.directory.path)) if path and self.directory else None
                log = self.open_log(number, create=True)
                self.transactions.add_shard(number, log, self.instance)
                made.append(Shard(number, relative))
                shard.create(self.instance, number, path, self._catalog.database_id)
            if made and self.directory is not None:
                sync_directory(self.directory.path / SHARDS_NAME)
            if made:
                self.publish(self._catalog.with_shards(tuple(made)))
        except BaseException as error:
            if isinstance(error, Error) and not error.outcome_known:
                raise  # The catalog on disk may have them.
            for new in made:
                self._remove_store(new.number)
                shard.discard(self.instance, new.number, self._path(new.number))
            if isinstance(error, OSError):
                raise file_error(error, "cannot make the shard files durable") from None
            raise

    def open_log(self, number: int, *, create: bool) -> ShardLog | None:
        """The log of a shard; None in memory. create: the shard is a new one. Raises errors.Error."""
        if self.directory is None:
            return None
        path = self.directory.log_path(number)
        database_id = self._catalog.database_id
        log = ShardLog.open(
            path, database_id=database_id, shard=number, create=create, sync=type(self).sync_log
        )
        if create and log.last_sequence:
            log.close()
            raise CatalogFileError(
                f'the catalog file is older than the log in "{path}", whose shard it does not have',
                hint="A part of the directory was put back from an older copy. Restore all of it from one backup.",
            )
        return log

    def _remove_store(self, number: int) -> None:
        """Forget a shard that was not finished, or whose database is not opened."""
        store = self.transactions.stores.pop(number, None)
        if store is not None:
            with suppress(Error):
                store.close()

    def show_table(self, table: Table) -> None:
        """Make or renew the gateway's views of a table, and what was waiting for them."""
        for sql in view_sql(table):
            duck.execute(self.instance, sql)
        self.make_definitions()

    def await_definitions(self, definitions: Iterable[Definition]) -> None:
        """Make these definitions now or, where a table that they name is missing, when it comes back."""
        self._waiting += definitions
        self.make_definitions()

    def make_definitions(self) -> None:
        """Make those definitions that are waiting and can be made. They may name each other in any order."""
        count = -1
        while self._waiting and len(self._waiting) != count:
            count = len(self._waiting)
            self._waiting = [definition for definition in self._waiting if not self._make(definition)]

    def forget_waiting(self, key: tuple[str, str, str]) -> bool:
        """Whether the definition of this key was waiting; it no longer does."""
        count = len(self._waiting)
        self._waiting = [definition for definition in self._waiting if definition.key != key]
        return len(self._waiting) < count

    def _make(self, definition: Definition) -> bool:
        try:
            duck.execute(self.instance, definition.sql)
            for comment in self._catalog.comments:
                if comment.is_about(*definition.key):
                    duck.execute(self.instance, comment.sql)
        except Error:
            return False
        return True

    def drop_sequence(self, sequence: Sequence) -> None:
        """Take a sequence away that the catalog has no more."""
        name = f"{HOME}.{quote_identifier(sequence.schema)}.{quote_identifier(sequence.name)}"
        duck.execute(self.instance, f"DROP SEQUENCE IF EXISTS {name}")
        self.sequence_blocks.pop(sequence.key, None)

    def hide_table(self, table: Table) -> None:
        """Take the gateway's views of a table away."""
        for name in (table.name, rows_name(table)):
            view = f"memory.{quote_identifier(table.schema)}.{quote_identifier(name)}"
            duck.execute(self.instance, f"DROP VIEW IF EXISTS {view}")

    def drop_from_shards(self, table: Table) -> None:
        """Drop what the shards have of a table, as far as it is there."""
        with self.writing() as transactions, transactions.atomic(shards_of(table)) as writers:
            for number, writer in writers.items():
                writer.execute(f"DROP TABLE IF EXISTS {shard.qualified(number, table.schema, table.name)}")

    def close(self) -> None:
        """Write everything to the shard files and give the directory up. What cannot be written is in the logs."""
        from .definitions.sequence_blocks import give_back

        give_back(self)
        for store in self.transactions.stores.values():
            with suppress(Error):
                store.checkpoint()
            with suppress(Error):
                store.close()
        self.instance.close()
        self.scratch.close()
        if self.directory is not None:
            self.directory.close()

    def _path(self, number: int) -> Path | None:
        if self.directory is None:
            return None
        if number == REFERENCE_SHARD:
            return self.directory.reference_path
        return self.directory.shard_path(number)

    def _attached(self) -> set[str]:
        """The names of DuckDB's databases, folded."""
        with self.asking() as connection:
            return {
                name.lower()
                for (name,) in duck.rows(
                    connection, "SELECT database_name FROM system.main.duckdb_databases()"
                )
            }
