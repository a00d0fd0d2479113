"""The catalog as values: tables and their strategies, shards and their files, definitions, sequences, comments.

Promises: a `Catalog` is immutable; every change makes a new one with a higher version, so that a plan can tell by one
number whether it is still good. Names are looked up as DuckDB does it: without regard to case.
Leaves to others: its form as JSON (`codec.py`), keeping it on disk (`store.py`), what the tables hold (`storage`),
who may change it when (`database.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ..errors import invariant
from ..sharding import Strategy
from ..types import Column, quote_identifier, quote_string

LOCAL_NODE = "local"
"""The node of an embedded database: this process."""

REFERENCE_SHARD = -1
"""The shard number under which every reference table lives: one full copy on each node."""


class TableState(StrEnum):
    """Where a table is in its life. Only READY ones are seen; the others are swept away when the database opens."""

    CREATING = "creating"
    READY = "ready"
    DROPPING = "dropping"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: where its rows go and what they look like.

    placements: for shard i of the table, the number of the database's shard that holds it.
    columns: in order, as DESCRIBE gives them; the truth is in the shards, this copy serves the planner.
    version: the catalog version that last changed this table.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    strategy: Strategy
    placements: tuple[int, ...]
    state: TableState
    version: int

    @property
    def key(self) -> tuple[str, str]:
        """The name under which the catalog keeps it: (schema, name), folded."""
        return (self.schema.lower(), self.name.lower())

    @property
    def is_reference(self) -> bool:
        """Whether every node has a full copy."""
        return self.strategy.kind == "reference"

    @property
    def shard_key(self) -> tuple[str, ...]:
        """The names of the columns that place a row; empty for reference and spread tables."""
        return tuple(column.name for column in self.strategy.key)


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of the database: a DuckDB file (relative to the data directory; None in memory) on a node."""

    number: int
    file: str | None
    node: str = LOCAL_NODE


@dataclass(frozen=True, slots=True)
class Definition:
    """A schema, type, view or macro: kept as its text and replayed into the gateway when the database opens."""

    kind: str
    schema: str
    name: str
    sql: str

    @property
    def key(self) -> tuple[str, str, str]:
        """(kind, schema, name), folded."""
        return (self.kind, self.schema.lower(), self.name.lower())


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence: the text that made it, and how far its values may have been used.

    reserved: the last value of the block that was taken from it; a crash loses what is left of the block. None before
    the first. owner: (schema, name) of the table with which it is dropped.
    """

    schema: str
    name: str
    sql: str
    reserved: int | None = None
    owner: tuple[str, str] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(schema, name), folded."""
        return (self.schema.lower(), self.name.lower())


