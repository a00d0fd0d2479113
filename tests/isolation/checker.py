"""Which isolation levels a history of appends and reads violates, and why.

Promises: every anomaly reported is one, whatever the database did (`tests/isolation/test_checker.py` compares with
brute force); a history without any, in which each key was read at the end, is serializable. The time is about in
proportion to the length of the history.
By Adya's definitions a level excludes cycles of dependencies:

    ww      T2 appended right behind a value of T1                                G0: ww only
    wr      T2 read a list that ends with a value of T1                           G1c: ww and wr
    rw      T1 read a list, and T2 appended the next value to it                  G-single: one rw
    rt      T1 was over before T2 began (with `real_time`)                        G2-item: several rw

Snapshot isolation, which is what repeatable read means here, allows a cycle only if two rw edges are neighbours in it;
one with several rw edges and none beside another is called G-nonadjacent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from .graph import Edge, Graph, Label, Path, State
from .history import Key, Level, Outcome, Read, Transaction
from .versions import Anomaly, KeyVersions, Kind, Versions, find_versions

_WRITES = frozenset({Label.WW})
_FLOWS = frozenset({Label.WW, Label.WR})
_ALL = frozenset({Label.WW, Label.WR, Label.RW})

_TRIES = 100
"""From how many edges of a component a cycle is looked for: no verdict hangs on it, only how short the cycle is."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `check` found."""

    anomalies: tuple[Anomaly, ...]
    transactions: int
    """How many committed."""

    @property
    def violated(self) -> frozenset[Level]:
        """The levels that exclude something that happened."""
        weakest = min((each.kind.level for each in self.anomalies), default=None)
        return frozenset(level for level in Level if weakest is not None and level >= weakest)

    def against(self, level: Level) -> tuple[Anomaly, ...]:
        """The anomalies that this level excludes."""
        return tuple(each for each in self.anomalies if each.kind.level <= level)

    def counts(self) -> dict[str, int]:
        """How often each kind was found. Of cycles that hang together only one of a kind is told."""
        found: dict[str, int] = defaultdict(int)
        for each in self.anomalies:
            found[each.kind.label + (" in real time" if each.real_time else "")] += 1
        return dict(found)

    def __str__(self) -> str:
        if not self.anomalies:
            return f"{self.transactions} committed transactions: serializable"
        levels = ", ".join(map(str, sorted(self.violated)))
        counts = ", ".join(f"{count} × {name}" for name, count in self.counts().items())
        return f"{self.transactions} committed transactions violate {levels}: {counts}"


def check(history: Sequence[Transaction], *, real_time: bool = False) -> Report:
    """Find the anomalies of a history.

    real_time: also what contradicts the clock, such as a read that lacks what was committed before its transaction
    began. Raises ValueError if a value was appended to a key twice.
    """
    versions = find_versions(history)
    anomalies = [*versions.anomalies, *_lost_updates(history, versions)]
    graph = _dependencies(history, versions)
    cycles = _cycles(graph, _WRITES, _FLOWS, _ALL)
    if real_time:
        anomalies += _stale_reads(history, versions)
        _add_time(graph, history, versions.committed)
        with_time = (labels | {Label.RT} for labels in (_WRITES, _FLOWS, _ALL))
        known = {kind for kind, _ in cycles}
        cycles += [(kind, cycle) for kind, cycle in _cycles(graph, *with_time) if kind not in known]
    anomalies += (_describe(kind, cycle, history) for kind, cycle in cycles)
    return Report(tuple(anomalies), len(versions.committed))


def _dependencies(history: Sequence[Transaction], versions: Versions) -> Graph:
    """The graph of ww, wr and rw edges. Nodes are indexes into the history."""
    graph = Graph(len(history))
    for key, found in versions.keys.items():
        for edge in (*_write_edges(key, found, history), *_read_edges(key, found, history)):
            graph.add(edge)
    return graph


