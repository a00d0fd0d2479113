"""A known shape tells of a small write what parsing would tell, and inserts written as one do what each does."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from uuid import UUID

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.executor.changes.shapes import KnownWrite, WriteShapes
from duckraft.engine.executor.changes.targets import WriteTargets
from duckraft.engine.session import Session
from duckraft.engine.sql.classify import classify
from duckraft.engine.types import Parameters


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    """A table with a key of one column, and one of two."""
    session.execute("CREATE TABLE t (k BIGINT PRIMARY KEY, v VARCHAR, n INT DEFAULT 7) SHARD BY HASH (k)")
    session.execute("CREATE TABLE c (a INT, b VARCHAR, n INT) SHARD BY HASH (a, b)")


@pytest.fixture
def shapes(database: Database) -> WriteShapes:
    """Nothing is known yet."""
    return WriteShapes(database.gateway, WriteTargets(database.gateway))


def known(shapes: WriteShapes, sql: str, parameters: Parameters = None) -> KnownWrite:
    found = shapes.find(sql, parameters)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("first", "first_values", "then", "values"),
    [
        ("INSERT INTO t VALUES (?, ?, ?)", [1, "a", 2], "INSERT INTO t VALUES (?, ?, ?)", [5, None, 2.5]),
        ("INSERT INTO t VALUES (1, 'a', 1)", None, "INSERT INTO t  VALUES (42, 'it''s', 1);", None),
        ("INSERT INTO t (v, k) VALUES ('a', -1)", None, "INSERT INTO t (v, k) VALUES ('', -3)", None),
        ("INSERT INTO t (k, n) VALUES (7, 7)", None, "INSERT INTO t (k, n) VALUES (7, 8)", None),
        ("INSERT INTO t (k) VALUES ($1), ($1)", [1], "INSERT INTO t (k) VALUES ($1), ($1)", [12]),
        ("INSERT INTO t (k) VALUES ($k)", {"k": 1}, "INSERT INTO t (k) VALUES ($k)", {"k": 9}),
        ("INSERT INTO c VALUES (1, ?, 3)", ["x"], "INSERT INTO c VALUES (4, ?, 3)", ["y"]),
        ("UPDATE t SET n = n + ? WHERE k = ?", [1, 2], "UPDATE t SET n = n + ? WHERE k = ?", [5, "6"]),
        ("UPDATE t SET n = 1 WHERE k = 1", None, "UPDATE t SET n = 3 WHERE k = 3", None),
        ("DELETE FROM c WHERE a = 1 AND b = 'x'", None, "DELETE FROM c WHERE a = 2 AND b = 'y'", None),
        ("DELETE FROM t WHERE k IN (1, 1)", None, "DELETE FROM t WHERE k IN (8, 8)", None),
    ],
)  # fmt: skip
def test_a_known_shape_tells_what_parsing_tells(
    database: Database,
    shapes: WriteShapes,
    first: str,
    first_values: Parameters,
    then: str,
    values: Parameters,
) -> None:
    assert shapes.find(then, values) is None
    shapes.learn(first, first_values)
    found = known(shapes, then, values)
    (target,) = WriteTargets(database.gateway).of(then, values, classify(then))
    assert (found.shard,) == target.shards
    assert found.keys == target.keys
    assert found.shape.table is target.table


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT * FROM t WHERE k = 1", None),
        ("INSERT INTO t (k) SELECT 1", None),
        ("INSERT INTO t (k) VALUES (1 + 1)", None),
        ("INSERT INTO t (v) VALUES ('x')", None),
        ("UPDATE t SET k = 2 WHERE k = 1", None),
        ("UPDATE t SET n = 1 WHERE v = 'x'", None),
        ("UPDATE t SET n = (SELECT max(n) FROM t) WHERE k = 1", None),
        ("DELETE FROM t WHERE k = 1.5", None),
        ("DELETE FROM t WHERE k = NULL", None),
        ("INSERT INTO t VALUES (?, ?, ?)", [1, "x"]),
        ("INSERT INTO t VALUES (?, ?, ?)", ["one", "x", 1]),
        ("DELETE FROM nowhere WHERE k = 1", None),
        ("INSERT INTO t VALUES (1, 'x', 1) -- x", None),
    ],
)
def test_other_statements_are_not_known(shapes: WriteShapes, sql: str, parameters: Parameters) -> None:
    shapes.learn(sql, parameters)
    assert shapes.find(sql, parameters) is None


def test_keys_on_several_shards_are_not_for_the_fast_road(database: Database, shapes: WriteShapes) -> None:
    sql = "DELETE FROM t WHERE k IN (?, ?)"
    shapes.learn(sql, [1, 1])
    table = database.catalog.tables["main", "t"]
    found = {k: table.strategy.shard_of([k]) for k in range(20)}
    for other in range(20):
        together = found[0] == found[other]
        assert (shapes.find(sql, [0, other]) is not None) is together
    assert len(set(found.values())) > 1


def test_a_shape_is_forgotten_when_definitions_change(session: Session, shapes: WriteShapes) -> None:
    sql = "INSERT INTO t (k) VALUES (?)"
    shapes.learn(sql, [1])
    before = known(shapes, sql, [1])
    assert before.row is not None
    session.execute("ALTER TABLE t ALTER n SET DEFAULT random() * 10")
    assert shapes.find(sql, [1]) is None
    shapes.learn(sql, [1])
    after = known(shapes, sql, [1])
    assert not after.shape.is_replayable
    assert after.row is None


def test_a_table_with_foreign_keys_has_no_known_shapes(session: Session, shapes: WriteShapes) -> None:
    session.execute("CREATE TABLE child (k BIGINT REFERENCES t (k)) SHARD BY HASH (k) COLOCATE WITH t")
    for sql in ("INSERT INTO child VALUES (?)", "DELETE FROM t WHERE k = ?"):
        shapes.learn(sql, [1])
        assert shapes.find(sql, [1]) is None


def test_only_so_many_shapes_are_kept(database: Database) -> None:
    shapes = WriteShapes(database.gateway, WriteTargets(database.gateway), capacity=2)
    texts = [f"INSERT INTO t (k, n) VALUES (?, n{number})" for number in range(3)]
    for text in texts:
        shapes.learn(text, [1])
    assert len(shapes) == 2


@pytest.mark.parametrize(
    ("sql", "replayable"),
    [
        ("INSERT INTO t VALUES (?, 'x', 1)", True),
        ("INSERT INTO t (k) VALUES (?)", True),
        ("INSERT INTO t VALUES (?, 'x', random())", False),
        ("INSERT INTO t (k, v) VALUES (?, current_date)", False),
        ("UPDATE t SET n = n + 1, v = lower(v) WHERE k = ?", True),
        ("UPDATE t SET n = DEFAULT WHERE k = ?", True),
        ("UPDATE t SET v = now() WHERE k = ?", False),
        ("UPDATE t SET v = (SELECT 1) WHERE k = ?", False),
        ("DELETE FROM t WHERE k = ? AND (n > 1 OR v IS NULL)", True),
    ],
)
def test_replayable(shapes: WriteShapes, sql: str, replayable: bool) -> None:
    shapes.learn(sql, [1])
    assert known(shapes, sql, [1]).shape.is_replayable is replayable


@pytest.mark.parametrize(
    ("sql", "parameters", "zoned"),
    [
        ("INSERT INTO z VALUES (?, '2020-01-01 00:00')", [1], True),
        ("DELETE FROM t WHERE k = ? AND v = CAST('2020-01-01' AS TIMESTAMPTZ)", [1], True),
        ("INSERT INTO t VALUES (?, '2020-01-01 00:00', 1)", [1], False),
        ("INSERT INTO t (k, v) VALUES (?, ?)", [1, datetime(2020, 1, 1)], False),
        ("INSERT INTO t (k, v) VALUES (?, ?)", [1, datetime(2020, 1, 1, tzinfo=UTC)], True),
        ("INSERT INTO t (k, v) VALUES ($k, $v)", {"k": 1, "v": [datetime(2020, 1, 1, tzinfo=UTC)]}, True),
    ],
)
def test_whether_the_time_zone_matters(
    session: Session, shapes: WriteShapes, sql: str, parameters: Parameters, zoned: bool
) -> None:
    session.execute("CREATE TABLE z (k INT, moment TIMESTAMPTZ) SHARD BY HASH (k)")
    shapes.learn(sql, parameters)
    assert known(shapes, sql, parameters).is_zoned is zoned


@pytest.mark.parametrize(
    ("sql", "tag", "returning"),
    [
        ("INSERT INTO t (k) VALUES (?)", "INSERT 0", False),
        ("INSERT INTO t (k) VALUES (?) RETURNING n", "INSERT 0", True),
        ("UPDATE t SET n = 1 WHERE k = ? RETURNING *", "UPDATE", True),
        ("DELETE FROM t WHERE k = ?", "DELETE", False),
    ],
)
def test_what_a_shape_gives(shapes: WriteShapes, sql: str, tag: str, returning: bool) -> None:
    shapes.learn(sql, [1])
    shape = known(shapes, sql, [1]).shape
    assert (shape.tag, shape.returning) == (tag, returning)


@pytest.mark.parametrize(
    ("sql", "parameters", "head", "row"),
    [
        ("INSERT INTO t VALUES (?, ?, ?)", [1, "x", 2], "INSERT INTO t VALUES ", "(?, ?, ?)"),
        ("insert into t (k, v) values ($1, $2)", [1, "x"], "insert into t (k, v) values ", "(?, ?)"),
        ("INSERT INTO t VALUES (-1, 'it''s', 2.50)", None, "INSERT INTO t VALUES ", "(-1, 'it''s', 2.50)"),
        ("INSERT INTO t VALUES (?, 'x', 7 + ?)", [1, 2], "INSERT INTO t VALUES ", "(?, 'x', 7 + ?)"),
        ("INSERT INTO t VALUES (?, NULL, DEFAULT)", [1], "INSERT INTO t VALUES ", "(?, NULL, DEFAULT)"),
    ],
)
def test_an_insert_of_one_row_can_be_written_with_others(
    shapes: WriteShapes, sql: str, parameters: Parameters, head: str, row: str
) -> None:
    shapes.learn(sql, parameters)
    found = known(shapes, sql, parameters)
    assert found.shape.row_text is not None
    assert (found.shape.row_text.head, found.row) == (head, row)


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("INSERT INTO t VALUES (?, ?, random())", [1, "x"]),
        ("INSERT INTO t (k) VALUES (?), (?)", [1, 1]),
        ("INSERT INTO t (k, n) VALUES ($2, $1)", [1, 1]),
        ("INSERT INTO t (k, n) VALUES ($1, $1)", [1]),
        ("INSERT INTO t (k) VALUES ($k)", {"k": 1}),
        ("INSERT INTO t (k) VALUES (?) ON CONFLICT DO NOTHING", [1]),
        ("INSERT INTO t (k) VALUES (?) RETURNING k", [1]),
        ("INSERT OR REPLACE INTO t (k) VALUES (?)", [1]),
        ("WITH x AS (SELECT 1) INSERT INTO t (k) VALUES (?)", [1]),
        ("UPDATE t SET n = 1 WHERE k = ?", [1]),
    ],
)
def test_any_other_write_runs_alone(shapes: WriteShapes, sql: str, parameters: Parameters) -> None:
    shapes.learn(sql, parameters)
    found = shapes.find(sql, parameters)
    assert found is None or found.row is None


TYPES = (
    "VARCHAR",
    "BIT",
    "INTEGER",
    "DOUBLE",
    "DECIMAL(9, 3)",
    "BOOLEAN",
    "TIMESTAMP",
    "UUID",
    "BLOB",
    "INTEGER[]",
    "HUGEINT",
)
VALUES = (
    *(None, True, 1, 0, 2**40, 2**70, 1.5, 2.0, Decimal("1.5"), Decimal("22.250"), "abc", "1", "1.50", b"1"),
    *(date(2020, 1, 2), datetime(2020, 1, 2, 3, 4, 5), UUID(int=7), [1, 2], "[3]"),
)  # fmt: skip
LITERALS = ("NULL", "true", "1", "5000000000", "1.5", "22.250", "'abc'", "'1'", "DATE '2020-01-02'", "[1, 2]")


@pytest.mark.parametrize("kind", TYPES)
def test_duckdb_casts_each_row_of_a_values_list_as_if_it_were_alone(kind: str) -> None:
    """Were it to find one type for all rows first, as in a query, 1 and true would not become '1' and 'true'."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t (v {kind})")

    def stored(rows: list[str], values: list[object]) -> list[object] | None:
        """What inserting gives, as text."""
        connection.execute("DELETE FROM t")
        try:
            connection.execute(f"INSERT INTO t VALUES {', '.join(rows)}", values)
        except duckdb.Error:
            return None
        return [value for (value,) in connection.execute("SELECT v::VARCHAR FROM t").fetchall()]

    by_parameter: list[tuple[str, list[object]]] = [("(?)", [value]) for value in VALUES]
    by_literal: list[tuple[str, list[object]]] = [(f"({text})", []) for text in LITERALS]
    compared = 0
    for rows in (by_parameter, by_literal):
        alone = [(row, values, stored([row], values)) for row, values in rows]
        for (row, values, found), (other, others, also_found) in product(alone, alone):
            if found is not None and also_found is not None:
                assert stored([row, other], [*values, *others]) == found + also_found
                compared += 1
    assert compared > 4
