"""Statements over fragments, where they are not quite the user's text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Database.open() as database, database.session() as session:
        session.execute("CREATE TABLE t (k INTEGER, b VARCHAR) SHARD BY HASH (k)")
        session.execute("INSERT INTO t SELECT range, 'v' || range FROM range(20)")
        yield session


@pytest.mark.parametrize("other", ["t", "t AS r", '"t" r'])
def test_first_rows_of_a_full_join_are_taken_where_nothing_is_pushed_into_its_scans(
    session: Session, other: str
) -> None:
    name = other.split()[-1].strip('"')
    sql = f"SELECT l.b FROM t l FULL JOIN {other} ON l.k = {name}.k + 10 ORDER BY l.b NULLS FIRST LIMIT 11"
    merged = session.plan(sql).merge_sql(lambda fragment: fragment.name)
    assert merged.count(" AS MATERIALIZED ") == 2
    rows = session.execute(sql).fetchall()
    assert rows[:10] == [(None,)] * 10
    assert rows[10] == ("v0",)


@pytest.mark.parametrize(
    "sql", ["FROM t l FULL JOIN t r USING (k)", "FROM t l LEFT JOIN t r USING (b) LIMIT 1"]
)
def test_other_joins_are_left_to_duckdb(session: Session, sql: str) -> None:
    assert "MATERIALIZED" not in session.plan(f"SELECT l.b {sql}").merge_sql(lambda fragment: fragment.name)
