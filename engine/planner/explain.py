"""EXPLAIN: a plan as lines of text, drawn as a tree."""

from __future__ import annotations

from collections.abc import Sequence

from .plan import Fragment, Plan, TableRoute, Tier

_TIERS = {
    Tier.LOCAL: "Local: the gateway answers alone",
    Tier.ROUTE: "Route: one shard answers the statement as it is",
    Tier.SPLIT: "Split: fragments on the shards, merged at the gateway",
    Tier.GATHER: "Gather: the statement runs at the gateway over fragments",
}


def explain(plan: Plan, text: str) -> list[str]:
    """The plan of a query. text: the statement, for the plans that run it as it is."""
    lines = [_TIERS[plan.tier], f"  reason: {plan.reason}"]
    if plan.tier is Tier.ROUTE:
        lines.append(f"  shard: {_database_shard(plan.shard)}")
        lines += _table_lines(plan.routes, "  ")
        lines += _block("sql", text, "  ")
    elif plan.tier is Tier.LOCAL:
        lines += _block("sql", text, "  ")
    else:
        lines += _block("merge", plan.merge_sql(lambda fragment: fragment.name), "  ")
        fragments = plan.fragments()
        for number, fragment in enumerate(fragments, start=1):
            lines += _fragment_lines(fragment, last=number == len(fragments))
    return lines


def explain_routes(verb: str, routes: Sequence[TableRoute]) -> list[str]:
    """A change of data: the shards of each table it touches."""
    if not routes:
        return [f"{verb}: no sharded table is touched"]
    return [verb, *_table_lines(routes, "  ")]


def _table_lines(routes: Sequence[TableRoute], indent: str) -> list[str]:
    return [f"{indent}{route.name}: {_shards(route)} ({route.reason})" for route in routes]


def _fragment_lines(fragment: Fragment, last: bool) -> list[str]:
    branch, stem = ("└─ ", "   ") if last else ("├─ ", "│  ")
    lines = [f"{branch}{fragment.name}: on {_numbers(fragment.shards)} ({fragment.reason})"]
    lines += _block("sql", fragment.sql(lambda table: table.name), f"{stem}  ")
    lines += _move_lines(fragment, f"{stem}  ")
    lines += _table_lines(fragment.routes, f"{stem}  ")
    return lines


def _move_lines(fragment: Fragment, indent: str) -> list[str]:
    """What is moved to the fragment's shards before it runs; deeper, what is moved before that."""
    lines: list[str] = []
    for move in fragment.moves():
        lines.append(f"{indent}{move.describe()}")
        lines += _block("sql", move.source.sql(lambda table: table.name), f"{indent}  ")
        lines += _move_lines(move.source, f"{indent}  ")
    return lines


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


def _block(label: str, text: str, indent: str) -> list[str]:
    """A text of several lines under a label."""
    first, *rest = text.strip().splitlines() or [""]
    return [f"{indent}{label}: {first}", *(f"{indent}{' ' * (len(label) + 2)}{line}" for line in rest)]
