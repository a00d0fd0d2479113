"""Sessions: queries and their errors, parameters, system tables, EXPLAIN, several at once, cancelling."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error, InterfaceError
from duckraft.engine.session import Session
from duckraft.engine.types import Parameters
from tests.engine.executor.support import error_of, rows


@pytest.fixture
def table(session: Session) -> None:
    """t: ten rows by hash of k."""
    session.execute("CREATE TABLE t (k INT, v VARCHAR) SHARD BY HASH (k)")
    session.execute("INSERT INTO t SELECT range, 'v' || range FROM range(10)")


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT v FROM t WHERE k = ?", [3]),
        ("SELECT v FROM t WHERE k = $1", (3,)),
        ("SELECT v FROM t WHERE k = $key", {"key": 3}),
        ("SELECT v FROM t WHERE k + 0 = ? AND ? = ?", [3, "a", "a"]),
        ("SELECT max(v) FROM t WHERE v = $v OR $none IS NOT NULL", {"v": "v3", "none": None}),
        ("SELECT v FROM t WHERE k = 3 -- ?", None),
        (" ;; SELECT v FROM t WHERE k = 3 ; -- done", None),
    ],
)
def test_parameters_of_every_style(session: Session, sql: str, parameters: Parameters) -> None:
    for _ in range(2):  # the second time from the plan cache
        assert rows(session, sql, parameters) == [("v3",)]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("sql", "sqlstate", "at"),
    [
        ("SELECT nosuch FROM t", "42703", "nosuch"),
        ("SELECT 'ü鸭', nosuch FROM t WHERE k = 1", "42703", "nosuch"),
        ("SELECT count(*) FROM t GROUP BY nosuch", "42703", "nosuch"),
        ("SELECT * FROM nosuch", "42P01", "nosuch"),
        ("SELECT * FROM t JOIN nosuch USING (k)", "42P01", "nosuch"),
        ("SELEC 1", "42601", "SELEC"),
        ("SELECT k FROM t WHERE k = 'abc' AND v = nosuch", None, None),
        ("SELECT CAST('abc' AS INT) FROM t", "22P02", None),
        ("SELECT 1 FROM t WHERE k = 99999999999999999999999999999999999999999999", None, None),
        ("EXPLAIN SELECT nosuch FROM t", "42703", "nosuch"),
        ("EXPLAIN ROUTE SELECT nosuch FROM t", "42703", "nosuch"),
        ("EXPLAIN DELETE FROM t WHERE nosuch(k", "42601", None),
        ("EXPLAIN", "42601", None),
        ("SHOW SHARDS WHERE nosuch = 1", "42703", "nosuch"),
        ("SELECT nosuch(1)", "42883", "nosuch"),
        ("SELECT 'never closed", "42601", None),
        ("SELECT 1; SELECT 2", "42601", "SELECT 2"),
        ("PREPARE TRANSACTION 'x'", "0A000", None),
        ("EXPLAIN (nosuch) SELECT 1", "42601", "nosuch"),
        ("EXPLAIN (ANALYZE, FORMAT yaml) SELECT 1", "22023", "yaml"),
        ("EXPLAIN (ANALYZE) SELECT nosuch FROM t", "42703", "nosuch"),
        ("EXPLAIN ANALYZE UPDATE t SET nosuch = 1", "42703", None),
        ("EXPLAIN ANALYZE CREATE TABLE u (i INT)", "0A000", "CREATE"),
        ("DETACH duckraft_s0", "42501", "duckraft_s0"),
        ("ATTACH ':memory:' AS duckraft_s9", "42501", "duckraft_s9"),
        ("ATTACH ':memory:' AS duckraft", "42501", None),
        ("DELETE FROM duckraft.tables", "42501", "duckraft"),
    ],
)
def test_errors_have_a_state_and_a_position_in_the_users_text(
    session: Session, sql: str, sqlstate: str | None, at: str | None
) -> None:
    error = error_of(session, sql)
    if sqlstate is not None:
        assert (error.sqlstate, error.message) == (sqlstate, error.message)
    if at is not None:
        assert error.position == sql.index(at) + 1
    if error.position is not None:
        assert 1 <= error.position <= len(sql) + 1
    assert rows(session, "SELECT count(*) FROM t") == [(10,)]


@pytest.mark.usefixtures("table")
def test_system_tables_can_be_asked_like_any_other(session: Session) -> None:
    assert rows(session, "SHOW TABLES") == rows(session, "FROM duckraft.tables")
    assert rows(session, "SELECT table_name, rows, shards FROM duckraft.tables") == [("t", 10, 3)]
    assert rows(session, "SELECT sum(rows) FROM duckraft.shards WHERE table_name = 't'") == [(10,)]
    result = session.execute("SHOW SHARDS WHERE rows > 0 ORDER BY shard DESC LIMIT 1")
    assert (result.tag, result.fetchone()[2]) == ("SHOW", 2)  # type: ignore[index]
    assert rows(session, "SELECT status, shards FROM duckraft.nodes") == [("up", 4)]
    session.execute("CREATE TABLE copied AS SELECT table_name FROM duckraft.tables")
    session.execute("INSERT INTO copied SELECT table_name FROM duckraft.tables")
    assert rows(session, "FROM copied ORDER BY 1") == [("copied",), ("t",), ("t",)]


@pytest.mark.usefixtures("table")
def test_explain_route_tells_shard_and_reason(session: Session) -> None:
    result = session.execute("EXPLAIN ROUTE SELECT * FROM t WHERE k = 3")
    assert [column.name for column in result.columns] == ["table", "shard", "holds", "node", "reason"]
    [(name, shard, holds, node, reason)] = result.fetchall()
    assert (name, node, reason) == ("t", "local", "k = 3")
    assert holds == f"hash part {shard + 1} of 3"
    assert [row[1] for row in rows(session, "EXPLAIN ROUTE FROM t")] == [0, 1, 2]
    assert rows(session, "EXPLAIN SELECT * FROM t WHERE k = 3")[0][0].startswith("Route")


@pytest.mark.usefixtures("table")
def test_a_macro_reads_all_shards_wherever_it_is_called(session: Session) -> None:
    session.execute("CREATE MACRO counted() AS (SELECT count(*) FROM t)")
    for _ in range(2):
        assert rows(session, "SELECT counted() FROM t WHERE k = 1") == [(10,)]
    assert rows(session, "SELECT k FROM t WHERE k + 1 = counted()") == [(9,)]


@pytest.mark.usefixtures("table")
def test_prepared_queries_run_over_all_shards(session: Session) -> None:
    session.execute("PREPARE p AS SELECT count(*) FROM t WHERE k < $1")
    assert rows(session, "EXECUTE p(5)") == [(5,)]
    session.execute("INSERT INTO t VALUES (-1, 'new')")
    assert rows(session, "EXECUTE p(5)") == [(6,)]
    session.execute("DEALLOCATE p")
    assert error_of(session, "EXECUTE p(5)")


@pytest.mark.usefixtures("table")
def test_copy_to_writes_the_rows_of_all_shards(session: Session, tmp_path: object) -> None:
    file = f"{tmp_path}/t.parquet"
    assert session.execute(f"COPY (FROM t ORDER BY k) TO '{file}'").tag == "COPY 10"
    assert rows(session, f"SELECT count(*), sum(k) FROM '{file}'") == [(10, 45)]


def test_times_with_a_zone_can_be_read(session: Session) -> None:
    session.execute("CREATE TABLE z SHARD BY HASH (w) AS SELECT TIMESTAMPTZ '2020-01-01 12:00:00+00' AS w")
    assert rows(session, "SELECT w FROM z")[0][0] == datetime(2020, 1, 1, 12, tzinfo=UTC)


def test_an_empty_statement_does_nothing(session: Session) -> None:
    for sql in ("", " ; ", "-- nothing", "/* at all */;"):
        result = session.execute(sql)
        assert (result.columns, result.tag, result.fetchall()) == ((), "", [])


@pytest.mark.usefixtures("table")
def test_checkpoint_while_a_result_is_open(database: Database, session: Session) -> None:
    result = session.execute("FROM range(100000)")
    assert database.session().execute("CHECKPOINT").tag == "CHECKPOINT"
    assert len(result.fetchall()) == 100000


def test_a_running_query_can_be_cancelled_from_another_thread(session: Session) -> None:
    timer = threading.Timer(0.3, session.cancel)
    timer.start()
    error = error_of(
        session, "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range = -b.range - 1"
    )
    timer.join()
    assert error.sqlstate == "57014"
    assert rows(session, "SELECT 42") == [(42,)]


def test_readers_see_whole_statements_while_a_writer_loads(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE e (a INT) SHARD BY HASH (a) SHARDS 1")
    done = threading.Event()
    faults: list[object] = []

    def read() -> None:
        with database.session() as mine:
            while not done.is_set():
                try:
                    count = rows(mine, "SELECT count(*) FROM e")[0][0]
                    rows(mine, "SHOW SHARDS")
                    rows(mine, "EXPLAIN INSERT INTO e VALUES (1), (2)")
                except Error as error:
                    faults.append(error)
                else:
                    if count % 1000:
                        faults.append(count)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(20):
        session.execute("INSERT INTO e SELECT range FROM range(1000)")
        session.execute("CREATE OR REPLACE VIEW v AS FROM e")
    done.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert rows(session, "SELECT count(*) FROM e") == [(20000,)]


def test_writers_in_several_threads_lose_nothing(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE w (a INT) SHARD BY HASH (a)")

    def write(first: int) -> None:
        with database.session() as mine:
            for number in range(first, first + 10):
                mine.execute("INSERT INTO w VALUES (?)", [number])
            mine.execute("INSERT INTO w SELECT ? + range FROM range(100)", [first + 1000])

    writers = [threading.Thread(target=write, args=(first * 10,)) for first in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert rows(session, "SELECT count(*) FROM w") == [(4 * 110,)]


def test_a_closed_session_is_refused(database: Database) -> None:
    session = database.session()
    result = session.execute("FROM range(10)")
    session.close()
    session.close()
    assert session.closed
    with pytest.raises(InterfaceError):
        session.execute("SELECT 1")
    with pytest.raises(InterfaceError):
        result.fetchall()