@dataclass(frozen=True, slots=True)
class Comment:
    """What COMMENT ON said of a definition or a sequence; those on tables, their columns and indexes are in the shards.

    kind: `VIEW`, `COLUMN` (of a view), `MACRO`, `MACRO TABLE`, `TYPE` or `SEQUENCE`. name: that of the object; of a
    column, that of its view. column: empty but for columns.
    """

    kind: str
    schema: str
    name: str
    column: str
    text: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """(kind, schema, name, column), folded."""
        return (self.kind, self.schema.lower(), self.name.lower(), self.column.lower())

    @property
    def sql(self) -> str:
        """The statement that says it."""
        parts = (self.schema, self.name, self.column) if self.column else (self.schema, self.name)
        return f"COMMENT ON {self.kind} {'.'.join(map(quote_identifier, parts))} IS {quote_string(self.text)}"

    def is_about(self, kind: str, schema: str, name: str) -> bool:
        """Whether it is about this object, or about a column of it."""
        kinds = (kind, "COLUMN") if kind == "VIEW" else (kind,)
        return self.kind in kinds and self.key[1:3] == (schema.lower(), name.lower())


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A change of definitions that was decided and may not have reached every shard.

    number: grows with each change; a shard notes the last one that it has made, together with the change itself.
    statements: (shard of the database, its statements) pairs.
    """

    number: int
    statements: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything at one version.

    database_id: a random identifier given at creation, also stored in every shard file, so that a file of another
    database is never taken for ours. definitions are in the order in which they were made. pending: what this catalog
    says already and the shards may not.
    """

    database_id: str
    version: int
    default_shards: int
    shards: tuple[Shard, ...] = ()
    tables: dict[tuple[str, str], Table] = field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    comments: tuple[Comment, ...] = ()
    pending: PendingChange | None = None

    def table(self, schema: str, name: str) -> Table | None:
        """The READY table of this name, or None."""
        found = self.tables.get((schema.lower(), name.lower()))
        return found if found is not None and found.state is TableState.READY else None

    def ready_tables(self) -> Iterator[Table]:
        """All tables that can be used, by name."""
        return (table for _, table in sorted(self.tables.items()) if table.state is TableState.READY)

    def shard(self, number: int) -> Shard:
        """The shard of this number."""
        for shard in self.shards:
            if shard.number == number:
                return shard
        invariant(False, f"shard {number} is not in the catalog")
        raise AssertionError

    def with_table(self, table: Table) -> Catalog:
        """This catalog with `table` added or put in the place of the one of that name, one version up."""
        version = self.version + 1
        tables = {**self.tables, table.key: replace(table, version=version)}
        return replace(self, version=version, tables=tables)

    def without_table(self, table: Table) -> Catalog:
        """This catalog without that table, one version up."""
        tables = {key: value for key, value in self.tables.items() if key != table.key}
        return replace(self, version=self.version + 1, tables=tables)

    def sequence(self, schema: str, name: str) -> Sequence | None:
        """The sequence of this name, or None."""
        key = (schema.lower(), name.lower())
        return next((known for known in self.sequences if known.key == key), None)

    def with_sequence(self, sequence: Sequence) -> Catalog:
        """This catalog with a sequence added, or put in the place of the one of that name. No plan depends on it."""
        others = tuple(known for known in self.sequences if known.key != sequence.key)
        return replace(self, sequences=(*others, sequence))

    def without_sequence(self, schema: str, name: str) -> Catalog:
        """This catalog without that sequence and the comments on it, one version up."""
        key = (schema.lower(), name.lower())
        kept = tuple(known for known in self.sequences if known.key != key)
        return replace(self.without_comments("SEQUENCE", schema, name), sequences=kept)

    def with_comment(self, comment: Comment) -> Catalog:
        """This catalog with a comment added, or put in the place of the one on the same object, one version up."""
        others = tuple(known for known in self.comments if known.key != comment.key)
        return replace(self, version=self.version + 1, comments=(*others, comment))

    def without_comment(self, comment: Comment) -> Catalog:
        """This catalog without the comment on the object that this one is about, one version up."""
        kept = tuple(known for known in self.comments if known.key != comment.key)
        return replace(self, version=self.version + 1, comments=kept)

    def next_version(self) -> Catalog:
        """This catalog, one version up."""
        return replace(self, version=self.version + 1)

    def without_comments(self, kind: str, schema: str, name: str) -> Catalog:
        """This catalog without the comments on an object and on its columns, one version up."""
        kept = tuple(known for known in self.comments if not known.is_about(kind, schema, name))
        return replace(self, version=self.version + 1, comments=kept)

    def with_shards(self, shards: tuple[Shard, ...]) -> Catalog:
        """This catalog with more shards, one version up."""
        return replace(self, version=self.version + 1, shards=self.shards + shards)

    def with_definition(self, definition: Definition) -> Catalog:
        """This catalog with a definition added last, or put in the place of the one it renews, one version up."""
        if any(known.key == definition.key for known in self.definitions):
            renewed = tuple(
                definition if known.key == definition.key else known for known in self.definitions
            )
        else:
            renewed = (*self.definitions, definition)
        return replace(self, version=self.version + 1, definitions=renewed)

    def without_definition(self, kind: str, schema: str, name: str) -> Catalog:
        """This catalog without that definition and the comments on it, one version up."""
        key = (kind, schema.lower(), name.lower())
        kept = tuple(known for known in self.definitions if known.key != key)
        return replace(self.without_comments(kind, schema, name), definitions=kept)
