"""After a SIGKILL at any step of a change of definitions, the database opens as before the change or as after it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from duckraft.engine.database import Database
from tests.engine.executor import crash
from tests.engine.executor.support import rows, tables_on_shards

FILLED = [
    "CREATE TABLE t (k INT PRIMARY KEY, v INT) SHARD BY HASH (k)",
    "INSERT INTO t SELECT range, 1 FROM range(50)",
]
IN_SCHEMA = [*FILLED, "CREATE SCHEMA s", "CREATE TABLE s.u AS FROM t"]
TWO_TABLES = [
    *FILLED,
    "CREATE SCHEMA s",
    "CREATE TABLE s.u (k INT PRIMARY KEY) SHARD BY HASH (k)",
    "INSERT INTO s.u SELECT k FROM t",
    "CREATE TABLE s.c (k INT REFERENCES s.u (k)) SHARD BY HASH (k)",
]
VIEWED = [*FILLED, "CREATE VIEW w AS FROM t"]
OF_E = ["SELECT enum_range(NULL::e)"]
OF_U = ["SELECT count(*) FROM u"]
OF_C = "SELECT count(*) FROM s.c"
NEXT = "SELECT nextval('s') > 9"
OF_S = ["SELECT count(*) FROM s.u"]
INDEXED = [*FILLED, "CREATE INDEX i ON t (v)"]
INDEXES = [
    "SELECT index_name, count(*) FROM system.main.duckdb_indexes() GROUP BY ALL",
    "SELECT count(*) FROM t WHERE v = 2",
]
NUMBERED = [
    *FILLED,
    "CREATE SEQUENCE s",
    "CREATE TABLE u (id INT DEFAULT nextval('s'), v INT) SHARD BY HASH (v)",
    "INSERT INTO u (v) SELECT v FROM t LIMIT 9",
]
COUNT = ["SELECT count(*) FROM t"]


def outcomes(folder: Path, before: list[str], statement: str, check: list[str]) -> list[Any]:
    """What the checks answered after a crash at each step, and after none."""
    job = {"directory": str(folder / "db"), "before": before, "statement": statement, "check": check}
    script = folder / "job.json"
    script.write_text(json.dumps(job))
    done = subprocess.run(
        [sys.executable, crash.__file__, script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line)[1] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("before", "statement", "check", "old", "new"),
    [
        ([], "CREATE TABLE t (k INT) SHARD BY HASH (k)", COUNT, ["42P01"], [[[0]]]),
        ([], "CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k FROM range(90)", COUNT, ["42P01"], [[[90]]]),
        (FILLED, "CREATE OR REPLACE TABLE t SHARD BY HASH (k) SHARDS 2 AS FROM t LIMIT 9", COUNT, [[[50]]], [[[9]]]),
        (FILLED, "CREATE OR REPLACE TABLE t (k INT) REFERENCE", COUNT, [[[50]]], [[[0]]]),
        (FILLED, "DROP TABLE t", COUNT, [[[50]]], ["42P01"]),
        (FILLED, "ALTER TABLE t ADD COLUMN w INT DEFAULT 5", ["SELECT sum(w) FROM t"], ["42703"], [[[250]]]),
        (FILLED, "ALTER TABLE t ALTER v TYPE INT USING v + 1", ["SELECT sum(v) FROM t"], [[[50]]], [[[100]]]),
        (FILLED, "ALTER TABLE t RENAME TO u", [*COUNT, "SELECT sum(v) FROM u"], [[[50]], "42P01"], ["42P01", [[50]]]),
        (FILLED, "ALTER TABLE t RENAME k TO key", ["SELECT count(*) FROM t WHERE key = 7"], ["42703"], [[[1]]]),
        (FILLED, "CREATE UNIQUE INDEX i ON t (k)", INDEXES, [[], [[0]]], [[["i", 2]], [[0]]]),
        (INDEXED, "DROP INDEX i", INDEXES, [[["i", 2]], [[0]]], [[], [[0]]]),
        (INDEXED, "COMMENT ON INDEX i IS 'x'", ["SELECT comment FROM duckdb_indexes()"], [[[None]]], [[["x"]]]),
        (VIEWED, "ALTER VIEW w RENAME TO x", ["SELECT count(*) FROM x"], ["42P01"], [[[50]]]),
        (FILLED, "CREATE TYPE e AS ENUM (SELECT 'x' || v FROM t)", OF_E, ["42704"], [[[["x1"]]]]),
        (NUMBERED, "DROP SEQUENCE s CASCADE", [*OF_U, NEXT], [[[9]], [[True]]], ["42P01", "42704"]),
        (TWO_TABLES, "DROP SCHEMA IF EXISTS s CASCADE", [*OF_S, OF_C], [[[50]], [[0]]], ["42P01", "42P01"]),
        (FILLED, "ALTER TABLE t ALTER v SET NOT NULL", COUNT, [[[50]]], [[[50]]]),
        (VIEWED, "DROP VIEW w", ["SELECT count(*) FROM w"], [[[50]]], ["42P01"]),
        (IN_SCHEMA, "DROP SCHEMA s CASCADE", OF_S, [[[50]]], ["42P01"]),
    ],
    ids=lambda value: value[:48] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_kill_at_any_step_leaves_the_old_or_the_new(
    tmp_path: Path, before: list[str], statement: str, check: list[str], old: list[Any], new: list[Any]
) -> None:
    found = outcomes(tmp_path, before, statement, check)
    assert len(found) > 3
    assert found[0] == old
    assert found[-1] == new
    assert [answer for answer in found if answer not in (old, new)] == []
    assert found == sorted(found, key=lambda answer: answer == new)  # once it is new, it stays new
    with Database.open(tmp_path / "db") as database:
        wanted = {table.name for table in database.catalog.tables.values()}
        assert tables_on_shards(database) == wanted
        session = database.session()
        session.execute("CREATE OR REPLACE TABLE t (k INT) SHARD BY HASH (k)")
        assert rows(session, "SELECT count(*) FROM t") == [(0,)]


def test_after_a_kill_no_number_is_given_twice(tmp_path: Path) -> None:
    statement = "INSERT INTO u (v) SELECT range FROM range(100)"
    check = [
        "SELECT count(*) IN (9, 109), count(DISTINCT id) = count(*) FROM u",
        "SELECT nextval('s') > (SELECT max(id) FROM u)",
    ]
    found = outcomes(tmp_path, NUMBERED, statement, check)
    assert len(found) > 3
    assert [answer for answer in found if answer[1] != [[True]]] == []
    # Between the commits of two shards some rows may be there and others not, but none has another's number.
    assert [answer for answer in found if not answer[0][0][1]] == []
    assert (found[0], found[-1]) == ([[[True, True]], [[True]]], [[[True, True]], [[True]]])
