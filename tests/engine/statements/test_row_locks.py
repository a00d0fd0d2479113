"""SELECT … FOR UPDATE and FOR SHARE."""

from __future__ import annotations

import threading

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.session import Session
from duckraft.engine.types import Row
from tests.engine.statements.support import Beside, until

NEXT_JOB = "SELECT id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"


@pytest.fixture(autouse=True)
def jobs(session: Session) -> None:
    session.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, state VARCHAR) SHARD BY HASH (id)")
    for number in range(12):
        session.execute("INSERT INTO jobs VALUES (?, 'new')", [number])


@pytest.fixture
def other(database: Database) -> Session:
    return database.session()


def rows(session: Session, sql: str) -> list[Row]:
    return session.execute(sql).fetchall()


def state_of(session: Session, sql: str) -> str:
    with pytest.raises(Error) as caught:
        session.execute(sql)
    return caught.value.sqlstate


def test_the_result_is_that_of_the_query_without_the_clause(session: Session) -> None:
    session.execute("BEGIN")
    for query in (
        "SELECT * FROM jobs ORDER BY id",
        "SELECT state, id * 2 AS twice FROM jobs WHERE id > 5 ORDER BY id DESC LIMIT 3",
        "SELECT a.id, b.state FROM jobs a JOIN jobs b USING (id) ORDER BY ALL",
        "SELECT id FROM jobs WHERE false",
    ):
        plain, locking = session.execute(query), session.execute(f"{query} FOR UPDATE")
        assert [column.name for column in locking.columns] == [column.name for column in plain.columns]
        assert locking.fetchall() == plain.fetchall()
    session.execute("COMMIT")


def test_each_of_several_sessions_gets_another_job(database: Database, session: Session) -> None:
    workers = [database.session() for _ in range(5)]
    for worker in workers:
        worker.execute("BEGIN")
    assert [rows(worker, NEXT_JOB) for worker in workers] == [[(number,)] for number in range(5)]
    workers[0].execute("UPDATE jobs SET state = 'done' WHERE id = 0")
    workers[0].execute("COMMIT")
    workers[1].execute("ROLLBACK")
    session.execute("BEGIN")
    assert rows(session, NEXT_JOB) == [(1,)]


def test_workers_take_every_job_once(database: Database, session: Session) -> None:
    taken: list[int] = []

    def work() -> None:
        worker = database.session()
        while True:
            worker.execute("BEGIN")
            found = rows(worker, NEXT_JOB)
            if not found:
                break
            worker.execute("UPDATE jobs SET state = 'done' WHERE id = ?", [found[0][0]])
            worker.execute("COMMIT")
            taken.append(found[0][0])
        worker.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(12))
    assert rows(session, "SELECT count(*) FROM jobs WHERE state = 'new'") == [(0,)]


def test_skipping_goes_past_more_locked_rows_than_were_read_ahead(session: Session, other: Session) -> None:
    for number in range(12, 60):
        session.execute("INSERT INTO jobs VALUES (?, 'new')", [number])
    session.execute("BEGIN")
    assert len(rows(session, "SELECT id FROM jobs WHERE id < 58 FOR UPDATE")) == 58
    other.execute("BEGIN")
    assert rows(other, NEXT_JOB) == [(58,)]
    assert rows(other, "SELECT id FROM jobs ORDER BY id FOR UPDATE SKIP LOCKED") == [(58,), (59,)]
    assert rows(other, "SELECT id FROM jobs ORDER BY id LIMIT 5 OFFSET 1 FOR UPDATE SKIP LOCKED") == [(59,)]


def test_only_rows_that_are_given_stay_locked(session: Session, other: Session) -> None:
    session.execute("BEGIN")
    assert rows(session, NEXT_JOB) == [(0,)]
    other.execute("BEGIN")
    assert rows(other, "SELECT id FROM jobs WHERE id > 0 ORDER BY id FOR UPDATE NOWAIT") == [
        (number,) for number in range(1, 12)
    ]


def test_nowait_raises_where_a_row_is_locked(session: Session, other: Session) -> None:
    session.execute("BEGIN")
    rows(session, "SELECT * FROM jobs WHERE id = 3 FOR UPDATE")
    assert state_of(other, "SELECT * FROM jobs WHERE id = 3 FOR UPDATE NOWAIT") == "55P03"
    assert rows(other, "SELECT id FROM jobs WHERE id = 4 FOR UPDATE NOWAIT") == [(4,)]


