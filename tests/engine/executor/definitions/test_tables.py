"""CREATE TABLE, CREATE OR REPLACE TABLE and DROP TABLE."""

from __future__ import annotations

import pytest

from duckraft.engine.catalog.model import Catalog
from duckraft.engine.database import Database
from duckraft.engine.errors import OperationalError
from duckraft.engine.session import Session
from tests.engine.executor.support import contents, error_of, rows, tables_on_shards


def test_a_table_has_what_its_text_says(session: Session) -> None:
    session.execute('CREATE TABLE "My T" ("k;1" INT PRIMARY KEY, v VARCHAR DEFAULT \'x\', CHECK ("k;1" > 0))')
    session.execute('INSERT INTO "My T" ("k;1") VALUES (1), (2)')
    assert rows(session, 'FROM "my t" ORDER BY 1') == [(1, "x"), (2, "x")]
    assert error_of(session, 'INSERT INTO "My T" ("k;1") VALUES (0)').sqlstate == "23514"


@pytest.mark.parametrize(
    ("sql", "count", "names"),
    [
        ("SELECT range AS a FROM range(10)", 10, ["a"]),
        ("SELECT 1 AS a WHERE false", 0, ["a"]),
        ("SELECT 1 AS a, 2 AS a, 3 AS A", 1, ["a", "a_1", "A_2"]),
        ("VALUES (1, 'x'), (2, 'y')", 2, ["col0", "col1"]),
        ("FROM range(3) WITH NO DATA", 0, ["range"]),
        ("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(600)), 1, [f"c{n}" for n in range(600)]),
        ("WITH c AS (SELECT 1 AS a) FROM c -- a comment", 1, ["a"]),
    ],
)
def test_create_table_as(session: Session, sql: str, count: int, names: list[str]) -> None:
    assert session.execute(f"CREATE TABLE t AS {sql}").rowcount == count
    result = session.execute("FROM t")
    assert [column.name for column in result.columns] == names
    assert len(result.fetchall()) == count


def test_create_table_as_takes_parameters(session: Session) -> None:
    session.execute(
        "CREATE TABLE t SHARD BY HASH (a) AS SELECT ? + range AS a, ? AS b FROM range(?)", [5, "x", 3]
    )
    assert rows(session, "FROM t ORDER BY a") == [(5, "x"), (6, "x"), (7, "x")]


def test_replacing_a_table_reads_the_old_one(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE t SHARD BY HASH (a) AS SELECT range AS a FROM range(10)")
    session.execute(
        "CREATE OR REPLACE TABLE t SHARD BY HASH (a) SHARDS 2 AS SELECT a + 1 AS a FROM t WHERE a > 4"
    )
    assert rows(session, "SELECT count(*), min(a) FROM t") == [(5, 6)]
    assert tables_on_shards(database) == {"t"}
    assert [table.name for table in database.catalog.tables.values()] == ["t"]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("CREATE OR REPLACE TABLE t SHARD BY HASH (a) AS SELECT if(a = 9, 'x', '1')::INT a FROM t", "22P02"),
        ("CREATE OR REPLACE TABLE t (a INT, a INT)", "42701"),
        ("CREATE OR REPLACE TABLE t (a INT) SHARD BY HASH (b)", "42703"),
        ("CREATE OR REPLACE TABLE t (a INT PRIMARY KEY, b INT) SHARD BY HASH (b)", "0A000"),
        ("CREATE OR REPLACE TABLE t AS SELECT nosuch", "42703"),
        ("CREATE TABLE n AS SELECT error('x') AS a FROM range(5)", "22023"),
        ("CREATE TABLE n (a INT) SHARD BY RANGE (a) (VALUES LESS THAN ('x'))", "22P02"),
        ("CREATE TABLE n (a INT) SHARD BY RANGE (a) (VALUES LESS THAN (3)) AS FROM t", "42601"),
        ("CREATE TABLE n SHARD BY RANGE (a) (VALUES LESS THAN (3)) AS SELECT range AS a FROM range(9)", "23514"),
        ("CREATE TABLE n (a INT) SHARD BY HASH (a) SHARDS 0", "22023"),
        ("CREATE TABLE n (a INT) SHARD BY HASH (a) COLOCATE WITH nosuch", "42P01"),
        ("CREATE TABLE n (a INT, d INT AS (a * 2)) SHARD BY HASH (d)", "0A000"),
        ("CREATE TABLE n (a INT, d DOUBLE GENERATED ALWAYS AS (random())) SHARD BY HASH (d)", "0A000"),
        ("CREATE TABLE n (a INT) SHARD BY HASH (a + 1)", "0A000"),
        ("CREATE TABLE n (a INT) SHARD BY HASH (random())", "0A000"),
        ("CREATE TABLE n (a INT) SHARD BY RANGE ((a)) (VALUES LESS THAN (3))", "0A000"),
        ("CREATE TABLE n (a INT) SHARD BY HASH (a a)", "42601"),
        ("CREATE OR REPLACE TABLE IF NOT EXISTS n (a INT)", "42601"),
        ("CREATE TABLE n (a VARCHAR COLLATE nocase) SHARD BY HASH (a)", "0A000"),
        ("CREATE TABLE n (a VARCHAR COLLATE nocase PRIMARY KEY)", "0A000"),
        ("CREATE TABLE n (a INT, b INT) SHARD BY DIRECTORY (a, b) (SHARD 0 VALUES ((1, 2)))", "0A000"),
        ("CREATE TABLE nosuch.n (a INT)", "3F000"),
        ("CREATE TABLE duckraft.n (a INT)", "42501"),
        ("CREATE TABLE t (a INT)", "42P07"),
        ("CREATE TABLE v (a INT)", "42P07"),
        ("CREATE TEMP TABLE n (a INT) SHARD BY HASH (a)", "42P16"),
        ("CREATE TABLE n", "42601"),
        ("DROP TABLE nosuch", "42P01"),
        ("DROP TABLE t, v", "0A000"),
        ("DROP VIEW t", "42809"),
        ("SELECT 1; DROP TABLE t", "42601"),
    ],
)  # fmt: skip
def test_an_error_changes_nothing(database: Database, session: Session, sql: str, sqlstate: str) -> None:
    session.execute("CREATE TABLE t SHARD BY HASH (a) AS SELECT range AS a FROM range(10)")
    session.execute("CREATE VIEW v AS FROM t")
    session.execute("CREATE TEMP TABLE mine (a INT)")
    before, tables = contents(database), database.catalog.tables.keys()
    error = error_of(session, sql)
    assert (error.sqlstate, error.message) == (sqlstate, error.message)
    assert "__duckraft" not in error.message
    assert "\x1f" not in error.message
    assert (contents(database), database.catalog.tables.keys()) == (before, tables)
    assert tables_on_shards(database) == {"t"}
    assert rows(session, "SELECT count(*) FROM v") == [(10,)]


