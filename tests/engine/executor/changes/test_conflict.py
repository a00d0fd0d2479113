"""ON CONFLICT DO UPDATE that sets the shard key: rows in conflict move."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from tests.engine.executor.support import contents, error_of, rows


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: 6 rows over three shards."""
    session.execute("CREATE TABLE t (k INT PRIMARY KEY, a INT DEFAULT 7, v VARCHAR) SHARD BY HASH (k)")
    session.execute("INSERT INTO t SELECT range, range, 'v' FROM range(6)")


@pytest.mark.parametrize(
    "source", ["VALUES (4, 1, 'x'), (9, 2, 'y')", "SELECT unnest([4, 9]), unnest([1, 2]), 'x'"]
)
@pytest.mark.parametrize("target", ["", "(k) "])
def test_a_row_in_conflict_moves(session: Session, source: str, target: str) -> None:
    sql = f"INSERT INTO t {source} ON CONFLICT {target}DO UPDATE SET k = t.k + 100, a = excluded.a + a RETURNING k, a"
    result = session.execute(sql)
    assert (sorted(result.fetchall()), result.tag) == ([(9, 2), (104, 5)], "INSERT 0 2")
    assert rows(session, "SELECT a, v FROM t WHERE k = 104") == [(5, "v")]
    assert rows(session, "SELECT count(*) FROM t WHERE k = 4") == [(0,)]


def test_a_condition_keeps_a_row_where_it_is(session: Session) -> None:
    sql = "INSERT INTO t AS x VALUES (4, 1, 'x') ON CONFLICT (k) DO UPDATE SET k = ? WHERE x.a > ?"
    assert session.execute(sql, [50, 4]).rowcount == 0
    assert session.execute(sql, [50, 3]).rowcount == 1


def test_of_new_rows_with_one_key_the_first_counts(session: Session) -> None:
    new = "(4, 1, 'x'), (4, 2, 'y'), (8, 1, 'x'), (8, 2, 'y')"
    sql = f"INSERT INTO t VALUES {new} ON CONFLICT (k) DO UPDATE SET k = 70, a = excluded.a"
    assert session.execute(sql).tag == "INSERT 0 2"
    assert rows(session, "SELECT k, a FROM t WHERE k > 5 ORDER BY k") == [(8, 1), (70, 1)]


@pytest.mark.parametrize(
    ("tail", "sqlstate"),
    [
        ("ON CONFLICT (k) DO UPDATE SET k = 5", "23505"),
        ("ON CONFLICT (k) DO UPDATE SET k = NULL", "23502"),
        ("ON CONFLICT (k) DO UPDATE SET k = nosuch", "42703"),
    ],
)
def test_an_error_changes_nothing(database: Database, session: Session, tail: str, sqlstate: str) -> None:
    before = contents(database)
    assert error_of(session, f"INSERT INTO t VALUES (4, 1, 'x'), (11, 1, 'x') {tail}").sqlstate == sqlstate
    assert contents(database) == before


def test_a_table_with_two_constraints_needs_the_columns_named(session: Session) -> None:
    session.execute("CREATE TABLE two (k INT PRIMARY KEY, a INT, UNIQUE (a, k)) SHARD BY HASH (k)")
    session.execute("INSERT INTO two VALUES (1, 1)")
    assert (
        error_of(session, "INSERT INTO two VALUES (1, 1) ON CONFLICT DO UPDATE SET k = 2").sqlstate == "42000"
    )
    assert session.execute("INSERT INTO two VALUES (1, 1) ON CONFLICT (k) DO UPDATE SET k = 2").rowcount == 1
