"""Transactions of sessions that wait for each other: nobody waits for ever, and who gives way leaves no trace."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.executor.reading.binding import shard_table
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from duckraft.engine.types import Row
from tests.engine.executor.support import error_of, rows
from tests.engine.statements.support import Beside, until

CHANGE = "UPDATE t SET v = v + 1 WHERE k = {}"


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: the keys 1 to 8 on three shards, at least one on each."""
    session.execute("CREATE TABLE t (k INT PRIMARY KEY, v INT) SHARD BY HASH (k)")
    session.execute("INSERT INTO t SELECT range, 0 FROM range(1, 9)")


def begun(database: Database, *statements: str) -> Session:
    """A session in a transaction that has run these statements."""
    session = database.session()
    for sql in ("BEGIN", *statements):
        session.execute(sql)
    return session


def waiting(session: Session) -> int:
    """How many wait for a lock."""
    return len(rows(session, "FROM duckraft.locks WHERE NOT granted"))


def are_waiting(session: Session, count: int) -> bool:
    """Whether so many wait for a lock."""
    return waiting(session) == count


def changed(session: Session, sql: str) -> int:
    """How many rows a statement has changed."""
    return session.execute(sql).rowcount


def keys_of_three_shards(database: Database) -> list[int]:
    """A key of each shard."""
    table = database.gateway.find_table(("t",))
    assert table is not None
    with database.gateway.asking() as connection:
        return [
            duck.rows(connection, f"SELECT min(k) FROM {shard_table(table, shard)}")[0][0]
            for shard in range(3)
        ]


