"""Small writes of known shapes do what they do on the road of all other changes, also from many sessions at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error, IntegrityError
from duckraft.engine.executor.changes import dml
from duckraft.engine.session import Session
from duckraft.engine.types import Parameters
from tests.engine.executor.support import contents, error_of, rows

WAIT_S = 60.0
INSERT = "INSERT INTO t VALUES (?, ?, ?)"


@pytest.fixture(autouse=True)
def known(session: Session) -> None:
    """A table whose usual writes are known."""
    session.execute("CREATE TABLE t (k INT PRIMARY KEY, v VARCHAR NOT NULL, n INT) SHARD BY HASH (k)")
    session.execute(INSERT, [0, "zero", 0])
    session.execute("UPDATE t SET n = n + ? WHERE k = ?", [0, 0])
    session.execute("DELETE FROM t WHERE k = ?", [-1])
    session.execute("INSERT INTO t VALUES (90, 'x', 90)")


@pytest.fixture
def only_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is not known fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("this write was not known")

    with monkeypatch.context() as patch:
        patch.setattr(dml, "run", refuse)
        yield


@pytest.mark.usefixtures("only_known")
def test_known_writes(session: Session) -> None:
    assert session.execute(INSERT, [1, "one", 1]).tag == "INSERT 0 1"
    assert session.execute("INSERT INTO t VALUES (2, 'it''s', 2);").tag == "INSERT 0 1"
    result = session.execute("UPDATE t SET n = n + ? WHERE k = ?", [5, 1])
    assert (result.tag, result.rowcount) == ("UPDATE 1", 1)
    assert session.execute("UPDATE t SET n = n + ? WHERE k = ?", [5, 99]).tag == "UPDATE 0"
    assert session.execute("DELETE FROM t WHERE k = ?", [0]).tag == "DELETE 1"
    assert rows(session, "FROM t ORDER BY k") == [(1, "one", 6), (2, "it's", 2), (90, "x", 90)]


def test_rows_of_returning(session: Session) -> None:
    for k in (1, 2):
        result = session.execute("INSERT INTO t VALUES (?, 'x', ?) RETURNING n, k AS key", [k, k + 1])
        assert [column.name for column in result.columns] == ["n", "key"]
        assert (result.fetchall(), result.tag) == ([(k + 1, k)], "INSERT 0 1")


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        (INSERT, [0, "again", 0]),
        (INSERT, [1, None, 0]),
        (INSERT, [1, "x", "not a number"]),
        (INSERT, [1, "x"]),
        (INSERT, [1, "x", 1, 1]),
        ("INSERT INTO t VALUES (1, 'x', 'not a number')", None),
        ("UPDATE t SET n = n + ? WHERE k = ?", ["x", 0]),
    ],
)
def test_errors_are_those_of_the_other_road(
    database: Database, session: Session, sql: str, parameters: Parameters
) -> None:
    found = error_of(session, sql, parameters)
    database.gateway.write_shapes._shapes.clear()
    expected = error_of(session, sql, parameters)
    assert (found.sqlstate, found.message, found.position) == (
        expected.sqlstate,
        expected.message,
        expected.position,
    )


def test_many_sessions_write_at_the_same_time(database: Database, session: Session) -> None:
    def write(worker: int) -> int:
        own, failed = database.session(), 0
        for number in range(30):
            own.execute(INSERT, [1000 + worker * 100 + number, f"{worker}", number])
            try:
                own.execute(INSERT, [1, "one wins", worker])
            except IntegrityError:
                failed += 1
            own.execute("UPDATE t SET n = n + ? WHERE k = ?", [1, 0])
        return failed

    with ThreadPoolExecutor(8) as pool:
        failed = sum(found.result(WAIT_S) for found in [pool.submit(write, worker) for worker in range(8)])
    assert failed == 8 * 30 - 1
    assert rows(session, "SELECT count(*) FROM t WHERE k >= 1000") == [(240,)]
    assert rows(session, "SELECT n FROM t WHERE k = 0") == [(240,)]
    table = database.catalog.tables["main", "t"]
    for (_, shard), found in contents(database).items():
        assert {table.strategy.shard_of([row[0]]) for row in found} <= {shard}


def test_what_was_written_is_there_when_the_database_is_opened_again(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        session.execute("CREATE TABLE s (k INT PRIMARY KEY, n INT) SHARD BY HASH (k)")
        for k in range(20):
            session.execute("INSERT INTO s VALUES (?, 0)", [k])
            session.execute(f"UPDATE s SET n = {k} WHERE k = {k}")
    with Database.open(tmp_path / "db") as database:
        assert rows(database.session(), "FROM s ORDER BY k") == [(k, k) for k in range(20)]


@pytest.mark.usefixtures("only_known")
def test_inside_a_transaction(database: Database, session: Session) -> None:
    session.execute("BEGIN")
    session.execute(INSERT, [1, "mine", 1])
    session.execute("UPDATE t SET n = n + ? WHERE k = ?", [7, 0])
    assert rows(session, "SELECT k, n FROM t WHERE k IN (0, 1) ORDER BY k") == [(0, 7), (1, 1)]
    assert rows(database.session(), "SELECT k, n FROM t WHERE k IN (0, 1)") == [(0, 0)]
    session.execute("ROLLBACK")
    assert rows(session, "SELECT k, n FROM t WHERE k IN (0, 1)") == [(0, 0)]


@pytest.mark.usefixtures("only_known")
def test_a_write_waits_for_a_transaction_that_has_changed_its_key(
    database: Database, session: Session
) -> None:
    session.execute("BEGIN")
    session.execute("UPDATE t SET n = n + ? WHERE k = ?", [7, 0])
    other = database.session()
    other.execute("SET lock_timeout = '10ms'")
    assert error_of(other, "UPDATE t SET n = n + ? WHERE k = ?", [1, 0]).sqlstate == "55P03"
    assert other.execute("UPDATE t SET n = n + ? WHERE k = ?", [1, 90]).tag == "UPDATE 1"
    session.execute("COMMIT")
    assert other.execute("UPDATE t SET n = n + ? WHERE k = ?", [1, 0]).tag == "UPDATE 1"
    assert rows(session, "SELECT n FROM t WHERE k = 0") == [(8,)]


def test_settings_of_the_session_count(session: Session) -> None:
    session.execute("CREATE TABLE z (k INT, moment TIMESTAMPTZ) SHARD BY HASH (k)")
    session.execute("SET TimeZone = 'UTC'")
    for k, zone in ((1, "UTC"), (2, "Asia/Tokyo"), (3, "America/New_York")):
        session.execute(f"SET TimeZone = '{zone}'")
        session.execute("INSERT INTO z VALUES (?, '2020-01-01 12:00:00')", [k])
        session.execute("INSERT INTO z VALUES (?, ?)", [k + 10, "2020-01-01 12:00:00"])
    assert rows(session, "SELECT k, epoch(moment) / 3600 % 24 FROM z ORDER BY k") == [
        *((1, 12.0), (2, 3.0), (3, 17.0), (11, 12.0), (12, 3.0), (13, 17.0))
    ]


def test_a_temporary_table_hides_the_one_that_is_known(session: Session) -> None:
    session.execute("CREATE TEMP TABLE t (k INT, v VARCHAR, n INT)")
    session.execute(INSERT, [5, "mine", 5])
    assert rows(session, "SELECT k FROM temp.t") == [(5,)]
    session.execute("DROP TABLE temp.t")
    assert rows(session, "SELECT count(*) FROM t WHERE k = 5") == [(0,)]


def test_a_macro_of_the_session_counts(session: Session) -> None:
    session.execute("CREATE TEMP MACRO twice(x) AS x || x")
    for k in (5, 6):
        session.execute("INSERT INTO t VALUES (?, twice('a'), 1)", [k])
    assert rows(session, "SELECT k, v FROM t WHERE k IN (5, 6) ORDER BY k") == [(5, "aa"), (6, "aa")]


def test_definitions_may_change_in_between(session: Session) -> None:
    session.execute("ALTER TABLE t ADD COLUMN more INT DEFAULT 8")
    assert error_of(session, INSERT, [1, "x", 1]).sqlstate == "42601"
    session.execute("INSERT INTO t (k, v) VALUES (?, ?)", [1, "x"])
    session.execute("ALTER TABLE t ALTER more SET DEFAULT 9")
    session.execute("INSERT INTO t (k, v) VALUES (?, ?)", [2, "x"])
    assert rows(session, "SELECT k, more FROM t WHERE k IN (1, 2) ORDER BY k") == [(1, 8), (2, 9)]


def test_a_value_that_duckdb_does_not_take_is_the_error_of_its_statement(
    database: Database, session: Session
) -> None:
    for value in ("\ud800", object()):
        with pytest.raises((Error, UnicodeError)):
            session.execute(INSERT, [1, value, 1])
    session.execute(INSERT, [1, "fine", 1])
    assert rows(database.session(), "SELECT v FROM t WHERE k = 1") == [("fine",)]
