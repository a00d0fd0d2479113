"""Random transactions of appends and reads from many sessions at once, as a history for the checker.

Every third key has its row from the start and is appended to by UPDATE, some of them also two at a time; the others by
INSERT … ON CONFLICT. Reads are of one key, of several, or of a range. Keys are given up after some appends and new ones
taken, so that lists stay short and rows keep being made. Some appends are undone by ROLLBACK TO a savepoint; the
history has them as transactions of their own, which failed. A part of the transactions are single statements, without
BEGIN: what these read must be one state of all shards at every level, which `atomic_reads` makes a history of.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial

from duckraft.engine.errors import Error

from .clients import Execute, Store, transaction
from .history import Append, Level, Operation, Outcome, Read, Transaction

TABLE = "CREATE TABLE lists (k BIGINT PRIMARY KEY, v BIGINT[]) SHARD BY HASH (k)"
_UPDATE = "UPDATE lists SET v = list_append(v, ?) WHERE k = ?"
_UPSERT = "INSERT INTO lists VALUES (?, [?]) ON CONFLICT (k) DO UPDATE SET v = list_append(v, ?)"
_UPDATE_TWO = "UPDATE lists SET v = list_append(v, ?) WHERE k IN (?, ?)"
_READ = "SELECT k, v FROM lists WHERE k = ?"
_READ_RANGE = "SELECT k, v FROM lists WHERE k BETWEEN ? AND ?"
_READ_ALL = "SELECT k, v FROM lists ORDER BY k"

_APPENDS_PER_KEY = 50
_OPERATIONS_MAX = 5
_SINGLE_READS = 0.15
_SINGLE_APPENDS = 0.15
_UNDONE = 0.15
_ATTEMPTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Settings:
    """level: of every transaction. transactions: how many are to commit. keys: in use at a time. seed: of the choices.

    The choices are the same for a seed, but threads are not: another run has another history.
    """

    level: Level
    transactions: int = 10_000
    sessions: int = 8
    keys: int = 12
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """history: every attempt, and one read of everything at the end. retried: how many attempts failed, by SQLSTATE."""

    history: tuple[Transaction, ...]
    retried: dict[str, int]
    seconds: float


class RunFailedError(Exception):
    """A statement failed with an error that no transaction may end with here."""


class Kind(Enum):
    """What a statement does."""

    READ = 1
    READ_RANGE = 2
    UPDATE = 3
    UPSERT = 4

    @property
    def appends(self) -> bool:
        """Whether it changes anything."""
        return self in (Kind.UPDATE, Kind.UPSERT)


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a transaction. keys: for a range its first and its last. undone: by ROLLBACK TO."""

    kind: Kind
    keys: tuple[int, ...]
    undone: bool = False


@dataclass(slots=True)
class _Keys:
    """The keys in use. Shared by all sessions."""

    active: list[int]
    unused: Iterator[int]
    appends: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note_append(self, key: int) -> None:
        """Count an append, and take a new key in place of one that has had enough of them."""
        with self.lock:
            self.appends[key] = self.appends.get(key, 0) + 1
            if self.appends[key] == _APPENDS_PER_KEY and key in self.active:
                self.active[self.active.index(key)] = next(self.unused)


def run(store: Store, settings: Settings, tell: Callable[[str], None] = lambda _line: None) -> Run:
    """Make the table and run the transactions. Raises RunFailedError: not retryable, or retried too often."""
    execute = store.connect()
    execute(TABLE)
    most_keys = settings.keys + 2 * settings.transactions * _OPERATIONS_MAX // _APPENDS_PER_KEY + 1
    execute(f"INSERT INTO lists SELECT 3 * i, [] FROM range({most_keys // 3 + 1}) AS numbers (i)")
    keys = _Keys(list(range(settings.keys)), itertools.count(settings.keys))
    numbers, values = itertools.count(1), itertools.count(1)
    begun = time.monotonic()
    shares = [
        settings.transactions // settings.sessions + (each < settings.transactions % settings.sessions)
        for each in range(settings.sessions)
    ]
    workers = [
        _Worker(store, settings, keys, numbers, values, random.Random(f"{settings.seed} {session}"))
        for session in range(settings.sessions)
    ]
    stop = threading.Event()
    with ThreadPoolExecutor(settings.sessions) as pool:
        futures = [
            pool.submit(worker.work, share, stop) for worker, share in zip(workers, shares, strict=True)
        ]
        for done, future in enumerate(futures, start=1):
            future.result()
            tell(f"{done} of {settings.sessions} sessions are done")
    seconds = time.monotonic() - begun
    history = [each for worker in workers for each in worker.history]
    history.append(_last_look(execute, next(numbers)))
    retried: dict[str, int] = {}
    for worker in workers:
        for sqlstate, count in worker.retried.items():
            retried[sqlstate] = retried.get(sqlstate, 0) + count
    return Run(tuple(sorted(history, key=lambda each: each.begin_ns)), retried, seconds)


def atomic_reads(history: Sequence[Transaction]) -> list[Transaction]:
    """The history without the reads of transactions that also appended or read more than once.

    Whatever the level, what is left must be serializable if every statement reads one state of the whole database.
    """
    return [
        each if each.atomic and not any(each.appends()) else replace(each, operations=tuple(each.appends()))
        for each in history
    ]


