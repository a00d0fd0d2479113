"""COPY … TO, files read beside sharded tables, and attached databases: what one DuckDB would do."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows

TABLE = "CREATE TABLE t AS SELECT i AS k, i % 3 AS g, 'v' || i AS v FROM range(60) r(i)"


@pytest.fixture(autouse=True)
def table(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """t: sixty rows, spread; the working directory is an empty folder."""
    monkeypatch.chdir(tmp_path)
    session.execute(TABLE)


@pytest.fixture
def plain() -> duckdb.DuckDBPyConnection:
    """One DuckDB with the same table."""
    connection = duckdb.connect()
    connection.execute(TABLE)
    return connection


@pytest.mark.parametrize(
    "copy",
    [
        "t TO 'out.csv'",
        "t TO 'out.csv' (HEADER false, DELIMITER '|', QUOTE '''', FORCE_QUOTE (v))",
        "t (k, v) TO 'out.csv' WITH (FORMAT csv)",
        "t TO 'out.csv.gz' (COMPRESSION gzip)",
        "t TO 'out.parquet'",
        "t TO 'out.parquet' (COMPRESSION zstd, ROW_GROUP_SIZE 20000, KV_METADATA {made: 'here'})",
        "t TO 'out.json'",
        "t TO 'out.json' (ARRAY)",
        "(SELECT g, count(*) AS n FROM t GROUP BY g) TO 'out.parquet'",
        "(SELECT t.k, r.i FROM t JOIN range(5) r(i) ON r.i = t.k) TO 'out.csv'",
        "(WITH c AS (FROM t) SELECT max(k) AS m FROM c) TO 'out.csv'",
        "memory.main.t TO 'out.parquet'",
    ],
)
def test_what_is_copied_to_a_file_is_what_duckdb_copies(
    session: Session, plain: duckdb.DuckDBPyConnection, tmp_path: Path, copy: str
) -> None:
    result = session.execute(f"COPY {copy}")
    (written,) = tmp_path.iterdir()
    content = sorted(plain.execute(f"SELECT * FROM '{written}'").fetchall())
    written.unlink()
    expected = plain.execute(f"COPY {copy}").fetchall()
    assert (result.tag, result.rowcount, result.columns) == (f"COPY {expected[0][0]}", expected[0][0], ())
    assert content == sorted(plain.execute(f"SELECT * FROM '{written}'").fetchall())


def test_a_copy_to_a_folder_has_a_part_for_each_value(session: Session) -> None:
    copied = session.execute("COPY t TO 'parts' (FORMAT parquet, PARTITION_BY (g), RETURN_FILES)")
    assert [column.name for column in copied.columns] == ["Count", "Files"]
    ((count, files),) = copied.fetchall()
    assert count == 60
    assert {Path(file).parent.name for file in files} == {"g=0", "g=1", "g=2"}
    assert rows(session, "SELECT count(*), sum(g) FROM 'parts/*/*.parquet'") == [(60, 60)]
    again = "COPY t TO 'parts' (FORMAT parquet, PARTITION_BY (g))"
    assert error_of(session, again).sqlstate == "58030"
    assert session.execute(f"{again[:-1]}, OVERWRITE)").rowcount == 60


def test_the_file_and_values_may_be_parameters(session: Session) -> None:
    session.execute("COPY (SELECT k FROM t WHERE k < $1) TO $2", [5, "few.csv"])
    assert rows(session, "SELECT count(*) FROM 'few.csv'") == [(5,)]
    assert error_of(session, "COPY t TO $1").sqlstate == "22023"


@pytest.mark.parametrize(
    ("copy", "sqlstate"),
    [
        ("nosuch TO 'x.csv'", "42P01"),
        ("(SELECT nosuch FROM t) TO 'x.csv'", "42703"),
        ("t TO 'x' (FORMAT nosuch)", "42883"),
        ("t TO 'x.csv' (NOSUCH 1)", "0A000"),
        ("t TO '/nosuch/x.csv'", "58030"),
        ("t TO", "42601"),
    ],
)
def test_a_copy_that_cannot_be_says_why_and_leaves_no_file(
    session: Session, tmp_path: Path, copy: str, sqlstate: str
) -> None:
    assert error_of(session, f"COPY {copy}").sqlstate == sqlstate
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "query",
    [
        "FROM 'f.parquet'",
        "SELECT count(*) FROM t JOIN 'f.parquet' f USING (k)",
        "SELECT t.v, f.n FROM t LEFT JOIN 'f.csv' f ON f.k = t.k WHERE t.k < 12",
        "SELECT count(*) FROM t WHERE k IN (SELECT k FROM read_csv('f.csv'))",
        "SELECT (SELECT max(n) FROM 'f.json' f WHERE f.k = t.k) AS n FROM t WHERE k BETWEEN 8 AND 12",
        "SELECT count(*), count(DISTINCT filename) FROM read_csv('?.csv', filename = true)",
        "SELECT count(*) FROM t, read_parquet(['f.parquet', 'f.parquet']) f WHERE f.k = t.k",
        "WITH f AS (FROM 'f.json') SELECT g, sum(n) FROM t JOIN f USING (k) GROUP BY g",
        "SELECT * FROM glob('*.parquet')",
        "SELECT k FROM t EXCEPT SELECT k FROM 'f.parquet'",
    ],
)
def test_files_are_read_beside_sharded_tables(
    session: Session, plain: duckdb.DuckDBPyConnection, query: str
) -> None:
    for ending in ("parquet", "csv", "json"):
        plain.execute(f"COPY (SELECT i AS k, i * 10 AS n FROM range(0, 100, 7) r(i)) TO 'f.{ending}'")
    expected = plain.execute(query).fetchall()
    assert sorted(map(repr, rows(session, query))) == sorted(map(repr, expected))


def test_rows_of_files_are_loaded_and_copied_into_tables(session: Session) -> None:
    session.execute("COPY t TO 'f.parquet'")
    session.execute("CREATE TABLE u SHARD BY HASH (k) SHARDS 3 AS FROM 'f.parquet'")
    session.execute("INSERT INTO u SELECT k + 100, g, v FROM read_parquet('f.parquet')")
    session.execute("CREATE VIEW filed AS FROM 'f.parquet'")
    assert rows(session, "SELECT count(*), max(k) FROM u") == [(120, 159)]
    assert rows(session, "SELECT count(*) FROM filed JOIN u USING (k)") == [(60,)]


def test_tables_of_an_attached_database_are_read_and_written(session: Session, tmp_path: Path) -> None:
    session.execute("ATTACH 'side.duckdb' AS side")
    session.execute("CREATE SCHEMA side.s")
    session.execute("CREATE TABLE side.s.u AS SELECT k, upper(v) AS v FROM t WHERE k < 10")
    session.execute("INSERT INTO side.s.u VALUES (59, 'last')")
    session.execute("UPDATE side.s.u SET v = 'first' WHERE k = 0")
    session.execute("DELETE FROM side.s.u WHERE k = 5")
    assert rows(session, "SELECT count(*), max(u.v) FROM t JOIN side.s.u ON u.k = t.k") == [(10, "last")]
    assert rows(session, "SELECT side.s.u.v FROM side.s.u, t WHERE t.k = side.s.u.k AND t.k = 0") == [
        ("first",)
    ]
    session.execute("CREATE TABLE back SHARD BY HASH (k) SHARDS 3 AS FROM side.s.u")
    session.execute("INSERT INTO back SELECT k + 100, v FROM side.s.u")
    session.execute("INSERT INTO side.s.u SELECT k, v FROM back WHERE k >= 100")
    assert rows(session, "SELECT (SELECT count(*) FROM back), (SELECT count(*) FROM side.s.u)") == [(20, 20)]
    session.execute("CHECKPOINT side")
    session.execute("DETACH side")
    assert error_of(session, "FROM side.s.u").sqlstate == "42P01"
    with duckdb.connect(str(tmp_path / "side.duckdb"), read_only=True) as plain:
        assert plain.execute("SELECT count(*) FROM s.u").fetchall() == [(20,)]


def test_what_attaching_may_not_do(session: Session) -> None:
    session.execute("ATTACH ':memory:' AS side")
    session.execute("ATTACH 'file.duckdb'")
    session.execute("DETACH file")
    session.execute("ATTACH 'file.duckdb' (READ_ONLY)")
    for sql, sqlstate in {
        "ATTACH 'duckraft_mine.duckdb'": "42501",
        "ATTACH ':memory:' AS duckraft_mine": "42501",
        "DETACH duckraft_s0": "42501",
        "DETACH memory": "42000",
        "DETACH nosuch": "42000",
        "USE side": "0A000",
        "CREATE TABLE file.u (a INTEGER)": "22023",
        "CREATE TABLE side.u (a INTEGER) SHARD BY HASH (a)": "42P16",
    }.items():
        assert error_of(session, sql).sqlstate == sqlstate, sql
    assert rows(session, "SELECT count(*) FROM t") == [(60,)]
