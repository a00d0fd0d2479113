"""A real SIGKILL at every crash point: what was acknowledged is there, nothing is there by half, and all goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.storage.log import EntryKind
from duckraft.engine.testing import crashpoints
from tests.engine.transactions import crash_child
from tests.engine.transactions.crash_child import PARTS, SHARDS, TABLES, change, has_entries

NTH = {"prepare-appended": 4, "abort-begun": 2, "checkpoint-begun": 6, "log-truncated": 6}
"""Which time a crash point is deadly, where it is not the third."""

IN_TRANSACTIONS = [name for name in crashpoints.NAMES if not name.startswith("recovery")]

CRASHES = [
    *[(f"{name}:{NTH.get(name, 3)}", "recovery-replayed:3") for name in IN_TRANSACTIONS],
    ("prepare-synced", "recovery-resolved"),
    # In doubt, and killed again while that is resolved.
    ("all-prepared:3", "abort-appended", "recovery-replayed"),
    ("decision-synced:2", "outcome-appended", "outcome-applied", "recovery-resolved"),
    ("outcome-appended:3", "outcome-applied"),
]
"""Crash points in the order in which they kill: the first the work, the others each opening of the database."""


@dataclass(slots=True)
class Told:
    """What a child has said before it was killed."""

    committed: set[int] = field(default_factory=set)
    undone: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a database. transactions: those whose rows are there."""

    transactions: frozenset[int]
    digest: object


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the tables of the child, closed."""
    path = tmp_path_factory.mktemp("crashes") / "original"
    with Database.open(path, shards=SHARDS, threads=1) as database:
        session = database.session()
        for sql in TABLES:
            session.execute(sql)
    return path


@pytest.fixture
def directory(original: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it."""
    path = tmp_path / "database"
    shutil.copytree(original, path)
    yield path
    shutil.rmtree(path)


def run(directory: Path, armed: str, count: int = 0) -> tuple[int, Told]:
    """A child's exit code, and what it said."""
    environment = {**os.environ, crashpoints.VARIABLE: armed, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    ended = subprocess.run(
        [sys.executable, crash_child.__file__, str(directory), str(count)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    told = Told()
    for line in ended.stdout.splitlines():
        word, _, number = line.partition(" ")
        if word != "end":
            (told.committed if word == "committed" else told.undone).add(int(number))
    return ended.returncode, told


def look(directory: Path) -> Found:
    """Open the database and check that no transaction is there by half."""
    with Database.open(directory, threads=1) as database:
        session = database.session()
        parts = session.execute("SELECT tx, count(*), count(DISTINCT k) FROM part GROUP BY tx").fetchall()
        assert all((rows, keys) == (PARTS, PARTS) for _, rows, keys in parts)
        counters = session.execute("SELECT DISTINCT n FROM counter").fetchall()
        assert [tuple(row) for row in counters] == [(len(parts),)]
        digest = session.execute("SELECT sum(hash(k, tx, filler)) FROM part").fetchall()
        assert not any(
            store.participant.in_doubt() for store in database.gateway.transactions.stores.values()
        )
    return Found(frozenset(number for number, *_ in parts), digest)


@pytest.mark.parametrize("kills", CRASHES, ids=" ".join)
def test_after_kills_everything_acknowledged_is_there_and_nothing_by_half(
    kills: tuple[str, ...], directory: Path
) -> None:
    deadly, *again = kills
    status, told = run(directory, deadly, count=20)
    assert status == -signal.SIGKILL
    for armed in again:
        status, _ = run(directory, armed)
        assert status == -signal.SIGKILL
    found = look(directory)
    last = max(told.committed | told.undone, default=0) + 1
    # The last one, of which nothing was said, may be there or not.
    assert told.committed <= found.transactions <= told.committed | {last}
    assert look(directory) == found
    with Database.open(directory, threads=1) as database:
        session = database.session()
        session.execute("BEGIN")
        change(session, last + 1)
        session.execute("COMMIT")
    assert look(directory).transactions == found.transactions | {last + 1}


def test_every_crash_point_is_deadly_in_some_test() -> None:
    assert {armed.partition(":")[0] for kills in CRASHES for armed in kills} == set(crashpoints.NAMES)


def test_the_work_of_the_child_writes_entries_of_all_kinds(directory: Path) -> None:
    run(directory, "abort-appended", count=20)
    with Database.open(directory, threads=1) as database:
        logs = [store.log for store in database.gateway.transactions.stores.values() if store.log is not None]
        kinds = {kind for kind in EntryKind if any(has_entries(log, kind) for log in logs)}
    assert kinds == set(EntryKind)
