"""An fsync of a log that fails: what is said of the commit, what the shard still does, what is found when reopening."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error

from .damage import Disk, error_of, make, values, values_in

BEFORE = {1: 0, 2: 0, 101: 0, 102: 0}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Whatever is opened from now on keeps its logs on it."""
    return Disk(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database that is closed."""
    make(tmp_path / "db")
    return tmp_path / "db"


WRITES = {
    "a small write": ["UPDATE t SET v = 1 WHERE k = 1"],
    "an insert": ["INSERT INTO t VALUES (3, 1)"],
    "a write of all rows of the shard": ["UPDATE t SET v = v + 1 WHERE k < 100"],
    "a load": ["INSERT INTO t SELECT range, 1 FROM range(10, 60)"],
    "a transaction": ["BEGIN", "UPDATE t SET v = 1 WHERE k = 1", "DELETE FROM t WHERE k = 2", "COMMIT"],
}


@pytest.mark.parametrize("name", WRITES)
def test_nobody_knows_what_became_of_the_commit_and_the_shard_takes_no_more(
    path: Path, disk: Disk, name: str
) -> None:
    with Database.open(path, threads=1) as database:
        session, other = database.session(), database.session()
        disk.failing = {"logs/0000"}
        *first, last = WRITES[name]
        for sql in first:
            session.execute(sql)
        error = error_of(lambda: session.execute(last))
        assert (error.sqlstate, error.outcome_known) == ("40003", False)
        assert "Input/output error" in error.message
        assert "logs/0000" in error.message
        disk.failing = set()
        calls = disk.calls
        for who in (session, other):
            assert values(who) == BEFORE
            for sql in ("UPDATE t SET v = 2 WHERE k = 1", "DELETE FROM t WHERE k < 100"):
                error = error_of(lambda who=who, sql=sql: who.execute(sql))  # type: ignore[misc]
                assert (error.sqlstate, error.outcome_known) == ("58030", True)
                assert "open the database again" in (error.hint or "")
        assert disk.calls == calls, "an fsync that failed was tried again"
        other.execute("UPDATE t SET v = 5 WHERE k = 101")
        assert error_of(lambda: session.execute("CHECKPOINT")).sqlstate == "58030"
        assert values(other) == BEFORE | {101: 5}
    found = values_in(path)  # The system still had the entry in its memory.
    assert found != BEFORE | {101: 5}
    assert found[101] == 5
    with Database.open(path, threads=1) as database:
        database.session().execute("INSERT INTO t VALUES (99, 9)")
    assert values_in(path) == found | {99: 9}


def test_what_the_disk_has_lost_is_nowhere_after_reopening(path: Path, disk: Disk) -> None:
    (log,) = (path / "logs" / "0000").glob("*.log")
    with Database.open(path, threads=1) as database:
        session = database.session()
        session.execute("UPDATE t SET v = 1 WHERE k = 1")
        durable = database.gateway.transactions.stores[0].log
        assert durable is not None
        length = durable.size_bytes
        disk.failing = {"logs/0000"}
        assert error_of(lambda: session.execute("UPDATE t SET v = 2 WHERE k = 1")).sqlstate == "40003"
    disk.failing = set()
    with log.open("r+b") as file:
        file.truncate(length)
    assert values_in(path) == BEFORE | {1: 1}


def test_sessions_that_wait_for_its_locks_are_told(path: Path, disk: Disk) -> None:
    with Database.open(path, threads=1) as database:
        first, second = database.session(), database.session()
        first.execute("BEGIN")
        first.execute("UPDATE t SET v = 1 WHERE k = 1")
        errors: list[Error] = []

        def wait() -> None:
            errors.append(error_of(lambda: second.execute("UPDATE t SET v = 2 WHERE k = 1")))

        waiting = threading.Thread(target=wait)
        waiting.start()
        locks = database.gateway.transactions.locks
        while all(one.granted for one in locks.snapshot()):
            time.sleep(0.001)
        disk.failing = {"logs/0000"}
        assert error_of(lambda: first.execute("COMMIT")).sqlstate == "40003"
        waiting.join(timeout=20)
        assert [error.sqlstate for error in errors] == ["58030"]


def both(database: Database) -> Error:
    session = database.session()
    session.execute("BEGIN")
    session.execute("UPDATE t SET v = 1 WHERE k = 1")
    session.execute("UPDATE t SET v = 1 WHERE k = 101")
    return error_of(lambda: session.execute("COMMIT"))


def test_a_shard_that_cannot_prepare_rolls_the_transaction_back(path: Path, disk: Disk) -> None:
    with Database.open(path, threads=1) as database:
        disk.failing = {"logs/0001"}
        error = both(database)
        assert (error.sqlstate, error.outcome_known) == ("58030", True)
        assert "rolled back" in error.message
        session = database.session()
        assert values(session) == BEFORE
        session.execute("UPDATE t SET v = 7 WHERE k = 1")
        assert error_of(lambda: session.execute("UPDATE t SET v = 7 WHERE k = 101")).sqlstate == "58030"
    disk.failing = set()
    assert values_in(path) == BEFORE | {1: 7}


def test_a_deciding_shard_that_fails_leaves_it_open_on_all(path: Path, disk: Disk) -> None:
    with Database.open(path, threads=1) as database:
        disk.failing = {"logs/0000"}
        error = both(database)
        assert (error.sqlstate, error.outcome_known) == ("40003", False)
        session = database.session()
        assert values(session) == BEFORE
        for key in (1, 101):
            error = error_of(lambda key=key: session.execute("UPDATE t SET v = 7 WHERE k = ?", [key]))  # type: ignore[misc]
            assert error.sqlstate == "58030"
    disk.failing = set()
    assert values_in(path) == BEFORE | {1: 1, 101: 1}


def test_the_transaction_is_over_when_its_commit_has_failed(path: Path, disk: Disk) -> None:
    with Database.open(path, threads=1) as database:
        session = database.session()
        session.execute("BEGIN")
        session.execute("UPDATE t SET v = 1 WHERE k = 1")
        disk.failing = {"logs/0000"}
        assert error_of(lambda: session.execute("COMMIT")).sqlstate == "40003"
        session.execute("BEGIN")
        session.execute("UPDATE t SET v = 3 WHERE k = 101")
        assert session.execute("COMMIT").tag == "COMMIT"
        shown = session.execute("SHOW TRANSACTIONS").fetchall()
        assert any("in doubt" in str(line) for line in shown)


def test_closing_on_a_failing_disk_loses_nothing(path: Path, disk: Disk) -> None:
    database = Database.open(path, threads=1)
    database.session().execute("UPDATE t SET v = 1 WHERE k IN (1, 101)")
    disk.failing = {"logs"}
    database.close()
    disk.failing = set()
    assert values_in(path) == BEFORE | {1: 1, 101: 1}


def test_a_table_that_cannot_be_made_is_not_there(path: Path, disk: Disk) -> None:
    with Database.open(path, threads=1) as database:
        session = database.session()
        disk.failing = {"logs/0002"}
        error = error_of(
            lambda: session.execute("CREATE TABLE u (k INTEGER PRIMARY KEY) SHARD BY HASH (k) SHARDS 4")
        )
        assert error.sqlstate == "58030"
        assert "logs/0002" in error.message
        disk.failing = set()
        session.execute("CREATE TABLE u (k INTEGER PRIMARY KEY) SHARD BY HASH (k) SHARDS 4")
        session.execute("INSERT INTO u SELECT range FROM range(100)")
    with Database.open(path, threads=1) as database:
        assert database.session().execute("SELECT count(*) FROM u").fetchall() == [(100,)]
    assert values_in(path) == BEFORE


def test_a_table_whose_making_is_in_doubt_is_whole_or_gone(path: Path, disk: Disk) -> None:
    with Database.open(path, threads=1) as database:
        session = database.session()
        disk.failing = {"logs/0000"}
        sql = "CREATE TABLE u AS SELECT range AS k FROM range(100)"
        assert error_of(lambda: session.execute(sql)).outcome_known is False
        with pytest.raises(Error):
            session.execute("FROM u")
    disk.failing = set()
    with Database.open(path, threads=1) as database:
        session = database.session()
        assert session.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'u'").fetchall() == [
            (0,)
        ]
        session.execute(sql)
        assert session.execute("SELECT count(*) FROM u").fetchall() == [(100,)]


def test_a_database_does_not_open_on_a_disk_that_fails(path: Path, disk: Disk) -> None:
    disk.failing = {"logs/0001"}
    error = error_of(lambda: Database.open(path, threads=1))
    assert error.sqlstate == "58030"
    assert "logs/0001" in error.message
    disk.failing = set()
    assert values_in(path) == BEFORE
