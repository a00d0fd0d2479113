"""Our clauses of CREATE TABLE, cut out of the statement."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import NotSupportedError, ProgrammingError
from duckraft.engine.sql.clauses import DirectoryEntry, ShardClause, parse_create_table


def clause(text: str) -> ShardClause:
    return parse_create_table(f"CREATE TABLE t (a INT, b INT) {text}").clause


def test_a_table_without_clauses_is_its_own_text() -> None:
    text = 'create temp table if not exists s."my ""t""" (a int, b text default \'),\' /* ) */)'
    create = parse_create_table(text)
    assert create.name == ("s", 'my "t"')
    assert create.columns_sql == text[text.index("(") :]
    assert text[create.columns_start :].startswith(create.columns_sql)
    assert (create.or_replace, create.temporary, create.if_not_exists) == (False, True, True)
    assert create.query is None


@pytest.mark.parametrize(
    ("text", "kind", "columns", "shards"),
    [
        ("SHARD BY HASH (a)", "hash", ("a",), None),
        ('shard by hash ("A", b) shards 8', "hash", ("A", "b"), 8),
        ("SHARDS 3 SHARD BY CONSISTENT HASH (a)", "consistent hash", ("a",), 3),
        ("SHARD BY EVENLY SHARDS 2", "spread", (), 2),
        ("REFERENCE", "reference", (), None),
        ("SHARDS 5", None, (), 5),
    ],
)
def test_kinds(text: str, kind: str | None, columns: tuple[str, ...], shards: int | None) -> None:
    found = clause(text)
    assert (found.kind, found.columns, found.shards) == (kind, columns, shards)


def test_bounds_of_ranges_are_kept_as_text() -> None:
    found = clause(
        "SHARD BY RANGE (a, b) (VALUES LESS THAN (1, f(2, [3, 4])), ('a,(', DATE '2020-01-01'), MAXVALUE)"
    )
    assert found.bounds == (("1", "f(2, [3, 4])"), ("'a,('", "DATE '2020-01-01'"))
    assert found.has_maxvalue
    assert not clause("SHARD BY RANGE (a) (VALUES LESS THAN (1))").has_maxvalue


def test_entries_of_a_directory() -> None:
    found = clause(
        "SHARD BY DIRECTORY (a) (SHARD 0 VALUES ('x', NULL), SHARD 2 VALUES (1 + 1), DEFAULT SHARD 3)"
    )
    assert found.entries == (DirectoryEntry(0, ("'x'", "NULL")), DirectoryEntry(2, ("1 + 1",)))
    assert found.default_shard == 3


def test_colocation_takes_a_qualified_name() -> None:
    assert clause('SHARD BY HASH (a) COLOCATE WITH s."T"').colocate_with == ("s", "T")


@pytest.mark.parametrize(
    ("text", "query", "with_data"),
    [
        ("CREATE TABLE t SHARD BY HASH (a) AS SELECT 1 AS a", "SELECT 1 AS a", True),
        ("CREATE TABLE t AS FROM u WITH NO DATA", "FROM u", False),
        ("CREATE TABLE t AS FROM u WITH DATA", "FROM u", True),
        ("CREATE TABLE t (a) AS VALUES (1) -- one", "VALUES (1)", True),
    ],
)
def test_the_query_behind_as(text: str, query: str, with_data: bool) -> None:
    create = parse_create_table(text)
    assert (create.query, create.with_data) == (query, with_data)
    assert text[create.query_start :].startswith(query)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("CREATE TABLE t (a INT", "(a INT"),
        ("CREATE TABLE t (a INT) SHARD HASH (a)", "HASH"),
        ("CREATE TABLE t (a INT) SHARD BY LUCK (a)", "LUCK"),
        ("CREATE TABLE t (a INT) SHARD BY HASH a", "a"),
        ("CREATE TABLE t (a INT) SHARD BY HASH (a) SHARDS many", "many"),
        ("CREATE TABLE t (a INT) SHARD BY HASH (a) SHARD BY HASH (b)", "SHARD BY HASH (b)"),
        ("CREATE TABLE t (a INT) SHARD BY RANGE (a) (VALUES LESS THAN 3)", "3)"),
        ("CREATE TABLE t (a INT) surprise", "surprise"),
        ("CREATE TABLE t AS", ""),
        ("CREATE TABLE 'abc' (a INT)", "'abc'"),
    ],
)
def test_a_syntax_error_is_at_its_place(text: str, at: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        parse_create_table(text)
    assert caught.value.sqlstate == "42601"
    assert caught.value.position == len(text) - len(text[text.rindex(at) :]) + 1


@pytest.mark.parametrize("text", ["REPLICAS 2", "REPLICATION SYNC"])
def test_what_needs_several_nodes_is_refused(text: str) -> None:
    with pytest.raises(NotSupportedError, match="cluster"):
        clause(text)