def _write_edges(key: Key, found: KeyVersions, history: Sequence[Transaction]) -> Iterator[Edge]:
    """From each writer to the next, and from the last to those whose values nobody saw."""
    before: int | None = None
    for writer, value in zip(found.writers, found.order, strict=True):
        if writer is not None:
            if before is not None:
                yield Edge(before, writer, Label.WW, key, value)
            before = writer
    if before is not None:
        for writer in found.unseen:
            yield Edge(before, writer, Label.WW, key, _appended(history[writer], key, found.order))


def _read_edges(key: Key, found: KeyVersions, history: Sequence[Transaction]) -> Iterator[Edge]:
    """To each reader from the writer of what it saw last; from it to the writer of what it saw not."""
    for read in found.reads:
        if read.length and (writer := found.writers[read.length - 1]) is not None:
            yield Edge(writer, read.reader, Label.WR, key, found.order[read.length - 1])
        later = range(read.length, len(found.order))
        position = next((each for each in later if found.writers[each] is not None), None)
        if position is None:
            for writer in found.unseen:
                yield Edge(read.reader, writer, Label.RW, key, _appended(history[writer], key, found.order))
        elif (writer := found.writers[position]) is not None:
            yield Edge(read.reader, writer, Label.RW, key, found.order[position])


def _appended(transaction: Transaction, key: Key, seen: Collection[int]) -> int:
    """The first value that it appended to the key and that is not among the seen ones."""
    return next(each.value for each in transaction.appends() if each.key == key and each.value not in seen)


def _add_time(graph: Graph, history: Sequence[Transaction], committed: Sequence[int]) -> None:
    """rt edges. They lead over one node for each end of a transaction, in the order of time, so that they stay few."""
    ended = sorted(
        (history[index].end_ns, index) for index in committed if history[index].outcome is Outcome.OK
    )
    moments = [graph.add_node() for _ in ended]
    for before, after in pairwise(moments):
        graph.add(Edge(before, after, Label.RT))
    for moment, (_, index) in zip(moments, ended, strict=True):
        graph.add(Edge(index, moment, Label.RT))
    for index in committed:
        past = bisect_left(ended, (history[index].begin_ns,))
        if past:
            graph.add(Edge(moments[past - 1], index, Label.RT))


def _lost_updates(history: Sequence[Transaction], versions: Versions) -> Iterator[Anomaly]:
    """Transactions that read the same list of a key, and each appended to it."""
    for key, found in versions.keys.items():
        writers = {*found.writers, *found.unseen}
        updates: dict[int, dict[int, None]] = defaultdict(dict)
        for read in found.reads:
            if read.reader in writers:
                updates[read.length][read.reader] = None
        for length, group in updates.items():
            if len(group) > 1:
                numbers = tuple(history[index].number for index in group)
                names = ", ".join(f"T{number}" for number in numbers)
                text = f"{names} each {Read(key, found.order[:length])} and appended to it"
                yield Anomaly(Kind.LOST_UPDATE, numbers, text)


def _stale_reads(history: Sequence[Transaction], versions: Versions) -> Iterator[Anomaly]:
    """Reads that lack a value committed before their transaction began, or that it has read before."""
    for key, found in versions.keys.items():
        # For each length, the transaction that ended first of those whose values come later in the list.
        first: list[int | None] = [None] * (len(found.order) + 1)
        first[-1] = _ended_first(history, found.unseen)
        for length in range(len(found.order) - 1, -1, -1):
            first[length] = _ended_first(history, (found.writers[length], first[length + 1]))
        longest: dict[int, int] = defaultdict(int)
        for read in found.reads:
            reader = history[read.reader]
            text = f"T{reader.number} {Read(key, found.order[: read.length])}"
            writer = first[read.length]
            if writer is not None and history[writer].end_ns < reader.begin_ns:
                numbers = (reader.number, history[writer].number)
                yield Anomaly(
                    Kind.STALE,
                    numbers,
                    f"{text}, without a value of T{history[writer].number}, which was over before",
                    True,
                )
            if read.length < longest[read.reader]:
                yield Anomaly(Kind.STALE, (reader.number,), f"{text}, after it had read more", True)
            longest[read.reader] = max(longest[read.reader], read.length)


