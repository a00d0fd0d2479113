"""INSERT: every row goes to the shard of its key, whatever the form of the statement; an error changes nothing."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.engine.types import Parameters, Row
from tests.engine.executor.support import contents, error_of, rows

CREATE = (
    "CREATE TABLE t (k INT, b INT DEFAULT 7, v VARCHAR NOT NULL DEFAULT 'd', g INT GENERATED ALWAYS AS (k * 2),"
    " PRIMARY KEY (k, b), CHECK (b < 1000)) SHARD BY HASH (k)"
)


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """An empty table t with defaults and a generated column."""
    session.execute(CREATE)


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("INSERT INTO t VALUES (1, 2, 'x')", None, [(1, 2, "x", 2)]),
        ("INSERT INTO t (k) VALUES (1), (2), (3)", None, [(k, 7, "d", 2 * k) for k in (1, 2, 3)]),
        ("INSERT INTO t VALUES (1, DEFAULT, DEFAULT), (2, 3, DEFAULT)", None, [(1, 7, "d", 2), (2, 3, "d", 4)]),
        ("INSERT INTO t (b, k) SELECT 1, 2", None, [(2, 1, "d", 4)]),
        ("INSERT INTO t BY NAME SELECT 'x' AS v, 5 AS k", None, [(5, 7, "x", 10)]),
        ("INSERT INTO t BY NAME (FROM (SELECT 9 AS b, 5 AS k))", None, [(5, 9, "d", 10)]),
        ("INSERT INTO t VALUES (?, ?, ?), (?, 2, 'y')", [1, 1, "x", 4], [(1, 1, "x", 2), (4, 2, "y", 8)]),
        ("INSERT INTO t SELECT $k + range, $b, 'x' FROM range(1)", {"k": 5, "b": 1}, [(5, 1, "x", 10)]),
        ("WITH c AS (SELECT 3 AS x) INSERT INTO t (k) SELECT x FROM c", None, [(3, 7, "d", 6)]),
        ("WITH c AS (SELECT 3 AS x) INSERT INTO t (k) VALUES ((SELECT x FROM c))", None, [(3, 7, "d", 6)]),
        ("INSERT INTO t (k) WITH c AS (SELECT 3 AS x) FROM c", None, [(3, 7, "d", 6)]),
        ("INSERT INTO t (k) VALUES ((SELECT count(*) + 8 FROM t))", None, [(8, 7, "d", 16)]),
        ("INSERT INTO main.t (k) SELECT '12'", None, [(12, 7, "d", 24)]),
        ("INSERT INTO memory.main.t (k) VALUES (1), (2)", None, [(1, 7, "d", 2), (2, 7, "d", 4)]),
        ("INSERT INTO t (k) SELECT 1 WHERE false", None, []),
    ],
)  # fmt: skip
def test_forms_of_insert(session: Session, sql: str, parameters: Parameters, expected: list[Row]) -> None:
    result = session.execute(sql, parameters)
    assert (result.tag, result.rowcount) == (f"INSERT 0 {len(expected)}", len(expected))
    assert rows(session, "FROM t ORDER BY k") == expected


def test_every_row_is_on_the_shard_of_its_key(database: Database, session: Session) -> None:
    session.execute("INSERT INTO t (k) SELECT range FROM range(500)")
    session.execute("INSERT INTO t (k) VALUES " + ", ".join(f"({k})" for k in range(500, 600)))
    for k in range(600, 650):
        session.execute("INSERT INTO t (k) VALUES (?)", [k])
    table = database.catalog.table("main", "t")
    assert table is not None
    for shard in range(3):
        found = [row[0] for row in contents(database)["t", shard]]
        assert len(found) > 100
        assert {table.strategy.shard_of([k]) for k in found} == {shard}


def test_a_table_can_be_filled_from_itself(session: Session) -> None:
    session.execute("INSERT INTO t (k) SELECT range FROM range(1000)")
    assert session.execute("INSERT INTO t SELECT k + 1000, b, v FROM t").rowcount == 1000
    assert rows(session, "SELECT count(*), count(DISTINCT k) FROM t") == [(2000, 2000)]


@pytest.mark.parametrize(
    "source", ["VALUES (1, 1, 'new'), (2, 1, 'new')", "SELECT range + 1, 1, 'new' FROM range(2)"]
)
@pytest.mark.parametrize(
    ("verb", "tail", "expected"),
    [
        ("INSERT INTO", "ON CONFLICT DO NOTHING", ["old", "new"]),
        ("INSERT OR IGNORE INTO", "", ["old", "new"]),
        ("INSERT OR REPLACE INTO", "", ["new", "new"]),
        ("INSERT INTO", "ON CONFLICT (k, b) DO UPDATE SET v = excluded.v || t.v", ["newold", "new"]),
        ("INSERT INTO", "ON CONFLICT (k, b) DO UPDATE SET v = excluded.v WHERE t.k > 1", ["old", "new"]),
    ],
)
def test_conflicts(session: Session, source: str, verb: str, tail: str, expected: list[str]) -> None:
    session.execute("INSERT INTO t VALUES (1, 1, 'old')")
    session.execute(f"{verb} t {source} {tail}")
    assert rows(session, "SELECT v FROM t ORDER BY k") == [(v,) for v in expected]


@pytest.mark.parametrize("source", ["VALUES (?, 1, 'a'), (?, 1, 'b')", "SELECT unnest([?, ?]), 1, 'a'"])
def test_parameters_in_the_rows_and_in_the_tail(session: Session, source: str) -> None:
    session.execute("INSERT INTO t VALUES (1, 1, 'old')")
    session.execute(f"INSERT INTO t {source} ON CONFLICT (k, b) DO UPDATE SET v = ?", [1, 2, "told"])
    assert rows(session, "SELECT v FROM t WHERE k = 1") == [("told",)]


@pytest.mark.parametrize(
    "source", ["VALUES (1, 1, 'a'), (2, 1, 'b')", "SELECT range + 1, 1, 'a' FROM range(2)"]
)
def test_returning_gives_what_is_stored(session: Session, source: str) -> None:
    result = session.execute(f"INSERT INTO t AS x {source} RETURNING k, g AS twice")
    assert [(column.name, column.type) for column in result.columns] == [
        ("k", "INTEGER"),
        ("twice", "INTEGER"),
    ]
    assert sorted(result.fetchall()) == [(1, 2), (2, 4)]


def test_returning_nothing_still_has_its_columns(session: Session) -> None:
    result = session.execute("INSERT INTO t (k) SELECT 1 WHERE false RETURNING k, v AS word")
    assert [column.name for column in result.columns] == ["k", "word"]
    assert (result.fetchall(), result.rowcount) == ([], 0)
    assert rows(session, "SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("INSERT INTO t (k) SELECT CASE WHEN range = 90000 THEN 1 ELSE range + 10 END FROM range(100000)", "23505"),
        ("INSERT INTO t (k) SELECT CASE WHEN range = 5 THEN 11 ELSE range + 10 END FROM range(100)", "23505"),
        ("INSERT INTO t (k, v) SELECT range + 10, nullif(range, 9999)::VARCHAR FROM range(10000)", "23502"),
        ("INSERT INTO t (k, b) SELECT range + 10, range FROM range(2000)", "23514"),
        ("INSERT INTO t (k, b) SELECT range + 10, 'no' FROM range(10)", "22P02"),
        ("INSERT INTO t (k) SELECT 10000000000 * range FROM range(10)", "22003"),
        ("INSERT INTO t (k) SELECT nullif(range, 10) FROM range(20, 5, -1)", "23502"),
        ("INSERT INTO t (k) VALUES (8), (9), (1)", "23505"),
        ("INSERT INTO t (k) VALUES (8), (NULL)", "23502"),
        ("INSERT INTO t (k) VALUES (1)", "23505"),
        ("INSERT INTO t DEFAULT VALUES", "23502"),
        ("INSERT INTO t VALUES (1, 2)", "42601"),
        ("INSERT INTO t SELECT 1, 2", "42601"),
        ("INSERT INTO t (k, nosuch) VALUES (1, 2), (3, 4)", "42703"),
        ("INSERT INTO t (k, nosuch) SELECT 1, 2", "42703"),
        ("INSERT INTO t (k, g) VALUES (1, 2), (2, 3)", "42703"),
        ("INSERT INTO nosuch VALUES (1)", "42P01"),
        ("INSERT INTO t (k) VALUES (8), (9) RETURNING nosuch", "42703"),
        ("INSERT INTO t (k) SELECT error('stop')::INT FROM range(10)", "22023"),
    ],
)  # fmt: skip
def test_an_error_leaves_every_shard_as_it_was(
    database: Database, session: Session, sql: str, sqlstate: str
) -> None:
    session.execute("INSERT INTO t (k) VALUES (1), (2), (3), (4), (5)")
    before = contents(database)
    error = error_of(session, sql)
    assert (error.sqlstate, error.message) == (sqlstate, error.message)
    assert "__duckraft" not in error.message
    assert contents(database) == before
    assert session.execute("INSERT INTO t (k) VALUES (6), (7), (8)").rowcount == 3


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (k) SELECT nosuch FROM t",
        "WITH c AS (SELECT nosuch) INSERT INTO t (k) FROM c",
        "INSERT INTO t (k, b) SELECT ?, nosuch FROM t WHERE k = ?",
        "INSERT INTO t (k, b) VALUES (?, ?), (3, nosuch)",
        "INSERT INTO t (k) SELECT k FROM nosuch",
        "EXPLAIN INSERT INTO temp.x SELECT nosuch",
    ],
)
def test_positions_of_errors_are_those_of_the_users_text(session: Session, sql: str) -> None:
    parameters = [1, 2] if "?" in sql else None
    error = error_of(session, sql, parameters)
    assert error.position in (None, sql.index("nosuch") + 1)
    assert error.position is not None or "EXPLAIN" in sql


def test_too_many_parameters_are_refused(session: Session) -> None:
    assert error_of(session, "INSERT INTO t (k) SELECT ?", [1, 2]).sqlstate == "08P01"


def test_no_shard_for_a_row(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE p (k INT, v INT) SHARD BY RANGE (k) (VALUES LESS THAN (10), (20))")
    session.execute("INSERT INTO p VALUES (5, 1)")
    before = contents(database)
    for sql in (
        "INSERT INTO p VALUES (33, 1)",
        "INSERT INTO p VALUES (1, 1), (33, 1)",
        "INSERT INTO p SELECT range, 1 FROM range(1, 34, 16)",
    ):
        error = error_of(session, sql)
        assert (error.sqlstate, error.message) == ("23514", 'no shard of table "p" takes a row with k = 33')
        assert error.hint
    assert contents(database) == before


def test_user_macros_in_a_list_of_values_see_all_shards(session: Session) -> None:
    session.execute("INSERT INTO t (k) SELECT range FROM range(10)")
    session.execute("CREATE MACRO counted() AS (SELECT count(*) FROM t)")
    session.execute("INSERT INTO t (k, b) VALUES (50, counted())")
    assert rows(session, "SELECT b FROM t WHERE k = 50") == [(10,)]


def test_a_table_spread_evenly_stays_even(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE e (a INT)")
    session.execute("INSERT INTO e SELECT range FROM range(100000)")
    for number in range(5):
        session.execute("INSERT INTO e VALUES (?)", [number])
    counts = [len(found) for (name, _), found in contents(database).items() if name == "e"]
    assert sum(counts) == 100005
    assert max(counts) - min(counts) <= 1


def test_of_new_rows_with_one_key_the_first_is_kept(session: Session) -> None:
    session.execute("CREATE TABLE firsts (k INT PRIMARY KEY, n INT)")
    session.execute("INSERT INTO firsts SELECT range % 100, range FROM range(20_000) ON CONFLICT DO NOTHING")
    assert rows(session, "SELECT count(*), max(n) FROM firsts") == [(100, 99)]


@pytest.mark.parametrize("source", ["(k, v) VALUES (1, 'new')", "BY NAME SELECT 'new' AS v, 1 AS k"])
def test_or_replace_leaves_the_columns_it_does_not_name(session: Session, source: str) -> None:
    session.execute("CREATE TABLE partial (k INT PRIMARY KEY, a INT DEFAULT 7, v VARCHAR)")
    session.execute("INSERT INTO partial VALUES (1, 99, 'old')")
    session.execute(f"INSERT OR REPLACE INTO partial {source}")
    assert rows(session, "FROM partial") == [(1, 99, "new")]


def test_a_shard_key_that_is_left_out_gets_its_default(session: Session) -> None:
    session.execute("CREATE TABLE keyed (k INT DEFAULT 4, v VARCHAR) SHARD BY HASH (k)")
    session.execute("INSERT INTO keyed (v) SELECT 'v' || range FROM range(3)")
    session.execute("INSERT INTO keyed BY POSITION (v) SELECT 'w'")
    session.execute("INSERT INTO keyed DEFAULT VALUES")
    assert rows(session, "SELECT count(*) FROM keyed WHERE k = 4") == [(5,)]
