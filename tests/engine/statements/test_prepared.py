"""Prepared statements are the session's own: they are routed, change data, and fail as DuckDB's do."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.session import Session
from duckraft.engine.storage import duck
from tests.engine.executor.support import error_of, rows

TABLE = (
    "CREATE TABLE t (k INTEGER PRIMARY KEY, v VARCHAR)",
    "INSERT INTO t SELECT i, 'v' || i FROM range(20) r(i)",
)


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: twenty rows by hash of k."""
    for sql in TABLE:
        session.execute(sql)


@pytest.fixture
def plain() -> duckdb.DuckDBPyConnection:
    """One DuckDB with the same table."""
    connection = duckdb.connect()
    for sql in TABLE:
        connection.execute(sql)
    return connection


@pytest.mark.parametrize(
    ("prepared", "executed"),
    [
        ("SELECT v FROM t WHERE k = $1", ["p(7)", "p(3 + 4)", "p(NULL)", "p('7')", "p(-1)"]),
        ("SELECT v FROM t WHERE k IN (?, ?) ORDER BY v", ["p(7, 8)", "p(8, 99)"]),
        ("SELECT $x + $y AS s, count(*) FROM t WHERE k > $x", ["p(x := 1, y := 2)", "p(y => 1, x => 15)"]),
        ("SELECT count(*) AS n FROM t", ["p", "p()"]),
        ("SELECT k FROM t ORDER BY k LIMIT $2 OFFSET $1", ["p(3, 2)", "p(1::UTINYINT, 1)"]),
        (
            "VALUES ($1, typeof($1))",
            ["p(1)", "p(1::UTINYINT)", "p(1.50)", "p([1, NULL])", "p({'a': 'it''s'})"],
        ),
        ("VALUES ($1, typeof($1))", ["p(TIMESTAMP_NS '2020-01-01 00:00:00.123456789')", "p(MAP {'a': 1})"]),
        (
            "VALUES ($1::VARCHAR)",
            ["p(INTERVAL 14 MONTHS)", "p(TIMESTAMP_NS '2020-01-01 00:00:00.123456789')"],
        ),
        (
            "VALUES ($1::VARCHAR, typeof($1))",
            ["p(DATE 'infinity')", "p(TIMESTAMP '-infinity')", "p(DATE '0044-03-15 (BC)')", "p(NULL::DATE)"],
        ),
        ("VALUES ($1::VARCHAR, typeof($1))", ["p(TIMESTAMP '20000-01-01')", "p(DATE '9999-12-31')"]),
        ("SUMMARIZE SELECT k FROM t", ["p"]),
        ("INSERT INTO t VALUES ($1, $2)", ["p(50, 'a')", "p(51, NULL)"]),
        ("INSERT INTO t SELECT k + $1, $2 FROM t WHERE k < 5", ["p(100, 'b')"]),
        ("UPDATE t SET v = $1 WHERE k < $2 RETURNING k", ["p('new', 1)"]),
        ("DELETE FROM t WHERE k >= $1", ["p(10)", "p(18)"]),
    ],
)
def test_what_is_executed_gives_what_duckdb_gives(
    session: Session, plain: duckdb.DuckDBPyConnection, prepared: str, executed: list[str]
) -> None:
    session.execute(f"PREPARE p AS {prepared}")
    plain.execute(f"PREPARE p AS {prepared}")
    for call in executed:
        result = session.execute(f"EXECUTE {call}")
        expected = plain.execute(f"EXECUTE {call}").fetchall()
        if result.columns:
            assert result.fetchall() == expected
        else:
            assert result.rowcount == expected[0][0]
    contents = "SELECT * FROM t ORDER BY ALL"
    assert rows(session, contents) == plain.execute(contents).fetchall()


@pytest.mark.parametrize(
    ("prepared", "executed"),
    [
        ("SELECT $1", "p"),
        ("SELECT $1", "p(1, 2)"),
        ("SELECT $x", "p(1)"),
        ("SELECT $x", "p(x := 1, y := 2)"),
        ("SELECT $1", "p((SELECT 1))"),
        ("SELECT $1", "p(k)"),
        ("SELECT $1::INTEGER", "p('many')"),
        ("SELECT $1 + 1", "p([1])"),
    ],
)
def test_arguments_that_do_not_fit_give_duckdbs_message(
    session: Session, plain: duckdb.DuckDBPyConnection, prepared: str, executed: str
) -> None:
    session.execute(f"PREPARE p AS {prepared}")
    plain.execute(f"PREPARE p AS {prepared}")
    with pytest.raises(duckdb.Error) as expected:
        plain.execute(f"EXECUTE {executed}").fetchall()
    message = error_of(session, f"EXECUTE {executed}").message
    assert message.splitlines()[0] in str(expected.value)
    assert rows(session, "SELECT count(*) FROM t") == [(20,)]


@pytest.mark.parametrize(
    ("sql", "sqlstate", "position"),
    [
        ("PREPARE p AS SELECT nope FROM t", "42703", 21),
        ("PREPARE p AS SELECT * FROM nope", "42P01", 28),
        ("PREPARE p AS SELEC", "42601", 14),
        ("PREPARE p AS", "42601", 13),
        ("PREPARE p", "42601", 10),
        ("PREPARE p AS INSERT INTO t VALUES ($1)", "42601", None),
        ("PREPARE p AS UPDATE t SET nope = $1", "42703", None),
        ("PREPARE p AS SELECT $x, ?", "0A000", None),
        ("PREPARE p (INTEGER) AS SELECT $1", "0A000", None),
        ("PREPARE p AS CREATE TABLE u (a INTEGER)", "42601", 14),
        ("PREPARE p AS EXPLAIN SELECT 1", "42601", 14),
        ("PREPARE p AS EXECUTE q", "42601", 14),
        ("EXECUTE p", "26000", None),
        ("EXECUTE", "26000", None),
    ],
)
def test_a_statement_that_could_not_run_is_not_prepared(
    session: Session, sql: str, sqlstate: str, position: int | None
) -> None:
    error = error_of(session, sql)
    assert (error.sqlstate, error.position) == (sqlstate, position)
    assert error_of(session, "EXECUTE p").sqlstate == "26000"