def test_shared_row_locks_go_together(session: Session, other: Session) -> None:
    session.execute("BEGIN")
    rows(session, "SELECT * FROM jobs WHERE id = 3 FOR SHARE")
    assert rows(other, "SELECT id FROM jobs WHERE id = 3 FOR KEY SHARE NOWAIT") == [(3,)]
    assert state_of(other, "SELECT * FROM jobs WHERE id = 3 FOR UPDATE NOWAIT") == "55P03"


@pytest.mark.parametrize(
    "first", ["UPDATE jobs SET state = 'old' WHERE id = 3", "SELECT * FROM jobs FOR UPDATE"]
)
def test_who_waited_sees_what_was_committed_meanwhile(
    database: Database, session: Session, first: str
) -> None:
    session.execute("BEGIN")
    session.execute(first)
    with Beside(
        database, "BEGIN", "SELECT id, state FROM jobs WHERE state = 'new' AND id IN (3, 4) FOR UPDATE"
    ) as waiting:
        until(lambda: rows(session, "SHOW LOCKS WHERE NOT granted") != [])
        session.execute("UPDATE jobs SET state = 'old' WHERE id = 3")
        session.execute("COMMIT")
        assert waiting.rows() == [(4, "new")]


def test_a_limit_takes_the_next_row_if_the_first_was_changed_while_it_waited(
    database: Database, session: Session
) -> None:
    session.execute("BEGIN")
    rows(session, "SELECT * FROM jobs WHERE id = 0 FOR UPDATE")
    with Beside(
        database, "BEGIN", "SELECT id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE"
    ) as waiting:
        until(lambda: rows(session, "SHOW LOCKS WHERE NOT granted") != [])
        session.execute("UPDATE jobs SET state = 'done' WHERE id = 0")
        session.execute("COMMIT")
        assert waiting.rows() == [(1,)]
        assert rows(session, "SELECT id FROM jobs WHERE id = 0 FOR UPDATE NOWAIT") == [(0,)]


def test_a_locked_row_is_not_changed_by_others(session: Session, other: Session) -> None:
    session.execute("BEGIN")
    rows(session, "SELECT * FROM jobs WHERE id = 3 FOR UPDATE")
    other.execute("SET lock_timeout = '20ms'")
    for sql in (
        "UPDATE jobs SET state = 'x' WHERE id = 3",
        "DELETE FROM jobs",
        "DELETE FROM jobs WHERE state = 'new'",
    ):
        assert state_of(other, sql) == "55P03"
    other.execute("UPDATE jobs SET state = 'x' WHERE id = 4")
    session.execute("COMMIT")
    other.execute("DELETE FROM jobs WHERE id = 3")


def test_without_a_transaction_the_locks_end_with_the_statement(session: Session, other: Session) -> None:
    assert rows(session, NEXT_JOB) == [(0,)]
    assert rows(other, NEXT_JOB) == [(0,)]
    assert rows(session, "SHOW LOCKS") == []


def test_errors_have_their_place_in_the_user_s_text(session: Session) -> None:
    sql = "SELECT id, FROM jobs WHERE id = ? AND nonsense > 1 ORDER BY id FOR UPDATE SKIP LOCKED"
    with pytest.raises(Error) as caught:
        session.execute(sql, [1])
    assert caught.value.position == sql.index("nonsense") + 1


def test_parameters_also_in_the_limit(session: Session) -> None:
    sql = "SELECT id FROM jobs WHERE id >= ? ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED"
    assert session.execute(sql, [3, 2]).fetchall() == [(3,), (4,)]
    named = "SELECT id FROM jobs WHERE id >= $low ORDER BY id LIMIT $n FOR UPDATE"
    assert session.execute(named, {"low": 3, "n": 2}).fetchall() == [(3,), (4,)]


def test_tables_without_a_shard_key_are_locked_as_a_whole(session: Session, other: Session) -> None:
    session.execute("CREATE TABLE words (word VARCHAR) REFERENCE")
    session.execute("INSERT INTO words VALUES ('a'), ('b')")
    session.execute("BEGIN")
    assert rows(session, "SELECT * FROM words WHERE word = 'a' FOR UPDATE") == [("a",)]
    assert state_of(other, "SELECT * FROM words WHERE word = 'b' FOR UPDATE NOWAIT") == "55P03"
    assert rows(other, "SELECT * FROM words ORDER BY word FOR UPDATE SKIP LOCKED") == []


