"""The second tier: work pushed under the shards, and the SQL that merges what they return."""

from __future__ import annotations

from .analysis import Analysis, TableRef
from .plan import Plan, TableRoute
from .predicates import Conditions


def split(
    analysis: Analysis, conditions: Conditions, routes: dict[TableRef, TableRoute], version: int
) -> Plan | str:
    """The plan, or the reason why nothing is pushed."""
    return "nothing to push under the shards"