def test_a_statement_by_key_goes_to_one_shard(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.execute("PREPARE p AS SELECT v FROM t WHERE k = $1")
    asked: list[int] = []
    shard = session.context.connections.shard

    def noted(number: int) -> duck.Connection:
        asked.append(number)
        return shard(number)

    monkeypatch.setattr(session.context.connections, "shard", noted)
    for key in range(20):
        assert rows(session, f"EXECUTE p({key})") == [(f"v{key}",)]
    assert len(asked) == 20
    assert set(asked) == {0, 1, 2}


def test_a_change_of_definitions_is_seen(session: Session) -> None:
    session.execute("PREPARE p AS SELECT * FROM t WHERE k = $1")
    assert rows(session, "EXECUTE p(1)") == [(1, "v1")]
    session.execute("ALTER TABLE t ADD COLUMN w INTEGER DEFAULT 5")
    assert rows(session, "EXECUTE p(1)") == [(1, "v1", 5)]
    session.execute("DROP TABLE t")
    assert error_of(session, "EXECUTE p(1)").sqlstate == "42P01"


def test_a_name_prepared_again_means_the_new_statement(session: Session) -> None:
    session.execute("PREPARE p AS SELECT 1")
    session.execute("PREPARE P AS SELECT 2")
    assert rows(session, "EXECUTE p") == [(2,)]


def test_deallocate_forgets(session: Session) -> None:
    for sql in ("PREPARE p AS SELECT 1", "PREPARE q AS SELECT 1", "PREPARE r AS SELECT 1"):
        session.execute(sql)
    session.execute("DEALLOCATE p")
    session.execute("DEALLOCATE PREPARE q")
    session.execute("DEALLOCATE nosuch")
    assert [row[0] for row in rows(session, "SELECT name FROM duckdb_prepared_statements()")] == ["r"]
    session.execute("DEALLOCATE ALL")
    assert rows(session, "FROM pg_prepared_statements") == []
    assert error_of(session, "DEALLOCATE p, q").sqlstate == "42601"


def test_copy_to_and_from_files(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    session.execute(f"PREPARE out AS COPY (SELECT * FROM t WHERE k >= $1) TO '{file}'")
    assert session.execute("EXECUTE out(15)").rowcount == 5
    session.execute("PREPARE emptied AS TRUNCATE t")
    session.execute("EXECUTE emptied")
    session.execute(f"PREPARE back AS COPY t FROM '{file}'")
    assert session.execute("EXECUTE back").rowcount == 5
    assert rows(session, "SELECT min(k) FROM t") == [(15,)]


def test_another_session_does_not_know_them(database: Database, session: Session) -> None:
    session.execute("PREPARE p AS SELECT 1")
    with pytest.raises(Error, match="does not exist"):
        database.session().execute("EXECUTE p")


def test_explain_of_execute_tells_of_the_statement_with_its_values(session: Session) -> None:
    session.execute("PREPARE p AS SELECT v FROM t WHERE k = $1")
    session.execute("PREPARE q AS UPDATE t SET v = $1 WHERE k = $2")
    assert rows(session, "EXPLAIN EXECUTE p(7)")[0][0].startswith("Route")
    assert len(rows(session, "EXPLAIN ROUTE EXECUTE p(7)")) == 1
    assert len(rows(session, "EXPLAIN ROUTE EXECUTE q('x', 7)")) == 1
    assert error_of(session, "EXPLAIN EXECUTE nosuch(7)").sqlstate == "26000"
    assert rows(session, "EXECUTE p(7)") == [("v7",)]


@pytest.mark.parametrize("argument", ["DATE 'infinity'", "[1, 2]", "NULL::DATE", "3"])
def test_columns_are_called_as_in_the_prepared_text(session: Session, argument: str) -> None:
    session.execute("PREPARE named AS SELECT $1, k + 1, $1 AS a, typeof($2) FROM t WHERE k = 7")
    columns = session.execute(f"EXECUTE named({argument}, 1)").columns
    assert [column.name for column in columns] == ["$1", "(k + 1)", "a", "typeof($2)"]


def test_columns_are_called_so_where_the_type_of_a_value_matters(session: Session) -> None:
    session.execute("PREPARE typed AS SELECT year($1), k FROM t WHERE k = 7")
    columns = session.execute("EXECUTE typed(DATE '-infinity')").columns
    assert [column.name for column in columns] == ['"year"($1)', "k"]


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO own SELECT k FROM t WHERE k = $1",
        "WITH x AS (SELECT k FROM t WHERE k = $1) INSERT INTO own FROM x",
        "UPDATE own SET a = 7 WHERE a + 7 IN (SELECT k FROM t WHERE k = $1)",
    ],
)
def test_a_change_of_a_temporary_table_may_read_sharded_ones(session: Session, change: str) -> None:
    session.execute("CREATE OR REPLACE TEMP TABLE own AS SELECT 0 AS a")
    session.execute(f"PREPARE changing AS {change}")
    assert session.execute("EXECUTE changing(7)").rowcount == 1
    assert rows(session, "SELECT max(a) FROM own") == [(7,)]
