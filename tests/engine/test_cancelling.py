"""Cancelling and timing out: statements of every kind, at any moment, with the session usable and nothing half done."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error, QueryCanceledError
from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows

_ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range = -b.range - 1"
_ROWS = 20_000

_STATEMENTS = {
    "routed": "SELECT sum(a.i + b.range) FROM t a, range(100000000) b WHERE a.i = 5",
    "split": "SELECT k, count(*), sum(b.range) FROM t, range(20000) b GROUP BY k",
    "gathered": "SELECT sum(x) FROM (SELECT avg(i) OVER (PARTITION BY k ORDER BY i) AS x FROM t, range(50))",
    "sorted": "SELECT * FROM t, range(50) ORDER BY v DESC",
    "insert": "INSERT INTO t SELECT i + 1000000, k, v FROM t, range(100)",
    "insert staged": "INSERT INTO j SELECT i, '{}' FROM t, range(100)",
    "copy": "COPY t FROM '{file}'",
    "update": "UPDATE t SET v = v || 'x' WHERE i IN (SELECT i FROM t, range(100))",
    "moves": "UPDATE u SET i = i + 1000000",
    "delete": "DELETE FROM t WHERE i IN (SELECT i FROM t, range(100))",
    "create": "CREATE TABLE c AS SELECT t.* FROM t, range(100)",
    "replace": "CREATE OR REPLACE TABLE u AS SELECT t.* FROM t, range(100)",
    "copy to": "COPY (SELECT * FROM t, range(100) ORDER BY v) TO '{out}'",
    "explain": "EXPLAIN ANALYZE SELECT k, count(*), sum(b.range) FROM t, range(20000) b GROUP BY k",
}


@pytest.fixture
def full(session: Session, tmp_path: Path) -> Session:
    """t, u and an empty j: rows by hash of i. The session runs `_STATEMENTS` on them."""
    session.execute("CREATE TABLE t (i BIGINT, k INT, v VARCHAR) SHARD BY HASH (i)")
    session.execute(f"INSERT INTO t SELECT range, range % 100, 'v' || range FROM range({_ROWS})")
    session.execute("CREATE TABLE u (i BIGINT, k INT, v VARCHAR) SHARD BY HASH (i)")
    session.execute("INSERT INTO u FROM t")
    session.execute("CREATE TABLE j (i BIGINT, v JSON) SHARD BY HASH (i)")
    session.execute(f"COPY (SELECT t.* FROM t, range(50)) TO '{tmp_path / 'rows.parquet'}'")
    return session


def _text(name: str, folder: Path) -> str:
    return (
        _STATEMENTS[name].replace("{file}", str(folder / "rows.parquet")).replace("{out}", str(folder / "o"))
    )


def _state(session: Session) -> list[object]:
    """What must be as before after a statement that was cancelled."""
    tables = rows(session, "SELECT table_name FROM duckraft.tables ORDER BY ALL")
    sums = [rows(session, f"SELECT count(*), sum(hash({name})) FROM {name}") for name in ("t", "u", "j")]
    return [tables, *sums]


def _read_all(session: Session, sql: str, pause_s: float = 0) -> None:
    result = session.execute(sql)
    while result.fetchmany(10_000):
        time.sleep(pause_s)


def _error(session: Session, sql: str) -> Error | None:
    """The error that a statement ends with, if it does."""
    try:
        _read_all(session, sql)
    except Error as error:
        return error
    return None


@pytest.mark.parametrize("name", _STATEMENTS)
def test_a_statement_is_cancelled_at_any_moment(full: Session, tmp_path: Path, name: str) -> None:
    delays = random.Random(name)
    for longest_s in (0.002, 0.02, 0.1):
        before = _state(full)
        timer = threading.Timer(delays.uniform(0, longest_s), full.cancel)
        timer.start()
        error = _error(full, _text(name, tmp_path))
        timer.join()
        if error is None:
            full.execute("DROP TABLE IF EXISTS c")
        else:
            assert str(error) == "canceling statement due to user request"
            assert _state(full) == before
        assert rows(full, "SELECT 42") == [(42,)]
    _read_all(full, "INSERT INTO t VALUES (-1, 0, 'a'), (-2, 0, 'b'), (-3, 0, 'c'), (-4, 0, 'd')")
    assert rows(full, "SELECT count(*) FROM t WHERE i < 0") == [(4,)]


@pytest.mark.parametrize("name", ["routed", "split", "sorted", "insert", "create", "moves"])
def test_time_that_is_up_ends_a_statement(full: Session, tmp_path: Path, name: str) -> None:
    before = _state(full)
    rows(full, "SET statement_timeout = '20ms'")
    error = error_of(full, _text(name, tmp_path))
    full.context.statement_timeout_s = None
    assert (error.sqlstate, error.message) == ("57014", "canceling statement due to statement timeout")
    assert _state(full) == before


def test_the_time_of_a_statement_ends_with_its_last_row(session: Session) -> None:
    session.execute("SET statement_timeout = 50")
    with pytest.raises(QueryCanceledError, match="statement timeout"):
        _read_all(session, "FROM range(10000000)", pause_s=0.001)
    done = session.execute("FROM range(10)")
    assert len(done.fetchall()) == 10
    time.sleep(0.1)
    assert done.fetchall() == []


def test_no_time_is_up_without_a_timeout(session: Session) -> None:
    session.execute("SET statement_timeout = '10s'")
    session.execute("SET statement_timeout = 0")
    assert session.context.statement_timeout_s is None
    assert rows(session, "SELECT sum(range) FROM range(1000000)") == [(499999500000,)]


def test_a_cancel_when_nothing_runs_hits_nothing(session: Session) -> None:
    session.cancel()
    assert rows(session, "SELECT 42") == [(42,)]
    session.cancel()
    session.cancel()
    assert rows(session, "SELECT sum(range) FROM range(1000000)") == [(499999500000,)]
    result = session.execute("FROM range(100)")
    result.close()
    session.cancel()
    assert rows(session, "SELECT 43") == [(43,)]


def test_a_cancel_between_two_fetches_ends_the_rows(session: Session) -> None:
    result = session.execute("FROM range(10000000)")
    result.fetchone()
    session.cancel()
    with pytest.raises(QueryCanceledError):
        result.fetchall()
    assert rows(session, "SELECT 42") == [(42,)]


def test_a_cancel_spares_results_that_were_set_aside(session: Session) -> None:
    first = session.execute("FROM range(1000000)")
    first.fetchone()
    timer = threading.Timer(0.1, session.cancel)
    timer.start()
    assert error_of(session, _ENDLESS).sqlstate == "57014"
    timer.join()
    assert len(first.fetchall()) == 999_999


def test_whoever_waits_for_a_writer_can_be_cancelled(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE t (i BIGINT) SHARD BY HASH (i)")
    errors: list[Error] = []
    with database.session() as holder, database.session() as other:
        other.execute("SET statement_timeout = '30ms'")
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(
            target=lambda: errors.append(error_of(other, "INSERT INTO t FROM range(10)"))
        )
        thread.start()
        thread.join(20)
    assert [error.message for error in errors] == ["canceling statement due to statement timeout"]
    assert rows(session, "SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize("binding", ["attached", "streamed"])
def test_every_fragment_stops(full: Session, binding: str) -> None:
    full.context.binding = binding
    timer = threading.Timer(0.1, full.cancel)
    timer.start()
    with pytest.raises(QueryCanceledError, match="due to user request"):
        _read_all(full, "SELECT a.v FROM t a JOIN t b ON a.k = b.k ORDER BY a.v || b.v")
    timer.join()
    assert rows(full, "SELECT count(*) FROM t") == [(_ROWS,)]


@pytest.fixture
def small() -> Iterator[Session]:
    """A session with little memory and a table that is larger."""
    with Database.open(shards=2, threads=1, memory_limit="100MB") as database:
        session = database.session()
        session.execute("CREATE TABLE t (i BIGINT, v VARCHAR) SHARD BY HASH (i)")
        session.execute("INSERT INTO t SELECT range, repeat('x', 100) || range FROM range(100000)")
        yield session


def _used_mb(session: Session) -> float:
    found = rows(session, "SELECT sum(memory_usage_bytes + temporary_storage_bytes) FROM duckdb_memory()")
    return float(found[0][0]) / 1e6


def test_a_query_that_needs_too_much_memory_gives_it_back(small: Session) -> None:
    before_mb = _used_mb(small)
    error = error_of(small, "SELECT list(t.v) FROM t, range(100)")
    assert error.sqlstate == "53200"
    assert _used_mb(small) <= before_mb + 5
    assert rows(small, "SELECT count(*) FROM t") == [(100_000,)]


def test_a_query_that_needs_too_much_disk_gives_it_back(small: Session) -> None:
    before_mb = _used_mb(small)
    small.execute("SET max_temp_directory_size = '1MB'")
    error = error_of(small, "SELECT t.* FROM t, range(50) ORDER BY v DESC")
    assert error.sqlstate == "53100"
    assert _used_mb(small) <= before_mb + 5
    assert rows(small, "SELECT count(*) FROM t") == [(100_000,)]
