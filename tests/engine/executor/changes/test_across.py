"""UPDATE and DELETE that no shard can make alone, and what happens to rows whose shard key changes."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.engine.types import Parameters
from tests.engine.executor.support import contents, error_of, rows


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """t: 12 rows over three shards; s: 6 rows spread evenly; r: a reference table."""
    for sql in (
        "CREATE TABLE t (k INT PRIMARY KEY, a INT DEFAULT 7 CHECK (a < 1000), v VARCHAR NOT NULL,"
        " g INT GENERATED ALWAYS AS (a * 2)) SHARD BY HASH (k)",
        "INSERT INTO t SELECT range, range, 'v' || range FROM range(12)",
        "CREATE TABLE s (n INT, text VARCHAR) SHARD BY EVENLY",
        "INSERT INTO s SELECT range * 2, 's' || range FROM range(6)",
        "CREATE TABLE r (id INT PRIMARY KEY, name VARCHAR) REFERENCE",
        "INSERT INTO r VALUES (1, 'one'), (2, 'two')",
    ):
        session.execute(sql)


@pytest.mark.parametrize(
    ("sql", "parameters", "tag", "check", "expected"),
    [
        ("UPDATE t SET v = text FROM s WHERE s.n = t.a", None, "UPDATE 6", "SELECT v FROM t WHERE k = 4", "s2"),
        ("UPDATE t SET v = ? WHERE a > (SELECT avg(a) + ? FROM t)", ["x", 3], "UPDATE 3",
         "SELECT min(k) FROM t WHERE v = 'x'", 9),
        ("UPDATE t AS x SET v = $w || x.v FROM s WHERE s.n = x.a AND n > $n", {"w": "w", "n": 6}, "UPDATE 2",
         "SELECT v FROM t WHERE k = 8", "wv8"),
        ("WITH few AS (SELECT 3 AS n) UPDATE t SET a = DEFAULT FROM few, s WHERE t.a < few.n AND s.n = t.a", None,
         "UPDATE 2", "SELECT count(*) FROM t WHERE a = 7", 3),
        ("UPDATE main.t SET v = main.t.v || '!' FROM s WHERE main.t.a = s.n", None, "UPDATE 6",
         "SELECT v FROM t WHERE k = 2", "v2!"),
        ("UPDATE memory.main.t SET a = 1 WHERE k = 2", None, "UPDATE 1", "SELECT a FROM t WHERE k = 2", 1),
        ("UPDATE r SET name = v FROM t WHERE t.k = r.id", None, "UPDATE 2", "SELECT name FROM r WHERE id = 2", "v2"),
        ("UPDATE t SET k = 50 WHERE k = 1 AND k = 2", None, "UPDATE 0", "SELECT count(*) FROM t WHERE k = 50", 0),
        ("DELETE FROM t WHERE a IN (SELECT n FROM s)", None, "DELETE 6", "SELECT min(k) FROM t", 1),
        ("DELETE FROM t USING s, s AS z WHERE s.n = t.a AND z.n > s.n", None, "DELETE 5", "SELECT count(*) FROM t", 7),
        ("DELETE FROM t WHERE k IN (SELECT range FROM range(3))", None, "DELETE 3", "SELECT min(k) FROM t", 3),
        ("DELETE FROM t WHERE a > counted()", None, "DELETE 0", "SELECT count(*) FROM t", 12),
        ("DELETE FROM t WHERE k IN (SELECT id FROM mine)", None, "DELETE 1", "SELECT count(*) FROM t", 11),
        ("DELETE FROM t WHERE a < (SELECT count(*) FROM duckraft.nodes)", None, "DELETE 1", "SELECT min(k) FROM t", 1),
    ],
)  # fmt: skip
def test_a_change_reaches_the_rows_that_other_shards_decide_on(
    session: Session, sql: str, parameters: Parameters, tag: str, check: str, expected: object
) -> None:
    session.execute("CREATE MACRO counted() AS (SELECT count(*) FROM t)")
    session.execute("CREATE TEMP TABLE mine AS SELECT 5 AS id")
    assert session.execute(sql, parameters).tag == tag
    assert rows(session, check) == [(expected,)]


def test_returning_gives_the_rows_as_they_are_stored(session: Session) -> None:
    result = session.execute(
        "UPDATE t AS x SET a = n + 1 FROM s WHERE n = x.k AND n > 6 RETURNING *, x.a + 1 AS more"
    )
    assert [column.name for column in result.columns] == ["k", "a", "v", "g", "more"]
    assert sorted(result.fetchall()) == [(8, 9, "v8", 18, 10), (10, 11, "v10", 22, 12)]
    result = session.execute("DELETE FROM t WHERE a > (SELECT max(n) + 100 FROM s) RETURNING k AS gone")
    assert [column.name for column in result.columns] == ["gone"]
    assert (result.fetchall(), result.rowcount) == ([], 0)


def test_a_row_found_twice_is_changed_once(session: Session) -> None:
    session.execute("INSERT INTO s VALUES (4, 'again')")
    result = session.execute("UPDATE t SET v = text FROM s WHERE s.n = t.k AND k = 4 RETURNING v")
    assert result.rowcount == 1
    assert result.fetchone() in (("s2",), ("again",))
    assert session.execute("DELETE FROM t USING s WHERE s.n = t.k").rowcount == 6


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("UPDATE t SET a = 990 + n * 2 FROM s WHERE s.n = t.k", "23514"),
        ("UPDATE t SET v = CASE WHEN n < 10 THEN 'x' END FROM s WHERE s.n = t.k", "23502"),
        ("UPDATE t SET a = CASE WHEN n < 10 THEN '1' ELSE 'x' END FROM s WHERE s.n = t.k", "22P02"),
        ("UPDATE t SET k = 1", "23505"),
        ("UPDATE t SET k = 5 WHERE k = 4", "23505"),
        ("UPDATE t SET k = NULL WHERE k = 4", "23502"),
        ("UPDATE t SET k = k + 100, v = CASE WHEN k = 11 THEN NULL ELSE 'x' END", "23502"),
        ("UPDATE t SET g = 1 FROM s", "42000"),
        ("UPDATE t SET nosuch = 1 FROM s", "42703"),
        ("UPDATE t SET a = sum(n) FROM s", "42803"),
        ("DELETE FROM t WHERE a IN (SELECT nosuch FROM s)", "42703"),
    ],
)
def test_a_change_that_fails_anywhere_changes_nothing(
    database: Database, session: Session, sql: str, sqlstate: str
) -> None:
    before = contents(database)
    assert error_of(session, sql).sqlstate == sqlstate
    assert contents(database) == before
    assert session.execute("UPDATE t SET a = a WHERE k IN (SELECT n FROM s)").rowcount == 6


def test_positions_of_errors_are_those_of_the_users_text(session: Session) -> None:
    for sql in (
        "UPDATE t SET v = ? || nosuch FROM s WHERE n = ?",
        "DELETE FROM t WHERE k = ? AND a IN (SELECT nosuch + ? FROM s)",
        "WITH w AS (SELECT ? AS q) UPDATE t SET a = ? FROM w WHERE nosuch = t.k",
    ):
        assert error_of(session, sql, [1, 2]).position == sql.index("nosuch") + 1


def test_parameters_too_many_or_too_few_are_refused(session: Session) -> None:
    sql = "DELETE FROM t WHERE a IN (SELECT n FROM s WHERE n > ?)"
    assert error_of(session, sql, [1, 2]).sqlstate == "08P01"
    assert error_of(session, sql).sqlstate == "08P01"


def _holds(database: Database, session: Session) -> None:
    """Each row of t is on the shard of its key: a routed query finds it."""
    everywhere = rows(session, "SELECT k FROM t")
    assert all(rows(session, f"SELECT k FROM t WHERE k = {k}") == [(k,)] for (k,) in everywhere)
    assert sum(len(found) for (table, _), found in contents(database).items() if table == "t") == len(
        everywhere
    )


def test_a_row_moves_to_the_shard_of_its_new_key(database: Database, session: Session) -> None:
    session.execute("ALTER TABLE t ADD COLUMN list INTEGER[] DEFAULT [1, 2]")
    result = session.execute(
        "UPDATE t AS x SET k = k + 100, v = 'moved' WHERE k < 9 RETURNING x.k, v, g, list"
    )
    assert sorted(result.fetchall()) == [(k + 100, "moved", k * 2, [1, 2]) for k in range(9)]
    assert result.tag == "UPDATE 9"
    _holds(database, session)


def test_a_key_passes_from_one_row_to_another(database: Database, session: Session) -> None:
    assert session.execute("UPDATE t SET k = 11 - k").tag == "UPDATE 12"
    assert rows(session, "SELECT count(*) FROM t WHERE k = 11 - a") == [(12,)]
    _holds(database, session)


def test_a_row_moves_by_a_join_of_other_shards(database: Database, session: Session) -> None:
    session.execute("UPDATE t SET (k, v) = (n + 1000, text) FROM s WHERE s.n = t.a")
    assert rows(session, "SELECT v FROM t WHERE k = 1004") == [("s2",)]
    _holds(database, session)


def test_a_row_without_a_shard_is_refused_with_its_key(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE small (k INT, v INT) SHARD BY RANGE (k) (VALUES LESS THAN (10))")
    session.execute("INSERT INTO small VALUES (1, 1), (2, 2)")
    before = contents(database)
    error = error_of(session, "UPDATE small SET k = k * 6")
    assert (error.sqlstate, "k = 12" in error.message) == ("23514", True)
    assert contents(database) == before
