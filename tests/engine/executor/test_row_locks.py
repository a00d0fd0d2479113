"""Which queries can lock their rows, and which keys that locks."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import NotSupportedError, ProgrammingError
from duckraft.engine.executor.row_locks import LockingQuery, locking_query
from duckraft.engine.session import Session
from duckraft.engine.sql.locking import parse_row_locks
from duckraft.engine.types import Parameters


@pytest.fixture(autouse=True)
def tables(session: Session) -> None:
    session.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, state VARCHAR) SHARD BY HASH (id)")
    session.execute("CREATE TABLE steps (job INTEGER, day DATE, what VARCHAR) SHARD BY HASH (job, day)")
    session.execute("CREATE TABLE prices (cost DOUBLE) SHARD BY HASH (cost)")
    session.execute("CREATE TABLE words (word VARCHAR) REFERENCE")
    session.execute("CREATE VIEW open_jobs AS SELECT * FROM jobs WHERE state = 'new'")


def query_of(database: Database, sql: str, parameters: Parameters = None) -> LockingQuery:
    locking = parse_row_locks(sql)
    assert locking is not None
    return locking_query(database.gateway, locking, parameters)


def test_the_keys_come_as_more_columns(database: Database) -> None:
    query = query_of(database, "SELECT state FROM jobs WHERE id > ? ORDER BY id FOR UPDATE;", [1])
    assert " ".join(query.text.sql.split()) == (
        'SELECT state , "jobs"."id" AS duckraft_lock_0 FROM jobs WHERE id > $1 ORDER BY id'
    )
    assert query.hidden == 1


def test_each_locked_table_has_its_own_key_columns(database: Database) -> None:
    query = query_of(
        database, "SELECT * FROM jobs j JOIN steps s ON s.job = j.id FOR UPDATE OF s FOR SHARE OF j"
    )
    assert [(one.table.name, one.lock.shared, one.first) for one in query.targets] == [
        ("steps", False, 0),
        ("jobs", True, 2),
    ]
    assert query.hidden == 3
    only = query_of(database, "SELECT * FROM jobs j, steps s FOR UPDATE OF S")
    assert [one.table.name for one in only.targets] == ["steps"]


def test_the_stronger_of_two_clauses_counts(database: Database) -> None:
    query = query_of(database, "SELECT * FROM jobs FOR SHARE FOR UPDATE OF jobs")
    assert [one.lock.shared for one in query.targets] == [False]


def test_a_row_is_locked_by_its_shard_key(database: Database) -> None:
    (target,) = query_of(database, "SELECT * FROM jobs FOR UPDATE").targets
    table = target.table
    assert target.places([7]) == [(table.placements[table.strategy.shard_of((7,))], (7,))]


@pytest.mark.parametrize("name", ["prices", "words"])
def test_without_an_exact_key_all_rows_of_the_shards_are_locked(database: Database, name: str) -> None:
    (target,) = query_of(database, f"SELECT * FROM {name} FOR UPDATE").targets
    assert target.places([1.5]) == [(shard, None) for shard in sorted(set(target.table.placements))]


@pytest.mark.parametrize(
    ("limits", "parameters", "wanted", "dropped"),
    [
        ("LIMIT 3", None, 3, 0),
        ("LIMIT 3 OFFSET 2", None, 5, 2),
        ("OFFSET 2 LIMIT $n", {"n": 4}, 6, 2),
        ("LIMIT ? OFFSET ?", [1, 2], 3, 2),
        ("", None, None, 0),
    ],
)
def test_where_rows_are_skipped_the_limit_is_counted_here(
    database: Database, limits: str, parameters: Parameters, wanted: int | None, dropped: int
) -> None:
    query = query_of(database, f"SELECT id FROM jobs ORDER BY id {limits} FOR UPDATE SKIP LOCKED", parameters)
    assert (query.wanted, query.dropped) == (wanted, dropped)
    assert "LIMIT" not in query.text.sql
    assert "OFFSET" not in query.text.sql


def test_a_limit_stays_where_nothing_is_skipped(database: Database) -> None:
    query = query_of(database, "SELECT id FROM jobs LIMIT 3 FOR UPDATE NOWAIT")
    assert query.wanted is None
    assert query.text.sql.rstrip().endswith("LIMIT 3")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM jobs FOR UPDATE",
        "SELECT state FROM jobs GROUP BY state FOR UPDATE",
        "SELECT DISTINCT state FROM jobs FOR UPDATE",
        "SELECT row_number() OVER () FROM jobs FOR UPDATE",
        "SELECT id FROM jobs UNION ALL SELECT job FROM steps FOR UPDATE",
        "SELECT * FROM open_jobs FOR UPDATE",
        "SELECT * FROM (SELECT * FROM jobs) x FOR UPDATE",
        "SELECT * FROM (jobs) FOR UPDATE",
        "SELECT * FROM (jobs JOIN steps ON job = id) FOR UPDATE",
        "SELECT * FROM memory.main.jobs FOR UPDATE",
        "SELECT * FROM main.open_jobs FOR UPDATE",
        "SELECT * FROM jobs, LATERAL (SELECT job FROM steps WHERE job = id) FOR UPDATE",
        "SELECT * FROM jobs LEFT JOIN steps ON job = id FOR UPDATE",
        "SELECT * FROM jobs RIGHT JOIN steps ON job = id FOR UPDATE OF jobs",
        "SELECT * FROM jobs SEMI JOIN steps ON job = id FOR UPDATE",
        "FROM jobs FOR UPDATE",
        "SELECT 1 FOR UPDATE",
        "SELECT * FROM jobs LIMIT 10% FOR UPDATE SKIP LOCKED",
        "SELECT * FROM jobs LIMIT 1 + 1 FOR UPDATE SKIP LOCKED",
    ],
)
def test_where_rows_are_not_those_of_tables_it_is_refused(database: Database, sql: str) -> None:
    with pytest.raises(NotSupportedError, match="is not supported with") as caught:
        query_of(database, sql)
    assert caught.value.position == sql.index("FOR ") + 1


def test_a_table_that_is_not_in_the_from_cannot_be_locked(database: Database) -> None:
    with pytest.raises(ProgrammingError, match='relation "steps"') as caught:
        query_of(database, "SELECT * FROM jobs FOR UPDATE OF steps")
    assert caught.value.sqlstate == "42P01"


def test_what_is_not_locked_may_stand_beside(database: Database) -> None:
    for sql in (
        "SELECT * FROM jobs, open_jobs o FOR UPDATE OF jobs",
        "SELECT * FROM jobs LEFT JOIN steps ON job = id FOR UPDATE OF jobs",
        "WITH x AS (SELECT 1 AS id) SELECT * FROM jobs JOIN x USING (id) FOR UPDATE",
        "WITH steps AS (SELECT 1 AS id) SELECT * FROM main.jobs JOIN steps USING (id) FOR UPDATE",
        "SELECT j.id, FROM jobs j, range(3) FOR UPDATE",
        "SELECT j.id, FROM jobs j, (VALUES (1)) v (a), unnest([1]) u (b) FOR UPDATE",
    ):
        assert [one.table.name for one in query_of(database, sql).targets] == ["jobs"], sql
