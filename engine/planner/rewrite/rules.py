"""Rewrites a statement by rule before it is gathered.

Over a union of shards DuckDB loses some of what it does for a table: shared scans of correlated subqueries, distinct
counts, aggregates moved below joins. Statements that need these are written so that they do not.
Promises: a rewritten statement gives the same rows, with the same names and types, but for the last bits of sums of
floating-point numbers. It may fail on a value that the original one never looks at; then the original is to be run.
Leaves to others: when to rewrite at all (`planner.py`); what each rule asks (`window.py`, `sharing.py`,
`semijoin.py`, `eager.py`, `reduction.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from ...catalog.model import Catalog
from ..analysis import DIALECT, Analysis, analyse
from ..binder import Binder
from .eager import aggregate_before_joins
from .names import is_repeatable
from .reduction import reduce_largest
from .semijoin import exists_as_joins
from .sharing import share_joins
from .window import correlated_as_windows


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A statement that means the same as another one. reason: what was done to it, in words."""

    analysis: Analysis
    reason: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """change: edits the tree of an analysis in place and says whether it did. needs: what must be in the tree."""

    change: Callable[[Analysis, Binder], bool]
    needs: type[exp.Expr]
    reason: str


_RULES = (
    _Rule(
        correlated_as_windows,
        exp.Subquery,
        "a correlated aggregate is taken from the rows that are joined already",
    ),
    _Rule(share_joins, exp.Join, "a join that stands in the statement twice is made once"),
    _Rule(exists_as_joins, exp.Exists, "EXISTS is rewritten as a semi or anti join"),
    _Rule(aggregate_before_joins, exp.Group, "rows are aggregated by the join key before they are joined"),
    _Rule(reduce_largest, exp.Join, "the largest table is reduced by the keys of a filtered one"),
)


def rewrite(analysis: Analysis, catalog: Catalog, binder: Binder) -> Rewritten | None:
    """The statement after every rule that fits; None if none does. `analysis` itself stays as it is."""
    if not isinstance(analysis.root, exp.Query) or not is_repeatable(analysis.root, binder):
        return None
    current = analysis
    reasons: list[str] = []
    for rule in _RULES:
        changed = _apply(rule, current, catalog, binder)
        if changed is not None:
            current = changed
            reasons.append(rule.reason)
    return Rewritten(current, "; ".join(reasons)) if reasons else None


def _apply(rule: _Rule, analysis: Analysis, catalog: Catalog, binder: Binder) -> Analysis | None:
    """The statement after one rule; None if the rule does not fit or its result is not certain to mean the same."""
    if analysis.root.find(rule.needs) is None:
        return None
    # Parsed again, because the rule edits the tree, and the caller still needs its own.
    draft = analyse(analysis.text, catalog)
    if draft is None:
        return None
    if not rule.change(draft, binder):
        return None
    unchanged = analysis.root.sql(dialect=DIALECT)
    if not binder.same_meaning(analysis.text, unchanged):
        return None
    text = draft.root.sql(dialect=DIALECT)
    columns = binder.describe(analysis.text)
    if columns is None or columns != binder.describe(text):
        return None
    return analyse(text, catalog)