def test_text_that_only_looks_like_a_clause_is_a_plain_query(session: Session) -> None:
    assert rows(session, "SELECT 'for update'") == [("for update",)]
    assert rows(session, "SELECT substring('update' FROM 1 FOR 2) AS share") == [("up",)]


def test_repeatable_read_refuses_rows_that_others_have_changed_since(
    session: Session, other: Session
) -> None:
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    rows(session, "SELECT * FROM jobs")
    other.execute("UPDATE jobs SET state = 'x' WHERE id = 3")
    assert rows(session, "SELECT id FROM jobs WHERE id = 4 FOR UPDATE") == [(4,)]
    assert state_of(session, "SELECT * FROM jobs WHERE id = 3 FOR UPDATE") == "40001"


def test_explain_and_prepare_take_such_queries(session: Session, other: Session) -> None:
    lines = [line for (line,) in rows(session, f"EXPLAIN {NEXT_JOB}")]
    assert any("jobs" in line for line in lines)
    assert rows(session, "EXPLAIN ROUTE SELECT * FROM jobs WHERE id = 3 FOR UPDATE")
    session.execute(
        "PREPARE next AS SELECT id FROM jobs WHERE id >= ? ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED"
    )
    session.execute("BEGIN")
    assert rows(session, "EXECUTE next(3, 2)") == [(3,), (4,)]
    assert state_of(other, "SELECT * FROM jobs WHERE id = 4 FOR UPDATE NOWAIT") == "55P03"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("VARCHAR", "'Größe'"),
        ("DATE", "'2026-02-28'"),
        ("TIMESTAMP", "'2026-02-28 12:34:56.789012'"),
        ("UUID", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"),
        ("BOOLEAN", "true"),
        ("HUGEINT", "170141183460469231731687303715884105727"),
        ("UTINYINT", "255"),
        ("DECIMAL(10, 2)", "1.50"),
        ("DOUBLE", "1.5"),
        ("TIMESTAMP_NS", "'2026-02-28 12:34:56.789012345'"),
        ("INTERVAL", "'1 month'"),
        ("BLOB", "'\\xAA\\xBB'"),
    ],
)
def test_keys_of_every_type_are_those_that_changes_lock(
    session: Session, other: Session, kind: str, value: str
) -> None:
    session.execute(f"CREATE TABLE typed (k {kind}, v INTEGER) SHARD BY HASH (k)")
    session.execute(f"INSERT INTO typed VALUES ({value}, 1)")
    other.execute("SET lock_timeout = '20ms'")
    session.execute("BEGIN")
    assert len(rows(session, "SELECT * FROM typed FOR UPDATE")) == 1
    for sql in (f"UPDATE typed SET v = 2 WHERE k = {value}", f"INSERT INTO typed VALUES ({value}, 3)"):
        assert state_of(other, sql) == "55P03"
    session.execute("ROLLBACK")
    other.execute(f"UPDATE typed SET v = 2 WHERE k = {value}")


def test_keys_of_several_columns_and_of_null(session: Session, other: Session) -> None:
    session.execute("CREATE TABLE pairs (a INTEGER, b VARCHAR, v INTEGER) SHARD BY HASH (a, b)")
    session.execute("INSERT INTO pairs VALUES (1, 'x', 0), (1, 'y', 0), (NULL, 'z', 0)")
    other.execute("SET lock_timeout = '20ms'")
    session.execute("BEGIN")
    assert len(rows(session, "SELECT v FROM pairs WHERE b <> 'y' FOR UPDATE")) == 2
    assert state_of(other, "UPDATE pairs SET v = 1 WHERE a = 1 AND b = 'x'") == "55P03"
    assert state_of(other, "INSERT INTO pairs VALUES (NULL, 'z', 1)") == "55P03"
    other.execute("UPDATE pairs SET v = 1 WHERE a = 1 AND b = 'y'")


def test_a_temporary_table_in_the_place_of_a_table_is_not_locked(session: Session) -> None:
    session.execute("CREATE TEMP TABLE jobs AS SELECT 'mine' AS state")
    assert state_of(session, "SELECT * FROM jobs FOR UPDATE") == "0A000"
    assert rows(session, "SELECT state, 'for update' FROM jobs") == [("mine", "for update")]
    assert rows(session, "SELECT state, 'pg_advisory_lock(1)' FROM jobs") == [("mine", "pg_advisory_lock(1)")]
