"""LOCK RESOURCE, advisory locks, LOCK TABLE, and what SHOW tells of locks."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.session import Session
from duckraft.engine.types import Row
from tests.engine.statements.support import Beside, until


@pytest.fixture
def other(database: Database) -> Session:
    return database.session()


def rows(session: Session, sql: str) -> list[Row]:
    return session.execute(sql).fetchall()


def error_of(session: Session, sql: str) -> Error:
    with pytest.raises(Error) as caught:
        session.execute(sql)
    return caught.value


def is_waiting(session: Session) -> bool:
    return rows(session, "SELECT 1 FROM duckraft.locks WHERE NOT granted") != []


def test_a_resource_is_locked_by_one_session_at_a_time(database: Database, session: Session) -> None:
    assert session.execute("LOCK RESOURCE 'import'").tag == "LOCK"
    with Beside(database, "LOCK RESOURCE 'import'") as second:
        until(lambda: is_waiting(session))
        assert session.execute("UNLOCK RESOURCE 'import'").tag == "UNLOCK"
        second.rows()
        assert error_of(session, "LOCK RESOURCE 'import' NOWAIT").sqlstate == "55P03"


def test_shared_locks_go_together(session: Session, other: Session) -> None:
    session.execute("LOCK RESOURCE 'a' SHARED")
    other.execute("LOCK RESOURCE 'a' SHARED NOWAIT")
    assert error_of(other, "LOCK RESOURCE 'a' NOWAIT").sqlstate == "55P03"
    session.execute("UNLOCK RESOURCE 'a'")
    other.execute("LOCK RESOURCE 'a' NOWAIT")


def test_a_resource_is_given_back_as_often_as_it_was_taken(session: Session, other: Session) -> None:
    session.execute("LOCK RESOURCE 'a'")
    session.execute("LOCK RESOURCE 'a'")
    session.execute("UNLOCK RESOURCE 'a'")
    assert error_of(other, "LOCK RESOURCE 'a' NOWAIT").sqlstate == "55P03"
    session.execute("UNLOCK RESOURCE 'a'")
    other.execute("LOCK RESOURCE 'a' NOWAIT")
    assert error_of(session, "UNLOCK RESOURCE 'a'").sqlstate == "55000"


@pytest.mark.parametrize("how", ["TIMEOUT '20ms'", "setting"])
def test_waiting_ends_with_its_time(session: Session, other: Session, how: str) -> None:
    session.execute("LOCK RESOURCE 'a'")
    if how == "setting":
        other.execute("SET lock_timeout = '20ms'")
        how = ""
    error = error_of(other, f"LOCK RESOURCE 'a' {how}")
    assert error.sqlstate == "55P03"
    assert error.retryable
    assert "'a'" in (error.detail or "")


def test_a_resource_outlives_the_transaction_in_which_it_was_locked(session: Session, other: Session) -> None:
    session.execute("BEGIN")
    session.execute("LOCK RESOURCE 'a'")
    session.execute("ROLLBACK")
    assert error_of(other, "LOCK RESOURCE 'a' NOWAIT").sqlstate == "55P03"


@pytest.mark.parametrize("key", ["42", "-1", "1, 2", "abs(-42)"])
def test_an_advisory_lock_is_a_number_or_two(session: Session, other: Session, key: str) -> None:
    result = session.execute(f"SELECT pg_advisory_lock({key})")
    assert [column.name for column in result.columns] == ["pg_advisory_lock"]
    assert result.fetchall() == [("",)]
    assert rows(other, f"SELECT pg_try_advisory_lock({key})") == [(False,)]
    assert rows(session, f"SELECT pg_advisory_unlock({key})") == [(True,)]
    assert rows(session, f"SELECT pg_advisory_unlock({key})") == [(False,)]
    assert rows(other, f"SELECT pg_try_advisory_lock({key}) AS taken") == [(True,)]


def test_names_numbers_and_pairs_are_different_locks(session: Session, other: Session) -> None:
    session.execute("SELECT pg_advisory_lock(1)")
    session.execute("SELECT pg_advisory_lock(1, 1)")
    other.execute("LOCK RESOURCE '1' NOWAIT")
    assert rows(other, "SELECT pg_try_advisory_lock(2)") == [(True,)]


def test_arguments_may_be_parameters(session: Session, other: Session) -> None:
    session.execute("SELECT pg_advisory_lock(?, ?)", [1, 2])
    assert other.execute("SELECT pg_try_advisory_lock($b, $a)", {"b": 1, "a": 2}).fetchall() == [(False,)]
    assert rows(session, "SELECT pg_advisory_lock(NULL)") == [(None,)]


def test_shared_advisory_locks_go_together(session: Session, other: Session) -> None:
    session.execute("SELECT pg_advisory_lock_shared(1)")
    assert rows(other, "SELECT pg_try_advisory_lock_shared(1)") == [(True,)]
    assert rows(other, "SELECT pg_try_advisory_lock(1)") == [(False,)]
    assert rows(session, "SELECT pg_advisory_unlock(1)") == [(False,)]
    assert rows(session, "SELECT pg_advisory_unlock_shared(1)") == [(True,)]
    assert rows(other, "SELECT pg_try_advisory_lock(1)") == [(True,)]


@pytest.mark.parametrize("verb", ["COMMIT", "ROLLBACK"])
def test_a_lock_of_a_transaction_ends_with_it(session: Session, other: Session, verb: str) -> None:
    session.execute("BEGIN")
    session.execute("SELECT pg_advisory_xact_lock(1)")
    assert rows(session, "SELECT pg_try_advisory_xact_lock_shared(2)") == [(True,)]
    assert rows(other, "SELECT pg_try_advisory_lock(1)") == [(False,)]
    assert rows(session, "SELECT pg_advisory_unlock(1)") == [(False,)]
    session.execute(verb)
    assert rows(other, "SELECT pg_try_advisory_lock(1)") == [(True,)]
    assert rows(other, "SELECT pg_try_advisory_lock(2)") == [(True,)]


def test_without_a_transaction_such_a_lock_ends_with_its_statement(session: Session, other: Session) -> None:
    session.execute("SELECT pg_advisory_xact_lock(1)")
    assert rows(other, "SELECT pg_try_advisory_lock(1)") == [(True,)]


def test_unlocking_all_gives_every_lock_of_the_session_back(session: Session, other: Session) -> None:
    session.execute("SELECT pg_advisory_lock(1)")
    session.execute("SELECT pg_advisory_lock(1)")
    session.execute("SELECT pg_advisory_lock_shared(2)")
    session.execute("LOCK RESOURCE 'a'")
    session.execute("SELECT pg_advisory_unlock_all()")
    assert rows(other, "SELECT pg_try_advisory_lock(1)") == [(True,)]
    assert rows(other, "SELECT pg_try_advisory_lock(2)") == [(True,)]
    other.execute("LOCK RESOURCE 'a' NOWAIT")


@pytest.mark.parametrize(
    ("sql", "sqlstate", "at"),
    [
        ("SELECT pg_advisory_lock('x')", "22P02", None),
        ("SELECT pg_advisory_lock(nonsense)", "42703", "nonsense"),
        ("SELECT pg_advisory_lock(3000000000, 1)", "22003", None),
        ("SELECT pg_advisory_lock(range) FROM range(3)", "0A000", "pg_"),
        ("LOCK RESOURCE a", "42601", "a"),
        ("LOCK RESOURCE 'a' LOUDLY", "42601", "LOUDLY"),
    ],
)
def test_what_is_wrong_is_an_error_at_its_place(
    session: Session, sql: str, sqlstate: str, at: str | None
) -> None:
    session.execute("BEGIN")
    error = error_of(session, sql)
    assert error.sqlstate == sqlstate
    assert at is None or error.position == sql.index(at) + 1


def test_a_deadlock_is_ended_and_told(database: Database, session: Session) -> None:
    session.execute("BEGIN")
    session.execute("SELECT pg_advisory_xact_lock(1)")
    with Beside(
        database, "BEGIN", "SELECT pg_advisory_xact_lock(2)", "SELECT pg_advisory_xact_lock(1)"
    ) as younger:
        until(lambda: is_waiting(session))
        assert rows(session, "SELECT pg_advisory_xact_lock(2)") == [("",)]
        error = younger.error()
    assert (error.sqlstate, error.retryable) == ("40P01", True)
    assert rows(session, "SELECT victim, waited_for, statement FROM duckraft.deadlocks ORDER BY victim") == [
        (False, "resource 2", "SELECT pg_advisory_xact_lock(2)"),
        (True, "resource 1", "SELECT pg_advisory_xact_lock(1)"),
    ]
    assert len(rows(session, "SHOW DEADLOCKS")) == 2


def test_lock_table_keeps_row_locks_of_others_out(
    database: Database, session: Session, other: Session
) -> None:
    session.execute("CREATE TABLE t (id INTEGER) SHARD BY HASH (id)")
    session.execute("INSERT INTO t VALUES (1)")
    session.execute("BEGIN")
    session.execute("LOCK TABLE t IN SHARE MODE")
    assert rows(other, "SELECT * FROM t WHERE id = 1 FOR SHARE NOWAIT") == [(1,)]
    assert error_of(other, "SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT").sqlstate == "55P03"
    other.execute("BEGIN")
    other.execute("LOCK t IN SHARE MODE")
    assert error_of(other, "LOCK t NOWAIT").sqlstate == "55P03"
    other.execute("ROLLBACK")
    session.execute("COMMIT")
    assert rows(other, "SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT") == [(1,)]


def test_show_locks_tells_who_waits_for_whom(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE t (id INTEGER) SHARD BY HASH (id)")
    session.execute("LOCK RESOURCE 'a'")
    with Beside(database, "BEGIN", "LOCK TABLE t", "LOCK RESOURCE 'a'") as second:
        until(lambda: is_waiting(session))
        transaction = second.session.transaction
        assert transaction is not None
        columns = "kind, key, mode, granted, session, blocked_by"
        assert rows(
            session, f"SELECT {columns} FROM duckraft.locks WHERE kind = 'advisory' ORDER BY granted"
        ) == [
            ("advisory", "a", "EXCLUSIVE", False, second.session.name, [session.name]),
            ("advisory", "a", "EXCLUSIVE", True, session.name, []),
        ]
        assert rows(
            session,
            "SELECT owner, table_schema, table_name, shard, mode FROM duckraft.locks WHERE kind = 'rows'"
            " ORDER BY shard",
        ) == [(transaction.id, "main", "t", shard, "EXCLUSIVE") for shard in range(3)]
        session.execute("UNLOCK RESOURCE 'a'")
        second.rows()
    assert rows(session, "SHOW LOCKS") == []
