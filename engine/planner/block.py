"""Which SELECT can run on each shard by itself, and its text with slots for the tables.

A *block* is a SELECT whose FROM joins tables only, such that the join of the whole tables is the union of the joins of
each shard's part: its sharded tables are aligned (`colocation.py`), or moved so that they are (`placing.py`); tables of
which every shard has all rows are never on the side of an outer join that would repeat their rows once per shard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from .analysis import DIALECT, REF, Analysis, TableRef
from .binder import Binder
from .colocation import aligned
from .conditions import Conditions, null_supplying
from .moving import Leavings, Moving
from .placing import Anchored, Placing, place
from .plan import MoveSlot, Piece, TableRoute, TableSlot

_SLOT = re.compile(r'"?__duckraft_slot_(\d+)"?')

SELECT_PARTS = frozenset(
    {"expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct"}
)
"""The parts of a SELECT that are understood here, as sqlglot names them.

Whatever else it may carry changes which rows it sees or returns in a way that parts cannot do for the whole.
"""

_PLAIN_TABLE = frozenset({"this", "db", "alias"})


@dataclass(frozen=True, slots=True)
class Block:
    """A SELECT that can run on each shard by itself.

    refs: every reference in it, subqueries included. anchor: a sharded table that stays where it is and whose rows must
    be there for a result, if there is one. placing: what moves before the block can run, if anything does.
    gathered_bytes: estimated, what would move if its tables came to the gateway; 0 where nothing costs to move.
    """

    analysis: Analysis
    select: exp.Select
    refs: tuple[TableRef, ...]
    shards: tuple[int, ...]
    anchor: TableRef | None
    placing: Placing | None = None
    gathered_bytes: int = 0

    @property
    def own_refs(self) -> list[TableRef]:
        """The references of its own FROM."""
        return [ref for ref in self.refs if ref.scope is self.select]


def as_block(
    analysis: Analysis,
    select: exp.Expr,
    conditions: Conditions,
    routes: dict[TableRef, TableRoute],
    binder: Binder,
    moving: Moving | None = None,
) -> Block | str:
    """The block that a SELECT is, or the reason why it is none. moving: None where no row may move."""
    if not isinstance(select, exp.Select):
        return "a set operation is merged at the gateway"
    if select.args.get("with_") is not None:
        return "common table expressions are merged at the gateway"
    unknown = {name for name, value in select.args.items() if value} - SELECT_PARTS
    if unknown:
        return f"{', '.join(sorted(unknown)).rstrip('_')} needs all rows in one place"
    inside = set(map(id, select.find_all(exp.Table)))
    refs = tuple(ref for ref in analysis.refs if id(ref.node) in inside)
    if len(refs) != len(inside):
        return "it reads relations that are not tables"
    own = [ref for ref in refs if ref.scope is select]
    if own and select.args.get("from_") is None:
        return "it joins nothing"  # As sqlglot reads `SELECT 1 x JOIN t`, which DuckDB refuses.
    sources = (
        [select.args["from_"].this, *(join.this for join in select.args.get("joins") or [])] if own else []
    )
    if {id(ref.node) for ref in own} != set(map(id, sources)):
        return "a subquery in FROM is merged at the gateway"
    if any({name for name, value in ref.node.args.items() if value} - _PLAIN_TABLE for ref in refs):
        return "a sample or pivot of a table needs all rows in one place"
    sharded = [ref for ref in refs if not ref.table.is_reference]
    if not any(not ref.table.is_reference for ref in own):
        return "it reads reference tables only"
    whole = aligned(sharded, conditions)
    if not whole and moving is None:
        return "its tables are joined on other columns than their shard keys"
    trouble = _function_trouble(select, binder)
    if whole:
        trouble = _join_trouble(select, own, frozenset()) or trouble
    if trouble:
        return trouble
    leavings = Leavings(analysis, conditions, routes, moving) if moving is not None else None
    gathered = leavings.gathered_bytes(sharded) if leavings is not None else 0
    if leavings is None or whole:
        anchor, shards = _shards(select, own, routes)
        return Block(analysis, select, refs, shards, anchor, None, gathered)

    def anchored(stay: Sequence[TableRef]) -> Anchored | None:
        here = [ref for ref in own if ref in stay]
        return _shards(select, here, routes) if here else None

    placing = place(leavings, sharded, anchored, lambda everywhere: _join_trouble(select, own, everywhere))
    if isinstance(placing, str):
        return placing
    anchor, shards = placing.anchored
    return Block(analysis, select, refs, shards, anchor, placing, gathered)


def _join_trouble(select: exp.Select, own: list[TableRef], everywhere: frozenset[TableRef]) -> str | None:
    """Why the join of the parts would not be the part of the join, if so. everywhere: broadcast tables."""
    spread = {id(ref.node): not ref.table.is_reference and ref not in everywhere for ref in own}
    left_sharded = spread[id(select.args["from_"].this)]
    for join in select.args.get("joins") or []:
        right_sharded = spread[id(join.this)]
        side, kind, method = join.side.upper(), join.kind.upper(), join.method.upper()
        if method:
            return f"a {method} join needs all rows in one place"
        if side == "FULL" and (left_sharded or right_sharded):
            return "a FULL JOIN of sharded tables is merged at the gateway"
        keeps_left = side == "LEFT" or kind in ("SEMI", "ANTI")
        if keeps_left and right_sharded and not left_sharded:
            return "an outer join keeps the rows of a reference table: each shard would repeat them"
        if side == "RIGHT" and left_sharded and not right_sharded:
            return "an outer join keeps the rows of a reference table: each shard would repeat them"
        left_sharded = left_sharded or right_sharded
    return None


def _function_trouble(select: exp.Select, binder: Binder) -> str | None:
    """Volatile functions, macros and functions we do not know stay at the gateway."""
    for node in select.find_all(exp.Func, exp.Window):
        if isinstance(node, exp.Window):
            return "a window function needs all rows in one place"
        name = function_name(node)
        if name is None:
            continue
        known = binder.functions().get(name)
        if known is None and isinstance(node, exp.Anonymous):
            return f"{name} is not a function that is known to work on parts"
        if known is not None and (known.kind == "macro" or not known.consistent):
            return f"{name} may give each shard another value"
    return None


_CALL = re.compile(r"^([A-Za-z_]\w*)\(")


def function_name(node: exp.Expr) -> str | None:
    """The name under which DuckDB knows a function call, in lower case; None for operators such as CASE and CAST."""
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    if isinstance(node, (exp.Cast, exp.Case, exp.And, exp.Or, exp.If)):
        return None
    found = _CALL.match(node.sql(dialect=DIALECT))
    return found.group(1).lower() if found else None


def _shards(select: exp.Select, own: Sequence[TableRef], routes: dict[TableRef, TableRoute]) -> Anchored:
    """The shards that can give a row: those that every table in `own` which must be there has rows on.

    own: the references that stay where they are.
    """
    sharded = [ref for ref in own if not ref.table.is_reference]
    # A row that an ANTI JOIN does not find is as good as one: its table requires nothing.
    anti = {id(join.this) for join in select.args.get("joins") or [] if join.kind.upper() == "ANTI"}
    required = [ref for ref in sharded if id(ref.node) not in anti and not null_supplying(ref, select)]
    if not required:
        return None, tuple(range(sharded[0].table.strategy.shard_count))
    common = set.intersection(*(set(routes[ref].shards) for ref in required))
    return required[0], tuple(sorted(common)) or (0,)


def render(expression: exp.Expr, block: Block) -> tuple[Piece, ...]:
    """SQL text of an expression of a block, each table in it a slot that keeps the name it has in the statement."""
    refs = block.analysis.refs
    moves = block.placing.moves if block.placing is not None else {}

    def slotted(node: exp.Expr) -> exp.Expr:
        number = node.meta.get(REF) if isinstance(node, exp.Table) else None
        if number is None:
            return node
        alias = exp.TableAlias(this=exp.to_identifier(refs[number].name, quoted=True))
        return exp.Table(this=exp.to_identifier(f"__duckraft_slot_{number}"), alias=alias)

    text = expression.copy().transform(slotted).sql(dialect=DIALECT)
    pieces: list[Piece] = []
    position = 0
    for found in _SLOT.finditer(text):
        ref = refs[int(found.group(1))]
        slot = MoveSlot(moves[ref]) if ref in moves else TableSlot(ref.table)
        pieces += [text[position : found.start()], slot]
        position = found.end()
    return *pieces, text[position:]
