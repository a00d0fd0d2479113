"""Checksums of tables: equal for the same rows in any order, and for nothing else."""

from __future__ import annotations

from hashlib import md5

import pytest

from duckraft.engine.storage import duck
from duckraft.engine.storage.checksum import Checksum, checksum
from duckraft.engine.types import Column


def _of(query: str, *, zone: str = "UTC") -> Checksum:
    connection = duck.open_instance()
    duck.execute(connection, f"SET TimeZone = '{zone}'")
    duck.execute(connection, f"CREATE TABLE t AS {query}")
    return checksum(connection, "t", [Column(row[0], row[1]) for row in duck.rows(connection, "DESCRIBE t")])


def test_it_is_what_the_definition_says() -> None:
    found = _of("SELECT * FROM (VALUES (1, 'apple', NULL::DOUBLE), (NULL, 'ü!', 0.5)) v(a, b, c)")
    rows = ["1:15:appleN", "N3:ü!3:0.5"]
    digests = [int.from_bytes(md5(row.encode()).digest()[8:], "little") for row in rows]
    assert found == Checksum(2, sum(digests) % (1 << 64))
    assert str(found) == f"2 rows, {found.value:016x}"


def test_the_order_of_the_rows_does_not_matter_and_their_number_does() -> None:
    rows = "SELECT i, i % 7 AS n, 'x' || i AS v FROM range(1000) t(i)"
    assert _of(f"{rows} ORDER BY i") == _of(f"{rows} ORDER BY n, v DESC")
    assert _of(f"{rows} UNION ALL SELECT 5, 5, 'x5'") != _of(rows)
    assert _of(f"{rows} UNION ALL SELECT 5, 5, 'x5'").rows == 1001
    assert _of("SELECT 1 AS a WHERE false") == Checksum(0, 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("INTERVAL '1 month'", "INTERVAL '31 days'"),
        ("[0.0::DOUBLE]", "[-0.0::DOUBLE]"),
        ("NULL::VARCHAR", "'N'"),
        ("NULL::VARCHAR", "''"),
        ("[1, NULL]", "[1]"),
        ("['a, b']", "['a', 'b']"),
        ("0.1::DOUBLE", "0.30000000000000004 - 0.2::DOUBLE"),
    ],
)
def test_values_that_differ_in_any_way_differ_here(one: str, other: str) -> None:
    assert _of(f"SELECT {one} AS v") != _of(f"SELECT {other} AS v")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.0::DOUBLE", "-0.0::DOUBLE"),
        ("0.0::FLOAT", "-0.0::FLOAT"),
        ("INTERVAL '1 month'", "INTERVAL '30 days'"),
        ("INTERVAL '1 day 1 us'", "INTERVAL '24 hours 1 us'"),
    ],
)
def test_what_an_update_may_leave_in_place_of_its_equal_is_the_same_here(one: str, other: str) -> None:
    assert _of(f"SELECT {one} AS v") == _of(f"SELECT {other} AS v")
    connection = duck.open_instance()
    duck.execute(connection, f"CREATE TABLE t AS SELECT {one} AS v")
    duck.execute(connection, f"UPDATE t SET v = {other}")
    texts = f"SELECT CAST(v AS VARCHAR), CAST({one} AS VARCHAR), CAST({other} AS VARCHAR) FROM t"
    ((found, before, wanted),) = duck.rows(connection, texts)
    assert found == before != wanted, "DuckDB writes what was to be written: checksums can be exact"


def test_text_does_not_run_from_one_column_into_the_next() -> None:
    assert _of("SELECT 'ab' AS a, 'c' AS b") != _of("SELECT 'a' AS a, 'bc' AS b")
    assert _of("SELECT '1:a' AS a, '' AS b") != _of("SELECT '' AS a, '1:a' AS b")


def test_the_time_zone_of_the_session_does_not_matter() -> None:
    query = "SELECT TIMESTAMPTZ '2020-01-01 12:00:00+00' AS v, [TIMESTAMPTZ '2020-06-01 12:00:00+00'] AS w"
    assert _of(query) == _of(query, zone="Asia/Tokyo")


def test_it_leaves_settings_and_open_transactions_alone() -> None:
    connection = duck.open_instance()
    duck.execute(connection, "CREATE TABLE t AS SELECT 1 AS a")
    duck.execute(connection, "SET TimeZone = 'Asia/Tokyo'")
    duck.execute(connection, "BEGIN")
    duck.execute(connection, "INSERT INTO t VALUES (2)")
    assert checksum(connection, "t", [Column("a", "INTEGER")]).rows == 1
    assert duck.rows(connection, "SELECT current_setting('TimeZone'), count(*) FROM t") == [("Asia/Tokyo", 2)]
