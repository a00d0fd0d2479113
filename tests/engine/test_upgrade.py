"""Databases of catalog format 2, whose shards had DuckDB's write-ahead logs and none of ours, become present ones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.catalog.store import FORMAT
from duckraft.engine.database import Database
from duckraft.engine.errors import CatalogFileError

from .damage import ROOT, make, refusal, values, values_in

OLD_PROGRAM = """
import duckdb, os, sys

instances = []
for shard, key in (("0000", 1), ("0001", 101)):
    instance = duckdb.connect()
    instances.append(instance)
    instance.execute(f"ATTACH '{sys.argv[1]}/shards/{shard}.duckdb' AS s")
    instance.execute("UPDATE s.t SET v = 8 WHERE k = ?", [key])
    instance.execute("INSERT INTO s.t VALUES (?, 9)", [key + 50])
os._exit(0)
"""
"""Writes as the old version did, and dies with what it wrote in DuckDB's logs."""

ROWS = {1: 8, 2: 0, 51: 9, 101: 8, 102: 0, 151: 9}

DIES = """
import os, signal, sys
from duckraft.engine.catalog.store import CatalogStore
from duckraft.engine.database import Database
from duckraft.engine.storage import duck, shard
from duckraft.engine.storage.log import ShardLog

left = int(sys.argv[2])

def step():
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

def stepping(function):
    def run(*arguments, **more):
        step()
        result = function(*arguments, **more)
        step()
        return result
    return run

converting, convert = [False], shard.convert

execute = duck.execute

def counted(connection, sql, *rest):
    return stepping(execute)(connection, sql, *rest) if converting[0] else execute(connection, sql, *rest)

def converted(*arguments):
    converting[0] = True
    convert(*arguments)
    converting[0] = False

duck.execute, shard.convert = counted, converted
ShardLog.open = stepping(ShardLog.open)
CatalogStore.save = stepping(CatalogStore.save)
Database.open(sys.argv[1], threads=1)
print("opened", flush=True)
os._exit(0)
"""


def rewrite_catalog(path: Path, number: int) -> None:
    """Let the catalog file say another format."""
    body = json.loads((path / "catalog.json").read_text())["catalog"]
    text = json.dumps([number, body], sort_keys=True, separators=(",", ":"))
    checksum = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    outer = {"checksum": checksum, "format": number, "catalog": body}
    (path / "catalog.json").write_text(json.dumps(outer) + "\n")


def format_of(path: Path) -> int:
    found: int = json.loads((path / "catalog.json").read_text())["format"]
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A directory as the old version leaves it when it is killed."""

    path = tmp_path / "db"
    make(path)
    shutil.rmtree(path / "logs")
    for file in (path / "shards").iterdir():
        with duckdb.connect() as instance:
            instance.execute(f"ATTACH '{file}' AS s")
            instance.execute("DROP TABLE s.duckraft.applied")
    rewrite_catalog(path, 2)
    subprocess.run([sys.executable, "-c", OLD_PROGRAM, path], check=True)
    assert (path / "shards" / "0000.duckdb.wal").stat().st_size > 0
    return path


def test_an_old_database_is_brought_to_the_present_format_with_all_its_rows(path: Path) -> None:
    with Database.open(path, threads=1) as database:
        session = database.session()
        assert values(session) == ROWS
        session.execute("UPDATE t SET v = 10")
        session.execute("ALTER TABLE t ADD COLUMN w INTEGER DEFAULT 4")
    assert format_of(path) == FORMAT
    assert not list((path / "shards").glob("*.wal"))
    assert sorted(log.name for log in (path / "logs").iterdir()) == ["0000", "0001", "reference"]
    with Database.open(path, threads=1) as database:
        found = database.session().execute("SELECT k, v, w FROM t").fetchall()
    assert sorted(found) == [(key, 10, 4) for key in sorted(ROWS)]


def die_at(path: Path, step: int) -> bool:
    """Open the database in a process that is killed at a step of the upgrade; False if it came to its end."""
    done = subprocess.run(
        [sys.executable, "-c", DIES, path, str(step)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests" / "_importroot")},
    )
    assert done.stderr == ""
    return done.stdout == ""


def test_a_crash_at_any_step_loses_nothing(path: Path) -> None:
    steps = 0
    while True:
        copy = path.with_name(f"copy {steps}")
        shutil.copytree(path, copy)
        died = die_at(copy, steps)
        assert values_in(copy) == ROWS, steps
        assert values_in(copy) == ROWS, steps
        if not died:
            break
        # Not every step of three shards that are dealt with alike is tried.
        steps += 5
    assert steps > 20


def test_crashes_one_after_the_other_lose_nothing(path: Path) -> None:
    for step in (9, 15, 21, 2):
        die_at(path, step)
    assert values_in(path) == ROWS


def test_logs_that_have_entries_are_not_given_up_for_an_old_catalog(path: Path) -> None:
    with Database.open(path, threads=1) as database:
        database.session().execute("UPDATE t SET v = 11 WHERE k = 1")
    rewrite_catalog(path, 2)
    error = refusal(path)
    assert isinstance(error, CatalogFileError)
    assert "older than the log" in error.message


def test_a_file_that_followed_a_log_is_not_taken_for_an_old_one(path: Path) -> None:
    with Database.open(path, threads=1) as database:
        database.session().execute("UPDATE t SET v = 11 WHERE k = 1")
    rewrite_catalog(path, 2)
    shutil.rmtree(path / "logs")
    error = refusal_of_file(path)
    assert "a time without logs" in error
    assert "0000.duckdb" in error


def refusal_of_file(path: Path) -> str:
    """The message with which the database does not open; it may have made logs, which are empty."""
    with pytest.raises(CatalogFileError) as caught:
        Database.open(path, threads=1)
    assert format_of(path) == 2
    return caught.value.message
