"""Changes of several shards that fail on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import OperationalError
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from tests.engine.executor.support import error_of, rows


def fail_at_commit(patch: pytest.MonkeyPatch, number: int) -> None:
    """Have the COMMIT of this number, counted from 0, fail from now on."""
    execute = duck.execute
    left = number

    def failing(connection: Any, sql: str, *rest: Any) -> Any:
        nonlocal left
        if sql == "COMMIT":
            left -= 1
            if left < 0:
                raise OperationalError("disk full")
        return execute(connection, sql, *rest)

    patch.setattr(duck, "execute", failing)


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


def test_a_failure_before_the_first_commit_leaves_all_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database.open(path) as database:
        session = database.session()
        before = database.catalog
        with monkeypatch.context() as patch:
            fail_at_commit(patch, 0)
            error = error_of(session, "ALTER TABLE t ALTER v TYPE INT USING v + 1")
        assert (error.message, error.outcome_known) == ("disk full", True)
        assert (database.catalog, total(session)) == (before, [(20, 1, 1)])
    with Database.open(path) as database:
        assert total(database.session()) == [(20, 1, 1)]


@pytest.mark.parametrize("reopen", [True, False])
def test_a_failure_between_two_commits_is_made_good_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, reopen: bool
) -> None:
    with Database.open(path) as database:
        session = database.session()
        with monkeypatch.context() as patch:
            fail_at_commit(patch, 1)
            error = error_of(session, "ALTER TABLE t ALTER v TYPE INT USING v + 1")
        assert (error.sqlstate, error.outcome_known) == ("40003", False)
        assert total(session) == [(20, 1, 2)]
        if not reopen:
            session.execute("CREATE INDEX i ON t (k)")
            assert total(session) == [(20, 2, 2)]
    with Database.open(path) as database:
        assert total(database.session()) == [(20, 2, 2)]
        assert database.catalog.pending is None
