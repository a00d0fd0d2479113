"""Histories that real databases make, and what the checker says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from .checker import check
from .clients import Plain, Sharded, transaction
from .history import Append, Level, Outcome, Read, Transaction
from .runner import Settings, atomic_reads, run
from .versions import Kind


def test_one_plain_duckdb_gives_snapshots_and_is_not_serializable() -> None:
    store = Plain()
    found = run(store, Settings(Level.REPEATABLE_READ, transactions=250, sessions=8, keys=6))
    store.close()
    committed = [each for each in found.history if each.outcome is Outcome.OK]
    assert len(committed) == 251
    assert len(found.history) == 251 + sum(found.retried.values())
    report = check(found.history, real_time=True)
    assert report.against(Level.REPEATABLE_READ) == ()
    assert Kind.G2_ITEM in {each.kind for each in report.anomalies}
    assert check(atomic_reads(found.history), real_time=True).anomalies == ()


@pytest.mark.parametrize("level", list(Level), ids=str)
def test_a_sharded_database_keeps_what_its_levels_promise(level: Level, tmp_path: Path) -> None:
    store = Sharded(tmp_path / "database", shards=4)
    found = run(store, Settings(level, transactions=150, sessions=6, keys=8))
    store.close()
    # Read uncommitted is served as read committed.
    broken = check(found.history, real_time=True).against(max(level, Level.READ_COMMITTED))
    assert not broken, "\n\n".join(map(str, broken))
    broken = check(atomic_reads(found.history), real_time=True).anomalies
    assert not broken, "\n\n".join(map(str, broken))


def test_a_read_that_is_lost_from_a_real_history_is_found() -> None:
    store = Plain()
    history = list(run(store, Settings(Level.REPEATABLE_READ, transactions=100, sessions=4)).history)
    store.close()
    last = history[-1]
    shorter = tuple(replace(read, values=read.values[:-1]) for read in last.reads())
    history[-1] = replace(last, operations=shorter)
    report = check(history, real_time=True)
    assert Kind.STALE in {each.kind for each in report.against(Level.READ_COMMITTED)}


def test_half_a_transaction_in_a_single_statement_is_found_at_every_level() -> None:
    history = [
        Transaction(1, (Append(1, 1), Append(2, 2), Read(1, (1,)))),
        Transaction(2, (Read(1, (1,)), Read(2, ())), atomic=True),
        Transaction(3, (Read(1, (1,)), Read(2, ()))),
    ]
    assert Kind.G_SINGLE in {each.kind for each in check(atomic_reads(history)).anomalies}
    assert check(atomic_reads([history[0], history[2]])).anomalies == ()


def test_the_choices_of_a_session_hang_on_the_seed_alone() -> None:
    def operations(seed: int) -> list[str]:
        store = Plain()
        found = run(store, Settings(Level.SERIALIZABLE, transactions=50, sessions=1, seed=seed))
        store.close()
        return [str(each) for each in found.history]

    assert operations(1) == operations(1) != operations(2)


def test_a_transaction_that_fails_is_rolled_back() -> None:
    store = Plain()
    execute = store.connect()
    execute("CREATE TABLE t (i INTEGER)")

    def work() -> None:
        execute("INSERT INTO t VALUES (1)")
        execute("SELECT nosuch")

    error = transaction(execute, "BEGIN", work)
    assert error is not None
    assert error.sqlstate == "42703"
    assert execute("SELECT * FROM t") == []
    store.close()
