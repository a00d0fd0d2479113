"""The third tier: the user's own text over relations that union every shard.

Each table's name in the text is replaced, in place, by a fragment that reads the shards the statement needs; nothing
else of the text changes. A text that could not be analysed runs over the gateway's views, which do the same for all
shards.
Promises: whatever DuckDB accepts is accepted.
"""

from __future__ import annotations

from ..catalog.model import Table
from .analysis import Analysis, TableRef
from .plan import Fragment, FragmentSlot, Plan, TableRoute, TableSlot, Tier


def table_fragment(name: str, table: Table, route: TableRoute) -> Fragment:
    """The fragment that reads a whole table, of the shards that `route` says."""
    shards = route.shards or (0,)
    # An empty set of shards still needs the table's columns: one shard is read, and the conditions let nothing through.
    return Fragment(name, ("SELECT * FROM ", TableSlot(table)), shards, (route,), route.reason)


def gather(analysis: Analysis, routes: dict[TableRef, TableRoute], version: int, reason: str) -> Plan:
    """The plan that runs the text over a fragment for each table reference."""
    pieces: list[str | FragmentSlot] = []
    position = 0
    refs = sorted(analysis.refs, key=lambda ref: ref.start)
    for number, ref in enumerate(refs, start=1):
        fragment = table_fragment(f"fragment_{number}", ref.table, routes[ref])
        pieces.append(analysis.text[position : ref.start])
        pieces.append(FragmentSlot(fragment, None if ref.has_alias else ref.node.name))
        position = ref.end
    pieces.append(analysis.text[position:])
    return Plan(Tier.GATHER, reason, tuple(routes[ref] for ref in refs), version, merge=tuple(pieces))


def over_views(text: str, version: int, reason: str) -> Plan:
    """The plan that runs the text unchanged over the gateway's views."""
    return Plan(Tier.GATHER, reason, (), version, merge=(text,))
