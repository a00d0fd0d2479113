"""Fragments over attached shards: once for each shard, or once over the views where the shards are many."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.executor.reading.binding import MOST_BRANCHES, attached_sql
from duckraft.engine.session import Session

MANY = MOST_BRANCHES + 4
ROWS = (
    "INSERT INTO t SELECT i, i % 7, 'v' || i FROM range(500) r(i)",
    "INSERT INTO u SELECT i * 3, i % 5 FROM range(200) r(i)",
    "INSERT INTO n SELECT i, 'name ' || i FROM range(6) r(i)",
)


@pytest.fixture(scope="module")
def plain() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (k INTEGER, g INTEGER, v VARCHAR)")
        connection.execute("CREATE TABLE u (k INTEGER, h INTEGER)")
        connection.execute("CREATE TABLE n (g INTEGER, name VARCHAR)")
        for sql in ROWS:
            connection.execute(sql)
        yield connection


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Database.open(shards=MANY) as database, database.session() as session:
        bounds = ", ".join(f"({number * 25})" for number in range(1, MANY))
        ranges = f"SHARD BY RANGE (k) (VALUES LESS THAN {bounds}, MAXVALUE)"
        session.execute(f"CREATE TABLE t (k INTEGER, g INTEGER, v VARCHAR) {ranges}")
        session.execute("CREATE TABLE u (k INTEGER, h INTEGER) COLOCATE WITH t")
        session.execute("CREATE TABLE n (g INTEGER, name VARCHAR) REFERENCE")
        for sql in ROWS:
            session.execute(sql)
        yield session


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*), sum(k), min(v) FROM t",
        "SELECT g, count(*), stddev(k)::DECIMAL(9, 3) FROM t WHERE v <> 'v7' GROUP BY g",
        "SELECT k, count(*) FROM t GROUP BY k",
        "SELECT t.k, u.h FROM t LEFT JOIN u ON u.k = t.k AND u.h > 2",
        "SELECT u.h, count(*), count(t.k) FROM t FULL JOIN u ON u.k = t.k GROUP BY u.h",
        "SELECT n.name, max(t.v) FROM t JOIN n ON n.g = t.g GROUP BY n.name",
        "SELECT k, v FROM t ORDER BY v DESC LIMIT 7",
        "SELECT count(*) FROM t WHERE k >= 100 AND EXISTS (FROM u WHERE u.k = t.k)",
        "SELECT count(DISTINCT g) FROM t WHERE k < 30 OR k > 40",
        "SELECT count(*) FROM t WHERE k BETWEEN 20 AND 130",
    ],
)
def test_many_shards_answer_like_one_duckdb(
    session: Session, plain: duckdb.DuckDBPyConnection, query: str
) -> None:
    expected = plain.execute(query).fetchall()
    assert sorted(session.execute(query).fetchall(), key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize(
    ("where", "branches"),
    [
        ("true", 0),
        ("k >= 50", 0),
        (f"k < {25 * MOST_BRANCHES}", MOST_BRANCHES),
        ("k BETWEEN 20 AND 130", 6),
    ],
)
def test_a_fragment_of_many_shards_is_written_once(session: Session, where: str, branches: int) -> None:
    sql = attached_sql(session.plan(f"SELECT sum(g) FROM t WHERE {where}"))
    assert sql.count("duckraft_s") == branches
    assert ("memory.main.t" in sql.replace('"', "")) is (branches == 0)
