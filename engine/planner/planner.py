"""The planner: which of the tiers runs a query, and how.

The order is that of preference: *local* (no shard is touched), *route* (one shard has everything: it gets the user's
own text), *split* (work is pushed under the shards), *gather* (the text over unions of shards). The first three are
optimisations of the last and must not be told apart from it by their answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from ..catalog.model import Catalog
from ..sql.fingerprint import number_parameters
from ..types import Parameters
from .analysis import DIALECT, Analysis, TableRef, analyse
from .binder import Binder
from .conditions import Conditions, collect
from .gather import Replacement, gather, over_views
from .moving import Leavings, Moving
from .nested import push_subqueries
from .plan import Plan, TableRoute, Tier
from .pruning import prune
from .rewrite.rules import rewrite
from .route import RefRouter, routers, single_shard
from .split import split
from .statistics import Statistics

_SYSTEM = re.compile(r"\bduckraft\s*\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RoutedShape:
    """What is remembered of a statement that went to one shard: enough to route its next execution without parsing."""

    routers: tuple[RefRouter, ...]
    catalog_version: int

    def shard(self, parameters: Parameters, literals: Sequence[str] | None) -> int | None:
        """The shard for these values, or None if they need more than one."""
        return single_shard([(router.table, router.shards(parameters, literals)) for router in self.routers])


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan; `text` is what it was made from (parameters numbered); `shape` is set if it may be kept.

    routers: what other values of the parameters would have to agree with for the plan to be theirs, too.
    """

    plan: Plan
    text: str
    shape: RoutedShape | None
    routers: tuple[RefRouter, ...] = ()


def plan_query(
    text: str,
    parameters: Parameters,
    catalog: Catalog,
    binder: Binder,
    allow: frozenset[Tier],
    moving: Moving | None = None,
    statistics: Statistics | None = None,
) -> Planned:
    """Plan a query.

    allow: the tiers that may be used; GATHER always is. moving: what is known when rows cost something to move; None
    where every shard is attached. statistics: of the shards, to leave some out; None to leave none out by them.
    """
    text = number_parameters(text)
    version = catalog.version
    if not catalog.tables and not _SYSTEM.search(text):
        return Planned(Plan(Tier.LOCAL, "there are no tables", (), version), text, None)
    analysis = analyse(text, catalog)
    if analysis is None:
        return Planned(
            over_views(text, version, "the text is not analysed: DuckDB runs it as it is"), text, None
        )
    if not analysis.refs:
        if analysis.others:
            reason = f"reads {', '.join(dict.fromkeys(analysis.others))}"
            return Planned(over_views(text, version, reason), text, None)
        return Planned(Plan(Tier.LOCAL, "no table is read", (), version), text, None)
    try:
        conditions = collect(analysis)
        by_ref = routers(analysis, conditions)
        planned = _plan_tables(
            analysis, conditions, by_ref, parameters, catalog, binder, allow, moving, statistics
        )
    except RecursionError:
        return Planned(
            over_views(text, version, "the text nests too deep: DuckDB runs it as it is"), text, None
        )
    plan = replace(planned.plan, reads_more=bool(analysis.others))
    return replace(planned, plan=plan, routers=(*by_ref.values(), *planned.routers))


def _plan_tables(
    analysis: Analysis,
    conditions: Conditions,
    by_ref: dict[TableRef, RefRouter],
    parameters: Parameters,
    catalog: Catalog,
    binder: Binder,
    allow: frozenset[Tier],
    moving: Moving | None,
    statistics: Statistics | None,
) -> Planned:
    text = analysis.text
    if moving is not None and any(moving.stays(ref.table) for ref in analysis.refs):
        moving = None
    routes = {ref: router.route(parameters) for ref, router in by_ref.items()}
    may_route = not analysis.others and Tier.ROUTE in allow and not analysis.uses_row_numbers()
    routed = _routed(routes, catalog.version) if may_route else None
    if routed is not None:
        return Planned(routed, analysis.text, RoutedShape(tuple(by_ref.values()), catalog.version))
    routes = _pruned(routes, conditions, parameters, statistics)
    routed = _routed(routes, catalog.version) if may_route else None
    if routed is not None:
        # Its shape is not kept: the next statement of that shape, or the next change, asks the statistics again.
        return Planned(routed, analysis.text, None)
    reason = "the split tier is not allowed"
    pushed: list[Replacement] = []
    more: tuple[RefRouter, ...] = ()
    if Tier.SPLIT in allow:
        outcome = split(analysis, conditions, routes, catalog.version, binder, moving)
        rewritten = rewrite(analysis, catalog, binder) if isinstance(outcome, str) else None
        because = ""
        if rewritten is not None:
            analysis, because = rewritten.analysis, f"{rewritten.reason}; "
            conditions = collect(analysis)
            by_ref = routers(analysis, conditions)
            # A rule may have shown that a condition counts for one more table: that needs shards of its own.
            more = tuple(by_ref.values())
            routes = {ref: router.route(parameters) for ref, router in by_ref.items()}
            routes = _pruned(routes, conditions, parameters, statistics)
            outcome = split(analysis, conditions, routes, catalog.version, binder, moving)
        if isinstance(outcome, Plan):
            return Planned(replace(outcome, reason=because + outcome.reason), text, None, more)
        reason = because + outcome
        pushed = push_subqueries(analysis, conditions, routes, binder, moving)
    leaving = None
    if moving is not None and binder.same_meaning(analysis.text, analysis.root.sql(dialect=DIALECT)):
        leaving = Leavings(analysis, conditions, routes, moving).gathered
    plan = gather(analysis, routes, catalog.version, reason, pushed, leaving)
    if _shows_its_text(analysis):
        columns = binder.describe(analysis.text)
        if columns is not None:
            plan = replace(plan, names=tuple(column.name for column in columns))
    return Planned(plan, text, None, more)


def _routed(routes: dict[TableRef, TableRoute], version: int) -> Plan | None:
    """The plan that sends the statement to one shard, if one has everything."""
    shard = single_shard([(route.table, route.shards) for route in routes.values()])
    if shard is None:
        return None
    return Plan(Tier.ROUTE, _routed_reason(list(routes.values())), tuple(routes.values()), version, shard)


def _pruned(
    routes: dict[TableRef, TableRoute],
    conditions: Conditions,
    parameters: Parameters,
    statistics: Statistics | None,
) -> dict[TableRef, TableRoute]:
    """The routes without the shards that statistics rule out."""
    if statistics is None:
        return routes
    return {
        ref: prune(route, conditions.comparisons[ref], parameters, statistics)
        for ref, route in routes.items()
    }


def _shows_its_text(analysis: Analysis) -> bool:
    """Whether a result column may be named after the text of a subquery, which the merge SQL changes."""
    return any(
        not isinstance(projection, exp.Alias) and projection.find(exp.Select) is not None
        for select in analysis.root.find_all(exp.Select)
        for projection in select.expressions
    )


def _routed_reason(routes: list[TableRoute]) -> str:
    sharded = [route for route in routes if not route.table.is_reference]
    if not sharded:
        return "only reference tables: any node can answer"
    return "; ".join(dict.fromkeys(route.reason for route in sharded))
