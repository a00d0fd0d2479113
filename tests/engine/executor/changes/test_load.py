"""Loading in bulk: failures stop it and undo it, memory stays bounded, no thread is left."""

from __future__ import annotations

import threading

import pytest

from duckraft.engine.database import Database
from duckraft.engine.executor.changes import load
from duckraft.engine.executor.changes.scatter import Piece
from duckraft.engine.session import Session
from tests.engine.executor.support import contents, error_of, rows


def loaders() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("duckraft-load")]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB gives Arrow no fewer than a vector of 2048 rows."""
    monkeypatch.setattr(load, "BATCH_ROWS", 2048)


@pytest.mark.parametrize("bad", [0, 30_000, 99_999])
def test_a_writer_that_fails_stops_the_others(database: Database, session: Session, bad: int) -> None:
    session.execute("CREATE TABLE t (k INT, v INT CHECK (v >= 0)) SHARD BY HASH (k)")
    session.execute("INSERT INTO t SELECT range, 1 FROM range(100)")
    before = contents(database)
    error = error_of(session, f"INSERT INTO t SELECT range, if(range = {bad}, -1, 1) FROM range(100000)")
    assert error.sqlstate == "23514"
    assert contents(database) == before
    assert loaders() == []


def test_a_reader_that_fails_stops_the_writers(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE t (k INT) SHARD BY HASH (k)")
    error = error_of(
        session, "INSERT INTO t SELECT if(range = 90000, 'x', range::VARCHAR)::INT FROM range(100000)"
    )
    assert error.sqlstate == "22P02"
    assert rows(session, "SELECT count(*) FROM t") == [(0,)]
    assert loaders() == []


def test_a_row_without_a_shard_in_the_middle_undoes_all(session: Session) -> None:
    session.execute("CREATE TABLE t (k INT) SHARD BY RANGE (k) (VALUES LESS THAN (1000), (90000))")
    error = error_of(session, "INSERT INTO t SELECT range FROM range(100000)")
    assert error.sqlstate == "23514"
    assert rows(session, "SELECT count(*) FROM t") == [(0,)]
    assert loaders() == []


def test_queues_are_bounded(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.execute("CREATE TABLE t (k INT) SHARD BY HASH (k)")
    deepest = 0
    put = load._Lane.put

    def watched(lane: load._Lane, piece: Piece) -> None:
        nonlocal deepest
        put(lane, piece)
        deepest = max(deepest, lane._queue.qsize())

    monkeypatch.setattr(load._Lane, "put", watched)
    session.execute("INSERT INTO t SELECT range FROM range(300000)")
    assert 0 < deepest <= load.QUEUED_BATCHES
    assert rows(session, "SELECT count(*), sum(k) FROM t") == [(300000, 300000 * 299999 // 2)]


def test_an_unforeseen_fault_in_a_writer_is_raised_and_undone(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.execute("CREATE TABLE t (k INT) SHARD BY HASH (k)")

    def broken(*_: object) -> None:
        raise RuntimeError("out of luck")

    with monkeypatch.context() as patch:
        patch.setattr(load, "_arriving", broken)
        with pytest.raises(RuntimeError, match="out of luck"):
            session.execute("INSERT INTO t SELECT range FROM range(10)")
    assert rows(session, "SELECT count(*) FROM t") == [(0,)]


def test_cancelling_a_load_undoes_it(session: Session) -> None:
    session.execute("CREATE TABLE t (k BIGINT) SHARD BY HASH (k)")
    started = threading.Event()
    put = load._Lane.put

    def announce(lane: load._Lane, piece: Piece) -> None:
        started.set()
        put(lane, piece)

    def cancel() -> None:
        assert started.wait(30)
        session.cancel()

    canceller = threading.Thread(target=cancel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load._Lane, "put", announce)
        canceller.start()
        error = error_of(session, "INSERT INTO t SELECT range FROM range(10000000000)")
    canceller.join()
    assert error.sqlstate == "57014"
    assert rows(session, "SELECT count(*) FROM t") == [(0,)]
    assert loaders() == []