def test_a_catalog_that_cannot_be_saved_leaves_no_table(
    database: Database, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.execute("CREATE TABLE t (a INT)")
    publish = database.gateway.publish
    left = 0

    def failing(catalog: Catalog) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OperationalError("disk full")
        publish(catalog)

    for steps in range(2):
        left = steps
        with monkeypatch.context() as patch:
            patch.setattr(database.gateway, "publish", failing)
            assert error_of(session, "CREATE TABLE n AS SELECT 1 AS a").message == "disk full"
        assert error_of(session, "FROM n").sqlstate == "42P01"
        assert tables_on_shards(database) == {"t"}
    session.execute("CREATE TABLE n AS SELECT 1 AS a")


def test_positions_of_errors_are_those_of_the_users_text(session: Session) -> None:
    for sql in (
        "CREATE TABLE n SHARD BY HASH (a) AS SELECT ?, nosuch",
        "CREATE TABLE n (a INT DEFAULT (nosuch))",
        "CREATE TABLE n (a INT) SHARD nosuch",
    ):
        parameters = [1] if "?" in sql else None
        assert error_of(session, sql, parameters).position == sql.index("nosuch") + 1


def test_if_exists_and_if_not_exists(session: Session) -> None:
    session.execute("CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS a")
    session.execute("CREATE TABLE IF NOT EXISTS t AS SELECT 2 AS a")
    assert rows(session, "FROM t") == [(1,)]
    session.execute("DROP TABLE IF EXISTS t")
    session.execute("DROP TABLE IF EXISTS t")


def test_tables_of_attached_databases_are_duckdbs_own(session: Session) -> None:
    session.execute("ATTACH ':memory:' AS other")
    session.execute("CREATE TABLE other.a AS SELECT 1 AS x")
    session.execute("CREATE TABLE other.main.b (x INT)")
    session.execute("INSERT INTO other.b SELECT x + 1 FROM other.a")
    assert rows(session, "SELECT (FROM other.a), (FROM other.b)") == [(1, 2)]
    assert rows(session, "SHOW TABLES") == []


def test_every_type_survives_loading_and_reading(session: Session) -> None:
    session.execute(
        "CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k, * EXCLUDE (range) FROM range(3), test_all_types()"
    )
    with_plain = rows(session, "SELECT * EXCLUDE (k) FROM t WHERE k = 1")
    plain = rows(session, "FROM test_all_types()")
    assert sorted(map(repr, with_plain)) == sorted(map(repr, plain))


@pytest.mark.parametrize(
    ("check", "call"),
    [("day <= current_date", "current_date"), ("a > 0 AND random() < 1", "random"), ("now() > day", "now")],
)
def test_a_check_of_the_clock_or_of_chance_is_refused(session: Session, check: str, call: str) -> None:
    sql = f"CREATE TABLE c (a INT, day DATE DEFAULT current_date, CHECK ({check})) SHARD BY HASH (a)"
    error = error_of(session, sql)
    assert error.sqlstate == "0A000"
    assert error.position == sql.index(call, sql.index("CHECK")) + 1
    session.execute("CREATE TABLE c (a INT, now INT CHECK (now > 0 AND a <> 5)) SHARD BY HASH (a)")
