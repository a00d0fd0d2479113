"""The targets of a change are never too small, and as small as they can be for the small changes that come often."""

from __future__ import annotations

from decimal import Decimal

import pytest

from duckraft.engine.database import Database
from duckraft.engine.executor.changes.targets import WriteTarget, WriteTargets
from duckraft.engine.session import Session
from duckraft.engine.sql.classify import classify
from duckraft.engine.types import Parameters
from tests.engine.executor.support import contents


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """Tables with keys of one column and of two, one without a key, and a reference table."""
    session.execute("CREATE TABLE t (k BIGINT, v VARCHAR, n INT DEFAULT 0) SHARD BY HASH (k)")
    session.execute("CREATE TABLE c (a INT, b VARCHAR, n INT) SHARD BY HASH (a, b)")
    session.execute("CREATE TABLE e (n INT) SHARD BY EVENLY")
    session.execute("CREATE TABLE r (k INT) REFERENCE")


def targets(database: Database, sql: str, parameters: Parameters = None) -> tuple[WriteTarget, ...]:
    return WriteTargets(database.gateway).of(sql, parameters, classify(sql))


def only(database: Database, sql: str, parameters: Parameters = None) -> WriteTarget:
    (found,) = targets(database, sql, parameters)
    return found


def keys(database: Database, sql: str, parameters: Parameters = None) -> set[object] | None:
    """The keys without their shards; those of one column as they are."""
    found = only(database, sql, parameters).keys
    if found is None:
        return None
    return {key[0] if len(key) == 1 else key for _, key in found}


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("INSERT INTO t VALUES (7, 'x', 1)", None, {7}),
        ("INSERT INTO t VALUES (?, ?, 1)", [7, "x"], {7}),
        ("INSERT INTO t (v, k) VALUES ($1, $2), ('y', 8)", ["x", 7], {7, 8}),
        ("INSERT INTO t (v, k) VALUES ($v, $k)", {"v": "x", "k": 7}, {7}),
        ("INSERT INTO t (k) VALUES (NULL)", None, {None}),
        ("INSERT INTO t (k) VALUES (7) ON CONFLICT DO NOTHING", None, {7}),
        ("UPDATE t SET n = n + 1 WHERE k = 7", None, {7}),
        ("UPDATE t SET n = n + 1 WHERE k = -7 AND n > 2 RETURNING n", None, {-7}),
        ("UPDATE t SET n = 1 WHERE k IN (1, 2, 3) AND v = 'x'", None, {1, 2, 3}),
        ("UPDATE t SET n = 1 WHERE (k = ? OR k = 2)", [7], {7, 2}),
        ("UPDATE t SET n = 1 WHERE k = NULL", None, set()),
        ("DELETE FROM t AS x WHERE x.k = ?", [7], {7}),
        ("DELETE FROM c WHERE a = 1 AND b IN ('x', 'y')", None, {(1, b"x"), (1, b"y")}),
        ("INSERT INTO c VALUES (1, 'x', 2), (1, 'x', 3)", None, {(1, b"x")}),
    ],
)  # fmt: skip
def test_a_change_that_names_its_keys_is_pinned_to_them(
    database: Database, sql: str, parameters: Parameters, expected: set[object]
) -> None:
    assert keys(database, sql, parameters) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (k) SELECT 7",
        "INSERT INTO t (v) VALUES ('x')",
        "INSERT INTO t (k) VALUES (3 + 4)",
        "INSERT INTO t (k) VALUES (7), ((SELECT max(k) FROM t))",
        "INSERT INTO t (k) VALUES (7) ON CONFLICT (k) DO UPDATE SET k = 8",
        "UPDATE t SET n = 1",
        "UPDATE t SET n = 1 WHERE k > 7",
        "UPDATE t SET n = 1 WHERE k = 7 OR n = 1",
        "UPDATE t SET n = 1 WHERE k = 7.5",
        "UPDATE t SET n = 1 WHERE k + 0 = 7",
        "UPDATE t SET n = 1 WHERE NOT k = 7",
        "UPDATE t SET k = 8 WHERE k = 7",
        "UPDATE t SET n = (SELECT max(n) FROM t) WHERE k = 7",
        "UPDATE t SET n = r.k FROM r WHERE t.k = 7",
        "DELETE FROM t USING c WHERE t.k = 7 AND c.a = 7",
        "DELETE FROM t WHERE k = 7 AND EXISTS (FROM t AS o WHERE o.n > t.n)",
        "DELETE FROM c WHERE a = 1",
        "MERGE INTO t USING (SELECT 7 AS k) AS s ON t.k = s.k WHEN MATCHED THEN DELETE",
        "TRUNCATE t",
        "COPY t FROM 'x.csv'",
        "INSERT INTO e VALUES (7)",
        "DELETE FROM e WHERE n = 7",
        "INSERT INTO r VALUES (7)",
        "UPDATE r SET k = 8 WHERE k = 7",
    ],
)
def test_what_may_write_or_read_other_rows_is_not_pinned(database: Database, sql: str) -> None:
    assert only(database, sql).keys is None


@pytest.mark.parametrize("sql", ["UPDATE t SET n = 1 WHERE k IN ({})", "INSERT INTO t (k) VALUES {}"])
def test_a_change_of_very_many_keys_is_told_by_its_shards(database: Database, sql: str) -> None:
    def filled(count: int) -> str:
        return sql.format(", ".join(f"({k})" for k in range(count)))

    pinned = only(database, filled(64))
    assert pinned.keys is not None
    assert len(pinned.keys) == 64
    assert {shard for shard, _ in pinned.keys} == set(pinned.shards)
    assert only(database, filled(65)).keys is None


