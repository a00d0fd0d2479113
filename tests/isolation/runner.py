"""Random transactions of appends and reads from many sessions at once, as a history for the checker.

Every third key has its row from the start and is appended to by UPDATE, the others by INSERT … ON CONFLICT. Keys are
given up after some appends and new ones taken, so that lists stay short and rows keep being made. A part of the
transactions are single SELECTs of several keys, without BEGIN: what they read must be one state of all shards at every
level, which `atomic_reads` makes a history of.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from duckraft.engine.errors import Error

from .clients import Execute, Store, transaction
from .history import Append, Level, Operation, Outcome, Read, Transaction

TABLE = "CREATE TABLE lists (k BIGINT PRIMARY KEY, v BIGINT[]) SHARD BY HASH (k)"
_UPDATE = "UPDATE lists SET v = list_append(v, ?) WHERE k = ?"
_UPSERT = "INSERT INTO lists VALUES (?, [?]) ON CONFLICT (k) DO UPDATE SET v = list_append(v, ?)"
_READ = "SELECT v FROM lists WHERE k = ?"
_READ_ALL = "SELECT k, v FROM lists ORDER BY k"

_APPENDS_PER_KEY = 50
_OPERATIONS_MAX = 5
_SINGLE_READS = 0.15
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


@dataclass(slots=True)
class _Keys:
    """The keys in use. Shared by all sessions."""

    active: list[int]
    unused: Iterable[int]
    appends: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note_append(self, key: int) -> None:
        """Count an append, and take a new key in place of one that has had enough of them."""
        with self.lock:
            self.appends[key] = self.appends.get(key, 0) + 1
            if self.appends[key] == _APPENDS_PER_KEY and key in self.active:
                self.active[self.active.index(key)] = next(iter(self.unused))


def run(store: Store, settings: Settings, tell: Callable[[str], None] = lambda _line: None) -> Run:
    """Make the table and run the transactions. Raises RunFailedError: not retryable, or retried too often."""
    execute = store.connect()
    execute(TABLE)
    most_keys = settings.keys + settings.transactions * _OPERATIONS_MAX // _APPENDS_PER_KEY + 1
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
    numbers: Iterable[int]
    values: Iterable[int]
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
                if self.rng.random() < _SINGLE_READS:
                    self._single_read(execute)
                else:
                    self._transaction(execute)
        except BaseException:
            stop.set()
            raise

    def _single_read(self, execute: Execute) -> None:
        keys = sorted(self.rng.sample(self.keys.active, self.rng.randint(2, 4)))
        begin_ns = time.monotonic_ns()
        marks = ", ".join("?" for _ in keys)
        rows: dict[int, list[int]] = dict(execute(f"SELECT k, v FROM lists WHERE k IN ({marks})", keys))
        reads = tuple(Read(key, tuple(rows.get(key, ()))) for key in keys)
        self._note(reads, Outcome.OK, begin_ns, atomic=True)

    def _transaction(self, execute: Execute) -> None:
        steps = [
            (self.rng.choice(self.keys.active), self.rng.random() < 0.5)
            for _ in range(self.rng.randint(1, _OPERATIONS_MAX))
        ]
        for _ in range(_ATTEMPTS_MAX):
            operations: list[Operation] = []
            begin_ns = time.monotonic_ns()
            begin = self.store.begin(self.settings.level)
            error = transaction(execute, begin, partial(self._take, execute, steps, operations))
            self._note(tuple(operations), _outcome(error), begin_ns)
            if error is None:
                for key, appends in steps:
                    if appends:
                        self.keys.note_append(key)
                return
            if error.sqlstate not in self.store.retryable:
                raise RunFailedError(f"{error.sqlstate} {error} in {self.history[-1]}") from error
            self.retried[error.sqlstate] = self.retried.get(error.sqlstate, 0) + 1
        raise RunFailedError(f"{_ATTEMPTS_MAX} attempts failed: {self.history[-1]}")

    def _take(self, execute: Execute, steps: Sequence[tuple[int, bool]], operations: list[Operation]) -> None:
        """The statements of a transaction; `operations` grows by what they did or, of the last one, tried to do."""
        for key, appends in steps:
            if not appends:
                rows = execute(_READ, [key])
                operations.append(Read(key, tuple(rows[0][0]) if rows else ()))
                continue
            value = next(iter(self.values))
            operations.append(Append(key, value))
            if key % 3 == 0:
                execute(_UPDATE, [value, key])
            else:
                execute(_UPSERT, [key, value, value])

    def _note(
        self, operations: tuple[Operation, ...], outcome: Outcome, begin_ns: int, atomic: bool = False
    ) -> None:
        number = next(iter(self.numbers))
        self.history.append(Transaction(number, operations, outcome, begin_ns, time.monotonic_ns(), atomic))


def _outcome(error: Error | None) -> Outcome:
    if error is None:
        return Outcome.OK
    return Outcome.FAILED if error.outcome_known else Outcome.UNKNOWN


def _last_look(execute: Execute, number: int) -> Transaction:
    begin_ns = time.monotonic_ns()
    reads = tuple(Read(key, tuple(values)) for key, values in execute(_READ_ALL))
    return Transaction(number, reads, Outcome.OK, begin_ns, time.monotonic_ns(), atomic=True)
