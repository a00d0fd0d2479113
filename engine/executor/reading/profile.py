"""Who did how much: DuckDB's profile of a plan over attached shards, read as the cost of each fragment on each shard.

DuckDB runs such a plan as one query. In its tree of operators each branch of a union that reads one shard is that
shard's part of a fragment; what stands above the branches is the merge.
Promises: every operator's time is counted once. A branch is given to the fragment that reads the same tables; where
several fragments do, DuckDB's profile does not tell them apart, and they are counted together.
Leaves to others: what is printed (`planner/explain.py`), counting where fragments are streamed (`recording.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ...planner.costs import Cost, Costs
from ...planner.plan import Fragment, Plan, TableSlot
from ...storage import duck
from ...types import Parameters
from .binding import shard_table

_NO_COST = Cost(0, 0.0, 0, 0)


def run_profiled(connection: duck.Connection, sql: str, parameters: Parameters) -> list[dict[str, Any]]:
    """Run a query, throw its rows away, and return DuckDB's tree of operators. Raises errors.Error.

    DuckDB profiles this one statement; the connection's settings stay as they are.
    """
    rows = duck.rows(connection, f"EXPLAIN (ANALYZE, FORMAT json) {sql}", parameters)
    operators: list[dict[str, Any]] = json.loads(rows[0][1])["operator"]
    return operators


def costs_of(plan: Plan, operators: list[dict[str, Any]], planning_ms: float, execution_ms: float) -> Costs:
    """The cost of a plan's parts. operators: of `run_profiled`."""
    root = _Operator.of(operators[0])
    while root.kind in ("RESULT_COLLECTOR", "EXPLAIN_ANALYZE") and len(root.children) == 1:
        root = root.children[0]
    found = _Attribution(plan)
    found.walk(root)
    merge = replace(root.own, work_ms=root.total.work_ms - found.work_ms, scanned=None)
    return Costs(root.own.rows, planning_ms, execution_ms, found.fragments, found.together, merge)


@dataclass(frozen=True, slots=True)
class _Operator:
    """A node of DuckDB's profile. own: its output and its time; total: the time and the scanned rows of its tree.

    tables: what its tree reads, as `_bare` writes names.
    """

    kind: str
    own: Cost
    total: Cost
    tables: frozenset[str]
    children: tuple[_Operator, ...]

    @classmethod
    def of(cls, node: dict[str, Any]) -> _Operator:
        children = tuple(cls.of(child) for child in node.get("children", ()))
        rows, size, work_ms = (
            node["intermediate_rows"],
            node["intermediate_size_bytes"],
            node["timing"] * 1000,
        )
        if node["type"] == "UNION":  # It hands on what its branches give, without counting.
            rows, size = (
                sum(child.own.rows for child in children),
                sum(child.own.bytes or 0 for child in children),
            )
        own = Cost(rows, work_ms, size, node.get("rows_scanned", 0))
        total = own
        for child in children:
            total = total.plus(child.total)
        table = (node.get("extra_info") or {}).get("Table")
        tables = frozenset((_bare(str(table)),) if table else ()).union(*(child.tables for child in children))
        return cls(node["type"], own, total, tables, children)

    def cost(self) -> Cost:
        """Its output, and what its whole tree did."""
        return replace(self.own, work_ms=self.total.work_ms, scanned=self.total.scanned)


class _Attribution:
    """Which part of the tree belongs to which fragment and shard."""

    def __init__(self, plan: Plan) -> None:
        self.fragments: dict[str, dict[int, Cost]] = {}
        self.together: dict[str, tuple[str, ...]] = {}
        self.work_ms = 0.0
        self._all = plan.fragments()
        self._reads = {
            (fragment.name, shard): _tables_of(fragment, shard)
            for fragment in self._all
            for shard in fragment.shards
        }
        for fragment in self._all:
            self.fragments[fragment.name] = {}

    def walk(self, operator: _Operator) -> None:
        """Give what is below an operator to the fragments."""
        if operator.kind == "UNION":
            for position, branch in enumerate(operator.children):
                if not self._give(branch, position, len(operator.children)):
                    self.walk(branch)
            return
        alone = [child for child in operator.children if child.tables == operator.tables]
        if operator.tables and not alone and self._give(operator, 0, 1):
            return
        for child in operator.children:
            self.walk(child)

    def _give(self, operator: _Operator, position: int, branches: int) -> bool:
        """Count a tree for the fragments that it may be a part of. False if there are none."""
        owners = list(self._owners(operator, position, branches))
        if not owners:
            return False
        shard = owners[0][1]
        names = [fragment.name for fragment, number in owners if number == shard]
        if len(names) > 1:
            self.together.update(dict.fromkeys(names, tuple(names)))
        shards = self.fragments[names[0]]
        shards[shard] = shards.get(shard, _NO_COST).plus(operator.cost())
        self.work_ms += operator.total.work_ms
        return True

    def _owners(self, operator: _Operator, position: int, branches: int) -> Iterator[tuple[Fragment, int]]:
        """The (fragment, shard) pairs whose tables a tree reads: exactly these or, in a union, no others."""
        pairs = [(fragment, shard) for fragment in self._all for shard in fragment.shards]
        exact = [pair for pair in pairs if self._reads[pair[0].name, pair[1]] == operator.tables]
        if exact or branches == 1:
            return iter(exact if operator.tables else ())
        if operator.tables:
            return (pair for pair in pairs if operator.tables < self._reads[pair[0].name, pair[1]])
        # DuckDB answered the branch from its statistics: no table is read, and only its place says which shard it is.
        return (
            (fragment, fragment.shards[position])
            for fragment in self._all
            if len(fragment.shards) == branches
        )


def _tables_of(fragment: Fragment, shard: int) -> frozenset[str]:
    """The tables that a fragment reads on one of its shards."""
    tables = [piece.table for piece in fragment.pieces if isinstance(piece, TableSlot)]
    return frozenset(_bare(shard_table(table, shard)) for table in tables)


def _bare(name: str) -> str:
    """A qualified name without the quotes, which DuckDB's profile writes only where they are needed."""
    return name.replace('"', "")
