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
        (FILLED, "ALTER TABLE t ALTER v SET NOT NULL", COUNT, [[[50]]], [[[50]]]),
        ([*FILLED, "CREATE VIEW w AS FROM t"], "DROP VIEW w", ["SELECT count(*) FROM w"], [[[50]]], ["42P01"]),
        (IN_SCHEMA, "DROP SCHEMA s CASCADE", ["SELECT count(*) FROM s.u"], [[[50]]], ["42P01"]),
    ],
    ids=lambda value: value.split(" (")[0] if isinstance(value, str) else "",
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
