"""EXPLAIN: a plan as lines of text, drawn as a tree, and as plain values for JSON.

Promises: without costs, the same plan always gives the same text. The names of the values are documented in
docs/reference/explain.md and only ever added to.
Leaves to others: measuring (`executor/profile.py`, `executor/recording.py`), colours (`shell/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .costs import Cost, Costs
from .plan import Fragment, Move, Plan, TableRoute, Tier

NodeOf = Callable[[int], str]
"""The name of the node that has a shard of the database."""

Values = dict[str, Any]

TIERS = {
    Tier.LOCAL: "Local: the gateway answers alone",
    Tier.ROUTE: "Route: one shard answers the statement as it is",
    Tier.SPLIT: "Split: fragments on the shards, merged at the gateway",
    Tier.GATHER: "Gather: the statement runs at the gateway over fragments",
}


def explain(plan: Plan, text: str, node_of: NodeOf, costs: Costs | None = None) -> list[str]:
    """The plan of a query as lines. text: the statement, for the plans that run it as it is."""
    lines = [TIERS[plan.tier], f"  reason: {plan.reason}", *_total_lines(costs)]
    if plan.tier is Tier.ROUTE:
        lines.append(f"  shard: {_database_shard(plan.shard)}")
        lines += _table_lines(plan.routes, "  ")
        lines += _block("sql", text, "  ")
    elif plan.tier is Tier.LOCAL:
        lines += _block("sql", text, "  ")
    else:
        lines += _block("merge", plan.merge_sql(lambda fragment: fragment.name), "  ")
        if costs is not None and costs.merge is not None:
            lines.append(f"  merged: {_cost(costs.merge)}")
        fragments = plan.fragments()
        for number, fragment in enumerate(fragments, start=1):
            lines += _fragment_lines(fragment, number == len(fragments), "", node_of, costs)
    return lines


def explain_change(
    verb: str, routes: Sequence[TableRoute], node_of: NodeOf, costs: Costs | None, changed: Mapping[int, Cost]
) -> list[str]:
    """A change of data as lines: the shards of each table it touches. changed: what each shard did, if it was run."""
    if not routes:
        return [f"{verb}: no sharded table is touched", *_total_lines(costs)]
    lines = [verb, *_total_lines(costs), *_table_lines(routes, "  ")]
    return lines + [
        f"  shard {_database_shard(shard)} on {node_of(shard)}: {_cost(cost)}"
        for shard, cost in sorted(changed.items())
    ]


def values_of(plan: Plan, text: str, node_of: NodeOf, costs: Costs | None = None) -> Values:
    """The plan of a query as plain values."""
    values: Values = {"tier": str(plan.tier), "reason": plan.reason, **_total_values(costs)}
    if plan.tier is Tier.ROUTE:
        number = -1 if plan.shard is None else plan.shard
        values |= {"shard": _shard_value(number), "node": node_of(number)}
        values |= {"tables": [_route_values(route) for route in plan.routes], "sql": text}
    elif plan.tier is Tier.LOCAL:
        values["sql"] = text
    else:
        merge: Values = {"sql": plan.merge_sql(lambda fragment: fragment.name)}
        if costs is not None and costs.merge is not None:
            merge |= _cost_values(costs.merge)
        values["merge"] = merge
        values["fragments"] = [_fragment_values(fragment, node_of, costs) for fragment in plan.fragments()]
    return values


def values_of_change(
    verb: str, routes: Sequence[TableRoute], node_of: NodeOf, costs: Costs | None, changed: Mapping[int, Cost]
) -> Values:
    """A change of data as plain values; see `explain_change`."""
    values: Values = {"tier": "change", "statement": verb, **_total_values(costs)}
    values["tables"] = [_route_values(route) for route in routes]
    if costs is not None:
        values["shards"] = [
            {"shard": _shard_value(shard), "node": node_of(shard), **_cost_values(cost)}
            for shard, cost in sorted(changed.items())
        ]
    return values


def _total_lines(costs: Costs | None) -> list[str]:
    if costs is None:
        return []
    work = f"; {costs.work_ms():,.1f} ms of work by all threads" if costs.fragments else ""
    rows = _count(costs.rows, "row")
    return [
        f"  total: {rows} in {costs.execution_ms:,.1f} ms, after {costs.planning_ms:,.1f} ms of planning{work}"
    ]


def _table_lines(routes: Sequence[TableRoute], indent: str) -> list[str]:
    return [f"{indent}{route.name}: {_shards(route)} ({route.reason})" for route in routes]


def _fragment_lines(
    fragment: Fragment, last: bool, indent: str, node_of: NodeOf, costs: Costs | None
) -> list[str]:
    branch, stem = ("└─ ", "   ") if last else ("├─ ", "│  ")
    lines = [f"{indent}{branch}{fragment.name}: on {_numbers(fragment.shards)} ({fragment.reason})"]
    inner = f"{indent}{stem}  "
    lines += _block("sql", fragment.sql(lambda table: table.name), inner)
    lines += _table_lines(fragment.routes, inner)
    lines += _shard_lines(fragment, inner, node_of, costs)
    moves = fragment.moves()
    for number, move in enumerate(moves, start=1):
        lines += _move_lines(move, number == len(moves), inner, node_of, costs)
    return lines


def _move_lines(move: Move, last: bool, indent: str, node_of: NodeOf, costs: Costs | None) -> list[str]:
    branch, stem = ("└─ ", "   ") if last else ("├─ ", "│  ")
    lines = [f"{indent}{branch}{move.describe()}"]
    inner = f"{indent}{stem}  "
    lines += _block("sql", move.source.sql(lambda table: table.name), inner)
    lines += _table_lines(move.source.routes, inner)
    lines += _shard_lines(move.source, inner, node_of, costs)
    deeper = move.source.moves()
    for number, other in enumerate(deeper, start=1):
        lines += _move_lines(other, number == len(deeper), inner, node_of, costs)
    return lines


def _shard_lines(fragment: Fragment, indent: str, node_of: NodeOf, costs: Costs | None) -> list[str]:
    """What the fragment cost on each of its shards."""
    if costs is None or fragment.name not in costs.fragments:
        return []
    first, *others = costs.together.get(fragment.name, (fragment.name,))
    if first != fragment.name:
        return [f"{indent}counted with {first}: they read the same tables"]
    lines = [f"{indent}with {', '.join(others)}, which read the same tables:"] if others else []
    for shard in fragment.shards:
        cost = costs.fragments[fragment.name].get(shard)
        done = "not read" if cost is None else _cost(cost)
        lines.append(f"{indent}shard {shard} on {node_of(fragment.place(shard))}: {done}")
    return lines


def _fragment_values(fragment: Fragment, node_of: NodeOf, costs: Costs | None) -> Values:
    values: Values = {
        "name": fragment.name,
        "reason": fragment.reason,
        "sql": fragment.sql(lambda table: table.name),
        "tables": [_route_values(route) for route in fragment.routes],
    }
    counted = {} if costs is None else costs.fragments.get(fragment.name, {})
    values["shards"] = [
        {
            "shard": shard,
            "node": node_of(fragment.place(shard)),
            **(_cost_values(counted[shard]) if shard in counted else {}),
        }
        for shard in fragment.shards
    ]
    together = () if costs is None else costs.together.get(fragment.name, ())
    if together:
        values["counted_with"] = [name for name in together if name != fragment.name]
    if fragment.moves():
        values["moves"] = [_move_values(move, node_of, costs) for move in fragment.moves()]
    return values


def _move_values(move: Move, node_of: NodeOf, costs: Costs | None) -> Values:
    return {
        "name": move.name,
        "kind": str(move.kind),
        "reason": move.reason,
        "to_shards": list(move.destinations),
        "estimated_rows": move.rows,
        "estimated_bytes": move.bytes,
        "source": _fragment_values(move.source, node_of, costs),
    }


def _route_values(route: TableRoute) -> Values:
    table = route.table
    return {
        "name": route.name,
        "table": f"{table.schema}.{table.name}",
        "shards": list(route.shards),
        "of": table.strategy.shard_count,
        "reference": table.is_reference,
        "reason": route.reason,
    }


def _total_values(costs: Costs | None) -> Values:
    if costs is None:
        return {}
    return {
        "rows": costs.rows,
        "planning_ms": round(costs.planning_ms, 3),
        "execution_ms": round(costs.execution_ms, 3),
    }


def _cost_values(cost: Cost) -> Values:
    values: Values = {"rows": cost.rows, "bytes": cost.bytes, "rows_scanned": cost.scanned}
    return {name: value for name, value in values.items() if value is not None} | {
        "work_ms": round(cost.work_ms, 3)
    }


def _cost(cost: Cost) -> str:
    parts = [_count(cost.rows, "row")]
    if cost.bytes is not None:
        parts.append(_count(cost.bytes, "byte"))
    if cost.scanned is not None:
        parts.append(f"{_count(cost.scanned, 'row')} scanned")
    return f"{', '.join(parts)}, {cost.work_ms:,.1f} ms of work"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _shards(route: TableRoute) -> str:
    if route.table.is_reference:
        return "reference"
    count = route.table.strategy.shard_count
    if len(route.shards) == count:
        return f"all {count} shards"
    return f"{_numbers(route.shards)} of {count}" if route.shards else f"none of {count} shards"


def _numbers(shards: Sequence[int]) -> str:
    listed = ", ".join(str(shard) for shard in shards)
    return f"shard {listed}" if len(shards) == 1 else f"shards {listed}"


def _database_shard(number: int | None) -> str:
    return "reference" if number is None or number < 0 else str(number)


def _shard_value(number: int) -> int | str:
    return number if number >= 0 else "reference"


def _block(label: str, text: str, indent: str) -> list[str]:
    """A text of several lines under a label."""
    first, *rest = text.strip().splitlines() or [""]
    return [f"{indent}{label}: {first}", *(f"{indent}{' ' * (len(label) + 2)}{line}" for line in rest)]
