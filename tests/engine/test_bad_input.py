"""Statements that are very long or nest very deep get DuckDB's answer or an error, on every road, and never a crash."""

from __future__ import annotations

import duckdb
import pytest

from duckraft.engine.errors import Error
from duckraft.engine.session import Session

TABLES = (
    "CREATE TABLE t (a INTEGER PRIMARY KEY, b VARCHAR)",
    "INSERT INTO t SELECT i, 'v' || i FROM range(100) r(i)",
)


def nested(opening: str, inside: str, closing: str, depth: int) -> str:
    return opening * depth + inside + closing * depth


def joined(separator: str, part: str, count: int) -> str:
    return separator.join(part.format(i) for i in range(count))


STATEMENTS = {
    "parentheses that DuckDB takes": f"SELECT a FROM t WHERE {nested('(', 'a = 1', ')', 700)}",
    "too many parentheses": f"SELECT a FROM t WHERE {nested('(', 'a = 1', ')', 3000)}",
    "OR": f"SELECT count(*) FROM t WHERE {joined(' OR ', 'a = {}', 1000)}",
    "AND": f"SELECT count(*) FROM t WHERE {joined(' AND ', 'a <> {}', 300)}",
    "sum of one row": f"SELECT {'+'.join(['a'] * 3000)} FROM t WHERE a = 1",
    "signs": f"SELECT {'- ' * 2000}a FROM t WHERE a = 1",
    "IN": f"SELECT count(*) FROM t WHERE a IN ({joined(',', '{}', 10_000)})",
    "IN of a parameter list": f"SELECT count(*) FROM t WHERE a IN ({joined(',', '${}', 2000)})",
    "common table expressions": "WITH c0 AS (SELECT a FROM t), "
    + ", ".join(f"c{i} AS (SELECT a FROM c{i - 1})" for i in range(1, 200))
    + " SELECT sum(a) FROM c199",
    "many common table expressions": f"WITH {joined(', ', 'c{} AS (SELECT a FROM t)', 1000)} SELECT sum(a) FROM c999",
    "subqueries": f"SELECT count(*) FROM {nested('(SELECT * FROM ', 't', ')', 300)}",
    "columns": f"SELECT {joined(', ', 'a + {0} AS c{0}', 2000)} FROM t WHERE a = 1",
    "aggregates": f"SELECT {joined(', ', 'sum(a + {0}) AS c{0}', 500)} FROM t",
    "a long string": f"SELECT count(*) FROM t WHERE b <> '{'x' * 1_000_000}'",
    "a string of quotes": "SELECT length('" + "''" * 500_000 + "')",
    "comments in comments": f"SELECT 1 {nested('/*', '', '*/', 20_000)}",
    "lists in lists": f"SELECT {nested('[', '1', ']', 2000)}",
    "semicolons": f"{';' * 10_000} SELECT 1",
    "words": f"SELECT {'a ' * 20_000}",
    "commas": f"SELECT {',' * 20_000}",
    "zero bytes": "\0\1 SELECT" * 1000,
    "a quote that never ends": "SELECT '" + "''" * 200_000,
    "a prepared list": f"PREPARE p AS SELECT count(*) FROM t WHERE a IN ({joined(',', '{}', 5000)})",
    "EXPLAIN": f"EXPLAIN SELECT count(*) FROM t WHERE {joined(' OR ', 'a = {}', 1000)}",
    "COPY": f"COPY (SELECT a FROM t WHERE {nested('(', 'a = 1', ')', 3000)}) TO 'nowhere.csv'",
    "a view": f"CREATE VIEW v AS SELECT {nested('(', 'a', ')', 700)} FROM t",
    "a macro": f"CREATE MACRO m() AS {nested('(', '1', ')', 700)}",
    "a variable": f"SET VARIABLE x = {nested('(', '1', ')', 3000)}",
    "UPDATE": f"UPDATE t SET b = 'z' WHERE a IN ({joined(',', '{}', 5000)})",
    "a deep UPDATE": f"UPDATE t SET b = {'||'.join(['b'] * 2000)} WHERE a = 3",
    "DELETE": f"DELETE FROM t WHERE {joined(' OR ', 'a = {}', 500)}",
    "a deep DELETE": f"DELETE FROM t WHERE {nested('(', 'a = 1', ')', 3000)}",
    "INSERT": "INSERT INTO t VALUES " + joined(",", "({0} + 1000, 'row number {0}')", 5000),
    "a deep INSERT": f"INSERT INTO t VALUES ({nested('(', '1000', ')', 3000)}, 'x')",
    "a table of many columns": f"CREATE TABLE w ({joined(', ', 'c{} INTEGER', 500)})",
}


def outcome(run: Session | duckdb.DuckDBPyConnection, sql: str) -> object:
    """The rows of a query, `done` for another statement that succeeds, `error` for one that fails."""
    try:
        rows = run.execute(sql).fetchall()
    except (Error, duckdb.Error):
        return "error"
    return rows if sql.lstrip(" ;").startswith(("SELECT", "WITH")) else "done"


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_answer_is_duckdbs(session: Session, name: str) -> None:
    plain = duckdb.connect()
    for sql in TABLES:
        session.execute(sql)
        plain.execute(sql)
    assert outcome(session, STATEMENTS[name]) == outcome(plain, STATEMENTS[name])
    contents = "SELECT count(*), count(DISTINCT b), sum(a) FROM t"
    assert outcome(session, contents) == outcome(plain, contents)
