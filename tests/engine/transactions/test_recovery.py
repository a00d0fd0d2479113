"""Replaying a shard's log: together or one by one, from where a checkpoint ended, and only what belongs."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import LogDamagedError, OperationalError
from duckraft.engine.session import Session
from duckraft.engine.storage import duck, shard
from duckraft.engine.storage.log import EntryKind, ShardLog
from duckraft.engine.storage.operations import Operation, encode
from duckraft.engine.transactions import records, store, transactions
from duckraft.engine.types import Row

TABLE = "CREATE TABLE t (k INT PRIMARY KEY, v INT) SHARD BY HASH (k) SHARDS 2"


def rows(session: Session, sql: str) -> list[Row]:
    return session.execute(sql).fetchall()


def logs_of(database: Database) -> list[ShardLog]:
    return [one.log for one in database.gateway.transactions.stores.values() if one.log is not None]


def in_files(folder: Path) -> list[Row]:
    """The rows of t in the files of its two shards, without their logs."""
    instance = duck.open_instance(1, None)
    found: list[Row] = []
    for number in (0, 1):
        file = folder / f"{number:04}.duckdb"
        duck.execute(instance, f"ATTACH '{file}' AS {shard.alias(number)} (READ_ONLY)")
        found += duck.rows(instance, f"FROM {shard.qualified(number, 'main', 't')}")
    instance.close()
    return found


def killed(path: Path, *statements: str) -> Path:
    """The directory of a database as a kill behind these statements leaves it."""
    with Database.open(path, shards=2, threads=1) as database:
        session = database.session()
        for sql in statements:
            session.execute(sql)
        copy = path.with_name("killed")
        shutil.copytree(path, copy)
    return copy


def test_what_duckdb_cannot_do_in_one_transaction_is_run_again_in_several(tmp_path: Path) -> None:
    changes = (
        "INSERT INTO t SELECT range, 0 FROM range(20)",
        "UPDATE t SET v = k",
        "CREATE INDEX i ON t (v)",
        "DELETE FROM t WHERE k = 3",
        "INSERT INTO t VALUES (3, 30)",
    )
    with Database.open(killed(tmp_path / "db", TABLE, *changes), threads=1) as database:
        session = database.session()
        assert rows(session, "SELECT count(*), sum(v) FROM t") == [(20, 217)]
        assert rows(session, "SELECT k FROM t WHERE v = 30") == [(3,)]


def test_an_entry_that_cannot_be_run_again_is_named(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2, threads=1) as database:
        database.session().execute(TABLE)
        log = database.gateway.transactions.stores[1].log
        assert log is not None
        impossible = encode([Operation("INSERT INTO no_such_table VALUES (1)")])
        sequence = log.append(EntryKind.COMMIT, "x", records.encode_commit((1,), impossible))
        log.sync(sequence)
        shutil.copytree(tmp_path / "db", tmp_path / "killed")
    with pytest.raises(LogDamagedError, match=f"entry {sequence} of the log of duckraft_s1 .*no_such_table"):
        Database.open(tmp_path / "killed")


def test_a_checkpoint_forgets_decisions_that_nobody_can_ask_for(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2, threads=1) as database:
        session = database.session()
        session.execute(TABLE)
        session.execute("INSERT INTO t SELECT range, 0 FROM range(20)")
        session.execute("CHECKPOINT")
        logs = logs_of(database)
        assert [log.last_sequence - log.first_sequence for log in logs] == [-1] * len(logs)


def test_a_prepare_is_kept_while_its_transaction_has_no_outcome(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2, threads=1) as database:
        session = database.session()
        session.execute(TABLE)
        one = database.gateway.transactions.stores[1]
        assert one.log is not None
        one.keep_log("undecided")
        prepared = one.append(EntryKind.PREPARE, "undecided", records.encode_prepare(0, (0, 1), b""))
        session.execute("INSERT INTO t SELECT range, 0 FROM range(20)")
        assert one.checkpoint()
        assert one.log.first_sequence <= prepared


def test_a_checkpoint_leaves_out_rows_that_are_not_committed(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with Database.open(path, shards=2, threads=1) as database:
        session, other = database.session(), database.session()
        session.execute(TABLE)
        session.execute("BEGIN")
        session.execute("INSERT INTO t VALUES (1, 1), (2, 1), (3, 1), (4, 1)")
        other.execute("INSERT INTO t VALUES (100, 2)")
        other.execute("CHECKPOINT")
        for number in (0, 1):
            shutil.copy(path / "shards" / f"{number:04}.duckdb", tmp_path)
        session.execute("ROLLBACK")
    assert in_files(tmp_path) == [(100, 2)]


def test_duckdb_writes_no_checkpoints_by_itself() -> None:
    instance = duck.open_instance(1, None)
    assert duck.rows(instance, "SELECT current_setting('checkpoint_threshold')") == [("931.3 GiB",)]
    instance.close()


def test_a_checkpoint_waits_for_those_in_its_way_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "db"
    with Database.open(path, shards=2, threads=1) as database:
        session, other = database.session(), database.session()
        session.execute(TABLE)
        session.execute("INSERT INTO t VALUES (1, 1), (2, 1), (3, 1), (4, 1)")
        session.execute("BEGIN")
        session.execute("UPDATE t SET v = 2")
        with monkeypatch.context() as patch:
            patch.setattr(transactions, "CHECKPOINT_WAIT_S", 0.0)
            with pytest.raises(OperationalError, match="transactions are open that changed rows") as raised:
                other.execute("CHECKPOINT")
        assert raised.value.sqlstate == "55006"
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(other.execute, "CHECKPOINT")
            session.execute("COMMIT")
            waiting.result()
        logs = logs_of(database)
        assert all(log.last_sequence < log.first_sequence for log in logs)
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        session.execute("FROM t")
        other.execute("UPDATE t SET v = 3")
    with Database.open(path, threads=1) as database:
        logs = logs_of(database)
        assert all(log.last_sequence < log.first_sequence for log in logs)
        assert rows(database.session(), "SELECT sum(v) FROM t") == [(12,)]


def test_checkpoints_come_by_themselves_when_much_was_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHECKPOINT_ENTRIES", 10)
    with Database.open(tmp_path / "db", shards=1, threads=1) as database:
        session = database.session()
        session.execute("CREATE TABLE t (k INT PRIMARY KEY) SHARD BY HASH (k) SHARDS 1")
        for k in range(25):
            session.execute(f"INSERT INTO t VALUES ({k})")
        log = database.gateway.transactions.stores[0].log
        assert log is not None
        assert log.last_sequence >= 25
        assert log.last_sequence - log.first_sequence < 10