@dataclass(slots=True)
class _Worker:
    """One session."""

    store: Store
    settings: Settings
    keys: _Keys
    numbers: Iterator[int]
    values: Iterator[int]
    rng: random.Random
    history: list[Transaction] = field(default_factory=list)
    retried: dict[str, int] = field(default_factory=dict)

    def work(self, transactions: int, stop: threading.Event) -> None:
        """Run this many transactions, each again until it commits; stop early if another session failed."""
        try:
            execute = self.store.connect()
            for _ in range(transactions):
                if stop.is_set():
                    return
                chance = self.rng.random()
                if chance < _SINGLE_READS:
                    self._repeat(execute, [self._read_step(single=True)], atomic=True)
                elif chance < _SINGLE_READS + _SINGLE_APPENDS:
                    self._repeat(execute, [self._append_step()], atomic=True)
                else:
                    self._repeat(execute, self._steps())
        except BaseException:
            stop.set()
            raise

    def _read_step(self, single: bool = False) -> Step:
        """single: what several shards answer."""
        chance = self.rng.random()
        if chance < 0.6 and not single:
            return Step(Kind.READ, (self.rng.choice(self.keys.active),))
        if chance < 0.85:
            return Step(Kind.READ, tuple(sorted(self.rng.sample(self.keys.active, self.rng.randint(2, 4)))))
        return Step(Kind.READ_RANGE, tuple(sorted(self.rng.sample(self.keys.active, 2))))

    def _append_step(self) -> Step:
        key = self.rng.choice(self.keys.active)
        if key % 3:
            return Step(Kind.UPSERT, (key,))
        others = [other for other in self.keys.active if other % 3 == 0 and other != key]
        if others and self.rng.random() < 0.25:
            return Step(Kind.UPDATE, (key, self.rng.choice(others)))
        return Step(Kind.UPDATE, (key,))

    def _steps(self) -> list[Step]:
        steps = [
            self._append_step() if self.rng.random() < 0.5 else self._read_step()
            for _ in range(self.rng.randint(1, _OPERATIONS_MAX))
        ]
        if self.store.has_savepoints(self.settings.level) and self.rng.random() < _UNDONE:
            steps.insert(self.rng.randint(0, len(steps)), replace(self._append_step(), undone=True))
        return steps

    def _repeat(self, execute: Execute, steps: Sequence[Step], *, atomic: bool = False) -> None:
        """Run a transaction until it commits. atomic: without BEGIN and COMMIT."""
        begin = None if atomic else self.store.begin(self.settings.level)
        retryable = self.store.retryable(Level.READ_COMMITTED if atomic else self.settings.level)
        for _ in range(_ATTEMPTS_MAX):
            operations: list[Operation] = []
            begin_ns = time.monotonic_ns()
            error = transaction(execute, begin, partial(self._take, execute, steps, operations))
            self._note(tuple(operations), _outcome(error), begin_ns, atomic)
            if error is None:
                done = (step for step in steps if step.kind.appends and not step.undone)
                for key in (key for step in done for key in step.keys):
                    self.keys.note_append(key)
                return
            if error.sqlstate not in retryable:
                raise RunFailedError(f"{error.sqlstate} {error} in {self.history[-1]}") from error
            self.retried[error.sqlstate] = self.retried.get(error.sqlstate, 0) + 1
        raise RunFailedError(f"{_ATTEMPTS_MAX} attempts failed: {self.history[-1]}")

    def _take(self, execute: Execute, steps: Sequence[Step], operations: list[Operation]) -> None:
        """The statements of a transaction; `operations` grows by what they did or, of the last one, tried to do."""
        for step in steps:
            if not step.kind.appends:
                operations.extend(_read(execute, step))
                continue
            value = next(self.values)
            appends = tuple(Append(key, value) for key in step.keys)
            if step.undone:
                begin_ns = time.monotonic_ns()
                execute("SAVEPOINT before")
                _append(execute, step, value)
                execute("ROLLBACK TO before")
                self._note(appends, Outcome.FAILED, begin_ns, atomic=False)
            else:
                operations.extend(appends)
                _append(execute, step, value)

    def _note(self, operations: tuple[Operation, ...], outcome: Outcome, begin_ns: int, atomic: bool) -> None:
        number = next(self.numbers)
        self.history.append(Transaction(number, operations, outcome, begin_ns, time.monotonic_ns(), atomic))


def _read(execute: Execute, step: Step) -> tuple[Read, ...]:
    """Run a step that reads; a key without a row has the empty list."""
    rows: dict[int, list[int]]
    if step.kind is Kind.READ_RANGE:
        first, last = step.keys
        rows = dict(execute(_READ_RANGE, [first, last]))
        return tuple(Read(key, tuple(rows.get(key, ()))) for key in range(first, last + 1))
    if len(step.keys) == 1:
        rows = dict(execute(_READ, step.keys))
    else:
        marks = ", ".join("?" for _ in step.keys)
        rows = dict(execute(f"SELECT k, v FROM lists WHERE k IN ({marks})", step.keys))
    return tuple(Read(key, tuple(rows.get(key, ()))) for key in step.keys)


def _append(execute: Execute, step: Step, value: int) -> None:
    """Run a step that appends."""
    if step.kind is Kind.UPSERT:
        execute(_UPSERT, [*step.keys, value, value])
    else:
        execute(_UPDATE if len(step.keys) == 1 else _UPDATE_TWO, [value, *step.keys])


def _outcome(error: Error | None) -> Outcome:
    if error is None:
        return Outcome.OK
    return Outcome.FAILED if error.outcome_known else Outcome.UNKNOWN


def _last_look(execute: Execute, number: int) -> Transaction:
    begin_ns = time.monotonic_ns()
    reads = tuple(Read(key, tuple(values)) for key, values in execute(_READ_ALL))
    return Transaction(number, reads, Outcome.OK, begin_ns, time.monotonic_ns(), atomic=True)
