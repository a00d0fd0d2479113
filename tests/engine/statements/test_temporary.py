"""Temporary tables beside sharded ones, and in the place of those of the same name."""

from __future__ import annotations

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows

SHARDED = [
    "CREATE TABLE t (k INT, v INT) SHARD BY HASH (k)",
    "INSERT INTO t SELECT range, range FROM range(10)",
    "CREATE TABLE u (k INT) SHARD BY HASH (k)",
    "INSERT INTO u SELECT range FROM range(3)",
]


@pytest.fixture(autouse=True)
def tables(database: Database) -> None:
    """t and u, made by another session."""
    with database.session() as session:
        for sql in SHARDED:
            session.execute(sql)


@pytest.mark.parametrize(
    "script",
    [
        [
            "CREATE TEMP TABLE x AS SELECT k, v FROM t WHERE v > 4",
            "SELECT count(*), sum(v) FROM x JOIN t USING (k, v)",
        ],
        [
            "CREATE TEMP TABLE t AS SELECT 100 AS k",
            "FROM t",
            "SELECT * FROM t WHERE k = 100",
            "DESCRIBE t",
            "SUMMARIZE t",
        ],
        [
            "CREATE TEMP TABLE t AS SELECT 2 AS k",
            "SELECT u.k FROM u JOIN t USING (k)",
            "SELECT (SELECT k FROM t) FROM u",
        ],
        [
            "CREATE TEMP TABLE t (k INT)",
            "INSERT INTO t VALUES (1), (2) RETURNING k",
            "INSERT INTO u FROM t",
            "FROM u",
        ],
        [
            "CREATE TEMP TABLE t (k INT)",
            "WITH c AS (SELECT 7 AS k) INSERT INTO t FROM c",
            "FROM t",
            "FROM memory.main.t",
        ],
        [
            "CREATE TEMP TABLE t AS SELECT 7 AS k",
            "UPDATE t SET k = 8 RETURNING k",
            "DELETE FROM t WHERE k = 8",
            "FROM t",
        ],
        [
            "CREATE TEMP TABLE t AS SELECT 7 AS k",
            "ALTER TABLE t ADD COLUMN w INT",
            "TRUNCATE t",
            "FROM t",
            "DROP TABLE t",
            "FROM t",
        ],
        ["CREATE TEMP TABLE t AS SELECT 7 AS k", "ALTER TABLE t RENAME TO x", "FROM t", "FROM x"],
        [
            "CREATE TEMP TABLE t AS SELECT 7 AS k",
            "CREATE TABLE c AS FROM t",
            "FROM c",
            "CREATE TABLE t (z INT)",
        ],
        [
            "CREATE TEMP TABLE x AS SELECT 7 AS k",
            "CREATE TABLE x AS SELECT 8 AS k",
            "FROM x",
            "DROP TABLE x",
            "FROM x",
        ],
        ["CREATE TEMP VIEW t AS SELECT 'mine' AS k", "FROM t", "DROP VIEW t", "FROM t"],
        [
            "CREATE OR REPLACE TEMP TABLE t AS SELECT 1 AS k",
            "CREATE OR REPLACE TEMP TABLE t AS FROM t",
            "FROM t",
        ],
    ],
    ids=range(12),
)
def test_a_name_means_what_it_means_in_duckdb(session: Session, script: list[str]) -> None:
    plain = duckdb.connect()
    for sql in (*(sql.split(" SHARD")[0] for sql in SHARDED), *script):
        try:
            found = sorted(map(repr, plain.execute(sql).fetchall()))
        except duckdb.Error:
            assert sql in script, sql
            error_of(session, sql)
            continue
        if sql not in script:
            continue
        answer = sorted(map(repr, rows(session, sql)))
        if answer or sql.split()[0] in ("FROM", "SELECT", "DESCRIBE"):
            assert answer == found, sql


def test_other_sessions_see_the_table_of_the_database(database: Database, session: Session) -> None:
    session.execute("CREATE TEMP TABLE t AS SELECT 100 AS k")
    session.execute("CREATE TEMP TABLE later AS SELECT 1 AS x")
    other = database.session()
    other.execute("CREATE TABLE later SHARD BY HASH (x) AS SELECT range AS x FROM range(5)")
    assert rows(other, "SELECT count(*) FROM t") == [(10,)]
    assert rows(session, "SELECT x FROM later") == [(1,)]
    assert rows(session, "SELECT x FROM later WHERE x = 1") == [(1,)]
    assert len(rows(other, "SELECT x FROM later")) == 5
    session.execute("INSERT INTO memory.main.later VALUES (77)")
    assert rows(other, "SELECT x FROM later WHERE x = 77") == [(77,)]


def test_a_known_shape_of_statement_is_not_routed_past_it(session: Session) -> None:
    for key in (3, 4):
        assert rows(session, f"SELECT v FROM t WHERE k = {key}") == [(key,)]
    session.execute("CREATE TEMP TABLE t AS SELECT 3 AS k, 'mine' AS v")
    assert rows(session, "SELECT v FROM t WHERE k = 3") == [("mine",)]
    assert rows(session, "SELECT v FROM t WHERE k = 4") == []
    session.execute("DROP TABLE t")
    assert rows(session, "SELECT v FROM t WHERE k = 3") == [(3,)]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE u SET k = 9 FROM t WHERE t.k = u.k",
        "DELETE FROM u USING t WHERE t.k = u.k",
        "EXPLAIN ROUTE FROM t",
    ],
)
def test_what_is_planned_by_names_is_refused(session: Session, sql: str) -> None:
    session.execute("CREATE TEMP TABLE t AS SELECT 2 AS k")
    error = error_of(session, sql)
    assert (error.sqlstate, bool(error.hint)) == ("0A000", True)
    session.execute("ALTER TABLE t RENAME TO mine")
    session.execute(sql)
