"""Rows carried to the shards by row number: what RETURNING says of those that move, and what is left behind."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from tests.engine.executor.support import error_of, rows


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: 30 rows over three shards."""
    session.execute("CREATE TABLE t (k INT PRIMARY KEY, a INT CHECK (a < 100)) SHARD BY HASH (k)")
    session.execute("INSERT INTO t SELECT range, range FROM range(30)")


def _staged(database: Database) -> list[str]:
    with database.gateway.asking() as connection:
        found = duck.rows(connection, "SELECT table_name FROM system.main.duckdb_tables()")
    return [name for (name,) in found if name.startswith(("change ", "__duckraft"))]


def test_a_row_that_moves_was_updated(session: Session) -> None:
    result = session.execute(
        "MERGE INTO t AS x USING (SELECT range AS n FROM range(20, 32)) s ON x.k = s.n"
        " WHEN MATCHED THEN UPDATE SET k = n + 1000 WHEN NOT MATCHED THEN INSERT VALUES (n, 1)"
        " RETURNING merge_action, lower(merge_action) || 'd: ' || x.k AS text, 'merge_action' AS word"
    )
    assert [(column.name, column.type) for column in result.columns] == [
        ("merge_action", "VARCHAR"),
        ("text", "VARCHAR"),
        ("word", "VARCHAR"),
    ]
    updated = [("UPDATE", f"updated: {k + 1000}", "merge_action") for k in range(20, 30)]
    inserted = [("INSERT", f"insertd: {k}", "merge_action") for k in (30, 31)]
    assert sorted(result.fetchall()) == sorted(inserted + updated)


@pytest.mark.parametrize("sql", ["UPDATE t SET k = k + 100", "UPDATE t SET k = k + 100, a = a + 80"])
def test_nothing_is_left_at_the_gateway(database: Database, session: Session, sql: str) -> None:
    if "80" in sql:
        assert error_of(session, sql).sqlstate == "23514"
    else:
        session.execute(sql)
    assert _staged(database) == []
    assert rows(session, "SELECT count(*), sum(a) FROM t") == [(30, 435)]


def test_a_row_whose_key_is_set_to_itself_stays(database: Database, session: Session) -> None:
    keys = "SELECT k FROM duckraft_s0.main.t ORDER BY k"
    with database.gateway.asking() as connection:
        before = duck.rows(connection, keys)
        assert session.execute("UPDATE t SET k = k, a = a + 1 RETURNING k").rowcount == 30
        assert duck.rows(connection, keys) == before


def test_explain_analyze_tells_what_each_shard_did(session: Session) -> None:
    lines = [line for (line,) in rows(session, "EXPLAIN ANALYZE UPDATE t SET k = k + 100 WHERE a < 12")]
    assert lines[1].strip().startswith("total: 12 rows")
    assert sum("on local" in line for line in lines) == 3
    lines = [line for (line,) in rows(session, "EXPLAIN ANALYZE TRUNCATE t")]
    assert lines[1].strip().startswith("total: 30 rows")
