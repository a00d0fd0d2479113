"""BEGIN, COMMIT, ROLLBACK, SET TRANSACTION, KILL, and what SHOW tells of transactions."""

from __future__ import annotations

import time

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.session import Session
from duckraft.engine.types import Row
from tests.engine.statements.support import Beside, until


@pytest.fixture(autouse=True)
def accounts(session: Session) -> None:
    session.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER) SHARD BY HASH (id)")
    for number in (1, 2, 3):
        session.execute("INSERT INTO accounts VALUES (?, 100)", [number])


def rows(session: Session, sql: str) -> list[Row]:
    return session.execute(sql).fetchall()


def state_of(session: Session, sql: str) -> str:
    with pytest.raises(Error) as caught:
        session.execute(sql)
    return caught.value.sqlstate


def balances(session: Session) -> list[int]:
    return [balance for (balance,) in rows(session, "SELECT balance FROM accounts ORDER BY id")]


@pytest.mark.parametrize("verb", ["COMMIT", "END", "COMMIT WORK AND NO CHAIN"])
def test_a_commit_makes_all_changes_visible(database: Database, session: Session, verb: str) -> None:
    assert session.execute("BEGIN").tag == "BEGIN"
    session.execute("UPDATE accounts SET balance = balance - 10 WHERE id = 1")
    session.execute("UPDATE accounts SET balance = balance + 10 WHERE id = 2")
    other = database.session()
    assert balances(session) == [90, 110, 100]
    assert balances(other) == [100, 100, 100]
    assert session.execute(verb).tag == "COMMIT"
    assert balances(other) == [90, 110, 100]


@pytest.mark.parametrize("verb", ["ROLLBACK", "ABORT", "ROLLBACK WORK"])
def test_a_rollback_undoes_all_changes(session: Session, verb: str) -> None:
    session.execute("START TRANSACTION")
    session.execute("UPDATE accounts SET balance = 0")
    assert balances(session) == [0, 0, 0]
    assert session.execute(verb).tag == "ROLLBACK"
    assert balances(session) == [100, 100, 100]


