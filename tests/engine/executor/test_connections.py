"""Transactions over several shards, and what is said when a COMMIT fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import OperationalError
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from tests.engine.executor.support import error_of, fail_once, rows


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session of a database on disk with t: thirty rows on three shards."""
    with Database.open(tmp_path / "db", shards=3) as database:
        session = database.session()
        session.execute("CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k, 0 AS v FROM range(30)")
        yield session


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_log_that_takes_no_more_changes_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patch:
        fail_once(patch, "append", number)
        error = error_of(session, "UPDATE t SET v = 1")
    assert (error.sqlstate, error.outcome_known) == ("53100", True)
    assert rows(session, "SELECT sum(v) FROM t") == [(0,)]
    assert session.execute("UPDATE t SET v = 2").rowcount == 30


def test_a_decision_that_may_not_have_reached_the_disk_says_that_the_outcome_is_not_known(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fail_once(patch, "sync", 2)  # Behind those of the two shards that only prepare.
        error = error_of(session, "UPDATE t SET v = 1")
    assert (error.sqlstate, error.outcome_known, error.retryable) == ("40003", False, False)
    assert error.message.endswith("disk full")
    assert error.hint
    assert rows(session, "SELECT sum(v) FROM t") == [(0,)]


def test_interrupting_an_idle_session_does_no_harm(session: Session) -> None:
    session.cancel()
    assert rows(session, "SELECT count(*) FROM t") == [(30,)]


def test_a_rollback_that_fails_leaves_no_other_transaction_open(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean_up, done = duck.clean_up, iter(range(100))

    def failing(connection: duck.Connection, sql: str) -> None:
        clean_up(connection, sql)
        if sql == "ROLLBACK" and next(done) == 0:
            raise OperationalError("the disk is gone", sqlstate="58030")

    with monkeypatch.context() as patch:
        patch.setattr(duck, "clean_up", failing)
        assert error_of(session, "UPDATE t SET v = CAST('x' || k AS INTEGER)").sqlstate == "58030"
    assert session.execute("UPDATE t SET v = 2").rowcount == 30
    assert rows(session, "SELECT sum(v) FROM t") == [(60,)]
