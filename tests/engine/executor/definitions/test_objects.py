"""Views, macros, types and schemas, and that they are there again when the database opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import OperationalError
from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows, tables_on_shards


def reopened(path: Path, before: list[str], query: str, reopen: bool) -> list[tuple[object, ...]]:
    """The answer of a query after these statements, and after closing and opening again if wanted."""
    with Database.open(path, shards=2) as database:
        session = database.session()
        for sql in before:
            session.execute(sql)
        if not reopen:
            return rows(session, query)
    with Database.open(path) as database:
        return rows(database.session(), query)


@pytest.mark.parametrize("reopen", [False, True])
@pytest.mark.parametrize(
    ("before", "query", "expected"),
    [
        (["CREATE VIEW v AS FROM t"], "SELECT count(*) FROM v", [(5,)]),
        (["CREATE VIEW a AS FROM t", "CREATE VIEW b AS FROM a WHERE k > 1"], "SELECT count(*) FROM b", [(3,)]),
        (["CREATE VIEW v AS SELECT 1 AS x", "CREATE VIEW IF NOT EXISTS v AS SELECT 2 AS x"], "FROM v", [(1,)]),
        (
            ["CREATE VIEW a AS SELECT 1 AS x", "CREATE VIEW b AS SELECT 2 AS x", "CREATE OR REPLACE VIEW a AS FROM b"],
            "FROM a",
            [(2,)],
        ),
        (["CREATE MACRO f(x) AS x + 1, (x, y) AS x + y"], "SELECT f(1), f(1, 5)", [(2, 6)]),
        (["CREATE MACRO f(x) AS x + 1", "CREATE MACRO f(x) AS TABLE SELECT x y"], "SELECT f(1), y FROM f(9)", [(2, 9)]),
        (
            ["CREATE MACRO f(x) AS 1", "CREATE MACRO f(x) AS TABLE SELECT x AS y", "DROP MACRO TABLE f"],
            "SELECT f(1)",
            [(1,)],
        ),
        (["CREATE OR REPLACE FUNCTION f(x) AS (SELECT count(*) + x FROM t)"], "SELECT f(1)", [(6,)]),
        (
            ["CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE TABLE m (k INT, how mood) SHARD BY HASH (k)"],
            "SELECT 'ok'::mood, count(*) FROM m",
            [("ok", 0)],
        ),
        (
            ["CREATE TYPE mood AS ENUM ('sad')", "CREATE TABLE m AS SELECT 'sad'::mood AS how", "DROP TYPE mood"],
            "SELECT how FROM m",
            [("sad",)],
        ),
        (
            ["CREATE SCHEMA s", "CREATE TABLE s.u AS FROM t",
             "CREATE VIEW s.v AS FROM s.u", "CREATE SCHEMA IF NOT EXISTS S"],
            "SELECT count(*) FROM s.v",
            [(5,)],
        ),
        (
            ["CREATE TYPE e AS ENUM (SELECT 'x' || k FROM t ORDER BY k)", "DELETE FROM t", "DROP TABLE t"],
            "SELECT enum_range(NULL::e)",
            [(["x0", "x1", "x2", "x3", "x4"],)],
        ),
        (
            ["CREATE TYPE a AS ENUM ('x')", "CREATE TYPE b AS STRUCT(one a, two INT[])"],
            "SELECT typeof(NULL::b)",
            [("STRUCT(one ENUM('x'), two INTEGER[])",)],
        ),
        (
            ["CREATE SCHEMA s", "CREATE TYPE s.e AS ENUM ('x', 'y')", "CREATE TABLE m (k INT, e s.e DEFAULT 'y')",
             "INSERT INTO m (k) VALUES (1)",
             "ALTER TABLE m ADD COLUMN f s.e[]", "INSERT INTO m VALUES (2, 'x', ['y'])"],
            "FROM m ORDER BY k",
            [(1, "y", None), (2, "x", ["y"])],
        ),
        (["CREATE MACRO f(a, b := 5) AS a + b"], "SELECT f(1), f(1, b := 2)", [(6, 3)]),
        (
            ["CREATE MACRO g(lowest, most := 2) AS TABLE SELECT k FROM t WHERE k >= lowest ORDER BY k LIMIT most"],
            "SELECT (SELECT list(k) FROM g(1)), (SELECT list(k) FROM g(1, most := 3))",
            [([1, 2], [1, 2, 3])],
        ),
        (["CREATE VIEW v AS FROM t", "DROP TABLE t", "CREATE TABLE t AS SELECT 7 AS k"], "FROM v", [(7,)]),
        (["CREATE VIEW v AS FROM t", "ALTER TABLE t ADD COLUMN w INT"], "SELECT count(k) FROM v", [(5,)]),
    ],
)  # fmt: skip
def test_definitions_last(
    tmp_path: Path, before: list[str], query: str, expected: list[tuple[object, ...]], reopen: bool
) -> None:
    first = "CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k FROM range(5)"
    assert reopened(tmp_path / "db", [first, *before], query, reopen) == expected


def test_a_view_whose_table_was_dropped_comes_back_with_it(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        for sql in (
            "CREATE TABLE t AS SELECT 1 AS k",
            "CREATE VIEW v AS FROM t",
            "CREATE VIEW w AS FROM v",
            "DROP TABLE t",
        ):
            session.execute(sql)
    with Database.open(tmp_path / "db") as database:
        session = database.session()
        assert error_of(session, "FROM w").sqlstate == "42P01"
        assert error_of(session, "CREATE TABLE v (a INT)").sqlstate == "42P07"
        session.execute("CREATE TABLE t AS SELECT 2 AS k")
        assert rows(session, "FROM w") == [(2,)]
        session.execute("DROP TABLE t")
    with Database.open(tmp_path / "db") as database:
        session = database.session()
        session.execute("DROP VIEW w")
        session.execute("CREATE TABLE t AS SELECT 3 AS k")
        assert rows(session, "FROM v") == [(3,)]
        assert error_of(session, "FROM w").sqlstate == "42P01"


def test_dropping_a_schema_takes_all_of_it(database: Database, session: Session) -> None:
    for sql in (
        "CREATE SCHEMA s",
        "CREATE TABLE s.u AS SELECT 1 AS a",
        "CREATE VIEW s.v AS FROM s.u",
        "CREATE MACRO s.f(x) AS x",
    ):
        session.execute(sql)
    assert error_of(session, "DROP SCHEMA s").sqlstate == "2BP01"
    assert rows(session, "FROM s.v") == [(1,)]
    session.execute("DROP SCHEMA s CASCADE")
    assert tables_on_shards(database) == set()
    assert database.catalog.definitions == ()
    assert error_of(session, "DROP SCHEMA s").sqlstate == "3F000"
    session.execute("DROP SCHEMA IF EXISTS s")
    assert error_of(session, "DROP SCHEMA main CASCADE")


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("CREATE VIEW v AS SELECT 2", "42P07"),
        ("CREATE VIEW t AS SELECT 2", "42809"),
        ("CREATE OR REPLACE VIEW t AS SELECT 2", "42809"),
        ("CREATE VIEW w AS SELECT nosuch", "42703"),
        ("CREATE OR REPLACE VIEW v AS SELECT nosuch", "42703"),
        ("CREATE VIEW duckraft.w AS SELECT 1", "42501"),
        ("DROP SCHEMA duckraft CASCADE", "42501"),
        ("DROP VIEW nosuch", "42P01"),
        ("DROP MACRO nosuch", "42883"),
    ],
)
def test_an_error_changes_nothing(database: Database, session: Session, sql: str, sqlstate: str) -> None:
    session.execute("CREATE TABLE t AS SELECT 1 AS a")
    session.execute("CREATE VIEW v AS FROM t")
    before = database.catalog
    assert error_of(session, sql).sqlstate == sqlstate
    assert database.catalog == before
    assert rows(session, "FROM v") == [(1,)]


def test_what_cannot_be_saved_is_not_made(
    database: Database, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.execute("CREATE VIEW v AS SELECT 1 AS a")

    def failing(catalog: object) -> None:
        raise OperationalError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(database.gateway, "publish", failing)
        for sql in ("CREATE VIEW w AS SELECT 1", "CREATE OR REPLACE VIEW v AS SELECT 2", "DROP VIEW v"):
            assert error_of(session, sql).message == "disk full"
    assert rows(session, "FROM v") == [(1,)]
    assert error_of(session, "FROM w").sqlstate == "42P01"


def test_temporary_macros_are_the_sessions_own(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k FROM range(5)")
    session.execute("CREATE TEMP MACRO twice(x) AS 2 * x")
    assert rows(session, "SELECT twice(k) FROM t WHERE k = 2") == [(4,)]
    assert error_of(database.session(), "SELECT twice(1)").sqlstate == "42883"
    assert database.catalog.definitions == ()