def test_after_an_error_only_the_end_is_taken_and_a_commit_says_that_it_rolled_back(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE accounts SET balance = 0 WHERE id = 1")
    assert state_of(session, "SELECT nonsense") != "25P02"
    assert state_of(session, "SELECT 1") == "25P02"
    assert state_of(session, "UPDATE accounts SET balance = 1 WHERE id = 1") == "25P02"
    assert session.execute("COMMIT").tag == "ROLLBACK"
    assert balances(session) == [100, 100, 100]


def test_a_chain_begins_the_next_transaction_in_the_same_modes(session: Session) -> None:
    session.execute("BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY")
    assert session.execute("COMMIT AND CHAIN").tag == "COMMIT"
    assert rows(session, "SHOW transaction_isolation") == [("serializable",)]
    assert rows(session, "SHOW transaction_read_only") == [("on",)]
    assert session.execute("ROLLBACK AND CHAIN").tag == "ROLLBACK"
    assert rows(session, "SHOW TRANSACTION ISOLATION LEVEL;") == [("serializable",)]
    session.execute("ROLLBACK")
    assert rows(session, "SHOW transaction_isolation") == [("read committed",)]


@pytest.mark.parametrize(
    ("before", "sql", "sqlstate"),
    [
        ("BEGIN", "BEGIN", "25001"),
        (None, "COMMIT", "25P01"),
        (None, "ROLLBACK", "25P01"),
        (None, "SET TRANSACTION READ ONLY", "25P01"),
        (None, "LOCK TABLE accounts", "25P01"),
        (None, "PREPARE TRANSACTION 'x'", "0A000"),
        (None, "BEGIN LOUDLY", "42601"),
    ],
)
def test_what_does_not_fit_is_an_error(session: Session, before: str | None, sql: str, sqlstate: str) -> None:
    if before is not None:
        session.execute(before)
    assert state_of(session, sql) == sqlstate


def test_a_read_only_transaction_changes_and_locks_nothing(session: Session) -> None:
    for sql in ("DELETE FROM accounts", "SELECT * FROM accounts FOR UPDATE"):
        session.execute("BEGIN READ ONLY")
        assert balances(session) == [100, 100, 100]
        assert state_of(session, sql) == "25006"
        session.execute("ROLLBACK")


def test_modes_may_be_set_before_the_first_statement_only(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    assert rows(session, "SHOW transaction_isolation") == [("repeatable read",)]
    assert balances(session) == [100, 100, 100]
    assert state_of(session, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE") == "25001"
    session.execute("ROLLBACK")


def test_defaults_of_the_session_hold_for_the_next_transactions(session: Session) -> None:
    session.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY")
    assert rows(session, "SHOW default_transaction_isolation") == [("serializable",)]
    session.execute("BEGIN")
    assert rows(session, "SHOW transaction_isolation") == [("serializable",)]
    assert rows(session, "SHOW transaction_read_only") == [("on",)]
    session.execute("COMMIT")
    session.execute("BEGIN READ WRITE")
    session.execute("DELETE FROM accounts WHERE id = 1")
    session.execute("ROLLBACK")


def test_a_session_that_only_reads_by_default_changes_nothing_without_saying_so(session: Session) -> None:
    session.execute("SET default_transaction_read_only = on")
    for _ in range(2):
        for sql in (
            "DELETE FROM accounts WHERE id = 1",
            "CREATE TABLE t (a INTEGER)",
            "SELECT * FROM accounts FOR UPDATE",
        ):
            assert state_of(session, sql) == "25006"
    session.execute("BEGIN READ WRITE")
    session.execute("DELETE FROM accounts WHERE id = 1")
    session.execute("COMMIT")
    assert balances(session) == [100, 100]


def test_closing_a_session_rolls_its_transaction_back(database: Database, session: Session) -> None:
    other = database.session()
    other.execute("BEGIN")
    other.execute("UPDATE accounts SET balance = 0 WHERE id = 1")
    other.execute("LOCK RESOURCE 'a'")
    other.close()
    assert balances(session) == [100, 100, 100]
    session.execute("UPDATE accounts SET balance = 1 WHERE id = 1")
    session.execute("LOCK RESOURCE 'a' NOWAIT")


@pytest.mark.parametrize(
    ("setting", "sqlstate"),
    [("transaction_timeout", "25P04"), ("idle_in_transaction_session_timeout", "25P03")],
)
def test_a_transaction_that_takes_too_long_gives_its_locks_up(
    database: Database, session: Session, setting: str, sqlstate: str
) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE accounts SET balance = 0 WHERE id = 1")
    rows(session, "SELECT * FROM accounts WHERE id = 1 FOR UPDATE")
    session.execute(f"SET {setting} = '30ms'")
    with Beside(database, "SELECT * FROM accounts WHERE id = 1 FOR UPDATE") as other:
        assert other.rows() == [(1, 100)]
    assert state_of(session, "SELECT 1") == sqlstate
    assert state_of(session, "SELECT 1") == sqlstate
    assert state_of(session, "COMMIT") == sqlstate
    assert rows(session, "SELECT 1") == [(1,)]


def test_a_transaction_is_not_idle_while_rows_are_read(session: Session) -> None:
    session.execute("SET idle_in_transaction_session_timeout = '300ms'")
    session.execute("BEGIN")
    result = session.execute("SELECT range FROM range(1000000000)")
    begun = time.monotonic()
    while time.monotonic() < begun + 0.8:
        assert len(result.fetchmany(10)) == 10
    result.close()
    assert session.execute("COMMIT").tag == "COMMIT"


def test_a_transaction_is_not_idle_while_a_statement_runs(database: Database, session: Session) -> None:
    database.session().execute("LOCK RESOURCE 'a'")
    session.execute("SET idle_in_transaction_session_timeout = '300ms'")
    session.execute("BEGIN")
    assert state_of(session, "LOCK RESOURCE 'a' TIMEOUT '800ms'") == "55P03"


def test_a_statement_is_stopped_when_the_time_of_its_transaction_is_up(session: Session) -> None:
    session.execute("SET transaction_timeout = '50ms'")
    session.execute("BEGIN")
    assert state_of(session, "SELECT count(*) FROM range(100000000000) t(a) WHERE a % 3 = 1") == "25P04"
    assert session.execute("ROLLBACK").tag == "ROLLBACK"


def test_a_timer_hits_no_transaction_but_its_own(session: Session) -> None:
    session.execute("SET transaction_timeout = '1h'")
    session.execute("BEGIN")
    session.execute("COMMIT")
    session.execute("SET transaction_timeout = 0")
    session.execute("BEGIN")
    assert session.context.limits.is_timed is False
    session.execute("COMMIT")


def test_kill_transaction_undoes_it_while_its_session_does_nothing(
    database: Database, session: Session
) -> None:
    victim = database.session()
    victim.execute("BEGIN")
    victim.execute("UPDATE accounts SET balance = 0 WHERE id = 1")
    rows(victim, "SELECT * FROM accounts WHERE id = 1 FOR UPDATE")
    (identifier,) = rows(
        session, f"SELECT transaction FROM duckraft.transactions WHERE session = '{victim.name}'"
    )
    assert session.execute(f"KILL TRANSACTION '{identifier[0]}'").tag == "KILL"
    assert rows(session, "SELECT * FROM accounts WHERE id = 1 FOR UPDATE") == [(1, 100)]
    assert state_of(victim, "COMMIT") == "57014"
    assert state_of(victim, "COMMIT") == "25P01"
    assert balances(session) == [100, 100, 100]


def test_kill_transaction_ends_a_wait_for_a_lock(database: Database, session: Session) -> None:
    session.execute("LOCK RESOURCE 'a'")
    with Beside(database, "BEGIN", "LOCK RESOURCE 'a'") as victim:
        until(lambda: rows(session, "SELECT state FROM duckraft.transactions WHERE state = 'waiting'") != [])
        session.execute(f"KILL TRANSACTION '{victim.session.name}'")
        assert victim.error().sqlstate == "57014"
        assert state_of(victim.session, "SELECT 1") == "57014"
        victim.session.execute("ROLLBACK")


def test_kill_query_stops_the_statement_and_nothing_else(database: Database, session: Session) -> None:
    session.execute("LOCK RESOURCE 'a'")
    with Beside(database, "LOCK RESOURCE 'b'", "LOCK RESOURCE 'a'") as victim:
        until(lambda: rows(session, "SELECT state FROM duckraft.transactions WHERE state = 'waiting'") != [])
        session.execute(f"KILL QUERY '{victim.session.name}'")
        assert victim.error().sqlstate == "57014"
        assert state_of(session, "LOCK RESOURCE 'b' NOWAIT") == "55P03"


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("KILL QUERY 'nobody'", "42704"),
        ("KILL TRANSACTION 'nobody'", "42704"),
        ("KILL TRANSACTION '{other}'", "42704"),
        ("KILL QUERY '{self}'", "42809"),
    ],
)
def test_who_cannot_be_killed(database: Database, session: Session, sql: str, sqlstate: str) -> None:
    other = database.session()
    assert state_of(session, sql.format(other=other.name, self=session.name)) == sqlstate


def test_show_transactions_tells_who_does_what(database: Database, session: Session) -> None:
    other = database.session()
    other.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    other.execute("UPDATE accounts SET balance = 0 WHERE id = 1")
    (found,) = rows(
        session,
        "SELECT state, isolation, read_only, len(shards), waits_for, blocked_by, statement"
        f" FROM duckraft.transactions WHERE session = '{other.name}'",
    )
    assert found == (
        "idle",
        "serializable",
        False,
        1,
        None,
        [],
        "UPDATE accounts SET balance = 0 WHERE id = 1",
    )
    listed = rows(session, f"SHOW TRANSACTIONS WHERE session = '{other.name}'")
    assert [row[1:4] for row in listed] == [(other.name, "idle", "serializable")]
    other.execute("ROLLBACK")
    assert rows(session, f"SHOW TRANSACTIONS WHERE session = '{other.name}'") == []


def test_sessions_are_known_until_they_are_closed(database: Database) -> None:
    known = database.gateway.sessions
    other = database.session()
    assert known.find(other.name) is other
    other.close()
    assert known.find(other.name) is None


def test_a_transaction_of_one_statement_can_be_killed(database: Database, session: Session) -> None:
    session.execute("BEGIN")
    rows(session, "SELECT * FROM accounts WHERE id = 1 FOR UPDATE")
    with Beside(database, "SELECT * FROM accounts WHERE id = 1 FOR UPDATE") as victim:
        until(lambda: rows(session, "SHOW TRANSACTIONS WHERE state = 'waiting'") != [])
        session.execute(f"KILL TRANSACTION '{victim.session.name}'")
        assert victim.error().sqlstate == "57014"
        assert rows(victim.session, "SELECT 1") == [(1,)]


def test_an_error_among_the_rows_fails_the_transaction(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE accounts SET balance = 0")
    result = session.execute("SELECT CASE range WHEN 900000 THEN error('now') END FROM range(1000000)")
    with pytest.raises(Error):
        result.fetchall()
    assert state_of(session, "SELECT 1") == "25P02"
    assert session.execute("COMMIT").tag == "ROLLBACK"
    assert balances(session) == [100, 100, 100]


def test_rows_of_a_transaction_can_be_read_after_its_end(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE accounts SET balance = 0")
    session.execute("INSERT INTO accounts SELECT range, range FROM range(10, 30000)")
    result = session.execute("SELECT id, balance FROM accounts WHERE id < 30000 ORDER BY id")
    session.execute("UPDATE accounts SET balance = 5 WHERE id = 1")
    assert rows(session, "SELECT balance FROM accounts WHERE id = 1") == [(5,)]
    session.execute("ROLLBACK")
    found = result.fetchall()
    assert (len(found), found[0], found[-1]) == (29_993, (1, 0), (29_999, 29_999))
