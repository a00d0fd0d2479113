"""The second tier: work pushed under the shards, and the SQL that merges what they return.

Three shapes of a block are pushed:
- *groups apart*: grouped by the shard key, so each shard finishes its groups, and the gateway only collects them;
- *partial aggregates*: each shard aggregates its rows, the gateway merges the parts group by group;
- *top rows*: each shard sorts and cuts, or makes its rows distinct, and the gateway does it once more.

The text pushed is written by sqlglot, so it is used only if DuckDB's parser reads sqlglot's version of the whole
statement as the same statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlglot import exp

from ..types import Column, quote_identifier
from .aggregate import Grouping, grouping_of, groups_stay_apart, not_mergeable
from .analysis import DIALECT, Analysis, TableRef
from .binder import Binder
from .block import Block, as_block, render
from .conditions import Conditions
from .mergeable import Kinds, TwoSteps, telling_arguments, two_steps
from .moving import Moving, dearer_than_gathering
from .plan import Fragment, FragmentSlot, Piece, Plan, TableRoute, Tier

MOST_GROUPS = 4096
"""With more groups than these, aggregating twice costs more than it saves.

Measured on lineitem of TPC-H, split against gathered: 4 groups 0.86, 2,500 groups 1.03, 10,000 groups 1.26.
"""

_ALIAS = "merged"
"""The fragment's name inside the merge SQL of its block."""


@dataclass(frozen=True, slots=True)
class PushedBlock:
    """A block under the shards: the merge SQL is `before`, the fragment, `after`."""

    before: str
    fragment: Fragment
    after: str

    def pieces(self) -> tuple[str | FragmentSlot, ...]:
        """The merge SQL with a slot for the fragment."""
        return self.before, FragmentSlot(self.fragment, _ALIAS), self.after


def split(
    analysis: Analysis,
    conditions: Conditions,
    routes: dict[TableRef, TableRoute],
    version: int,
    binder: Binder,
    moving: Moving | None = None,
) -> Plan | str:
    """The plan that pushes work under the shards, or the reason why nothing is pushed."""
    pushed = push_block(
        analysis.root, analysis.text, "fragment_1", analysis, conditions, routes, binder, moving
    )
    if isinstance(pushed, str):
        return pushed
    merge = pushed.pieces()
    return Plan(Tier.SPLIT, pushed.fragment.reason, pushed.fragment.routes, version, merge=merge)


def push_block(
    select: exp.Expr,
    text: str,
    name: str,
    analysis: Analysis,
    conditions: Conditions,
    routes: dict[TableRef, TableRoute],
    binder: Binder,
    moving: Moving | None = None,
) -> PushedBlock | str:
    """Push one SELECT, whose text is `text`, under the shards; or the reason why that cannot be.

    moving: what is known when rows cost something to move; None where they do not.
    """
    block = as_block(analysis, select, conditions, routes, binder, moving)
    if isinstance(block, str):
        return block
    grouping = grouping_of(block, binder)
    if isinstance(grouping, str):
        return grouping
    shape = _shape_of(block, grouping, moving)
    if isinstance(shape, str):
        return shape
    if not binder.same_meaning(text, block.select.sql(dialect=DIALECT)):
        return "the statement cannot be written anew without changing it"
    columns = binder.describe(text)
    if columns is None:
        return "it does not bind by itself"
    if moving is not None and (block.placing is not None or shape is Shape.ALL_ROWS):
        moved = block.placing.moved_bytes if block.placing is not None else 0
        rows = _answered_rows(block, grouping, binder)
        dear = dearer_than_gathering(moving, moved, block.gathered_bytes, rows, columns)
        if dear is not None:
            return dear
    if shape is Shape.PARTIAL_AGGREGATES:
        if moving is None and _has_many_groups(block, grouping, binder):
            return "it has so many groups that aggregating them twice would cost more than it saves"
        pushed = _push_parts(block, grouping, columns, binder)
    else:
        pushed = _push_whole(block, grouping, columns)
    if isinstance(pushed, str):
        return pushed
    pieces, before, after, states = pushed
    because = _reason(shape, block)
    used = tuple(routes[ref] for ref in block.refs)
    fragment = Fragment(name, pieces, block.shards, used, because, states)
    return PushedBlock(before, fragment, after)


