"""Rounds of random changes on a database on disk, of which copies are made as a power cut would leave them.

A copy has the files of the shards as the last checkpoint left them, and the logs. When it is opened it runs the logs.
Then each table of each shard must have the checksum that it has in the database that was never closed.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from duckraft.engine.database import Database
from duckraft.engine.errors import Error, InternalError
from duckraft.engine.session import Session
from duckraft.engine.storage import shard
from duckraft.engine.storage.checksum import Checksum, checksum
from tests.differential.generator.changes import ChangeMaker
from tests.differential.generator.schema import BEFORE, make_schema
from tests.differential.layouts import LAYOUTS, create_statements

from .workload import Change, Workload, definitions

CHANGES_BETWEEN_COPIES = 15
TRANSACTION_SHARE = 0.2
THREADS = 2
_BEGIN: tuple[Change, ...] = (("BEGIN", None),)

Sums = dict[tuple[str, int], Checksum]
"""By full name of a table and the database's shard."""


@dataclass(slots=True)
class Tally:
    """changes: that succeeded. failed: that were refused, by SQLSTATE. copies: that were compared."""

    changes: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    tables: int = 0

    def add(self, other: Tally) -> None:
        """Add what another round did."""
        self.changes += other.changes
        self.failed += other.failed
        self.copies += other.copies
        self.tables += other.tables

    def __str__(self) -> str:
        refused = ", ".join(f"{state} × {count}" for state, count in self.failed.most_common())
        compared = f"{self.copies} copies, {self.tables} tables compared"
        return f"{self.changes} statements, refused: {refused or 'none'}; {compared}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A copy that is not as its original, or a change that failed as none should.

    created: made the tables. since: what ran since the last copy.
    """

    seed: int
    problem: str
    created: tuple[str, ...]
    since: tuple[Change, ...]

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {self.problem}",
            *(f"  {sql};" for sql in self.created),
            "  -- since the last copy:",
        ]
        lines += [f"  {sql};" + (f"  -- {given!r}" if given is not None else "") for sql, given in self.since]
        return "\n".join(lines)


def hunt(seed: int, changes: int, tally: Tally) -> Fault | None:
    """One round. seed: even ones have tables of every type, odd ones those of the differential tests."""
    random = Random(seed)
    shards = random.choice((1, 2, 3, 3))
    created, stream = _typed(random, shards) if seed % 2 == 0 else _compared(random, shards)
    with TemporaryDirectory(prefix="duckraft-replay-") as folder:
        path = Path(folder) / "original"
        with closing(Database.open(path, shards=shards, threads=THREADS)) as database:
            session = database.session()
            for sql in created:
                session.execute(sql).close()
            since: list[Change] = []
            for number in range(changes):
                change = next(stream)
                together = [change]
                if random.random() < TRANSACTION_SHARE:
                    together = [*_BEGIN, *(next(stream) for _ in range(random.randrange(3))), change]
                    together.append((random.choice(("COMMIT", "COMMIT", "ROLLBACK")), None))
                since += together
                problem = _run(session, together, tally)
                if problem is None and number % CHANGES_BETWEEN_COPIES == CHANGES_BETWEEN_COPIES - 1:
                    problem = difference(database, path, Path(folder) / "copy", tally)
                    since = since if problem else []
                if problem is not None:
                    return Fault(seed, problem, tuple(created), tuple(since))
    return None


def _typed(random: Random, shards: int) -> tuple[list[str], Iterator[Change]]:
    workload = Workload(random, shards)
    return definitions(workload.tables), iter(workload.change, None)


def _compared(random: Random, shards: int) -> tuple[list[str], Iterator[Change]]:
    """Tables and changes of the differential tests, with a primary key or without."""
    schema = make_schema(random)
    keyed = random.random() < 0.5
    layout = random.choice(LAYOUTS)
    tables = schema.tables
    if keyed:
        layout = random.choice(("hash", "consistent", "range", "directory", "reference"))
        cuts = ("2", "5", "8", "9", "11", "15", "20")
        tables = tuple(
            replace(
                table,
                columns=table.columns.replace("id INTEGER", "id INTEGER PRIMARY KEY", 1),
                key="id",
                cuts=cuts,
                has_ranges=True,
            )
            for table in tables
        )
    created = [BEFORE, *create_statements(tables, layout, shards), *schema.definitions]
    maker = ChangeMaker(schema, random, keyed=keyed)

    def changes() -> Iterator[Change]:
        for sql in schema.inserts:
            yield sql, None
        while True:
            yield maker.change(), None

    return created, changes()


def _run(session: Session, changes: Sequence[Change], tally: Tally) -> str | None:
    """Run some statements until one fails. Returns what is wrong if it failed as none should."""
    try:
        for sql, parameters in changes:
            session.execute(sql, parameters).close()
            tally.changes += 1
    except InternalError as error:
        return f"{error.sqlstate} {error}"
    except Error as error:
        tally.failed[error.sqlstate] += 1
        if len(changes) > 1:
            session.execute("ROLLBACK").close()
    return None


def difference(database: Database, path: Path, copy: Path, tally: Tally) -> str | None:
    """What a copy made now has otherwise."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    try:
        with closing(Database.open(copy, threads=THREADS)) as opened:
            expected, got = _checksums(database), _checksums(opened)
    except Error as error:
        return f"the copy cannot be opened: {error}"
    tally.copies += 1
    tally.tables += len(expected)
    for key in expected:
        if got.get(key) != expected[key]:
            return f"{key[0]} on shard {key[1]}: {got.get(key)} in the copy, {expected[key]} in the original"
    return None


def _checksums(database: Database) -> Sums:
    """Those of all tables on all shards."""
    gateway = database.gateway
    return {
        (f"{table.schema}.{table.name}", number): checksum(
            gateway.instance, shard.qualified(number, table.schema, table.name), table.columns
        )
        for table in gateway.catalog.ready_tables()
        for number in sorted(set(table.placements))
    }