def in_thread(call: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Let a thread call this; what it returned or raised comes to stand in the list."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(call())
        except Error as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


@pytest.mark.parametrize("count", [2, 3])
def test_of_a_circle_over_several_shards_the_youngest_gives_way(
    database: Database, session: Session, count: int
) -> None:
    keys = keys_of_three_shards(database)[:count]
    members = [begun(database, CHANGE.format(key)) for key in keys]
    waits = []
    for member, key in zip(members, keys[1:], strict=False):
        waits.append(in_thread(partial(changed, member, CHANGE.format(key))))
        until(partial(are_waiting, session, len(waits)))
    victim = error_of(members[-1], CHANGE.format(keys[0]))
    assert (victim.sqlstate, victim.retryable) == ("40P01", True)
    assert error_of(members[-1], "SELECT 1").sqlstate == "25P02"
    for at in reversed(range(count - 1)):
        thread, outcome = waits[at]
        thread.join(20)
        assert outcome == [1]
        members[at].execute("COMMIT")
    members[-1].execute("ROLLBACK")
    assert rows(session, "SELECT sum(v) FROM t") == [(2 * (count - 1),)]
    assert rows(session, "SHOW LOCKS") == []
    assert len(rows(session, "SHOW DEADLOCKS")) == count


def test_a_circle_through_rows_and_an_advisory_lock_is_ended(database: Database, session: Session) -> None:
    elder = begun(database, CHANGE.format(1))
    younger = begun(database, "LOCK RESOURCE 'import'")
    thread, outcome = in_thread(lambda: elder.execute("LOCK RESOURCE 'import'").tag)
    until(lambda: waiting(session) == 1)
    # The lock is the session's and outlives the transaction that gives way.
    assert error_of(younger, CHANGE.format(1)).sqlstate == "40P01"
    younger.execute("ROLLBACK")
    assert waiting(session) == 1
    younger.execute("UNLOCK RESOURCE 'import'")
    thread.join(20)
    assert outcome == ["LOCK"]
    elder.execute("COMMIT")
    assert rows(session, "SELECT v FROM t WHERE k = 1") == [(1,)]


@pytest.mark.parametrize(("setting", "sqlstate"), [("lock_timeout", "55P03"), ("statement_timeout", "57014")])
@pytest.mark.parametrize("wanted", [CHANGE.format(1), "UPDATE t SET v = 1", "CREATE INDEX i ON t (v)"])
def test_waiting_ends_with_its_time_and_leaves_no_lock(
    database: Database, session: Session, setting: str, sqlstate: str, wanted: str
) -> None:
    holder = begun(database, CHANGE.format(1))
    session.execute(f"SET {setting} = '30ms'")
    assert error_of(session, wanted).sqlstate == sqlstate
    session.execute(f"RESET {setting}")
    assert {owner for (owner,) in rows(session, "SELECT session FROM duckraft.locks")} == {holder.name}
    holder.execute("COMMIT")
    session.execute(wanted)


@pytest.mark.parametrize("wanted", [CHANGE.format(1), "DROP TABLE t", "SELECT * FROM t FOR UPDATE"])
def test_a_cancelled_wait_leaves_no_lock(database: Database, session: Session, wanted: str) -> None:
    holder = begun(database, CHANGE.format(1))
    with Beside(database, wanted) as second:
        until(lambda: waiting(session) == 1)
        second.session.cancel()
        assert second.error().sqlstate == "57014"
        holder.execute("ROLLBACK")
        assert rows(session, "SHOW LOCKS") == []


def test_a_change_of_definitions_waits_for_transactions_and_those_that_come_after_wait_for_it(
    database: Database, session: Session
) -> None:
    first = begun(database, CHANGE.format(1))
    with Beside(database, "ALTER TABLE t ADD COLUMN w INT") as alter:
        until(lambda: waiting(session) == 1)
        with Beside(database, "BEGIN", "UPDATE t SET w = 7 WHERE k = 2", "COMMIT") as after:
            until(lambda: waiting(session) == 2)
            # Who was there before goes on as if nobody waited.
            first.execute(CHANGE.format(3))
            assert rows(first, "SELECT sum(v) FROM t") == [(2,)]
            first.execute("COMMIT")
            alter.rows()
            after.rows()
    assert rows(session, "SELECT v, w FROM t WHERE k < 4 ORDER BY k") == [(1, None), (0, 7), (1, None)]


def test_a_change_of_definitions_in_a_circle_with_a_resource_gives_way(
    database: Database, session: Session
) -> None:
    reader = begun(database, "SELECT count(*) FROM t")
    definer = database.session()
    definer.execute("LOCK RESOURCE 'import'")
    thread, outcome = in_thread(lambda: reader.execute("LOCK RESOURCE 'import'").tag)
    until(lambda: waiting(session) == 1)
    assert error_of(definer, "DROP TABLE t").sqlstate == "40P01"
    definer.execute("UNLOCK RESOURCE 'import'")
    thread.join(20)
    assert outcome == ["LOCK"]
    assert rows(reader, "SELECT count(*) FROM t") == [(8,)]


def test_values_of_a_sequence_are_reserved_while_definitions_wait(
    database: Database, session: Session
) -> None:
    session.execute("CREATE SEQUENCE numbers")
    first = begun(database, CHANGE.format(1))
    with Beside(database, "CREATE TABLE u (k INT)") as define:
        until(lambda: waiting(session) == 1)
        first.execute("INSERT INTO t SELECT 100 + nextval('numbers'), 0 FROM range(1500)")
        assert rows(first, "SELECT nextval('numbers')") == [(1501,)]
        first.execute("COMMIT")
        define.rows()


def test_a_hot_key_gets_every_change(database: Database, session: Session) -> None:
    changes = [CHANGE.format(1)] * 10
    sessions = [Beside(database, *changes) for _ in range(6)]
    for one in sessions:
        one.__enter__()
    for one in sessions:
        one.rows()
        one.__exit__()
    assert rows(session, "SELECT v FROM t WHERE k = 1") == [(60,)]


@pytest.mark.parametrize("wanted", [CHANGE.format(1), "DROP TABLE t", "LOCK RESOURCE 'import'"])
def test_closing_the_database_ends_open_transactions_and_waits(tmp_path: Path, wanted: str) -> None:
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        session.execute("CREATE TABLE t (k INT PRIMARY KEY, v INT) SHARD BY HASH (k)")
        session.execute("INSERT INTO t VALUES (1, 0), (2, 0)")
        begun(database, CHANGE.format(1), "LOCK RESOURCE 'import'")
        begun(database, CHANGE.format(2))
        with Beside(database, wanted) as second:
            until(lambda: waiting(session) == 1)
            database.close()
            # What changes nothing may just have got its lock.
            until(lambda: second.is_done)
            assert wanted.startswith("LOCK") or second.error().sqlstate == "57014"
    with Database.open(tmp_path / "db") as database:
        assert rows(database.session(), "SELECT k, v FROM t ORDER BY k") == [(1, 0), (2, 0)]


def test_an_export_shows_a_commit_on_all_shards_or_on_none(
    database: Database, session: Session, tmp_path: Path
) -> None:
    """Transfers go on between two shards while the database is exported again and again."""
    one, other, _ = keys_of_three_shards(database)
    transfer = (f"UPDATE t SET v = CASE k WHEN {one} THEN v - 1 ELSE v + 1 END WHERE k IN ({one}, {other})",)
    sums: list[Row] = []
    with Beside(database, *transfer * 30) as busy:
        while not busy.is_done or not sums:
            directory = tmp_path / str(len(sums))
            session.execute(f"EXPORT DATABASE '{directory}' (FORMAT parquet)")
            sums += rows(session, f"SELECT sum(v) FROM '{directory}/t.parquet'")
        busy.rows()
    assert set(sums) == {(0,)}


def test_what_is_no_part_of_a_transaction_is_refused_inside_one(database: Database, tmp_path: Path) -> None:
    session = begun(database)
    assert error_of(session, f"EXPORT DATABASE '{tmp_path / 'out'}'").sqlstate == "25001"
    assert not (tmp_path / "out").exists()