class Shape(Enum):
    """The shapes of blocks that are pushed."""

    GROUPS_APART = "groups apart"
    PARTIAL_AGGREGATES = "partial aggregates"
    TOP_ROWS = "top rows"
    ALL_ROWS = "all rows"


def _reason(shape: Shape, block: Block) -> str:
    if shape is Shape.GROUPS_APART:
        name = block.anchor.name if block.anchor is not None else ""
        return f"grouped by the shard key of {name}: no group is on two shards"
    if shape is Shape.PARTIAL_AGGREGATES:
        return "each shard aggregates its rows, the parts are merged"
    if shape is Shape.ALL_ROWS:
        return "each shard joins its rows: fewer come to the gateway"
    return "each shard sorts, cuts or makes distinct its own rows first"


def _shape_of(block: Block, grouping: Grouping, moving: Moving | None) -> Shape | str:
    """The shape of a block, or why nothing of it is pushed."""
    select = block.select
    distinct = select.args.get("distinct")
    if grouping.is_aggregated:
        if grouping.groups and groups_stay_apart(block, grouping):
            return Shape.GROUPS_APART
        if distinct is not None:
            return "DISTINCT of aggregates is merged at the gateway"
        return not_mergeable(grouping) or Shape.PARTIAL_AGGREGATES
    if distinct is not None:
        return "DISTINCT ON needs all rows in one place" if distinct.args.get("on") else Shape.TOP_ROWS
    if select.args.get("limit") is not None:
        return Shape.TOP_ROWS
    if moving is not None and len(block.own_refs) > 1:
        return Shape.ALL_ROWS
    return "every row of the shards is part of the answer: there is nothing to do before they meet"


Pushed = tuple[tuple[Piece, ...], str, str, tuple[tuple[str, str], ...]]
"""The fragment's text, the merge SQL before and behind the fragment, and the states among its columns."""


def _push_parts(block: Block, grouping: Grouping, columns: Sequence[Column], binder: Binder) -> Pushed | str:
    """Groups and parts of aggregates on the shards; at the gateway the parts are merged."""
    select = block.select
    steps = _two_steps(block, grouping, binder)
    if steps is None:
        return "the types of the aggregates cannot be told"
    key, value = _unused("g", select), _unused("a", select)
    names: dict[exp.Expr, exp.Expr] = {}
    projections: list[Piece] = []
    for number, group in enumerate(grouping.groups, start=1):
        names[group] = exp.column(f"{key}{number}", table=_ALIAS)
        projections += [*render(group, block), f" AS {key}{number}, "]
    known: dict[str, str] = {}
    states: dict[str, str] = {}
    for aggregate, step in zip(grouping.aggregates, steps, strict=True):
        given: list[str] = []
        for part in step.parts:
            text = f"{part.sql(dialect=DIALECT)}{' EXPORT_STATE' if step.exported else ''}"
            if text not in known:
                known[text] = f"{value}{len(known) + 1}"
                exported = " EXPORT_STATE" if step.exported else ""
                projections += [*render(part, block), f"{exported} AS {known[text]}, "]
            if step.restored is not None:
                states[known[text]] = step.restored
            given.append(f"{_ALIAS}.{known[text]}")
        names[aggregate] = step.merged(given)
    projections.append(str(projections.pop()).removesuffix(", "))
    source = render(_source(select), block)
    text_of: list[Piece] = ["SELECT ", *projections, *_without_star(source)]
    if grouping.groups:
        # By position: a name would mean a column of a table first.
        text_of.append(f" GROUP BY {', '.join(map(str, range(1, len(grouping.groups) + 1)))}")
    merge = _merge_of_parts(select, grouping, names, columns)
    return merge if isinstance(merge, str) else (tuple(text_of), *merge, tuple(states.items()))


