"""LOCK, UNLOCK, KILL and the locking clauses of queries, taken apart."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import NotSupportedError, ProgrammingError
from duckraft.engine.sql.locking import (
    Kill,
    LockResource,
    LockStatement,
    LockTable,
    RowLock,
    TableMode,
    UnlockResource,
    Wait,
    parse_kill,
    parse_lock,
    parse_row_locks,
)


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("LOCK RESOURCE 'a'", LockResource("a", shared=False, nowait=False, timeout_ms=None)),
        (
            "lock resource 'it''s' shared nowait;",
            LockResource("it's", shared=True, nowait=True, timeout_ms=None),
        ),
        ("LOCK RESOURCE 'a' TIMEOUT '5s'", LockResource("a", shared=False, nowait=False, timeout_ms=5000)),
        ("LOCK RESOURCE 'a' SHARED TIMEOUT 20", LockResource("a", shared=True, nowait=False, timeout_ms=20)),
        ("UNLOCK RESOURCE 'a'", UnlockResource("a")),
        ("LOCK t", LockTable((("t",),), (6,), TableMode.ACCESS_EXCLUSIVE, nowait=False)),
        ("LOCK resource IN SHARE MODE", LockTable((("resource",),), (6,), TableMode.SHARE, nowait=False)),
        (
            'LOCK TABLE s.t, "U" IN SHARE MODE NOWAIT',
            LockTable((("s", "t"), ("U",)), (12, 17), TableMode.SHARE, nowait=True),
        ),
    ],
)
def test_a_statement_is_read(text: str, statement: LockStatement) -> None:
    assert parse_lock(text) == statement


@pytest.mark.parametrize("mode", list(TableMode))
def test_every_mode_of_lock_table(mode: TableMode) -> None:
    statement = parse_lock(f"LOCK t IN {mode} MODE")
    assert isinstance(statement, LockTable)
    assert statement.mode is mode


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("LOCK", "syntax error at end of input", 1),
        ("LOCK RESOURCE", "syntax error at end of input", 6),
        ("LOCK RESOURCE 'a' TIMEOUT", "syntax error at end of input", 19),
        ("LOCK RESOURCE 'a' NOWAIT TIMEOUT '1s'", 'syntax error at or near "TIMEOUT"', 26),
        ("LOCK t IN LOUD MODE", 'syntax error at or near "LOUD"', 11),
        ("LOCK t IN SHARE", "syntax error at end of input", 11),
        ("UNLOCK t", 'syntax error at or near "t"', 8),
        ("UNLOCK RESOURCE a", 'syntax error at or near "a"', 17),
    ],
)
def test_what_is_misspelt_is_an_error_at_its_place(text: str, message: str, position: int) -> None:
    with pytest.raises(ProgrammingError) as caught:
        parse_lock(text)
    assert (caught.value.message, caught.value.position) == (message, position)


def test_a_timeout_that_is_none_is_refused() -> None:
    with pytest.raises(ProgrammingError, match='invalid value for "TIMEOUT"'):
        parse_lock("LOCK RESOURCE 'a' TIMEOUT 'soon'")


def test_kill_is_read() -> None:
    assert parse_kill("KILL QUERY 'x'") == Kill("x", transaction=False)
    assert parse_kill("kill transaction 'x'") == Kill("x", transaction=True)
    for text in ("KILL", "KILL 'x'", "KILL QUERY", "KILL QUERY x", "KILL QUERY 'x' now"):
        with pytest.raises(ProgrammingError):
            parse_kill(text)


@pytest.mark.parametrize(
    ("clause", "shared", "tables", "wait"),
    [
        ("FOR UPDATE", False, (), Wait.WAIT),
        ("for no key update", False, (), Wait.WAIT),
        ("FOR SHARE", True, (), Wait.WAIT),
        ("FOR KEY SHARE NOWAIT", True, (), Wait.NOWAIT),
        ('FOR UPDATE OF t, "U" SKIP LOCKED', False, ("t", "U"), Wait.SKIP),
        ("FOR /* all of it */ UPDATE", False, (), Wait.WAIT),
    ],
)
def test_a_locking_clause_is_cut_off(clause: str, shared: bool, tables: tuple[str, ...], wait: Wait) -> None:
    query = "SELECT id FROM t ORDER BY id LIMIT 1 "
    found = parse_row_locks(f"{query}{clause};")
    assert found is not None
    assert found.sql == query + " " * len(clause) + ";"
    assert found.locks == (RowLock(shared, tables, wait, len(query) + 1),)


def test_several_clauses_are_cut_off_and_all_else_stays_where_it_was() -> None:
    text = "SELECT * FROM a, b FOR UPDATE OF a FOR SHARE OF b NOWAIT LIMIT 3"
    found = parse_row_locks(text)
    assert found is not None
    assert found.sql.split() == ["SELECT", "*", "FROM", "a,", "b", "LIMIT", "3"]
    assert found.sql.index("LIMIT") == text.index("LIMIT")
    assert [(lock.shared, lock.tables, lock.wait) for lock in found.locks] == [
        (False, ("a",), Wait.WAIT),
        (True, ("b",), Wait.NOWAIT),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'FOR UPDATE'",
        "SELECT 1 -- FOR UPDATE",
        'SELECT a AS "FOR UPDATE" FROM t',
        "SELECT substring(name FROM 1 FOR share) FROM t",
        "SELECT [share for share in [1, 2]]",
        "FROM t PIVOT (sum(a) FOR update IN (1, 2))",
        "UPDATE t SET a = 1",
    ],
)
def test_what_is_no_locking_clause_is_left_alone(text: str) -> None:
    assert parse_row_locks(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM (SELECT * FROM t FOR UPDATE) x",
        "WITH x AS (SELECT * FROM t FOR SHARE) FROM x",
        "SELECT 1 WHERE 1 IN ((SELECT a FROM t) FOR UPDATE)",
    ],
)
def test_a_locking_clause_in_a_subquery_is_refused(text: str) -> None:
    with pytest.raises(NotSupportedError, match=r"FOR (UPDATE|SHARE) in a subquery") as caught:
        parse_row_locks(text)
    assert caught.value.position == text.index("FOR ") + 1


@pytest.mark.parametrize(
    "text", ["SELECT 1 FOR UPDATE OF", "SELECT 1 FOR UPDATE OF s.t", "SELECT 1 FOR UPDATE OF a,"]
)
def test_of_takes_plain_names(text: str) -> None:
    with pytest.raises(ProgrammingError, match="FOR UPDATE OF takes names"):
        parse_row_locks(text)
