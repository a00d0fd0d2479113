"""Transactions over several shards, and what is said when a COMMIT fails."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import OperationalError
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from duckraft.engine.types import Parameters
from tests.engine.executor.support import error_of, rows


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: thirty rows on three shards."""
    session.execute("CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k, 0 AS v FROM range(30)")


def fail_at_commit(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Make the COMMIT of this number fail, from 0."""
    execute, commits = duck.execute, iter(range(100))

    def failing(connection: duck.Connection, sql: str, parameters: Parameters = None) -> duck.Connection:
        if sql == "COMMIT" and next(commits) == number:
            execute(connection, "ROLLBACK")
            raise OperationalError("disk full", sqlstate="53100")
        return execute(connection, sql, parameters)

    monkeypatch.setattr(duck, "execute", failing)


def test_a_first_commit_that_fails_changes_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        fail_at_commit(patch, 0)
        error = error_of(session, "UPDATE t SET v = 1")
    assert (error.sqlstate, error.outcome_known) == ("53100", True)
    assert rows(session, "SELECT sum(v) FROM t") == [(0,)]


def test_a_later_commit_that_fails_says_that_the_outcome_is_not_known(
    database: Database, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fail_at_commit(patch, 1)
        error = error_of(session, "UPDATE t SET v = 1")
    assert (error.sqlstate, error.outcome_known, error.retryable) == ("40003", False, False)
    assert error.message.startswith("1 of 3 shards have committed, then duckraft_s")
    assert error.message.endswith("disk full")
    assert error.hint
    assert 0 < rows(session, "SELECT sum(v) FROM t")[0][0] < 30
    assert session.execute("UPDATE t SET v = 2").rowcount == 30


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
