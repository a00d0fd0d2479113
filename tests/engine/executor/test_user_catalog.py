"""DuckDB's catalog shows the user's tables once each, as one plain DuckDB would, wherever it is read."""

from __future__ import annotations

import re

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.executor.user_catalog import FUNCTIONS
from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows

DEFINITIONS = (
    "CREATE SCHEMA s",
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "CREATE TABLE t (a INTEGER PRIMARY KEY, b VARCHAR NOT NULL DEFAULT 'x', c DECIMAL(8, 2) CHECK (c > 0),"
    " d INT AS (a + 1))",
    "CREATE TABLE s.u (a INTEGER, m mood)",
    "CREATE INDEX i ON s.u (a)",
    "CREATE VIEW v AS SELECT a, b FROM t",
    "CREATE MACRO plus(x) AS x + 1",
    "CREATE TEMP TABLE mine (a INTEGER)",
    "INSERT INTO s.u SELECT i, NULL FROM range(50) r(i)",
)
QUERIES = (
    "SELECT table_name, has_primary_key, column_count, index_count, check_constraint_count, estimated_size, sql"
    " FROM duckdb_tables()",
    "SELECT schema_name, table_name, column_name, column_index, column_default, is_nullable, data_type, is_generated"
    " FROM duckdb_columns() WHERE NOT internal",
    "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal",
    "SELECT table_name, constraint_type, constraint_text, constraint_column_names FROM duckdb_constraints()",
    "SELECT index_name, table_name, is_unique, sql FROM duckdb_indexes()",
    "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal",
    "SELECT database_name FROM duckdb_databases() WHERE NOT internal",
    "SELECT type_name, labels FROM duckdb_types() WHERE NOT internal",
    "SELECT function_name, macro_definition FROM duckdb_functions() WHERE NOT internal",
    "FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'pg_catalog')",
    "SELECT table_name, information_schema.columns.column_name, is_nullable, data_type FROM information_schema.columns",
    "SELECT table_name, constraint_type FROM information_schema.table_constraints",
    "SELECT table_name, column_name, ordinal_position FROM information_schema.key_column_usage",
    "SELECT schema_name FROM information_schema.schemata",
    "SELECT type, name, tbl_name, sql FROM sqlite_master",
    "SELECT name FROM sqlite_schema",
    "SELECT relname, relkind, relnatts FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE nspname = 'main'",
    "SELECT relname, attname, attnum, attnotnull FROM pg_catalog.pg_attribute"
    " JOIN pg_catalog.pg_class c ON c.oid = attrelid",
    "SELECT tablename, hasindexes FROM pg_tables",
    "SELECT viewname FROM pg_views WHERE viewname = 'v'",
    "SELECT indexname, tablename FROM pg_indexes",
    "SELECT nspname FROM pg_namespace",
    "SELECT datname FROM pg_database",
    "SHOW ALL TABLES",
    "SHOW DATABASES",
    "SHOW SCHEMAS",
    "SHOW VARIABLES",
    "SHOW TABLES FROM s",
    "DESCRIBE",
    "DESCRIBE t",
    "DESCRIBE s.u",
    "DESCRIBE mine",
    "DESCRIBE SELECT 1 AS a, upper(b) AS u FROM t",
    "FROM (DESCRIBE t)",
    "SELECT column_name FROM (SHOW s.u) WHERE \"null\" = 'YES'",
    "FROM (SHOW TABLES)",
    "FROM (SHOW ALL TABLES)",
    "PRAGMA show_tables",
    "PRAGMA table_info('t')",
    "PRAGMA table_info('s.u')",
    "FROM pragma_table_info('t')",
    "SELECT name FROM pragma_table_info('v')",
    "FROM pragma_show('t')",
    "SELECT count(*), sum(count) FROM pragma_storage_info('s.u') WHERE column_name = 'a' AND segment_type = 'INTEGER'",
    "SELECT database_name FROM pragma_database_size()",
    "SELECT name FROM pragma_database_list",
    "CALL pragma_collations()",
    "SUMMARIZE s.u",
    "SELECT column_name, min, max, count FROM (SUMMARIZE s.u)",
)
SIZES = re.compile(r"^SELECT count\(\*\), sum\(count\)")


@pytest.fixture
def plain() -> duckdb.DuckDBPyConnection:
    """One DuckDB with the same definitions."""
    connection = duckdb.connect()
    for sql in DEFINITIONS:
        connection.execute(sql)
    return connection


