"""SAVEPOINT, RELEASE, ROLLBACK TO."""

from __future__ import annotations

from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.session import Session
from duckraft.engine.types import Row
from tests.engine.statements.support import Beside, until


@pytest.fixture(autouse=True)
def accounts(session: Session) -> None:
    make(session)


def make(session: Session) -> None:
    session.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER) SHARD BY HASH (id)")
    session.execute("INSERT INTO accounts VALUES (1, 100), (2, 100), (3, 100)")


def rows(session: Session, sql: str) -> list[Row]:
    return session.execute(sql).fetchall()


def state_of(session: Session, sql: str) -> str:
    with pytest.raises(Error) as caught:
        session.execute(sql)
    return caught.value.sqlstate


def balances(session: Session) -> dict[int, int]:
    return dict(rows(session, "SELECT id, balance FROM accounts"))


def test_what_was_done_since_a_savepoint_is_undone(database: Database, session: Session) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE accounts SET balance = 90 WHERE id = 1")
    assert session.execute("SAVEPOINT Here").tag == "SAVEPOINT"
    session.execute("UPDATE accounts SET balance = balance + 10")
    session.execute("DELETE FROM accounts WHERE id = 3")
    session.execute("INSERT INTO accounts SELECT range, 0 FROM range(10, 20)")
    assert session.execute("ROLLBACK TO SAVEPOINT here").tag == "ROLLBACK"
    assert balances(session) == {1: 90, 2: 100, 3: 100}
    session.execute("UPDATE accounts SET balance = 110 WHERE id = 2")
    session.execute("COMMIT")
    assert balances(database.session()) == {1: 90, 2: 110, 3: 100}


def test_a_transaction_that_failed_goes_on_from_its_savepoint(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE accounts SET balance = 90 WHERE id = 1")
    session.execute("SAVEPOINT a")
    assert state_of(session, "INSERT INTO accounts VALUES (2, 0)") == "23505"
    for sql in ("SELECT 1", "SAVEPOINT b", "RELEASE a"):
        assert state_of(session, sql) == "25P02"
    session.execute("ROLLBACK TO a")
    assert balances(session) == {1: 90, 2: 100, 3: 100}
    assert session.execute("COMMIT").tag == "COMMIT"
    assert balances(session) == {1: 90, 2: 100, 3: 100}


def test_without_going_back_a_failed_transaction_is_rolled_back(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("SAVEPOINT a")
    session.execute("UPDATE accounts SET balance = 0")
    assert state_of(session, "SELECT nonsense") == "42703"
    assert session.execute("COMMIT").tag == "ROLLBACK"
    assert balances(session) == {1: 100, 2: 100, 3: 100}
    assert rows(session, "SHOW LOCKS") == []


def test_savepoints_nest_and_names_come_again(session: Session) -> None:
    session.execute("BEGIN")
    for balance in (1, 2, 3):
        session.execute("SAVEPOINT a")
        session.execute("UPDATE accounts SET balance = ? WHERE id = 1", [balance])
    session.execute("ROLLBACK TO a")
    assert balances(session)[1] == 2
    session.execute("RELEASE a")
    session.execute("ROLLBACK TO a")
    assert balances(session)[1] == 1
    session.execute("RELEASE SAVEPOINT a")
    session.execute("RELEASE a")
    assert state_of(session, "ROLLBACK TO a") == "3B001"


def test_a_savepoint_ends_with_its_transaction(session: Session) -> None:
    assert state_of(session, "SAVEPOINT a") == "25P01"
    session.execute("BEGIN")
    session.execute("SAVEPOINT a")
    session.execute("COMMIT AND CHAIN")
    assert state_of(session, "ROLLBACK TO a") == "3B001"


def test_going_back_sees_what_others_have_committed_since(database: Database, session: Session) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE accounts SET balance = 90 WHERE id = 1")
    session.execute("SAVEPOINT a")
    session.execute("UPDATE accounts SET balance = 0 WHERE id = 1")
    database.session().execute("UPDATE accounts SET balance = 50 WHERE id = 2")
    session.execute("ROLLBACK TO a")
    assert balances(session) == {1: 90, 2: 50, 3: 100}
    session.execute("COMMIT")
    assert balances(session) == {1: 90, 2: 50, 3: 100}


def test_after_a_deadlock_there_is_no_way_back(database: Database, session: Session) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE accounts SET balance = 1 WHERE id = 1")
    younger = (
        "BEGIN",
        "SAVEPOINT a",
        "UPDATE accounts SET balance = 2 WHERE id = 2",
        "UPDATE accounts SET balance = 2 WHERE id = 1",
    )
    with Beside(database, *younger) as other:
        until(lambda: rows(session, "SHOW LOCKS WHERE NOT granted") != [])
        session.execute("UPDATE accounts SET balance = 1 WHERE id = 2")
        assert other.error().sqlstate == "40P01"
        assert state_of(other.session, "ROLLBACK TO a") == "25P02"


def test_repeatable_read_has_none(session: Session) -> None:
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert state_of(session, "SAVEPOINT a") == "0A000"


def test_what_was_undone_does_not_come_back_when_the_database_is_opened_again(tmp_path: Path) -> None:
    with Database.open(tmp_path / "data", shards=3, threads=2) as database:
        session = database.session()
        make(session)
        session.execute("BEGIN")
        session.execute("SAVEPOINT a")
        session.execute("INSERT INTO accounts SELECT range, 0 FROM range(1000, 60000)")
        session.execute("ROLLBACK TO a")
        session.execute("UPDATE accounts SET balance = 7 WHERE id = 3")
        session.execute("COMMIT")
    with Database.open(tmp_path / "data", threads=2) as database:
        assert balances(database.session()) == {1: 100, 2: 100, 3: 7}
