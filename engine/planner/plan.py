"""Plans as values: fragments, the SQL that merges them, and the reason for every choice.

A *fragment* is a relation: the part of a query that one node can answer alone, once per shard. The merge SQL is
ordinary SQL over fragments. A *move* brings rows of other shards to the shards of a fragment, which then reads them as
one more relation. How a fragment binds, inlined over attached files or streamed from another node, is not in the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..catalog.model import REFERENCE_SHARD, Table
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

    shards: numbers of the table's own shards, ascending. name: as the statement calls the table. left_out: (shard of
    the database, number of changes) for each shard that its statistics rule out; they do until it is changed again.
    provisional: statistics may rule out others in a moment, or for other values of parameters.
    """

    table: Table
    name: str
    shards: tuple[int, ...]
    reason: str
    left_out: tuple[tuple[int, int], ...] = ()
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class TableSlot:
    """A place in a fragment's SQL where the name of a table's shard goes."""

    table: Table


class MoveKind(StrEnum):
    """What of a relation is moved, and where to."""

    BROADCAST = "broadcast"
    """All rows, to every shard of the fragment that reads them."""
    REPARTITION = "repartition"
    """Each row to the one shard where its partners are."""
    KEYS = "reduction"
    """The distinct join keys, so that a larger relation leaves behind the rows that have no partner."""


@dataclass(frozen=True, slots=True)
class Move:
    """Rows that are brought to the shards of another fragment before it runs.

    name: as EXPLAIN calls the moved relation. source: the fragment whose rows move. destinations: shards of the
    fragment that reads them. number_sql: for REPARTITION, an INTEGER expression over columns of the source, which is
    the destination of a row. rows, bytes: estimated, of the rows that leave the source, each counted as often as it is
    sent.
    """

    name: str
    kind: MoveKind
    source: Fragment
    destinations: tuple[int, ...]
    number_sql: str | None
    reason: str
    rows: int
    bytes: int

    def describe(self) -> str:
        """What moves, from where to where, how much, and why: one line for EXPLAIN."""
        what = ", ".join(dict.fromkeys(route.name for route in self.source.routes))
        where = {
            MoveKind.BROADCAST: "to each of",
            MoveKind.REPARTITION: "each row to one of",
            MoveKind.KEYS: "distinct join keys to each of",
        }[self.kind]
        return (
            f"{self.name}: {self.kind} of {what} from {_numbers(self.source.shards)}, {where} "
            f"{_numbers(self.destinations)}; about {self.rows} rows, {self.bytes} bytes ({self.reason})"
        )


def _numbers(shards: Sequence[int]) -> str:
    listed = ", ".join(map(str, shards))
    return f"shard {listed}" if len(shards) == 1 else f"shards {listed}"


@dataclass(frozen=True, slots=True)
class MoveSlot:
    """A place in a fragment's SQL where a moved relation goes."""

    move: Move


Piece = str | TableSlot | MoveSlot
"""A part of a fragment's SQL."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A relation that each of its shards can answer alone, once the moves in it are done.

    name: as the merge SQL and EXPLAIN call it. pieces: SQL text with slots for tables and for moved relations. shards:
    shard numbers of the tables in it (they are co-located), ascending; (0,) if it reads reference tables only. A
    fragment that reads moved relations only runs on shards of the first sharded table among its routes. states: of its
    columns, those that are states of aggregates and could travel as plain values: the column, and a template that makes
    the state of the value again.
    """

    name: str
    pieces: tuple[Piece, ...]
    shards: tuple[int, ...]
    routes: tuple[TableRoute, ...]
    reason: str
    states: tuple[tuple[str, str], ...] = ()

    def sql(
        self, name_of: Callable[[Table], str], moved: Callable[[Move], str] = lambda move: move.name
    ) -> str:
        """Its text with every table's name as `name_of` gives it, and every moved relation's as `moved` does."""
        parts: list[str] = []
        for piece in self.pieces:
            if isinstance(piece, TableSlot):
                parts.append(name_of(piece.table))
            else:
                parts.append(piece if isinstance(piece, str) else moved(piece.move))
        return "".join(parts)

    def moves(self) -> tuple[Move, ...]:
        """The moves that this fragment reads, in the order of its text, each once."""
        found = {piece.move.name: piece.move for piece in self.pieces if isinstance(piece, MoveSlot)}
        return tuple(found.values())

    def place(self, shard: int) -> int:
        """The number of the database's shard that runs the fragment's shard of this number; −1: reference."""
        read = [piece.table for piece in self.pieces if isinstance(piece, TableSlot)]
        for table in (*read, *(route.table for route in self.routes)):
            if not table.is_reference:
                return table.placements[shard]
        return REFERENCE_SHARD


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
    called, where the merge SQL would call them otherwise. reads_more: whether the merge SQL names more relations than
    its fragments, such as views, which may read any table.
    """

    tier: Tier
    reason: str
    routes: tuple[TableRoute, ...]
    catalog_version: int
    shard: int | None = None
    merge: tuple[str | FragmentSlot, ...] = ()
    names: tuple[str, ...] | None = None
    reads_more: bool = False

    @property
    def left_out(self) -> tuple[tuple[int, int], ...]:
        """(shard of the database, number of changes) of the shards left out: with one more change it may be wrong."""
        return tuple(pair for route in self.routes for pair in route.left_out)

    @property
    def provisional(self) -> bool:
        """Whether it is not to be kept: in a moment, or for other parameters, other shards may be left out."""
        return any(route.provisional for route in self.routes)

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
