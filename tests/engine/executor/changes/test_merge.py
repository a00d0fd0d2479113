"""MERGE INTO sharded tables: every clause, rows that move, errors that change nothing."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.engine.types import Parameters, Row
from tests.engine.executor.support import contents, error_of, rows


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """t: 6 rows over three shards; s: changes for 2 of them, and 2 rows that are new."""
    for sql in (
        "CREATE TABLE t (k INT PRIMARY KEY, a INT DEFAULT 7, v VARCHAR) SHARD BY HASH (k)",
        "INSERT INTO t SELECT range, range, 'v' FROM range(6)",
        "CREATE TABLE s (k INT, a INT, v VARCHAR) SHARD BY EVENLY",
        "INSERT INTO s VALUES (4, 40, 's4'), (5, 50, 's5'), (60, 600, 's60'), (61, 610, NULL)",
    ):
        session.execute(sql)


@pytest.mark.parametrize(
    ("clauses", "parameters", "expected"),
    [
        ("ON t.k = s.k WHEN MATCHED THEN UPDATE SET a = s.a", None, [("UPDATE", 4, 40), ("UPDATE", 5, 50)]),
        ("USING (k) WHEN MATCHED THEN DELETE", None, [("DELETE", 4, 4), ("DELETE", 5, 5)]),
        ("USING (k) WHEN MATCHED THEN UPDATE", None, [("UPDATE", 4, 40), ("UPDATE", 5, 50)]),
        ("USING (k) WHEN MATCHED AND s.a > 40 THEN UPDATE SET *", None, [("UPDATE", 5, 50)]),
        ("USING (k) WHEN MATCHED THEN UPDATE BY NAME", None, [("UPDATE", 4, 40), ("UPDATE", 5, 50)]),
        ("USING (k) WHEN NOT MATCHED THEN INSERT", None, [("INSERT", 60, 600), ("INSERT", 61, 610)]),
        ("USING (k) WHEN NOT MATCHED THEN INSERT *", None, [("INSERT", 60, 600), ("INSERT", 61, 610)]),
        ("USING (k) WHEN NOT MATCHED THEN INSERT BY NAME", None, [("INSERT", 60, 600), ("INSERT", 61, 610)]),
        ("USING (k) WHEN NOT MATCHED BY TARGET THEN INSERT (k) VALUES (s.k)", None,
         [("INSERT", 60, 7), ("INSERT", 61, 7)]),
        ("USING (k) WHEN NOT MATCHED AND s.v IS NULL THEN INSERT VALUES (s.k + $n, DEFAULT, 'x')", {"n": 1},
         [("INSERT", 62, 7)]),
        ("USING (k) WHEN NOT MATCHED BY SOURCE AND t.k > 1 THEN DELETE", None, [("DELETE", 2, 2), ("DELETE", 3, 3)]),
        ("USING (k) WHEN NOT MATCHED BY SOURCE AND t.k > ? THEN UPDATE SET a = DEFAULT", [2], [("UPDATE", 3, 7)]),
        ("USING (k) WHEN MATCHED AND s.k = 4 THEN DO NOTHING WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN DO NOTHING",
         None, [("DELETE", 5, 5)]),
        ("USING (k) WHEN MATCHED AND s.k = 4 THEN DELETE WHEN MATCHED THEN UPDATE SET k = 500, a = t.a + s.a"
         " WHEN NOT MATCHED AND s.k = 60 THEN INSERT (k, a) VALUES (s.k, 1)", None,
         [("DELETE", 4, 4), ("INSERT", 60, 1), ("UPDATE", 500, 55)]),
        ("ON t.k = s.k WHEN MATCHED THEN UPDATE SET a = (SELECT max(a) FROM t)", None,
         [("UPDATE", 4, 5), ("UPDATE", 5, 5)]),
        ("ON t.k = s.k AND random() < 2 WHEN MATCHED AND random() < 2 THEN UPDATE SET a = 1", None,
         [("UPDATE", 4, 1), ("UPDATE", 5, 1)]),
        ("ON false WHEN MATCHED THEN DELETE", None, []),
        ("USING (k) WHEN MATCHED THEN DO NOTHING", None, []),
    ],
)  # fmt: skip
def test_forms_of_merge(
    database: Database, session: Session, clauses: str, parameters: Parameters, expected: list[Row]
) -> None:
    result = session.execute(f"MERGE INTO t USING s {clauses} RETURNING merge_action, t.k, a", parameters)
    assert [column.name for column in result.columns] == ["merge_action", "k", "a"]
    assert (sorted(result.fetchall()), result.tag) == (expected, f"MERGE {len(expected)}")
    everywhere = rows(session, "SELECT k FROM t")
    assert all(rows(session, f"SELECT k FROM t WHERE k = {k}") == [(k,)] for (k,) in everywhere)


@pytest.mark.parametrize("target", ["spread", "copied"])
def test_merge_into_tables_without_a_shard_key(session: Session, target: str) -> None:
    session.execute("CREATE TABLE spread (k INT, v VARCHAR) SHARD BY EVENLY")
    session.execute("CREATE TABLE copied (k INT, v VARCHAR) REFERENCE")
    session.execute(f"INSERT INTO {target} VALUES (1, 'old'), (4, 'old'), (NULL, 'null')")
    merged = (
        f"MERGE INTO {target} AS x USING s ON x.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v, k = x.k + 10"
    )
    tag = session.execute(f"{merged} WHEN NOT MATCHED THEN INSERT (k) VALUES (s.k)").tag
    assert tag == "MERGE 4"
    found = rows(session, f"FROM {target} ORDER BY k NULLS FIRST")
    assert found == [(None, "null"), (1, "old"), (5, None), (14, "s4"), (60, None), (61, None)]


def test_a_source_may_be_any_relation(session: Session) -> None:
    session.execute("CREATE TEMP TABLE mine AS SELECT 1 AS k, 'mine' AS v")
    session.execute("CREATE VIEW seen AS SELECT k + 1 AS k, v FROM t WHERE k = 1")
    for source, on, count in (
        ("mine", "t.k = mine.k", 1),
        ("seen", "t.k = seen.k", 1),
        ("range(3, 4) r(k)", "t.k = r.k", 1),
        ("(s JOIN mine m ON s.k = m.k + 3)", "t.k = s.k", 1),
        ("t AS other", "t.k = other.k", 6),
    ):
        result = session.execute(f"MERGE INTO t USING {source} ON {on} WHEN MATCHED THEN UPDATE SET a = 100")
        assert result.rowcount == count, source


@pytest.mark.parametrize(
    ("clauses", "sqlstate", "message"),
    [
        (
            "WHEN MATCHED AND s.k = 5 THEN ERROR 'five: ' || s.v",
            "23000",
            "WHEN MATCHED AND (s.k = 5): five: s5",
        ),
        ("WHEN NOT MATCHED THEN ERROR", "23000", "WHEN NOT MATCHED"),
        ("WHEN MATCHED THEN UPDATE SET k = 1000", "23505", "1000"),
        ("WHEN NOT MATCHED THEN INSERT (k) VALUES (5)", "23505", "5"),
        ("WHEN NOT MATCHED THEN INSERT DEFAULT VALUES", "23502", "t.k"),
        ("WHEN MATCHED THEN UPDATE SET a = s.v", "22P02", "to INT32"),
        ("WHEN MATCHED THEN UPDATE SET nosuch = 1", "42703", "nosuch"),
        ("WHEN MATCHED THEN DELETE WHEN MATCHED THEN DELETE", "42601", "Unconditional"),
    ],
)
def test_an_error_changes_nothing(
    database: Database, session: Session, clauses: str, sqlstate: str, message: str
) -> None:
    before = contents(database)
    error = error_of(session, f"MERGE INTO t USING s ON t.k = s.k {clauses}")
    assert error.sqlstate == sqlstate
    assert message in error.message
    assert contents(database) == before


@pytest.mark.parametrize("action", ["UPDATE SET a = s.a", "DELETE", "UPDATE SET k = s.a"])
def test_a_row_may_be_hit_once(database: Database, session: Session, action: str) -> None:
    session.execute("INSERT INTO s VALUES (4, 41, 'again')")
    before = contents(database)
    error = error_of(session, f"MERGE INTO t USING s ON t.k = s.k WHEN MATCHED THEN {action}")
    assert "more than once" in error.message
    assert contents(database) == before
    action = f"MERGE INTO t USING s ON t.k = s.k WHEN MATCHED AND s.v = 'again' THEN {action}"
    assert session.execute(action).rowcount == 1


def test_all_columns_of_a_join_must_be_named(session: Session) -> None:
    sql = "MERGE INTO t USING s JOIN t u USING (k) ON t.k = s.k WHEN NOT MATCHED THEN INSERT BY NAME"
    error = error_of(session, sql)
    assert error.sqlstate in ("0A000", "42701", "42000")


def test_positions_of_errors_are_those_of_the_users_text(session: Session) -> None:
    sql = "MERGE INTO t USING s ON t.k = s.k WHEN MATCHED AND s.a > ? THEN UPDATE SET a = ? + nosuch"
    assert error_of(session, sql, [1, 2]).position == sql.index("nosuch") + 1
