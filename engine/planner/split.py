"""The second tier: work pushed under the shards, and the SQL that merges what they return.

Three shapes of a block are pushed:
- *groups apart*: grouped by the shard key, so each shard finishes its groups, and the gateway only collects them;
- *partial aggregates*: each shard aggregates to states, the gateway merges them group by group;
- *top rows*: each shard sorts and cuts, or makes its rows distinct, and the gateway does it once more.

The text pushed is written by sqlglot, so it is used only if DuckDB's parser reads sqlglot's version of the whole
statement as the same statement.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from ..types import Column, quote_identifier
from .aggregate import Grouping, groups_stay_apart, grouping_of, not_mergeable
from .analysis import DIALECT, Analysis, TableRef
from .binder import Binder
from .block import Block, as_block, render
from .plan import Fragment, FragmentSlot, Plan, TableRoute, TableSlot, Tier
from .predicates import Conditions

_FRAGMENT = "fragment_1"


def split(
    analysis: Analysis,
    conditions: Conditions,
    routes: dict[TableRef, TableRoute],
    version: int,
    binder: Binder,
) -> Plan | str:
    """The plan that pushes work under the shards, or the reason why nothing is pushed."""
    block = as_block(analysis, analysis.root, conditions, routes, binder)
    if isinstance(block, str):
        return block
    grouping = grouping_of(block, binder)
    if isinstance(grouping, str):
        return grouping
    shape = _shape_of(block, grouping)
    if shape is None:
        return "every shard's rows are part of the answer: there is nothing to do before they meet"
    if not shape:
        return not_mergeable(grouping) or "it cannot be done in two steps"
    if not binder.same_meaning(analysis.text, analysis.root.sql(dialect=DIALECT)):
        return "the statement cannot be written anew without changing it"
    columns = binder.describe(analysis.text)
    if columns is None:
        return "the statement does not bind"
    pushed = {
        "groups apart": _push_whole,
        "partial aggregates": _push_states,
        "top rows": _push_whole,
    }[shape](block, grouping, columns)
    if isinstance(pushed, str):
        return pushed
    text, before, after = pushed
    found = tuple(routes[ref] for ref in block.refs)
    because = {
        "groups apart": f"grouped by the shard key of {block.anchor.name}: no group is on two shards",
        "partial aggregates": "each shard aggregates its rows, the states are merged",
        "top rows": "each shard sorts, cuts or makes distinct its own rows first",
    }[shape]
    fragment = Fragment(_FRAGMENT, text, block.shards, found, because)
    return Plan(Tier.SPLIT, because, found, version, merge=(before, FragmentSlot(fragment, _FRAGMENT), after))


def _shape_of(block: Block, grouping: Grouping) -> str | None:
    """Which shape a block has; an empty string if it is aggregated in none of them, None if nothing is gained."""
    select = block.select
    if grouping.is_aggregated:
        if grouping.groups and groups_stay_apart(block, grouping):
            return "groups apart"
        if select.args.get("distinct") or not_mergeable(grouping):
            return ""
        return "partial aggregates"
    if select.args.get("distinct") is not None:
        return "top rows" if not select.args["distinct"].args.get("on") else None
    return "top rows" if select.args.get("limit") is not None else None


Pushed = tuple[tuple[str | TableSlot, ...], str, str]
"""The fragment's text, and the merge SQL before and behind the fragment."""


def _push_states(block: Block, grouping: Grouping, columns: Sequence[Column]) -> Pushed | str:
    """Groups and states on the shards; at the gateway every aggregate is its merged state."""
    select = block.select
    names: dict[exp.Expression, exp.Expression] = {}
    projections: list[str | TableSlot] = []
    for number, group in enumerate(grouping.groups, start=1):
        names[group] = exp.column(f"g{number}", table=_FRAGMENT)
        projections += [*render(group, block.refs), f" AS g{number}, "]
    for number, aggregate in enumerate(grouping.aggregates, start=1):
        merged = exp.Anonymous(this="combine_aggr", expressions=[exp.column(f"a{number}", table=_FRAGMENT)])
        names[aggregate] = exp.Anonymous(this="finalize", expressions=[merged])
        projections += [*render(aggregate, block.refs), f" EXPORT_STATE AS a{number}, "]
    last = projections.pop()
    projections.append(str(last).removesuffix(", "))
    inner = exp.Select(
        expressions=[exp.Star()], **{name: select.args.get(name) for name in ("from_", "joins", "where")}
    ).copy()
    source = render(inner, block.refs)
    text: list[str | TableSlot] = ["SELECT ", *projections, *_without_star(source)]
    if grouping.groups:
        text.append(f" GROUP BY {', '.join(f'g{number}' for number in range(1, len(grouping.groups) + 1))}")
    merge = _merge_of_states(select, grouping, names, columns, block)
    if isinstance(merge, str):
        return merge
    return tuple(text), *merge


