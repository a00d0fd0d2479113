"""Directed graphs with labelled edges: strongly connected components, and short cycles that have wanted labels.

Nodes are the numbers from 0 on. Everything takes time in proportion to the edges it looks at, and nothing recurses, so
that histories of many thousand transactions are no trouble.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from .history import Key


class Label(Enum):
    """Why one transaction comes before another."""

    WW = "ww"
    """The other overwrote what it wrote."""
    WR = "wr"
    """The other read what it wrote."""
    RW = "rw"
    """The other overwrote what it read."""
    RT = "rt"
    """It was over before the other began."""


@dataclass(frozen=True, slots=True)
class Edge:
    """source comes before target, because of `value` in the list of `key`; an rt edge has neither."""

    source: int
    target: int
    label: Label
    key: Key = ""
    value: int = 0


Path = tuple[Edge, ...]

State = tuple[int, bool]
"""A node, and whether an rw edge led to it."""

_State = TypeVar("_State")


class Graph:
    """Grows by `add`; at most one edge of each label from one node to another."""

    def __init__(self, nodes: int) -> None:
        self.outgoing: list[dict[tuple[int, Label], Edge]] = [{} for _ in range(nodes)]

    def add(self, edge: Edge) -> None:
        """Put an edge in, unless there is one of this label or it leads to where it begins."""
        if edge.source != edge.target:
            self.outgoing[edge.source].setdefault((edge.target, edge.label), edge)

    def add_node(self) -> int:
        """One more node, without edges."""
        self.outgoing.append({})
        return len(self.outgoing) - 1

    def edges(self, labels: Collection[Label], among: Iterable[int]) -> Iterable[Edge]:
        """The edges of these labels that begin in these nodes."""
        return (edge for node in among for edge in self.outgoing[node].values() if edge.label in labels)

    def components(self, labels: Collection[Label]) -> list[set[int]]:
        """The strongly connected components of more than one node, over the edges of these labels."""
        successors = [[target for target, label in edges if label in labels] for edges in self.outgoing]
        return [set(each) for each in strongly_connected(successors) if len(each) > 1]

    def path(self, start: int, goal: int, labels: Collection[Label], within: Collection[int]) -> Path | None:
        """A shortest path over edges of these labels and nodes of `within`; None if there is none."""
        return _search(
            start,
            lambda node: node == goal,
            lambda node: (
                (edge.target, edge)
                for edge in self.outgoing[node].values()
                if edge.label in labels and edge.target in within
            ),
        )

    def components_without_adjacent_rw(self, labels: Collection[Label]) -> list[set[State]]:
        """Components of the graph whose nodes are states, and where no rw edge follows another.

        A walk that comes back to its state is a cycle in which no two rw edges are neighbours, and the reverse.
        """
        successors: list[list[int]] = []
        for edges in self.outgoing:
            plain = [2 * target for target, label in edges if label in labels and label is not Label.RW]
            rw = [2 * target + 1 for target, label in edges if label in labels and label is Label.RW]
            successors += [plain + rw, plain]
        return [
            {(state // 2, state % 2 == 1) for state in each}
            for each in strongly_connected(successors)
            if len(each) > 1
        ]

    def path_without_adjacent_rw(
        self, start: State, goal: State, labels: Collection[Label], within: Collection[State]
    ) -> Path | None:
        """A shortest path over these states in which no two rw edges are neighbours."""

        def onward(state: State) -> Iterable[tuple[State, Edge]]:
            node, came_by_rw = state
            for edge in self.outgoing[node].values():
                is_rw = edge.label is Label.RW
                reached = (edge.target, is_rw)
                if edge.label in labels and not (is_rw and came_by_rw) and reached in within:
                    yield reached, edge

        return _search(start, lambda state: state == goal, onward)


def _search(
    start: _State,
    is_goal: Callable[[_State], bool],
    onward: Callable[[_State], Iterable[tuple[_State, Edge]]],
) -> Path | None:
    """Breadth first: the edges of a shortest way, which has at least one edge, from `start` to a goal."""
    came_by: dict[_State, tuple[_State, Edge]] = {}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for reached, edge in onward(state):
            if is_goal(reached):
                path = [edge]
                while state != start:
                    state, edge = came_by[state]
                    path.append(edge)
                return tuple(reversed(path))
            if reached not in came_by and reached != start:
                came_by[reached] = state, edge
                queue.append(reached)
    return None


def strongly_connected(successors: Sequence[Sequence[int]]) -> list[list[int]]:
    """Tarjan's algorithm, with a stack of its own: all components, each before those that lead to it."""
    order = [-1] * len(successors)
    lowest = [0] * len(successors)
    on_stack = [False] * len(successors)
    stack: list[int] = []
    found: list[list[int]] = []
    count = 0
    for root in range(len(successors)):
        if order[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            node, position = work.pop()
            if position == 0:
                order[node] = lowest[node] = count
                count += 1
                stack.append(node)
                on_stack[node] = True
            for index in range(position, len(successors[node])):
                target = successors[node][index]
                if order[target] < 0:
                    work += [(node, index + 1), (target, 0)]
                    break
                if on_stack[target]:
                    lowest[node] = min(lowest[node], order[target])
            else:
                if lowest[node] == order[node]:
                    component: list[int] = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        on_stack[component[-1]] = False
                    found.append(component)
                if work:
                    parent = work[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[node])
    return found