def _has_many_groups(block: Block, grouping: Grouping, binder: Binder) -> bool:
    """Whether each shard would have so many groups that little is gained by making them there."""
    if not grouping.groups:
        return False
    groups = ", ".join(group.sql(dialect=DIALECT) for group in grouping.groups)
    rows = binder.estimated_rows(
        f"SELECT 1{_source(block.select).sql(dialect=DIALECT)[8:]} GROUP BY {groups}"
    )
    return rows is not None and rows > MOST_GROUPS


def _answered_rows(block: Block, grouping: Grouping, binder: Binder) -> int:
    """About how many rows the shards answer with, all together."""
    select = block.select
    bound = _fragment_limit(select.args.get("limit"), select.args.get("offset"))
    if bound is not None and not grouping.is_aggregated:
        return int(bound) * len(block.shards)
    if grouping.is_aggregated and not grouping.groups:
        return len(block.shards)
    groups = ", ".join(group.sql(dialect=DIALECT) for group in grouping.groups)
    behind = f" GROUP BY {groups}" if groups else ""
    return binder.estimated_rows(f"SELECT 1{_source(select).sql(dialect=DIALECT)[8:]}{behind}") or 0


def _source(select: exp.Select) -> exp.Select:
    """`SELECT *` with the FROM and WHERE of a SELECT."""
    parts = {name: select.args.get(name) for name in ("from_", "joins", "where")}
    return exp.Select(expressions=[exp.Star()], **{name: part for name, part in parts.items() if part}).copy()


def _two_steps(block: Block, grouping: Grouping, binder: Binder) -> list[TwoSteps] | None:
    """How each aggregate is computed; None if DuckDB does not tell their types."""
    arguments = [telling_arguments(aggregate) for aggregate in grouping.aggregates]
    listed = [aggregate.sql(dialect=DIALECT) for aggregate in grouping.aggregates]
    # Any of some values has their type.
    listed += [f"any_value({argument.sql(dialect=DIALECT)})" for given in arguments for argument in given]
    if not listed:
        return []
    described = binder.describe(f"SELECT {', '.join(listed)}{_source(block.select).sql(dialect=DIALECT)[8:]}")
    if described is None:
        return None
    kinds = iter([column.type for column in described])
    results = [next(kinds) for _ in grouping.aggregates]
    others, grouped = grouping.aggregates, bool(grouping.groups)
    return [
        two_steps(aggregate, others, grouped, Kinds(result, tuple(next(kinds) for _ in given)))
        for aggregate, result, given in zip(grouping.aggregates, results, arguments, strict=True)
    ]


def _merge_of_parts(
    select: exp.Select,
    grouping: Grouping,
    names: dict[exp.Expr, exp.Expr],
    columns: Sequence[Column],
) -> tuple[str, str] | str:
    """The merge SQL before and behind the fragment."""
    if len(columns) != len(select.expressions):
        return "a star in an aggregated query is merged at the gateway"
    aliases = {column.name.lower() for column in columns}
    parts: list[str] = []
    for projection, column in zip(select.expressions, columns, strict=True):
        merged = _renamed(projection.unalias(), names)
        if _leftover(merged, set()):
            return "a result column is neither grouped nor aggregated"
        parts.append(f"{merged.sql(dialect=DIALECT)} AS {quote_identifier(column.name)}")
    before = f"SELECT {', '.join(parts)} FROM "
    after = ""
    if grouping.groups:
        after += f" GROUP BY {', '.join(names[group].sql(dialect=DIALECT) for group in grouping.groups)}"
    having, order = select.args.get("having"), select.args.get("order")
    for clause, renamed in (
        (having, _renamed_having(having, select, names) if having is not None else None),
        (order, _renamed_order(order, select, names) if order is not None else None),
    ):
        if clause is None:
            continue
        if renamed is None:
            return f"{clause.key.upper()} uses a name that may mean a column or a result"
        if _leftover(renamed, aliases):
            return f"{clause.key.upper()} uses a column that is neither grouped nor aggregated"
        after += f" {renamed.sql(dialect=DIALECT).strip()}"
    return before, after + _cutting(select)


