"""How the rows of a table leave their shards when they must, and what that costs.

Whatever moves, moves as little as can be told: the columns that the statement mentions, the rows that its conditions on
this table leave and, where that pays, only the rows that have a partner: the distinct join keys of the other side go to
the shards first (*reduction*).
Promises: what is left behind can change no answer. Estimates decide only among plans that are all right.
Leaves to others: which tables move where (`placing.py`), moving them (`executor/streamed.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil

from ..catalog.model import Table
from ..types import Column, quote_identifier
from .analysis import DIALECT, Analysis, TableRef
from .conditions import Conditions, Link
from .filters import own_filters, selectivity
from .gather import mentioned_names, needed_columns
from .plan import Fragment, Move, MoveKind, MoveSlot, Piece, TableRoute, TableSlot
from .statistics import Statistics


class JoinStrategy(StrEnum):
    """What may be done about tables whose partners are on other shards."""

    GATHER = "gather"
    """All rows come to the gateway."""
    BROADCAST = "broadcast"
    """All rows of one side go to every shard of the other."""
    REPARTITION = "repartition"
    """Each row of one side, or of both, goes to the one shard where its partners are."""
    REDUCTION = "reduction"
    """The keys of one side go to the other, which leaves behind the rows without a partner."""


@dataclass(frozen=True, slots=True)
class Moving:
    """What is known when rows cost something to move.

    stays: whether the rows of a table must not move, because moving would change what they mean. allowed: the
    strategies that may be chosen. The cheapest is; but without GATHER, whatever else is possible comes before it. That
    is for tests.
    """

    statistics: Statistics
    stays: Callable[[Table], bool]
    allowed: frozenset[JoinStrategy] = frozenset(JoinStrategy)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Rows of one reference that leave their shards: the fragment that gives them, and how much that is.

    rows, bytes: estimated, sent once. before: bytes that must be moved first, for reductions.
    """

    fragment: Fragment
    rows: int
    bytes: int
    before: int = 0


def dearer_than_gathering(
    moving: Moving, moved: int, gathered: int, rows: int, columns: Sequence[Column]
) -> str | None:
    """Why a block is not pushed, if moving and answering costs more than bringing its tables to the gateway.

    moved, gathered: bytes. rows: about how many the shards answer with, all together; columns: of the answer.
    """
    if JoinStrategy.GATHER not in moving.allowed:
        return None
    answer = rows * sum(width(column.type) for column in columns)
    if moved + answer <= gathered:
        return None
    return (
        f"moving about {moved} bytes and answering with {answer} costs more than gathering: {gathered} bytes"
    )


_WIDTHS = (
    (re.compile(r"BOOLEAN|U?TINYINT"), 1),
    (re.compile(r"U?SMALLINT"), 2),
    (re.compile(r"U?INTEGER|DATE|FLOAT"), 4),
    (re.compile(r"U?HUGEINT|UUID|INTERVAL|DECIMAL\((?:19|[23]\d).*"), 16),
    (re.compile(r"U?BIGINT|DOUBLE|DECIMAL.*|TIME.*"), 8),
    (re.compile(r".*(?:\[\d*\]|MAP\(.*|STRUCT\(.*)"), 48),
)
_TEXT_BYTES = 20


def width(kind: str) -> int:
    """About how many bytes a value of this type takes when it moves."""
    return next((size for pattern, size in _WIDTHS if pattern.fullmatch(kind)), _TEXT_BYTES)