@pytest.fixture(autouse=True)
def defined(session: Session) -> None:
    """The definitions on three shards."""
    for sql in DEFINITIONS:
        session.execute(sql)


def test_every_list_is_that_of_one_duckdb(session: Session, plain: duckdb.DuckDBPyConnection) -> None:
    for sql in QUERIES:
        result = session.execute(sql)
        expected = plain.execute(sql)
        assert [column.name for column in result.columns] == [
            item[0] for item in expected.description or ()
        ], sql
        found, wanted = result.fetchall(), expected.fetchall()
        if SIZES.match(sql):
            assert found[0][1] == wanted[0][1]  # Each shard has segments of its own.
        else:
            assert sorted(map(repr, found)) == sorted(map(repr, wanted)), sql


def test_lists_can_be_joined_and_kept_and_read_in_views(session: Session) -> None:
    session.execute("INSERT INTO t (a) VALUES (1), (2)")
    joined = "SELECT a, table_name FROM t, information_schema.tables WHERE table_name = 'u' ORDER BY a"
    assert rows(session, joined) == [(1, "u"), (2, "u")]
    session.execute("CREATE VIEW listed AS SELECT table_name FROM duckdb_tables() WHERE NOT temporary")
    session.execute(
        "CREATE MACRO named(n) AS TABLE SELECT column_name FROM information_schema.columns WHERE table_name = n"
    )
    assert sorted(rows(session, "FROM listed")) == [("t",), ("u",)]
    assert rows(session, "SELECT count(*) FROM named('t')") == [(4,)]
    session.execute("CREATE TABLE kept AS SELECT table_name, estimated_size FROM duckdb_tables()")
    assert rows(session, "FROM kept WHERE table_name = 'u'") == [("u", 50)]
    session.execute("PREPARE p AS SELECT count(*) FROM pg_tables WHERE tablename = $1")
    assert rows(session, "EXECUTE p('t')") == [(1,)]


def test_an_attached_database_is_listed_and_temporary_tables_are_the_sessions(
    database: Database, session: Session
) -> None:
    session.execute("ATTACH ':memory:' AS other")
    session.execute("CREATE TABLE other.t (z INTEGER)")
    found = "SELECT database_name, table_name FROM duckdb_tables() ORDER BY ALL"
    both = [("memory", "t"), ("memory", "u"), ("other", "t")]
    assert rows(session, found) == [*both, ("temp", "mine")]
    assert rows(database.session(), found) == both
    assert rows(session, "SHOW TABLES FROM other") == [("t",)]
    assert sorted(rows(session, "SHOW DATABASES")) == [("memory",), ("other",)]


def test_a_table_of_the_users_may_be_called_as_one_of_duckdbs(session: Session) -> None:
    session.execute("CREATE TABLE pg_class (x INTEGER)")
    session.execute("INSERT INTO pg_class VALUES (5)")
    assert rows(session, "FROM pg_class") == [(5,)]
    assert rows(
        session, "SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'pg_class' AND relkind = 'r'"
    ) == [(1,)]
    session.execute("DROP TABLE pg_class")


@pytest.mark.parametrize(
    "sql",
    ["DROP MACRO TABLE duckdb_tables", "DROP MACRO duckraft_option", "DROP SCHEMA duckraft_lists CASCADE"],
)
def test_what_stands_in_front_of_duckdbs_lists_cannot_be_dropped(session: Session, sql: str) -> None:
    assert error_of(session, sql).sqlstate == "42501"
    assert {name for (name,) in rows(session, "SELECT table_name FROM duckdb_tables()")} == {"t", "u", "mine"}


def test_duckdbs_own_functions_are_still_there(session: Session) -> None:
    for name in FUNCTIONS:
        if name.startswith("duckdb_"):
            assert rows(session, f"SELECT count(*) >= 0 FROM system.main.{name}()") == [(True,)]
    shards = "SELECT count(*) FROM system.main.duckdb_tables() WHERE table_name = 't'"
    assert rows(session, shards) == [(3,)]


def test_what_is_made_while_a_statement_runs_is_not_listed(session: Session) -> None:
    session.execute("INSERT INTO t (a) VALUES (1), (2)")
    session.execute("SET duckraft_binding = 'streamed'")
    listed = (
        "SELECT DISTINCT table_name FROM information_schema.tables, t WHERE table_type <> 'VIEW' ORDER BY 1"
    )
    assert rows(session, listed) == [("mine",), ("t",), ("u",)]
