"""Bulk loading keeps every value of every type, whatever road it takes into the shards.

CREATE TABLE AS, INSERT … SELECT, INSERT … VALUES and COPY from CSV, Parquet and JSON, each beside plain DuckDB, which
says what the values are: also where a file format cannot hold a type, both must agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.errors import NotSupportedError

from .harness import Answer, Failure, Sharded, Statement, ask_plain, ask_sharded, connect_plain, difference

# (type, values as SQL); NULL is always added.
TYPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("BOOLEAN", ("true", "false")),
    ("TINYINT", ("-128", "0", "127")),
    ("SMALLINT", ("-32768", "0", "32767")),
    ("INTEGER", ("-2147483648", "0", "2147483647")),
    ("BIGINT", ("-9223372036854775808", "0", "9223372036854775807")),
    ("HUGEINT", ("-170141183460469231731687303715884105728", "0", "170141183460469231731687303715884105727")),
    ("UTINYINT", ("0", "255")),
    ("USMALLINT", ("0", "65535")),
    ("UINTEGER", ("0", "4294967295")),
    ("UBIGINT", ("0", "18446744073709551615")),
    ("UHUGEINT", ("0", "340282366920938463463374607431768211455")),
    (
        "BIGNUM",
        ("'-123456789012345678901234567890123456789012345678901234567890'", "0", "'98765432109876543210'"),
    ),
    ("DECIMAL(4,1)", ("-999.9", "0.1", "999.9")),
    ("DECIMAL(9,2)", ("-9999999.99", "0.01")),
    ("DECIMAL(18,3)", ("-999999999999999.999", "0.001")),
    ("DECIMAL(38,10)", ("'-9999999999999999999999999999.9999999999'", "'0.0000000001'")),
    ("FLOAT", ("'nan'", "'inf'", "'-inf'", "'-0.0'", "1.5", "3.4028235e38", "1e-45")),
    ("DOUBLE", ("'nan'", "'inf'", "'-inf'", "'-0.0'", "0.1", "1.7976931348623157e308", "5e-324")),
    (
        "VARCHAR",
        (
            "''",
            "' '",
            "'twelve bytes'",
            "'thirteen bytes'",
            "'żółć 日本 🦆'",
            "'it''s \"q\", a'",
            "'line\nend'",
        ),
    ),
    ("BLOB", ("''::BLOB", "'\\x00\\xFF\\x0A'::BLOB", "'more than twelve bytes'::BLOB")),
    ("BIT", ("'0'", "'1'", "'010101'", "'1111111111111111111'")),
    (
        "UUID",
        (
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            "'80000000-0000-0000-0000-000000000001'",
        ),
    ),
    (
        "DATE",
        ("'0001-01-01'", "'1970-01-01'", "'9999-12-31'", "'infinity'", "'-infinity'", "'0044-03-15 (BC)'"),
    ),
    ("TIME", ("'00:00:00'", "'23:59:59.999999'", "'24:00:00'")),
    ("TIME_NS", ("'00:00:00.000000001'", "'23:59:59.999999999'")),
    ("TIMETZ", ("'00:00:00+15:59:59'", "'23:59:59.999999-15:59:59'", "'12:00:00+02'")),
    (
        "TIMESTAMP",
        (
            "'0001-01-01 00:00:00'",
            "'1969-12-31 23:59:59.999999'",
            "'9999-12-31 23:59:59.999999'",
            "'infinity'",
        ),
    ),
    ("TIMESTAMP_S", ("'1969-12-31 23:59:59'", "'2024-02-29 12:00:00'", "'infinity'")),
    ("TIMESTAMP_MS", ("'1969-12-31 23:59:59.999'", "'2024-02-29 12:00:00.001'", "'-infinity'")),
    ("TIMESTAMP_NS", ("'1969-12-31 23:59:59.999999999'", "'2024-02-29 12:00:00.000000001'", "'infinity'")),
    ("TIMESTAMPTZ", ("'1970-01-01 00:00:00+00'", "'2024-03-31 02:30:00+01'", "'infinity'")),
    (
        "INTERVAL",
        ("'1 month'", "'-3 days'", "'1 year 2 months 3 days 04:05:06.000007'", "'0 days'", "'30 days'"),
    ),
    ("INTEGER[]", ("[]", "[1, NULL, 3]", "[NULL]")),
    ("VARCHAR[]", ("[]", "['', 'a', NULL]", "['a text that is longer than twelve bytes', 'b']")),
    ("VARCHAR[][]", ("[[]]", "[['a'], NULL, ['b', NULL]]")),
    ("DOUBLE[]", ("['nan'::DOUBLE, 'inf', 0.1]",)),
    ("INTEGER[3]", ("[1, 2, 3]", "[NULL, 0, -1]")),
    ("VARCHAR[2]", ("['a', NULL]", "['longer than twelve bytes', '']")),
    (
        "STRUCT(a INTEGER, b VARCHAR)",
        ("{'a': 1, 'b': 'x'}", "{'a': NULL, 'b': NULL}", "{'a': 0, 'b': 'longer than twelve bytes'}"),
    ),
    (
        "STRUCT(s STRUCT(t DATE[], d DECIMAL(9,2)), u UUID)",
        (
            "{'s': {'t': [DATE '2024-01-01', NULL], 'd': 1.25}, 'u': NULL}",
            "{'s': NULL, 'u': '12345678-1234-5678-1234-567812345678'::UUID}",
        ),
    ),
    ("MAP(VARCHAR, INTEGER)", ("MAP {}", "MAP {'a': 1, 'b': NULL}")),
    ("MAP(INTEGER, STRUCT(x VARCHAR[]))", ("MAP {1: {'x': ['y', NULL]}, 2: NULL}",)),
    (
        "UNION(n INTEGER, s VARCHAR)",
        ("union_value(n := 1)", "union_value(s := 'text')", "union_value(n := NULL)"),
    ),
    ("ENUM('sad', 'ok', 'a longer one')", ("'sad'", "'a longer one'")),
    ("ENUM('x', 'y')[]", ("['x', NULL, 'y']", "[]")),
    ("JSON", ("'{\"a\": [1, null]}'", "'null'", "'\"text\"'")),
    ("VARIANT", ("42", "'text'", "[1, 2]", "{'a': 1}")),
)
LAYOUTS = ("SHARD BY HASH (id) SHARDS 3", "SHARD BY EVENLY SHARDS 3", "REFERENCE")
COPIES = 4
"""How often the values are repeated, so that every shard gets some."""

GROUPS = {
    "numbers": TYPES[:17],
    "texts and moments": TYPES[17:31],
    "nested": TYPES[31:],
}

NOT_BY_ROAD = {
    "parquet": ("HUGEINT", "UHUGEINT", "INTERVAL"),
    "json": ("BIGNUM", "DECIMAL(18,3)", "DECIMAL(38,10)", "BIT", "VARIANT"),
}
"""Types that DuckDB itself cannot write to a format, or read back."""


def types(*excluded: str) -> list[object]:
    """The types as parameters of a test."""
    return [pytest.param(kind, values, id=kind) for kind, values in TYPES if kind not in excluded]


def source(kind: str, values: tuple[str, ...]) -> str:
    """A query that gives rows (id, before, v, behind) with every value of a type and NULL."""
    casts = " UNION ALL ".join(
        f"SELECT {number} AS n, CAST({value} AS {kind}) AS v"
        for number, value in enumerate((*values, "NULL"))
    )
    return (
        f"SELECT (n * {COPIES} + copy)::INTEGER AS id, 'before ' || n AS before, v,"
        f" 'some text behind ' || copy AS behind FROM ({casts}), range({COPIES}) c(copy)"
    )


@pytest.fixture(scope="module")
def plain() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect_plain()) as connection:
        yield connection


@pytest.fixture(scope="module")
def shared() -> Iterator[Sharded]:
    with closing(Sharded("3 shards", 3)) as database:
        yield database


@pytest.fixture
def sharded(shared: Sharded) -> Iterator[Sharded]:
    """A database without tables."""
    yield shared
    for table in shared.database.catalog.ready_tables():
        shared.run([f'DROP TABLE "{table.name}"'])


def unlike(plain: duckdb.DuckDBPyConnection, sharded: Sharded, columns: str) -> list[str]:
    """Where the rows of table t differ; as text too, since Python cannot hold every value."""
    for form in ("{0}", "{0}::VARCHAR AS {0}"):
        items = ", ".join(form.format(column) for column in columns.split(", "))
        statement = Statement(f"SELECT id, {items} FROM t ORDER BY ALL")
        found = [str(each) for each in sharded.mismatches(statement, ask_plain(plain, statement))]
        if found:
            return found
    return []


@pytest.mark.parametrize("clause", LAYOUTS)
@pytest.mark.parametrize(("kind", "values"), types())
def test_create_table_as_keeps_every_value(
    kind: str, values: tuple[str, ...], clause: str, plain: duckdb.DuckDBPyConnection, sharded: Sharded
) -> None:
    query = source(kind, values)
    plain.execute(f"CREATE OR REPLACE TABLE t AS {query}")
    sharded.run([f"CREATE TABLE t {clause} AS {query}"])
    assert unlike(plain, sharded, "before, v, behind") == []


@pytest.mark.parametrize(("kind", "values"), types())
def test_a_key_of_any_type_finds_its_rows(
    kind: str, values: tuple[str, ...], plain: duckdb.DuckDBPyConnection, sharded: Sharded
) -> None:
    query = source(kind, values)
    try:
        sharded.run([f"CREATE TABLE t SHARD BY HASH (v) SHARDS 3 AS {query}"])
    except NotSupportedError:
        assert kind.endswith("]") or kind.split("(")[0] in (
            "STRUCT",
            "MAP",
            "UNION",
            "JSON",
            "VARIANT",
            "BIGNUM",
            "BIT",
        )
        return
    plain.execute(f"CREATE OR REPLACE TABLE t AS {query}")
    found = unlike(plain, sharded, "v")
    for value in (*values, "NULL"):
        for condition in (
            f"v = CAST({value} AS {kind})",
            f"v = {value}",
            f"v IN ({value}, {values[0]})",
            f"v <= {value}",
        ):
            statement = Statement(
                f"SELECT id, v::VARCHAR AS v FROM t WHERE {condition} ORDER BY ALL", None, True
            )
            found += [str(each) for each in sharded.mismatches(statement, ask_plain(plain, statement))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("road", ["INSERT … SELECT", "INSERT … VALUES", "parquet", "csv", "json"])
@pytest.mark.parametrize("group", GROUPS)
def test_every_road_gives_what_it_gives_on_one_duckdb(
    group: str, road: str, plain: duckdb.DuckDBPyConnection, sharded: Sharded, tmp_path: Path
) -> None:
    listed = [(kind, values) for kind, values in GROUPS[group] if kind not in NOT_BY_ROAD.get(road, ())]
    columns = ", ".join(f"v{number}" for number in range(len(listed)))
    definition = ", ".join(f"v{number} {kind}" for number, (kind, _) in enumerate(listed))
    height = max(len(values) for _, values in listed) + 1
    table = [
        [f"CAST({values[row] if row < len(values) else 'NULL'} AS {kind})" for kind, values in listed]
        for row in range(height)
    ]
    rows = ", ".join(
        f"({number * COPIES + copy}, {', '.join(row)})"
        for number, row in enumerate(table)
        for copy in range(COPIES)
    )
    plain.execute(f"CREATE OR REPLACE TABLE t (id INTEGER, {definition})")
    sharded.run([f"CREATE TABLE t (id INTEGER, {definition}) SHARD BY HASH (id) SHARDS 3"])
    if road == "INSERT … VALUES":
        change = f"INSERT INTO t VALUES {rows}"
    elif road == "INSERT … SELECT":
        change = f"INSERT INTO t SELECT * FROM (VALUES {rows})"
    else:
        file = tmp_path / f"rows.{road}"
        plain.execute(f"COPY (FROM (VALUES {rows}) v(id, {columns})) TO '{file}' (FORMAT {road})")
        change = f"COPY t FROM '{file}'"
    plain.execute(change)
    sharded.run([change])
    assert unlike(plain, sharded, columns) == []


def test_many_batches_arrive_whole(plain: duckdb.DuckDBPyConnection, sharded: Sharded) -> None:
    query = (
        "SELECT i::INTEGER AS id, CASE WHEN i % 7 <> 3 THEN 'text number ' || i END AS s, i % 5 AS g, i / 3 AS d,"
        " CASE WHEN i % 11 <> 5 THEN [i, NULL, i % 3] END AS l, i % 2 = 0 AS b, (i / 8)::DECIMAL(18,3) AS m"
        " FROM range(300000) r(i)"
    )
    plain.execute(f"CREATE OR REPLACE TABLE t AS {query}")
    sharded.run([f"CREATE TABLE t SHARD BY HASH (id) SHARDS 3 AS {query}"])
    sharded.run(["CREATE TABLE e SHARD BY EVENLY SHARDS 3 AS SELECT * EXCLUDE (l) FROM t"])
    both = "count(*), sum(hash(id, s, d, b, m) % 1000003), count(DISTINCT id), max(s), sum(g)"
    for table, sql in (("t", f"SELECT {both}, sum(hash(l) % 1000003) FROM "), ("e", f"SELECT {both} FROM ")):
        got = ask_sharded(sharded.session, Statement(sql + table))
        assert isinstance(got, Answer)
        assert difference(ask_plain(plain, Statement(f"{sql}t")), got) is None


def test_a_value_that_does_not_fit_late_in_a_long_load_leaves_nothing(sharded: Sharded) -> None:
    value = "(CASE WHEN i < 250000 THEN '1' ELSE 'x' END)::INTEGER"
    query = f"SELECT i::INTEGER AS id, {value} AS v FROM range(260000) r(i)"
    sharded.run(["CREATE TABLE t (id INTEGER, v INTEGER) SHARD BY HASH (id) SHARDS 3"])
    for change in (f"INSERT INTO t {query}", f"CREATE TABLE u SHARD BY EVENLY SHARDS 3 AS {query}"):
        outcome = ask_sharded(sharded.session, Statement(change))
        assert isinstance(outcome, Failure)
        assert not outcome.crashed, outcome
        assert "Could not convert string 'x' to INT32" in outcome.message
    assert [table.name for table in sharded.database.catalog.ready_tables()] == ["t"]
    assert ask_sharded(sharded.session, Statement("FROM t")) == Answer(
        (("id", "INTEGER"), ("v", "INTEGER")), ()
    )
