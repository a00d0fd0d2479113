"""The order in which each key's values were appended, and what is wrong with single reads.

Promises: takes time in proportion to what was read. The anomalies found here are those that need no cycle: values of
transactions that failed (G1a), values from the midst of a transaction (G1b), lists that no order of appends explains.
Leaves to others: dependencies between transactions and their cycles (`checker.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from .history import Append, Key, Level, Outcome, Read, Transaction


class Kind(Enum):
    """What can be wrong, by the names of Adya and those who came after him, and the weakest level that excludes it."""

    GARBAGE = "garbage read", Level.READ_UNCOMMITTED
    DUPLICATE = "duplicate value", Level.READ_UNCOMMITTED
    G0 = "G0", Level.READ_UNCOMMITTED
    G1A = "G1a", Level.READ_COMMITTED
    G1B = "G1b", Level.READ_COMMITTED
    G1C = "G1c", Level.READ_COMMITTED
    INCOMPATIBLE = "incompatible order", Level.READ_COMMITTED
    INTERNAL = "internal inconsistency", Level.READ_COMMITTED
    STALE = "stale read", Level.READ_COMMITTED
    LOST_UPDATE = "lost update", Level.REPEATABLE_READ
    G_SINGLE = "G-single", Level.REPEATABLE_READ
    G_NONADJACENT = "G-nonadjacent", Level.REPEATABLE_READ
    G2_ITEM = "G2-item", Level.SERIALIZABLE

    def __init__(self, label: str, level: Level) -> None:
        self.label = label
        self.level = level


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that should not have happened.

    transactions: numbers of those it takes. text: what was seen, one or more lines. real_time: it is one only because
    of the times at which transactions began and ended.
    """

    kind: Kind
    transactions: tuple[int, ...]
    text: str
    real_time: bool = False

    def __str__(self) -> str:
        suffix = " in real time" if self.real_time else ""
        return f"{self.kind.label}{suffix} (excluded by {self.kind.level} and above)\n{self.text}"


@dataclass(frozen=True, slots=True)
class SeenRead:
    """The transaction with index `reader` saw the first `length` values of a key, before it appended to it itself."""

    reader: int
    length: int


@dataclass(frozen=True, slots=True)
class KeyVersions:
    """One key. Transactions are indexes into the history.

    order: the values that were read, in the order of their appends. writers: for each the transaction, or None for a
    value that none of the committed ones appended. unseen: committed ones with a value that nobody read; whatever
    their order, they came after all of `order`.
    """

    order: tuple[int, ...]
    writers: tuple[int | None, ...]
    unseen: tuple[int, ...]
    reads: tuple[SeenRead, ...]


@dataclass(frozen=True, slots=True)
class Versions:
    """All keys. committed: with those whose outcome the client does not know, but whose values were read."""

    committed: tuple[int, ...]
    keys: Mapping[Key, KeyVersions]
    anomalies: tuple[Anomaly, ...]


def find_versions(history: Sequence[Transaction]) -> Versions:
    """The order of appends of each key. Raises ValueError if a value was appended to a key twice."""
    return _Finder(history).find()


def _difference(one: Read, other: Read) -> str:
    """Where two lists part, the second of them not being shorter."""
    pairs = zip(one.values, other.values, strict=False)
    place, (first, second) = next((place, pair) for place, pair in enumerate(pairs) if pair[0] != pair[1])
    return f"the first has {first} behind {place} values, the second {second}"