def _push_whole(block: Block, grouping: Grouping, columns: Sequence[Column]) -> Pushed | str:
    """The whole SELECT on the shards, its columns numbered; at the gateway once more what needs all rows."""
    select = block.select
    if len(columns) != len(select.expressions):
        return "a star with LIMIT or DISTINCT is merged at the gateway"
    distinct = select.args.get("distinct") is not None
    limit, offset = select.args.get("limit"), select.args.get("offset")
    prefix = _unused("c", select)
    projections = [
        exp.alias_(projection.unalias().copy(), f"{prefix}{number}")
        for number, projection in enumerate(select.expressions, start=1)
    ]
    keys = _order_keys(select, columns)
    if keys is None or (distinct and any(isinstance(key, exp.Expr) for key, _ in keys)):
        return "ORDER BY uses what is not among the result columns"
    sorting: list[tuple[int, str]] = []
    for key, item in keys:
        if isinstance(key, int):
            position = key
        else:
            projections.append(exp.alias_(key.copy(), f"{prefix}{len(projections) + 1}"))
            position = len(projections)
        # What is not said is left to the settings `default_order` and `default_null_order`.
        direction = " DESC" if item.args.get("desc") else ""
        nulls = " NULLS FIRST" if item.args.get("nulls_first") else ""
        sorting.append((position, f"{direction}{nulls}"))
    kept: dict[str, Any] = {"expressions": projections}
    for name in ("from_", "joins", "where", "group", "having", "distinct"):
        kept[name] = select.args.get(name)
    if grouping.groups:
        # Written out: positions and aliases would mean other columns in the fragment.
        kept["group"] = exp.Group(expressions=list(grouping.groups))
    inner = exp.Select(**{name: node for name, node in kept.items() if node is not None}).copy()
    text = list(render(inner, block))
    bound = _fragment_limit(limit, offset)
    if bound is not None:
        text.append(_order_by("{}", sorting) + f" LIMIT {bound}")
        # A LIMIT would end the whole union, were it not kept to its own part.
        text = ["(", *text, ")"]
    listed = ", ".join(
        f"{prefix}{number} AS {quote_identifier(column.name)}"
        for number, column in enumerate(columns, start=1)
    )
    before = f"SELECT {'DISTINCT ' if distinct else ''}{listed} FROM "
    # DISTINCT leaves only result columns to sort by, and those have their positions.
    after = _order_by("{}" if distinct else f"{_ALIAS}.{prefix}{{}}", sorting)
    return tuple(text), before, after + _cutting(select), ()


def _unused(letter: str, select: exp.Select) -> str:
    """What the fragment's columns are called before their numbers: the letter, unless a name of the SELECT begins so.

    DuckDB lets WHERE, HAVING and later result columns name a result column. The fragment gives these other names, and
    one of them must not be taken for the name of another one there.
    """
    used = {identifier.name.lower() for identifier in select.find_all(exp.Identifier)}
    while any(name.removeprefix(letter).isdigit() and name.startswith(letter) for name in used):
        letter += "_"
    return letter


def _order_by(name: str, sorting: Sequence[tuple[int, str]]) -> str:
    """ORDER BY over columns given by position. name: a template of how a column is called."""
    if not sorting:
        return ""
    return " ORDER BY " + ", ".join(f"{name.format(position)}{suffix}" for position, suffix in sorting)


def _order_keys(
    select: exp.Select, columns: Sequence[Column]
) -> list[tuple[int | exp.Expr, exp.Expr]] | None:
    """The ORDER BY items, each as the number of a result column or as an expression; None if one is of another kind."""
    order = select.args.get("order")
    keys: list[tuple[int | exp.Expr, exp.Expr]] = []
    for item in order.expressions if order is not None else []:
        key = item.this if isinstance(item, exp.Ordered) else None
        if key is None or item.args.get("with_fill"):
            return None
        if isinstance(key, exp.Literal):
            if not key.is_int or not 1 <= int(str(key.this)) <= len(columns):
                return None
            keys.append((int(str(key.this)), item))
            continue
        if isinstance(key, exp.Column) and key.name.lower() == "all" and not key.table:
            return None
        number = _result_column(select, key)
        if number is None and _aliases_in(key, select):
            return None
        keys.append((key if number is None else number, item))
    return keys


