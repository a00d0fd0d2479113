"""Changes of several shards that fail on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, fail_once, rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with the table t on two shards."""
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        session.execute("CREATE TABLE t (k INT, v INT) SHARD BY HASH (k)")
        session.execute("INSERT INTO t SELECT range, 1 FROM range(20)")
    return tmp_path / "db"


def total(session: Session) -> list[tuple[Any, ...]]:
    """What tells how often each shard was changed."""
    return rows(session, "SELECT count(*), min(v), max(v) FROM t")


@pytest.mark.parametrize("number", [0, 1])
def test_a_failure_before_the_decision_leaves_all_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with Database.open(path) as database:
        session = database.session()
        before = database.catalog
        with monkeypatch.context() as patch:
            fail_once(patch, "append", number)
            error = error_of(session, "ALTER TABLE t ALTER v TYPE INT USING v + 1")
        assert error.message.endswith("disk full")
        assert error.outcome_known
        assert (database.catalog, total(session)) == (before, [(20, 1, 1)])
    with Database.open(path) as database:
        assert total(database.session()) == [(20, 1, 1)]


def test_a_change_of_which_nobody_knows_whether_it_was_decided_is_made_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database.open(path) as database:
        session = database.session()
        with monkeypatch.context() as patch:
            fail_once(patch, "sync", 1)  # Behind that of the shard that only prepares.
            error = error_of(session, "ALTER TABLE t ALTER v TYPE INT USING v + 1")
        assert (error.sqlstate, error.outcome_known) == ("40003", False)
    for _ in range(2):
        with Database.open(path) as database:
            assert total(database.session()) == [(20, 2, 2)]
            assert database.catalog.pending is None