class _Finder:
    """What the steps of `find_versions` share.

    writer_of: who appended each value of each key. final: the last value that each transaction appended to each key.
    """

    def __init__(self, history: Sequence[Transaction]) -> None:
        self.history = history
        self.anomalies: list[Anomaly] = []
        self.writer_of: dict[Key, dict[int, int]] = defaultdict(dict)
        self.final: dict[tuple[int, Key], int] = {}
        for index, transaction in enumerate(history):
            for append in transaction.appends():
                if append.value in self.writer_of[append.key]:
                    raise ValueError(f"{append.value} is appended to {append.key} twice")
                self.writer_of[append.key][append.value] = index
                self.final[index, append.key] = append.value

    def find(self) -> Versions:
        """The whole work."""
        committed, longest = self._committed()
        reads: dict[Key, list[SeenRead]] = defaultdict(list)
        suspect = {key: [each] for key, each in longest.items()}
        for index in committed:
            for read, own in self._reads_with_own(index):
                reader, known = longest[read.key]
                if read.values != known.values[: len(read.values)]:
                    text = f"{self._name(index)} {read}, {self._name(reader)} {known}\n{_difference(read, known)}"
                    self._add(Kind.INCOMPATIBLE, [index, reader], text)
                    suspect[read.key].append((index, read))
                elif not own:
                    reads[read.key].append(SeenRead(index, len(read.values)))
                    self._check_last(index, read)
        for readers in suspect.values():
            self._check_values(readers)
        is_committed = frozenset(committed)
        keys = {
            key: self._versions(
                key, longest[key][1].values if key in longest else (), reads[key], is_committed
            )
            for key in {**self.writer_of, **longest}
        }
        return Versions(committed, keys, tuple(self.anomalies))

    def _committed(self) -> tuple[tuple[int, ...], dict[Key, tuple[int, Read]]]:
        """Which transactions committed; for each key the longest list that one of them read, and which one did."""
        committed = {index for index, each in enumerate(self.history) if each.outcome is Outcome.OK}
        longest: dict[Key, tuple[int, Read]] = {}
        fresh: Iterable[int] = sorted(committed)
        while fresh:
            surfaced: set[int] = set()
            for index in fresh:
                for read in self.history[index].reads():
                    _, known = longest.setdefault(read.key, (index, read))
                    if len(read.values) > len(known.values):
                        longest[read.key] = index, read
                    if known is read or read.values != known.values[: len(read.values)]:
                        writer_of = self.writer_of[read.key]
                        surfaced.update(writer_of[value] for value in read.values if value in writer_of)
            fresh = sorted(
                index for index in surfaced - committed if self.history[index].outcome is Outcome.UNKNOWN
            )
            committed.update(fresh)
        return tuple(sorted(committed)), longest

    def _reads_with_own(self, index: int) -> Iterable[tuple[Read, int]]:
        """The reads of a transaction that agree with its own appends, and how many of these each must show."""
        transaction = self.history[index]
        done: dict[Key, list[int]] = defaultdict(list)
        to_do = {(each.key, each.value) for each in transaction.appends()}
        for operation in transaction.operations:
            if isinstance(operation, Append):
                done[operation.key].append(operation.value)
                continue
            own = done[operation.key]
            others = operation.values[: len(operation.values) - len(own)]
            if (*others, *own) != operation.values or any((operation.key, each) in to_do for each in others):
                text = f"{self._name(index)} {operation}, where {own} of its own should be all of its own, and last"
                self._add(Kind.INTERNAL, [index], text)
            else:
                yield operation, len(own)

    def _check_last(self, index: int, read: Read) -> None:
        """The last value read must be the last that its transaction appended to this key."""
        writer = self.writer_of[read.key].get(read.values[-1]) if read.values else None
        if writer is not None and writer != index and self.final[writer, read.key] != read.values[-1]:
            self._add(
                Kind.G1B,
                [index, writer],
                f"{self._name(index)} {read}, but {self._name(writer)} appended "
                f"{self.final[writer, read.key]} to {read.key} after {read.values[-1]}",
            )

    def _check_values(self, readers: Sequence[tuple[int, Read]]) -> None:
        """Each value read must be there once, and come from a transaction that did not fail."""
        checked: set[int] = set()
        for index, read in readers:
            for position, value in enumerate(read.values):
                if value in checked:
                    continue
                checked.add(value)
                writer = self.writer_of[read.key].get(value)
                if value in read.values[position + 1 :]:
                    self._add(Kind.DUPLICATE, [index], f"{self._name(index)} {read}: {value} is there twice")
                if writer is None:
                    self._add(Kind.GARBAGE, [index], f"{self._name(index)} {read}: nobody appended {value}")
                elif self.history[writer].outcome is Outcome.FAILED:
                    text = f"{self._name(index)} {read}: {self._name(writer)}, which appended {value}, failed"
                    self._add(Kind.G1A, [index, writer], text)

    def _versions(
        self, key: Key, order: tuple[int, ...], reads: Sequence[SeenRead], committed: frozenset[int]
    ) -> KeyVersions:
        writer_of = self.writer_of[key]
        self._check_order(key, order)
        writers = (writer_of.get(value) for value in order)
        seen = frozenset(order)
        unseen = {
            writer: None for value, writer in writer_of.items() if writer in committed and value not in seen
        }
        return KeyVersions(
            order,
            tuple(writer if writer in committed else None for writer in writers),
            tuple(unseen),
            tuple(reads),
        )

    def _check_order(self, key: Key, order: Sequence[int]) -> None:
        """The values that one transaction appended must be read in their order, the first ones first."""
        seen: dict[int, list[int]] = defaultdict(list)
        for value in order:
            if (writer := self.writer_of[key].get(value)) is not None:
                seen[writer].append(value)
        for writer, values in seen.items():
            appended = [each.value for each in self.history[writer].appends() if each.key == key]
            if values != appended[: len(values)]:
                text = f"{self._name(writer)} appended {appended} to {key}, of which {values} was read"
                self._add(Kind.INCOMPATIBLE, [writer], text)

    def _name(self, index: int) -> str:
        return f"T{self.history[index].number}"

    def _add(self, kind: Kind, indexes: Iterable[int], text: str) -> None:
        self.anomalies.append(Anomaly(kind, tuple(self.history[index].number for index in indexes), text))