def _ended_first(history: Sequence[Transaction], indexes: Iterable[int | None]) -> int | None:
    """The one whose commit was known first; None if none is known to have committed."""
    known = (index for index in indexes if index is not None and history[index].outcome is Outcome.OK)
    return min(known, key=lambda index: history[index].end_ns, default=None)


def _cycles(
    graph: Graph, writes: frozenset[Label], flows: frozenset[Label], everything: frozenset[Label]
) -> list[tuple[Kind, Path]]:
    """A short cycle of each kind from each component that has one."""
    found = (
        *((Kind.G0, _shortest(graph, Label.WW, writes, each)) for each in graph.components(writes)),
        *((Kind.G1C, _shortest(graph, Label.WR, flows, each)) for each in graph.components(flows)),
        *(
            _single_or_nonadjacent(graph, flows, everything, each)
            for each in graph.components_without_adjacent_rw(everything)
        ),
        *(
            (Kind.G2_ITEM, _shortest(graph, Label.RW, everything, each, at_least=2))
            for each in graph.components(everything)
        ),
    )
    return [(kind, cycle) for kind, cycle in found if cycle is not None]


def _shortest(
    graph: Graph, first: Label, labels: frozenset[Label], component: set[int], at_least: int = 1
) -> Path | None:
    """The shortest cycle found that begins with an edge labelled `first` and has `at_least` so many of them."""
    cycles = [
        (edge, *rest)
        for edge in islice(graph.edges({first}, component), _TRIES)
        if edge.target in component and (rest := graph.path(edge.target, edge.source, labels, component))
    ]
    wanted = (each for each in cycles if sum(edge.label is first for edge in each) >= at_least)
    return min(wanted, key=len, default=None)


def _single_or_nonadjacent(
    graph: Graph, flows: frozenset[Label], everything: frozenset[Label], states: set[State]
) -> tuple[Kind, Path | None]:
    """A cycle with one rw edge, or else one with several and none beside another."""
    nodes = {node for node, _ in states}
    starts = [
        edge
        for edge in graph.edges({Label.RW}, nodes)
        if (edge.source, False) in states and (edge.target, True) in states
    ]
    singles = [
        (edge, *rest)
        for edge in starts[:_TRIES]
        if (rest := graph.path(edge.target, edge.source, flows, nodes)) is not None
    ]
    if singles:
        return Kind.G_SINGLE, min(singles, key=len)
    cycles = [
        (edge, *rest)
        for edge in starts[:_TRIES]
        if (
            rest := graph.path_without_adjacent_rw(
                (edge.target, True), (edge.source, False), everything, states
            )
        )
    ]
    return Kind.G_NONADJACENT, min(cycles, key=len, default=None)


def _describe(kind: Kind, cycle: Path, history: Sequence[Transaction]) -> Anomaly:
    """The anomaly of a cycle: a line for each edge, then the transactions."""
    # Moments are no transactions: an rt edge leads from the last transaction to the next one.
    while cycle[0].source >= len(history):
        cycle = (*cycle[1:], cycle[0])
    lines: list[str] = []
    members: dict[int, None] = {}
    source = cycle[0].source
    for edge in cycle:
        if edge.source < len(history):
            source = edge.source
            members[source] = None
        if edge.target < len(history):
            before, after = (f"T{history[index].number}" for index in (source, edge.target))
            lines.append(f"  {edge.label.value}  {_reason(edge, before, after)}")
    lines += (f"  {history[index]}" for index in members)
    numbers = tuple(history[index].number for index in members)
    return Anomaly(kind, numbers, "\n".join(lines), any(edge.label is Label.RT for edge in cycle))


def _reason(edge: Edge, before: str, after: str) -> str:
    match edge.label:
        case Label.WW:
            return f"{after} appended {edge.value} to {edge.key} behind a value of {before}"
        case Label.WR:
            return f"{after} read {edge.key} up to {edge.value}, which {before} appended"
        case Label.RW:
            return f"{before} read {edge.key} without {edge.value}, which {after} appended"
        case Label.RT:
            return f"{before} was over before {after} began"