def test_keys_come_in_one_order_whatever_the_order_in_the_text(database: Database) -> None:
    values: list[list[object]] = [[5, "b"], [None, "a"], [5, None], [3, "a"], [None, None], [7, "z"]]
    sql = f"INSERT INTO c (a, b) VALUES {', '.join(['(?, ?)'] * len(values))}"
    found = [
        only(database, sql, [value for row in rows for value in row]).keys
        for rows in (values, values[::-1], values[3:] + values[:3])
    ]
    assert found[0] is not None
    assert len(found[0]) == len(values)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("value", [1, 1.0, "1", Decimal("1.00")], ids=repr)
def test_equal_values_are_one_key_whatever_their_class(database: Database, value: object) -> None:
    by_insert = keys(database, "INSERT INTO t (k) VALUES (?)", [value])
    by_condition = keys(database, "DELETE FROM t WHERE k = ?", [value])
    assert by_insert == by_condition == {1}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE t SET k = k + 1 WHERE k = 7", {0, 1, 2}),
        (
            "MERGE INTO t USING (SELECT 7 AS k) AS s ON t.k = s.k WHEN NOT MATCHED THEN INSERT (k) VALUES (8)",
            {0, 1, 2},
        ),
        ("INSERT INTO t (k) SELECT 7", {0, 1, 2}),
        ("INSERT INTO e VALUES (7)", {0, 1, 2}),
        ("INSERT INTO r VALUES (7)", {-1}),
        ("DELETE FROM t WHERE k = 1 AND k = NULL", None),
    ],
)
def test_shards(database: Database, sql: str, expected: set[int] | None) -> None:
    found = only(database, sql).shards
    assert len(found) == 1 if expected is None else set(found) == expected


def test_rows_are_only_written_on_the_shards_that_are_told(database: Database, session: Session) -> None:
    for sql in (
        *(f"INSERT INTO t VALUES ({k}, 'x', {k})" for k in range(20)),
        "UPDATE t SET n = -1 WHERE k IN (3, 4, 5)",
        "DELETE FROM t WHERE k = 6 OR k = 7",
        "UPDATE t SET n = -2 WHERE k = 8 AND n IN (SELECT a FROM c)",
        "UPDATE t SET k = 100 WHERE k = 9",
    ):
        told = set(only(database, sql).shards)
        before = contents(database)
        session.execute(sql)
        table = database.catalog.tables["main", "t"]
        written = {
            table.placements[shard]
            for (name, shard), rows in contents(database).items()
            if rows != before[name, shard]
        }
        assert written <= told


@pytest.mark.parametrize(
    "clause",
    [
        "HASH (k)",
        "CONSISTENT HASH (k) SHARDS 5",
        "RANGE (k) (VALUES LESS THAN ('10'), VALUES LESS THAN ('5'), MAXVALUE)",
        "DIRECTORY (k) (SHARD 0 VALUES ('7', NULL), SHARD 1 VALUES ('12'), DEFAULT SHARD 2)",
        "HASH (k, n)",
    ],
)
def test_the_row_of_a_key_is_on_its_shard(database: Database, session: Session, clause: str) -> None:
    session.execute(f"CREATE TABLE s (k VARCHAR, n INT) SHARD BY {clause}")
    for k in ("7", "12", "90", "", "é", None):
        (target,) = targets(database, "INSERT INTO s VALUES (?, 3)", [k])
        assert target.keys is not None
        before = contents(database)
        session.execute("INSERT INTO s VALUES (?, 3)", [k])
        after = contents(database)
        (written,) = [
            target.table.placements[shard]
            for (name, shard), found in after.items()
            if name == "s" and found != before[name, shard]
        ]
        assert target.shards == (written,)
        assert [shard for shard, _ in target.keys] == [written]
        if k is not None:
            assert only(database, "DELETE FROM s WHERE k = ? AND n = 3", [k]) == target


def test_no_target_is_told_for_what_is_not_a_table_of_the_database(
    database: Database, session: Session
) -> None:
    session.execute("CREATE TEMP TABLE own (k INT)")
    changes = ("INSERT INTO own VALUES (1)", "UPDATE own SET k = 2", "TRUNCATE own", "COPY own FROM 'x.csv'")
    assert [targets(database, sql) for sql in changes] == [()] * 4


def test_a_macro_may_read_anything(database: Database, session: Session) -> None:
    session.execute("CREATE MACRO highest() AS (SELECT max(n) FROM t)")
    assert keys(database, "UPDATE t SET n = highest() WHERE k = 7") is None
    assert keys(database, "INSERT INTO t (k, n) VALUES (7, highest())") is None


def test_foreign_keys_lock_whole_shards_of_both_tables(database: Database, session: Session) -> None:
    session.execute("CREATE TABLE parent (k INT PRIMARY KEY, p INT) SHARD BY HASH (k)")
    found = WriteTargets(database.gateway)
    sql = "INSERT INTO parent VALUES (?, 1)"
    (alone,) = found.of(sql, [7], classify(sql))
    assert alone.keys is not None
    session.execute(
        "CREATE TABLE child (k INT REFERENCES parent (k), n INT) SHARD BY HASH (k) COLOCATE WITH parent"
    )
    both = found.of(sql, [7], classify(sql))
    assert [target.table.name for target in both] == ["parent", "child"]
    assert all(target.keys is None and target.shards == alone.shards for target in both)
    sql = "DELETE FROM child WHERE k = 7"
    both = found.of(sql, None, classify(sql))
    assert [(target.table.name, target.shards) for target in both] == [
        ("child", alone.shards),
        ("parent", alone.shards),
    ]
    session.execute("DROP TABLE child")
    sql = "DELETE FROM parent WHERE k = 7"
    assert found.of(sql, None, classify(sql)) == (alone,)