def _result_column(select: exp.Select, key: exp.Expr) -> int | None:
    """The number of the result column that an ORDER BY item is; an alias comes before a column of the same name."""
    name = key.name.lower() if isinstance(key, exp.Column) and not key.table else None
    projections = list(enumerate(select.expressions, start=1))
    for number, projection in projections:
        if isinstance(projection, exp.Alias) and projection.alias.lower() == name:
            return number
    return next((number for number, projection in projections if projection.unalias() == key), None)


def _aliases_in(node: exp.Expr, select: exp.Select) -> bool:
    """Whether an expression uses a name that is also an alias of the result, and so may mean either."""
    aliases = {item.alias.lower() for item in select.expressions if isinstance(item, exp.Alias)}
    return any(not column.table and column.name.lower() in aliases for column in node.find_all(exp.Column))


def _fragment_limit(limit: exp.Expr | None, offset: exp.Expr | None) -> str | None:
    """How many rows each shard must give; None if all."""
    if limit is None:
        return None
    count = limit.expression
    if not isinstance(limit, exp.Limit) or limit.args.get("limit_options"):
        return None
    if not isinstance(count, exp.Literal) or count.is_string or not str(count.this).isdigit():
        return None
    skip = offset.expression if offset is not None else None
    if skip is None:
        return str(count.this)
    if not isinstance(skip, exp.Literal) or not str(skip.this).isdigit():
        return None
    return str(int(str(count.this)) + int(str(skip.this)))


def _cutting(select: exp.Select) -> str:
    """LIMIT and OFFSET, for the gateway."""
    parts = [select.args.get("limit"), select.args.get("offset")]
    return "".join(f" {part.sql(dialect=DIALECT).strip()}" for part in parts if part is not None)


def _renamed(node: exp.Expr, names: dict[exp.Expr, exp.Expr]) -> exp.Expr:
    """`node` with every group and aggregate replaced by its name at the gateway.

    In a subquery the same text may mean other columns: it is left as it is, and so seen by `_leftover`.
    """

    def renamed(part: exp.Expr) -> exp.Expr:
        known = names.get(part)
        if known is None or part.find_ancestor(exp.Select, exp.SetOperation, exp.Subquery) is not None:
            return part
        return known.copy()

    return node.copy().transform(renamed)


def _renamed_having(having: exp.Expr, select: exp.Select, names: dict[exp.Expr, exp.Expr]) -> exp.Expr | None:
    """HAVING at the gateway; None if a name in it may mean two things."""
    return None if _aliases_in(having, select) else _renamed(having, names)


def _renamed_order(order: exp.Expr, select: exp.Select, names: dict[exp.Expr, exp.Expr]) -> exp.Expr | None:
    """ORDER BY at the gateway: result columns by their number; None if a name in it may mean two things."""
    order = order.copy()
    for item in order.expressions:
        number = _result_column(select, item.this)
        if number is not None:
            item.set("this", exp.Literal.number(number))
        elif _aliases_in(item.this, select):
            return None
        else:
            item.set("this", _renamed(item.this, names))
    return order


def _leftover(node: exp.Expr, aliases: set[str]) -> bool:
    """Whether a column of the tables is left that the fragment does not give."""
    return any(
        column.table != _ALIAS and (column.table or column.name.lower() not in aliases)
        for column in node.find_all(exp.Column)
    )


def _without_star(pieces: Sequence[Piece]) -> list[Piece]:
    """The text behind `SELECT *`."""
    first, *rest = pieces
    return [" " + str(first).removeprefix("SELECT *").lstrip(), *rest]
