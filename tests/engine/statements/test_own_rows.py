"""Statements inside a transaction build on what it has written: as in one DuckDB that runs the same statements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.executor.session_transactions import SessionTransactions
from duckraft.engine.session import Session
from duckraft.engine.types import Row
from tests.engine.executor.support import rows

TABLES = {
    "t": ("k BIGINT, g INTEGER, s VARCHAR", "SHARD BY HASH (k) SHARDS 3"),
    "u": ("k BIGINT, a INTEGER", "SHARD BY HASH (k) SHARDS 2"),
    "names": ("g INTEGER PRIMARY KEY, name VARCHAR", "REFERENCE"),
    "unique_k": ("k BIGINT PRIMARY KEY, v INTEGER", "SHARD BY HASH (k) SHARDS 3"),
}
SETUP = (
    "INSERT INTO t SELECT range, range % 5, 's' || range % 3 FROM range(40)",
    "INSERT INTO u SELECT range * 2, range FROM range(20)",
    "INSERT INTO names SELECT range, 'name ' || range FROM range(4)",
    "INSERT INTO unique_k SELECT range, range FROM range(10)",
    "CREATE VIEW v AS SELECT k, g FROM t WHERE g > 1",
    "CREATE MACRO of_g(x) AS (SELECT count(*) FROM t WHERE g = x)",
)
CHANGES = (
    "INSERT INTO t VALUES (100, 7, 'own'), (101, 7, 'own'), (102, 2, 'own')",
    "DELETE FROM t WHERE k < 5",
    "INSERT INTO names VALUES (7, 'seven')",
    "UPDATE names SET name = 'changed' WHERE g = 2",
    "INSERT INTO u SELECT k, g FROM t WHERE s = 'own'",
    "INSERT INTO u SELECT k + 1000, g FROM v WHERE k > 99",
    "INSERT INTO u VALUES ((SELECT max(k) + 1 FROM t), of_g(7))",
    "UPDATE t SET s = names.name FROM names WHERE names.g = t.g",
    "UPDATE t SET k = k + 500 WHERE g = 7",
    "UPDATE t SET k = k + 1 WHERE k > 500",
    "UPDATE t SET g = (SELECT count(*) FROM u WHERE a = 7) WHERE k = 601",
    "DELETE FROM t USING u WHERE u.k = t.k AND u.a > 12",
    "MERGE INTO t USING (SELECT k, a FROM u) AS u ON t.k = u.k"
    " WHEN MATCHED THEN UPDATE SET g = u.a WHEN NOT MATCHED THEN INSERT VALUES (u.k, u.a, 'merged')",
    "MERGE INTO t USING u ON t.k = u.k WHEN MATCHED AND t.s = 'merged' THEN DELETE",
    "INSERT INTO unique_k VALUES (3, 30), (50, 50)"
    " ON CONFLICT DO UPDATE SET k = unique_k.k + 200, v = excluded.v",
    "INSERT INTO unique_k SELECT k, v FROM unique_k WHERE k = 203 ON CONFLICT DO UPDATE SET v = excluded.v + 1",
    "UPDATE unique_k SET k = k + 1 WHERE k > 100",
    "DELETE FROM names WHERE g NOT IN (SELECT g FROM t WHERE g IS NOT NULL)",
)
LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


@pytest.fixture
def plain() -> duckdb.DuckDBPyConnection:
    """One DuckDB with the same tables."""
    connection = duckdb.connect(":memory:", config={"threads": 2})
    for name, (columns, _) in TABLES.items():
        connection.execute(f"CREATE TABLE {name} ({columns})")
    for sql in SETUP:
        connection.execute(sql)
    return connection


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """Tables on three shards, two shards and none, with a view and a macro over them."""
    for name, (columns, clause) in TABLES.items():
        session.execute(f"CREATE TABLE {name} ({columns}) {clause}")
    for sql in SETUP:
        session.execute(sql)


def in_order(found: Sequence[Row]) -> list[Row]:
    """Rows in an order of their own."""
    return sorted(found, key=repr)


def check_tables(session: Session, plain: duckdb.DuckDBPyConnection, after: str) -> None:
    """Compare all tables, read in several ways."""
    for query in (
        *(f"FROM {name}" for name in TABLES),
        *(f"FROM memory.main.{name}" for name in TABLES),
        "SELECT g, count(*), max(s) FROM t GROUP BY g",
        "SELECT t.k, name FROM t JOIN names USING (g)",
        "SELECT k, g, of_g(g) FROM v",
    ):
        assert in_order(rows(session, query)) == in_order(plain.execute(query).fetchall()), (after, query)


@pytest.mark.parametrize("level", LEVELS)
def test_each_change_sees_those_before_it(
    level: str, session: Session, plain: duckdb.DuckDBPyConnection
) -> None:
    session.execute(f"BEGIN ISOLATION LEVEL {level}")
    for sql in CHANGES:
        expected = plain.execute(sql).fetchall()[0][0]
        assert session.execute(sql).rowcount == expected, sql
        check_tables(session, plain, sql)
    session.execute("COMMIT")
    check_tables(session, plain, "COMMIT")


def test_nothing_of_it_is_left_after_a_rollback(session: Session, plain: duckdb.DuckDBPyConnection) -> None:
    session.execute("BEGIN")
    for sql in CHANGES:
        session.execute(sql)
    session.execute("ROLLBACK")
    check_tables(session, plain, "ROLLBACK")


def test_returning_gives_rows_that_are_the_transactions_own(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (100, 7, 'own')")
    found = rows(session, "UPDATE t SET k = k + 1 WHERE s = 'own' RETURNING k, g")
    assert found == [(101, 7)]
    assert rows(session, "DELETE FROM t USING names WHERE t.s = 'own' AND names.g = 1 RETURNING t.k") == [
        (101,)
    ]


def test_changes_of_shards_read_reference_tables_as_the_transaction_has_left_them(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("INSERT INTO names VALUES (40, 'forty')")
    changed = "UPDATE t SET s = 'found' WHERE g < (SELECT max(g) - 36 FROM names) RETURNING k"
    assert len(rows(session, changed)) == 32
    session.execute(
        "INSERT INTO unique_k VALUES (3, 1), (4, 1) ON CONFLICT DO UPDATE SET v = (SELECT max(g) FROM names)"
    )
    assert rows(session, "SELECT count(*) FROM unique_k WHERE v = 40") == [(2,)]


@pytest.mark.parametrize("level", LEVELS)
def test_files_temporary_tables_and_variables_get_own_rows(
    level: str, session: Session, tmp_path: Path
) -> None:
    session.execute("CREATE TEMP TABLE kept (k BIGINT)")
    session.execute(f"BEGIN ISOLATION LEVEL {level}")
    session.execute("INSERT INTO t VALUES (100, 7, 'own'), (101, 7, 'own')")
    session.execute(f"COPY (SELECT k FROM t WHERE g = 7) TO '{tmp_path}/own.csv'")
    assert rows(session, f"SELECT count(*) FROM '{tmp_path}/own.csv'") == [(2,)]
    session.execute("INSERT INTO kept SELECT k FROM t WHERE g = 7")
    assert rows(session, "SELECT count(*) FROM kept") == [(2,)]
    session.execute("UPDATE kept SET k = (SELECT max(k) FROM t)")
    assert rows(session, "SELECT DISTINCT k FROM kept") == [(101,)]
    session.execute("CREATE TEMP TABLE made AS SELECT k FROM t WHERE g = 7")
    assert rows(session, "SELECT count(*) FROM made") == [(2,)]
    session.execute("SET VARIABLE most = (SELECT max(k) FROM t)")
    assert rows(session, "SELECT getvariable('most')") == [(101,)]
    assert rows(session, "SELECT of_g(7)") == [(2,)]


def test_a_temporary_table_that_hides_a_table_is_joined_with_own_rows(session: Session) -> None:
    session.execute("CREATE TEMP TABLE u AS SELECT 100 AS k")
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (100, 7, 'own')")
    assert rows(session, "SELECT g FROM t JOIN u USING (k)") == [(7,)]


def test_prepared_statements_see_own_rows(session: Session) -> None:
    session.execute("PREPARE counting AS SELECT count(*) FROM t WHERE g = $1")
    session.execute("PREPARE copying AS INSERT INTO u SELECT k, g FROM t WHERE g = $1")
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (100, 7, 'own')")
    assert rows(session, "EXECUTE counting(7)") == [(1,)]
    assert session.execute("EXECUTE copying(7)").rowcount == 1
    assert rows(session, "SELECT a FROM u WHERE k = 100") == [(7,)]


def test_a_result_stays_readable_while_the_transaction_changes_what_it_reads(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("INSERT INTO t SELECT range + 1000, 9, 'own' FROM range(10000)")
    result = session.execute("SELECT k FROM t WHERE g = 9")
    first = result.fetchmany(10)
    session.execute("DELETE FROM t WHERE g = 9")
    assert rows(session, "SELECT count(*) FROM t WHERE g = 9") == [(0,)]
    session.execute("ROLLBACK")
    assert len(first + result.fetchall()) == 10_000


def test_others_see_nothing_of_it(session: Session) -> None:
    with session.database.session() as other:
        before = rows(other, "SELECT count(*), of_g(7) FROM v")
        session.execute("BEGIN")
        session.execute("INSERT INTO t VALUES (100, 7, 'own')")
        rows(session, "SELECT count(*), of_g(7) FROM v")
        assert rows(other, "SELECT count(*), of_g(7) FROM v") == before


def test_an_error_has_the_position_of_the_users_text(session: Session) -> None:
    session.execute("BEGIN")
    session.execute("INSERT INTO t VALUES (100, 7, 'own')")
    with pytest.raises(Exception, match="nosuch") as raised:
        session.execute("SELECT count(*), sum(nosuch) FROM t")
    assert getattr(raised.value, "position", None) == 22


def test_a_change_sees_no_half_of_what_others_commit_while_it_looks(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.execute("CREATE TABLE seen (total BIGINT)")
    session.execute("INSERT INTO unique_k SELECT range, 0 FROM range(10, 40)")
    home: dict[int | None, list[int]] = {}
    for number in range(10, 40):
        shard = session.plan(f"SELECT v FROM unique_k WHERE k = {number}").shard
        home.setdefault(shard, []).append(number)
    (written, taken, *_), (given, *_) = list(home.values())[:2]
    with session.database.session() as other:
        show_own = SessionTransactions.show_own

        def move_meanwhile(transactions: SessionTransactions, text: str) -> None:
            show_own(transactions, text)
            other.execute(
                f"UPDATE unique_k SET v = CASE k WHEN {taken} THEN -9 ELSE 9 END WHERE k IN ({taken}, {given})"
            )

        session.execute("BEGIN")
        session.execute(f"UPDATE unique_k SET v = v + 100 WHERE k = {written}")
        monkeypatch.setattr(SessionTransactions, "show_own", move_meanwhile)
        session.execute("INSERT INTO seen SELECT sum(v) FROM unique_k")
        monkeypatch.undo()
        session.execute("COMMIT")
    assert rows(session, "SELECT total FROM seen") == [(45 + 100,)]