class Leavings:
    """How each reference of one statement would leave its shards. Asked once for each, and remembered."""

    def __init__(
        self,
        analysis: Analysis,
        conditions: Conditions,
        routes: dict[TableRef, TableRoute],
        moving: Moving,
    ) -> None:
        self.analysis = analysis
        self.conditions = conditions
        self.routes = routes
        self.moving = moving
        self._mentioned = mentioned_names(analysis)
        self._filters = {ref: own_filters(analysis, ref) for ref in analysis.refs}

    def rows(self, ref: TableRef) -> float:
        """About how many rows of a reference its own conditions leave."""
        share = 1.0
        for condition in self._filters[ref]:
            share *= selectivity(condition)
        return self._all_rows(ref) * share

    def shards(self, ref: TableRef) -> tuple[int, ...]:
        """The shards that are read; one at least, for the columns."""
        return self.routes[ref].shards or (0,)

    def leaving(self, ref: TableRef, name: str, copies: int) -> Leaving:
        """The rows of `ref` as they leave. name: of the fragment. copies: how often each row is sent."""
        plain = self._plain(ref, name)
        if JoinStrategy.REDUCTION not in self.moving.allowed:
            return plain
        forced = JoinStrategy.GATHER not in self.moving.allowed
        best, best_cost = plain, plain.bytes * copies
        for link in self.conditions.links:
            if link.target is not ref or not self._reduces(link):
                continue
            reduced = self._reduced(plain, link)
            cost = reduced.before + reduced.bytes * copies
            if cost < best_cost or (forced and best is plain):
                best, best_cost = reduced, cost
        return best

    def gathered(self, ref: TableRef, name: str) -> Fragment:
        """The fragment of this name that brings the rows of a reference to the gateway."""
        return (self._plain(ref, name) if ref.table.is_reference else self.leaving(ref, name, 1)).fragment

    def gathered_bytes(self, refs: Sequence[TableRef]) -> int:
        """About how many bytes move if all these references come to the gateway."""
        leaving = [self.leaving(ref, "", 1) for ref in refs]
        return sum(each.bytes + each.before for each in leaving)

    def _all_rows(self, ref: TableRef) -> int:
        return sum(self.moving.statistics.rows(ref.table, shard) for shard in self.shards(ref))

    def _plain(self, ref: TableRef, name: str) -> Leaving:
        """Without a reduction."""
        columns = needed_columns(ref.table, self._mentioned)
        where = self._where(ref)
        pieces = (
            f"SELECT {columns} FROM ",
            TableSlot(ref.table),
            f" AS {quote_identifier(ref.name)}" + (f" WHERE {where}" if where else ""),
        )
        route = self.routes[ref]
        fragment = Fragment(name, pieces, self.shards(ref), (route,), route.reason)
        rows = self.rows(ref)
        whole = sum(self.moving.statistics.bytes(ref.table, shard) for shard in self.shards(ref))
        taken = whole * _share_of_width(ref, columns) * rows / max(1, self._all_rows(ref))
        return Leaving(fragment, ceil(rows), ceil(taken))

    def _where(self, ref: TableRef) -> str:
        return " AND ".join(f"({condition.sql(dialect=DIALECT)})" for condition in self._filters[ref])

    def _reduces(self, link: Link) -> bool:
        """Whether the keys of a link's source tell which rows of its target matter, and can be compared with them."""
        return (
            link.source.scope is link.target.scope
            and not link.target.table.is_reference
            and same_values(link)
        )

    def _reduced(self, plain: Leaving, link: Link) -> Leaving:
        """`plain` without the rows that have no partner by this link."""
        source, target = link.source, link.target
        alias = quote_identifier(source.name)
        key = f"{alias}.{quote_identifier(link.source_column)}"
        where = self._where(source)
        query: tuple[Piece, ...] = (
            f"SELECT DISTINCT {key} AS k FROM ",
            TableSlot(source.table),
            f" AS {alias}" + (f" WHERE {where}" if where else ""),
        )
        share = self._share_with_partner(link)
        column = f"{quote_identifier(target.name)}.{quote_identifier(link.target_column)}"
        joint = " AND " if self._filters[target] else " WHERE "
        before = 0
        keys: tuple[Piece, ...]
        if source.table.is_reference:
            keys = ("(", *query, ")")
        else:
            rows = ceil(self.rows(source))
            sent = rows * len(self.shards(target))
            before = sent * width(type_of(source, link.source_column))
            because = f"{link.text} leaves about {share:.0%} of {target.name}"
            move = Move(
                f"keys_for_{plain.fragment.name}",
                MoveKind.KEYS,
                Fragment(
                    f"keys_of_{plain.fragment.name}",
                    query,
                    self.shards(source),
                    (self.routes[source],),
                    self.routes[source].reason,
                ),
                self.shards(target),
                None,
                because,
                sent,
                before,
            )
            keys = ("(SELECT k FROM ", MoveSlot(move), ")")
        fragment = replace(plain.fragment, pieces=(*plain.fragment.pieces, f"{joint}{column} IN ", *keys))
        return Leaving(fragment, ceil(plain.rows * share), ceil(plain.bytes * share), before)

    def _share_with_partner(self, link: Link) -> float:
        """About which share of the target's rows finds its key among the source's."""
        source, target = link.source, link.target
        kept = self.rows(source)
        if _is_primary_key(target, link.target_column):
            return min(1.0, kept / max(1, self._all_rows(target)))
        return min(1.0, kept / max(1, self._all_rows(source)))


INTEGERS = frozenset(
    f"{sign}{kind}" for sign in ("", "U") for kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)


def same_values(link: Link) -> bool:
    """Whether both columns of a link exist, with types whose values are equal only if they are the same."""
    kinds = {type_of(link.source, link.source_column), type_of(link.target, link.target_column)}
    return "" not in kinds and (len(kinds) == 1 or kinds <= INTEGERS)


def type_of(ref: TableRef, column: str) -> str:
    """The DuckDB type of a column of a reference; empty if it has none of this name."""
    return next((known.type for known in ref.table.columns if known.name.lower() == column.lower()), "")


def _is_primary_key(ref: TableRef, column: str) -> bool:
    return [name.lower() for name in ref.table.primary_key] == [column.lower()]


def _share_of_width(ref: TableRef, columns: str) -> float:
    """Which share of a row's bytes a select list of columns takes."""
    widths = {quote_identifier(column.name): width(column.type) for column in ref.table.columns}
    listed = widths if columns == "*" else columns.split(", ")
    return sum(widths.get(name, 0) for name in listed) / sum(widths.values())