def _merge_of_states(
    select: exp.Select,
    grouping: Grouping,
    names: dict[exp.Expression, exp.Expression],
    columns: Sequence[Column],
    block: Block,
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
        after += f" GROUP BY {', '.join(f'{_FRAGMENT}.g{n}' for n in range(1, len(grouping.groups) + 1))}"
    for clause in ("having", "order"):
        node = select.args.get(clause)
        if node is None:
            continue
        merged = _renamed(node, names)
        if _leftover(merged, aliases):
            return f"{clause.upper()} uses a column that is neither grouped nor aggregated"
        after += f" {merged.sql(dialect=DIALECT).strip()}"
    return before, after + _cutting(select)


def _push_whole(block: Block, grouping: Grouping, columns: Sequence[Column]) -> Pushed | str:
    """The whole SELECT on the shards, its columns numbered; at the gateway once more what needs all rows."""
    select = block.select
    if len(columns) != len(select.expressions):
        return "a star with LIMIT or DISTINCT is merged at the gateway"
    distinct = select.args.get("distinct") is not None
    order = select.args.get("order")
    limit, offset = select.args.get("limit"), select.args.get("offset")
    projections = [
        exp.alias_(projection.unalias().copy(), f"c{number}")
        for number, projection in enumerate(select.expressions, start=1)
    ]
    keys = _order_keys(select, columns)
    if keys is None or (distinct and any(isinstance(key, exp.Expression) for key, _ in keys)):
        return "ORDER BY uses what is not among the result columns"
    sorting: list[str] = []
    for number, (key, item) in enumerate(keys, start=1):
        if isinstance(key, int):
            name = f"c{key}"
        else:
            name = f"o{number}"
            projections.append(exp.alias_(key.copy(), name))
        direction = " DESC" if item.args.get("desc") else " ASC"
        nulls = " NULLS FIRST" if item.args.get("nulls_first") else " NULLS LAST"
        sorting.append(f"{name}{direction}{nulls}")
    kept = {"expressions": projections}
    for name in ("from_", "joins", "where", "group", "having", "distinct"):
        node = select.args.get(name)
        kept[name] = node
    if grouping.groups:
        # Written out: positions and aliases would mean other columns in the fragment.
        kept["group"] = exp.Group(expressions=list(grouping.groups))
    inner = exp.Select(**{name: node for name, node in kept.items() if node is not None}).copy()
    text = list(render(inner, block.refs))
    bound = _fragment_limit(limit, offset)
    if bound is not None:
        text.append((f" ORDER BY {', '.join(sorting)}" if sorting else "") + f" LIMIT {bound}")
        # A LIMIT would end the whole union, were it not kept to its own part.
        text = ["(", *text, ")"]
    listed = ", ".join(
        f"c{number} AS {quote_identifier(column.name)}" for number, column in enumerate(columns, start=1)
    )
    before = f"SELECT {'DISTINCT ' if distinct else ''}{listed} FROM "
    if distinct and sorting:
        renamed = {f"c{number}": column.name for number, column in enumerate(columns, start=1)}
        sorting = [f"{quote_identifier(renamed[key.split()[0]])} {' '.join(key.split()[1:])}" for key in sorting]
        if len({column.name.lower() for column in columns}) != len(columns):
            return "DISTINCT with two columns of one name is merged at the gateway"
    after = f" ORDER BY {', '.join(sorting)}" if sorting else ""
    return tuple(text), before, after + _cutting(select)


def _order_keys(
    select: exp.Select, columns: Sequence[Column]
) -> list[tuple[int | exp.Expression, exp.Expression]] | None:
    """The ORDER BY items, each as the number of a result column or as an expression; None if one is of another kind."""
    order = select.args.get("order")
    keys: list[tuple[int | exp.Expression, exp.Expression]] = []
    for item in order.expressions if order is not None else []:
        key = item.this if isinstance(item, exp.Ordered) else None
        if key is None or item.args.get("with_fill"):
            return None
        if isinstance(key, exp.Literal):
            if key.is_string or not 1 <= int(str(key.this)) <= len(columns):
                return None
            keys.append((int(str(key.this)), item))
            continue
        if isinstance(key, exp.Column) and key.name.lower() == "all" and not key.table:
            return None
        number = next(
            (
                number
                for number, projection in enumerate(select.expressions, start=1)
                if projection.unalias() == key or (isinstance(key, exp.Column) and not key.table and projection.alias_or_name.lower() == key.name.lower())
            ),
            None,
        )
        keys.append((key if number is None else number, item))
    return keys


def _fragment_limit(limit: exp.Expression | None, offset: exp.Expression | None) -> str | None:
    """How many rows each shard must give; None if all."""
    if limit is None:
        return None
    count = limit.expression
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


def _renamed(node: exp.Expression, names: dict[exp.Expression, exp.Expression]) -> exp.Expression:
    """`node` with every group and aggregate replaced by its name at the gateway."""
    return node.copy().transform(lambda part: names[part].copy() if part in names else part)


def _leftover(node: exp.Expression, aliases: set[str]) -> bool:
    """Whether a column of the tables is left that the fragment does not give."""
    return any(
        column.table != _FRAGMENT and (column.table or column.name.lower() not in aliases)
        for column in node.find_all(exp.Column)
    )


def _without_star(pieces: Sequence[str | TableSlot]) -> list[str | TableSlot]:
    """The text behind `SELECT *`."""
    first, *rest = pieces
    return [" " + str(first).removeprefix("SELECT *").lstrip(), *rest]
