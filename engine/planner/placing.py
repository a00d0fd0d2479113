"""Where the tables of a join meet: which stay where they are, which move to them, and how.

The sharded tables that are aligned with each other (`colocation.py`) form a group. One group stays; every other table
goes to its shards: all rows to each (*broadcast*), or each row to the shard where its partners are (*repartition*), if
the join equates the group's shard key with columns of it. Or all go to new places, by a hash of the columns that the
join equates.
Promises: each result row of the join is made on exactly one shard. A table that is broadcast counts as a reference
table, one that is repartitioned as co-located: the rules of outer joins that hold for these hold for it.
Leaves to others: what exactly moves (`moving.py`), outer joins (`block.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..sharding import KeyColumn
from ..sharding.hash import HashStrategy
from ..sharding.keys import find_key_type
from ..types import quote_identifier
from .analysis import TableRef
from .colocation import components
from .conditions import Link
from .moving import INTEGERS, JoinStrategy, Leaving, Leavings, same_values, type_of
from .plan import Move, MoveKind

Anchored = tuple[TableRef | None, tuple[int, ...]]
"""A table that stays and whose rows must be there for a result, if there is one; and the shards that can give rows."""


@dataclass(frozen=True, slots=True)
class Placing:
    """How the tables of a block come together.

    moves: by the reference that is moved. everywhere: the references that every shard gets all rows of. anchored: of
    the references that stay. moved_bytes: estimated, of all moves.
    """

    moves: Mapping[TableRef, Move]
    everywhere: frozenset[TableRef]
    anchored: Anchored
    moved_bytes: int


def place(
    leavings: Leavings,
    refs: Sequence[TableRef],
    anchored: Callable[[Sequence[TableRef]], Anchored | None],
    trouble: Callable[[frozenset[TableRef]], str | None],
) -> Placing | str:
    """The cheapest way to bring the tables of a block together, or the reason why there is none.

    refs: all references to sharded tables, not all aligned. anchored: of the references that stay; None if they cannot
    stay. trouble: why the join of the parts would not be the part of the join, for these tables everywhere.
    """
    best: Placing | None = None
    why = "its tables are joined on other columns than their shard keys"
    for moves, everywhere, anchor in _candidates(leavings, refs, anchored):
        found = trouble(everywhere)
        if found is not None:
            why = found
            continue
        cost = sum(_cost(move) for move in moves.values())
        if best is None or cost < best.moved_bytes:
            best = Placing(moves, everywhere, anchor, cost)
    return best or why


def _cost(move: Move) -> int:
    return move.bytes + sum(_cost(first) for first in move.source.moves())


_Candidate = tuple[dict[TableRef, Move], frozenset[TableRef], Anchored]


def _candidates(
    leavings: Leavings,
    refs: Sequence[TableRef],
    anchored: Callable[[Sequence[TableRef]], Anchored | None],
) -> Iterator[_Candidate]:
    for group in components(refs, leavings.conditions):
        anchor = anchored(group)
        if anchor is None:
            continue
        others = [ref for ref in refs if ref not in group]
        offers = [_offers(leavings, ref, group, anchor[1]) for ref in others]
        # The cheapest of each; where an outer join forbids a broadcast, all repartitioned may do.
        for order in (_cost, _broadcast_last):
            chosen = {
                ref: min(offered, key=order) for ref, offered in zip(others, offers, strict=True) if offered
            }
            if len(chosen) == len(others):
                sent = {ref for ref, move in chosen.items() if move.kind is MoveKind.BROADCAST}
                yield chosen, frozenset(sent), anchor
    if JoinStrategy.REPARTITION in leavings.moving.allowed:
        buckets = _into_buckets(leavings, refs)
        if buckets is not None:
            shards = tuple(range(refs[0].table.strategy.shard_count))
            yield buckets, frozenset(), (None, shards)


def _broadcast_last(move: Move) -> tuple[bool, int]:
    return move.kind is MoveKind.BROADCAST, _cost(move)


def _offers(
    leavings: Leavings, ref: TableRef, group: Sequence[TableRef], shards: tuple[int, ...]
) -> list[Move]:
    """The ways in which `ref` may go to the shards of a group."""
    offers: list[Move] = []
    name = _name(leavings, ref)
    allowed = leavings.moving.allowed
    if JoinStrategy.BROADCAST in allowed:
        because = f"cheapest for {ref.name} beside {group[0].name}"
        leaving = leavings.leaving(ref, f"rows_of_{name}", len(shards))
        offers.append(_move(name, MoveKind.BROADCAST, leaving, shards, None, because))
    columns = _key_columns(leavings, ref, group) if JoinStrategy.REPARTITION in allowed else None
    if columns is not None:
        because = f"{', '.join(columns)} is the shard key of {group[0].name}"
        leaving = leavings.leaving(ref, f"rows_of_{name}", 1)
        number = _number(ref, group[0], columns)
        offers.append(_move(name, MoveKind.REPARTITION, leaving, shards, number, because))
    return offers


def _move(
    name: str, kind: MoveKind, leaving: Leaving, shards: tuple[int, ...], number: str | None, because: str
) -> Move:
    copies = len(shards) if kind is MoveKind.BROADCAST else 1
    rows, size = leaving.rows * copies, leaving.bytes * copies
    return Move(name, kind, leaving.fragment, shards, number, because, rows, size)


def _name(leavings: Leavings, ref: TableRef) -> str:
    return f"moved_{leavings.analysis.refs.index(ref) + 1}"


def _key_columns(leavings: Leavings, ref: TableRef, group: Sequence[TableRef]) -> list[str] | None:
    """The columns of `ref` that the join equates with the shard key of a group, in its order."""
    found: list[str] = []
    for position in range(len(group[0].table.shard_key)):
        column = next(
            (
                mine
                for member in group
                for mine, theirs in _equated(leavings.conditions.links, ref, member)
                if theirs.lower() == member.table.shard_key[position].lower()
            ),
            None,
        )
        if column is None:
            return None
        found.append(column)
    return found or None


def _equated(links: Sequence[Link], ref: TableRef, other: TableRef) -> Iterator[tuple[str, str]]:
    """(column of `ref`, column of `other`) that the join equates."""
    for link in links:
        if not same_values(link):
            continue
        if link.source is ref and link.target is other:
            yield link.source_column, link.target_column
        elif link.target is ref and link.source is other:
            yield link.target_column, link.source_column


def _number(ref: TableRef, stays: TableRef, columns: Sequence[str]) -> str:
    """The shard of a table that stays where rows of `ref` with these columns have their partners.

    A value that the key's type cannot hold, or that has no shard, has no partner: such rows go to shard 0, because an
    outer join may keep them.
    """
    parts: list[str] = []
    for key, column in zip(stays.table.strategy.key, columns, strict=True):
        name = quote_identifier(column)
        parts.append(name if type_of(ref, column) == key.type else f"TRY_CAST({name} AS {key.type})")
    return f"coalesce({stays.table.strategy.shard_sql(parts)}, 0)"


def _into_buckets(leavings: Leavings, refs: Sequence[TableRef]) -> dict[TableRef, Move] | None:
    """Every table repartitioned by columns that the join equates, on as many shards as the first table has."""
    columns = _common_columns(leavings.conditions.links, refs)
    if columns is None:
        return None
    kinds = {type_of(ref, column) for ref, column in columns.items()}
    kind = kinds.pop() if len(kinds) == 1 else "HUGEINT"
    if find_key_type(kind) is None or (kind == "HUGEINT" and not kinds <= INTEGERS - {"UHUGEINT"}):
        return None
    count = refs[0].table.strategy.shard_count
    strategy = HashStrategy((KeyColumn("key", kind),), count)
    shards = tuple(range(count))
    moves: dict[TableRef, Move] = {}
    for ref, column in columns.items():
        name = _name(leavings, ref)
        number = strategy.shard_sql([f"CAST({quote_identifier(column)} AS {kind})"])
        because = f"{column} is what its partners are found by: equal values meet"
        leaving = leavings.leaving(ref, f"rows_of_{name}", 1)
        moves[ref] = _move(name, MoveKind.REPARTITION, leaving, shards, number, because)
    return moves


def _common_columns(links: Sequence[Link], refs: Sequence[TableRef]) -> dict[TableRef, str] | None:
    """A column of each reference, all of them equated with each other, directly or through one another."""
    groups: list[set[tuple[TableRef, str]]] = []
    for link in links:
        if link.source in refs and link.target in refs and same_values(link):
            both = {
                (link.source, link.source_column.lower()),
                (link.target, link.target_column.lower()),
            }
            joined = [group for group in groups if group & both]
            groups = [group for group in groups if not group & both]
            groups.append(both.union(*joined))
    for group in groups:
        columns = dict(sorted(group, key=lambda member: member[1]))
        if set(columns) == set(refs):
            return {ref: columns[ref] for ref in refs}
    return None
