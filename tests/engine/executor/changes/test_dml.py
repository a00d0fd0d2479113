"""UPDATE, DELETE and TRUNCATE on shards: what changes, what is refused, and that an error changes nothing."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from tests.engine.executor.support import contents, error_of, rows


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """t: 20 rows over three shards, co-located with u; r: a reference table."""
    for sql in (
        "CREATE TABLE t (k INT, b INT, v VARCHAR NOT NULL, PRIMARY KEY (k, b), CHECK (b < 100)) SHARD BY HASH (k)",
        "INSERT INTO t SELECT range, range, 'v' FROM range(20)",
        "CREATE TABLE u (k INT, w INT) SHARD BY HASH (k) COLOCATE WITH t",
        "INSERT INTO u SELECT range, range * 10 FROM range(0, 20, 2)",
        "CREATE TABLE r (id INT PRIMARY KEY, name VARCHAR) REFERENCE",
        "INSERT INTO r VALUES (1, 'one'), (2, 'two'), (3, 'three')",
    ):
        session.execute(sql)


@pytest.mark.parametrize(
    ("sql", "parameters", "tag", "check", "expected"),
    [
        ("UPDATE t SET v = 'x'", None, "UPDATE 20", "SELECT count(*) FROM t WHERE v = 'x'", 20),
        ("UPDATE t SET v = 'x' WHERE k = ?", [7], "UPDATE 1", "SELECT k FROM t WHERE v = 'x'", 7),
        ("UPDATE t SET v = $w WHERE k > $k", {"w": "x", "k": 9}, "UPDATE 10", "SELECT min(k) FROM t WHERE v = 'x'", 10),
        ("UPDATE t SET b = b + 50", None, "UPDATE 20", "SELECT sum(b) FROM t", 190 + 1000),
        ("UPDATE t SET v = r.name FROM r WHERE r.id = t.b", None, "UPDATE 3", "SELECT v FROM t WHERE k = 3", "three"),
        ("UPDATE t SET b = w FROM u WHERE u.k = t.k AND w < 100", None, "UPDATE 5", "SELECT b FROM t WHERE k = 8", 80),
        ("DELETE FROM t", None, "DELETE 20", "SELECT count(*) FROM t", 0),
        ("DELETE FROM t WHERE k IN (1, 2, 99)", None, "DELETE 2", "SELECT count(*) FROM t", 18),
        ("DELETE FROM t WHERE b IN (SELECT id FROM r)", None, "DELETE 3", "SELECT min(k + b) FROM t WHERE k > 0", 8),
        ("DELETE FROM t USING u WHERE t.k = u.k", None, "DELETE 10", "SELECT count(*) FROM t", 10),
        ("WITH c AS (SELECT 5 x) DELETE FROM t WHERE k = (FROM c)", None, "DELETE 1", "SELECT count(*) FROM t", 19),
        ("DELETE FROM t WHERE k = 5 AND k = 6", None, "DELETE 0", "SELECT count(*) FROM t", 20),
        ("UPDATE r SET name = 'x' WHERE id = 1", None, "UPDATE 1", "SELECT name FROM r WHERE id = 1", "x"),
        ("DELETE FROM r WHERE id IN (SELECT id FROM r WHERE id > 1)", None, "DELETE 2", "SELECT count(*) FROM r", 1),
        ("TRUNCATE t", None, "TRUNCATE", "SELECT count(*) FROM t", 0),
        ("TRUNCATE TABLE main.t", None, "TRUNCATE", "SELECT count(*) FROM t", 0),
    ],
)  # fmt: skip
def test_a_change_reaches_all_its_rows(
    session: Session, sql: str, parameters: list[int] | None, tag: str, check: str, expected: object
) -> None:
    assert session.execute(sql, parameters).tag == tag
    assert rows(session, check) == [(expected,)]


def test_returning_gives_the_rows_of_all_shards(session: Session) -> None:
    result = session.execute("DELETE FROM t WHERE k < 5 RETURNING k, v AS word")
    assert [column.name for column in result.columns] == ["k", "word"]
    assert result.rowcount == 5
    assert sorted(result.fetchall()) == [(k, "v") for k in range(5)]


def test_returning_has_its_columns_where_no_shard_is_touched(session: Session) -> None:
    for sql in ("DELETE FROM t WHERE k = 1 AND k = 2", "UPDATE t SET v = 'x' WHERE k = 1 AND k = 2"):
        result = session.execute(f"{sql} RETURNING k, v AS word")
        assert [column.name for column in result.columns] == ["k", "word"]
        assert (result.fetchall(), result.rowcount) == ([], 0)


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("UPDATE t SET b = 50 + k * 10 WHERE k > 1", "23514"),
        ("UPDATE t SET v = CASE WHEN k = 19 THEN NULL ELSE 'x' END", "23502"),
        ("UPDATE t SET v = 'x' || CAST(CASE WHEN k = 18 THEN 'no' ELSE '1' END AS INT)", "22P02"),
        ("UPDATE t SET nosuch = 1", "42703"),
        ("DELETE FROM t WHERE error('stop') IS NULL OR k = 0", "22023"),
        ("UPDATE t SET v = 'x' WHERE", "42601"),
    ],
)
def test_a_change_that_fails_on_one_shard_changes_none(
    database: Database, session: Session, sql: str, sqlstate: str
) -> None:
    before = contents(database)
    assert error_of(session, sql).sqlstate == sqlstate
    assert contents(database) == before
    assert rows(session, "SELECT count(*) FROM t") == [(20,)]  # and no transaction is left open


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DELETE FROM t WHERE rowid = 1", "rowid"),
        ("UPDATE t SET v = 'x' FROM u WHERE u.rowid = t.b", "rowid"),
        ("DELETE FROM t WHERE t IN (SELECT t FROM t)", "all columns"),
        ("UPDATE t SET b = hash(t.*) FROM u WHERE w = b", "all columns"),
        ("WITH gone AS (DELETE FROM t RETURNING *) SELECT count(*) FROM gone", "a WITH that changes"),
        ("WITH new AS (INSERT INTO t VALUES (1, 1, 'x')) DELETE FROM t", "a WITH that changes"),
    ],
)
def test_what_cannot_be_right_on_shards_is_refused(
    database: Database, session: Session, sql: str, message: str
) -> None:
    before = contents(database)
    error = error_of(session, sql)
    assert error.sqlstate == "0A000"
    assert message in error.message
    assert error.hint
    assert contents(database) == before


def test_what_duckdb_does_not_understand_has_its_message(session: Session) -> None:
    for sql, sqlstate in (
        ("TRUNCATE t, u", "42601"),
        ("DELETE FROM nosuch", "42P01"),
        ("WITH t AS (SELECT 1 AS k) DELETE FROM t", "42000"),
        ("DELETE t WHERE k = 1", "42601"),
    ):
        assert error_of(session, sql).sqlstate == sqlstate


def test_now_is_one_instant_on_all_shards(session: Session) -> None:
    session.execute("CREATE TABLE times (k INT, e TIMESTAMPTZ, d TIMESTAMPTZ DEFAULT now())")
    session.execute("INSERT INTO times (k) SELECT range FROM range(30)")
    session.execute("UPDATE times SET e = now()")
    assert rows(session, "SELECT count(DISTINCT e), count(DISTINCT d) FROM times") == [(1, 1)]


def test_truncate_counts_the_rows(session: Session) -> None:
    assert session.execute("TRUNCATE t").rowcount == 20


def test_positions_of_errors_are_those_of_the_users_text(session: Session) -> None:
    for sql in ("UPDATE t SET v = ? || nosuch WHERE k = ?", "DELETE FROM t WHERE k = ? AND nosuch = ?"):
        assert error_of(session, sql, [1, 2]).position == sql.index("nosuch") + 1


def test_explain_shows_the_shards_and_why_no_shard_can_do_it_alone(session: Session) -> None:
    before = rows(session, "SELECT count(*) FROM t")
    assert rows(session, "EXPLAIN UPDATE t SET v = 'x' WHERE k = 1")[0] == ("UPDATE",)
    lines = [line for (line,) in rows(session, "EXPLAIN DELETE FROM t WHERE k IN (SELECT b FROM u, t)")]
    assert "its rows depend on rows of other shards" in lines[1]
    assert lines[2] == "  u: all 3 shards (read at the gateway)"
    assert "a row whose shard key changes moves" in str(
        rows(session, "EXPLAIN UPDATE t SET k = 1 WHERE b = 2")
    )
    assert rows(session, "EXPLAIN MERGE INTO t USING u USING (k) WHEN MATCHED THEN DELETE")[0] == ("MERGE",)
    assert rows(session, "EXPLAIN TRUNCATE t") == [("TRUNCATE",), ("  t: all 3 shards (every row goes)",)]
    assert error_of(session, "EXPLAIN ROUTE DELETE FROM nosuch").sqlstate == "42P01"
    assert error_of(session, "EXPLAIN DELETE FROM t WHERE b IN (SELECT nosuch FROM u)").sqlstate == "42703"
    assert len(rows(session, "EXPLAIN ROUTE DELETE FROM t")) == 3
    assert rows(session, "EXPLAIN ROUTE DELETE FROM t WHERE k = 1 AND b IN (SELECT w FROM u)")[0][0] == "t"
    assert rows(session, "EXPLAIN ROUTE INSERT INTO r VALUES (9, 'x')")[0][:2] == ("r", 0)
    assert rows(session, "SELECT count(*) FROM t") == before


def test_a_temporary_table_is_changed_at_the_gateway(session: Session) -> None:
    session.execute("CREATE TEMP TABLE mine AS SELECT range AS a FROM range(5)")
    assert session.execute("UPDATE mine SET a = a + 1 WHERE a > 2").rowcount == 2
    assert rows(session, "DELETE FROM mine WHERE a > 3 RETURNING a") == [(4,), (5,)]
    assert session.execute("TRUNCATE mine").tag == "TRUNCATE"
