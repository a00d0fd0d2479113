"""Plans as values: fragments, the SQL that merges them, and the reason for every choice.

A *fragment* is a relation: the part of a query that one node can answer alone, once per shard. The merge SQL is
ordinary SQL over fragments. How a fragment binds, inlined over attached files or streamed from another node, is not
in the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..catalog.model import Table
from ..types import quote_identifier


class Tier(StrEnum):
    """The three ways to run a query, and the one for statements that touch no shard."""

    LOCAL = "local"
    ROUTE = "route"
    SPLIT = "split"
    GATHER = "gather"


@dataclass(frozen=True, slots=True)
class TableRoute:
    """The shards of one table that a statement can touch, and why.

    shards: numbers of the table's own shards, ascending. name: as the statement calls the table.
    """

    table: Table
    name: str
    shards: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class TableSlot:
    """A place in a fragment's SQL where the name of a table's shard goes."""

    table: Table


@dataclass(frozen=True, slots=True)
class Fragment:
    """A relation that each of its shards can answer alone.

    name: as the merge SQL and EXPLAIN call it. pieces: SQL text with slots for tables. shards: shard numbers of the
    tables in it (they are co-located), ascending; (0,) if it reads reference tables only.
    """

    name: str
    pieces: tuple[str | TableSlot, ...]
    shards: tuple[int, ...]
    routes: tuple[TableRoute, ...]
    reason: str

    def sql(self, name_of: Callable[[Table], str]) -> str:
        """Its text with every table's name as `name_of` gives it."""
        return "".join(piece if isinstance(piece, str) else name_of(piece.table) for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class FragmentSlot:
    """A place in the merge SQL where a fragment goes. alias: the name to give it there, if the text gives none."""

    fragment: Fragment
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run one query.

    shard: for ROUTE, the database's shard that gets the user's own text (−1: any node's reference shard).
    merge: for SPLIT and GATHER, the merge SQL with slots. Empty for LOCAL and ROUTE, which run the text as it is.
    catalog_version: the plan is good only for this version of the catalog. names: what the result columns must be
    called, where the merge SQL would call them otherwise.
    """

    tier: Tier
    reason: str
    routes: tuple[TableRoute, ...]
    catalog_version: int
    shard: int | None = None
    merge: tuple[str | FragmentSlot, ...] = ()
    names: tuple[str, ...] | None = None

    def fragments(self) -> tuple[Fragment, ...]:
        """The fragments in the order in which the merge SQL names them, each once."""
        found = {
            piece.fragment.name: piece.fragment for piece in self.merge if isinstance(piece, FragmentSlot)
        }
        return tuple(found.values())

    def merge_sql(self, bind: Callable[[Fragment], str]) -> str:
        """The merge SQL with every fragment as `bind` gives it."""
        parts: list[str] = []
        for piece in self.merge:
            if isinstance(piece, str):
                parts.append(piece)
            else:
                parts.append(bind(piece.fragment))
                if piece.alias is not None:
                    parts.append(f" AS {quote_identifier(piece.alias)}")
        return "".join(parts)
