"""A disk that is full or read-only, under a whole database: clear errors, nothing half done, nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from duckraft.engine.database import Database

from .damage import error_of, make, run_python

SETUP = """
import subprocess, sys
from pathlib import Path
from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from tests.engine.damage import TABLE, error_of, values, values_in

place = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", place], check=True)
path, filler = place / "db", place / "filler"
database = Database.open(path, threads=1)
session = database.session()
session.execute(TABLE)
session.execute("INSERT INTO t VALUES (1, 0), (101, 0)")

def fill():
    # To the last byte: all that the logs have set aside is used, too.
    with filler.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass

def reopened():
    database.close()
    filler.unlink(missing_ok=True)
    return Database.open(path, threads=1)

def refused(sql, parameters=None, state="53100"):
    error = error_of(lambda: session.execute(sql, parameters))
    assert error.sqlstate == state, (error.sqlstate, error)
    assert error.outcome_known, error
    return error

def use_up(sql):
    # Runs it until the disk is full; returns how often it was done.
    for count in range(10000):
        try:
            session.execute(sql, [count, "x" * 50000])
        except Error as error:
            assert error.sqlstate == "53100", (error.sqlstate, error)
            assert error.outcome_known, error
            assert error.hint, error
            return count
"""

FULL = {
    "autocommit writes": """
session.execute("CREATE TABLE s (k INTEGER PRIMARY KEY, v VARCHAR) SHARD BY RANGE (k) (MAXVALUE)")
fill()
count = use_up("INSERT INTO s VALUES (?, ?)")
assert count > 3
assert session.execute("SELECT count(*), max(k) FROM s").fetchall() == [(count, count - 1)]
assert values(session) == {1: 0, 101: 0}
filler.unlink()
session.execute("INSERT INTO s VALUES (-1, 'there is room again')")
with reopened() as database:
    assert database.session().execute("SELECT count(*), min(k) FROM s").fetchall() == [(count + 1, -1)]
""",
    "transactions on two shards": """
session.execute("CREATE TABLE s (k INTEGER, v VARCHAR) SHARD BY HASH (k) SHARDS 2")
fill()
count = 0
while True:
    try:
        session.execute("BEGIN")
        session.execute("UPDATE t SET v = ?", [count + 1])
        session.execute("INSERT INTO s VALUES (?, ?)", [count, "x" * 50000])
        session.execute("COMMIT")
        count += 1
    except Error as error:
        assert error.sqlstate == "53100", (error.sqlstate, error)
        problem = error
        if session.transaction is not None:
            session.execute("ROLLBACK")
        break
assert count > 3
rolled_back = "is committed" not in str(problem)
assert problem.outcome_known
seen = values(session)
assert seen == {1: count, 101: count}, seen
with reopened() as database:
    found = values(database.session())
    after = count if rolled_back else count + 1
    assert found == {1: after, 101: after}, (found, count, problem)
""",
    "a bulk load": """
fill()
error = refused("INSERT INTO t SELECT range * 1000, hash(range) % 1000000 FROM range(1, 2000000)")
assert values(session) == {1: 0, 101: 0}
filler.unlink()
session.execute("INSERT INTO t VALUES (2, 0)")
with reopened() as database:
    assert values(database.session()) == {1: 0, 101: 0, 2: 0}
""",
    "CREATE TABLE": """
fill()
refused("CREATE TABLE u (k INTEGER) SHARD BY HASH (k) SHARDS 6")
refused("CREATE TABLE u (k INTEGER) SHARD BY HASH (k) SHARDS 6")
assert values(session) == {1: 0, 101: 0}
filler.unlink()
session.execute("CREATE TABLE u (k INTEGER) SHARD BY HASH (k) SHARDS 3")
session.execute("INSERT INTO u SELECT range FROM range(100)")
with reopened() as database:
    assert database.session().execute("SELECT count(*) FROM u").fetchall() == [(100,)]
    assert values(database.session()) == {1: 0, 101: 0}
""",
    "CREATE TABLE AS": """
fill()
refused("CREATE TABLE u AS SELECT range AS k, hash(range) AS v FROM range(2000000)")
assert not session.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'u'").fetchall()
filler.unlink()
session.execute("CREATE TABLE u AS SELECT range AS k FROM range(100)")
with reopened() as database:
    assert database.session().execute("SELECT count(*) FROM u").fetchall() == [(100,)]
""",
    "a checkpoint": """
session.execute("INSERT INTO t SELECT range * 1000, range FROM range(1, 20000)")
fill()
error = refused("CHECKPOINT")
assert "not enough space" in str(error)
assert session.execute("SELECT count(*) FROM t").fetchall() == [(20001,)]
with reopened() as database:
    assert database.session().execute("SELECT count(*) FROM t").fetchall() == [(20001,)]
    database.session().execute("CHECKPOINT")
""",
    "a checkpoint that DuckDB cannot finish": """
session.execute("INSERT INTO t SELECT range * 1000, range FROM range(1, 20000)")
fill()
from duckraft.engine.storage.log import ShardLog
ShardLog.check_space = lambda self: None
error = refused("CHECKPOINT")
error = refused("UPDATE t SET v = 1 WHERE k = 1000")
assert "open the database again" in error.hint
with reopened() as database:
    assert database.session().execute("SELECT count(*) FROM t").fetchall() == [(20001,)]
    database.session().execute("CHECKPOINT")
""",
    "opening and closing": """
session.execute("UPDATE t SET v = 1")
fill()
database.close()
with Database.open(path, threads=1) as database:
    session = database.session()
    assert values(session) == {1: 1, 101: 1}
filler.unlink()
assert values_in(path) == {1: 1, 101: 1}
""",
}

READ_ONLY = """
import subprocess, sys
from duckraft.engine.database import Database
from tests.engine.damage import error_of

place = sys.argv[1]
subprocess.run(["mount", "--bind", place, place], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
for name in ("db", "new"):
    error = error_of(lambda: Database.open(f"{place}/{name}"))
    assert f"{place}/{name}" in str(error), error
    assert "Read-only" in str(error), error
    print(error.sqlstate)
"""


def mounting() -> list[str]:
    """The command under which a program may mount; skips the test where that is not allowed."""
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this system does not let us mount")
    return command


@pytest.mark.parametrize("what", FULL)
def test_a_full_disk(tmp_path: Path, what: str) -> None:
    run_python(SETUP + FULL[what], tmp_path, under=mounting())


def test_a_read_only_disk(tmp_path: Path) -> None:
    make(tmp_path / "db")
    assert run_python(READ_ONLY, tmp_path, under=mounting()) == "42501\n42501\n"


def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    make(tmp_path / "db")
    (tmp_path / "db" / "LOCK").chmod(0o400)
    error = error_of(lambda: Database.open(tmp_path / "db"))
    (tmp_path / "db" / "LOCK").chmod(0o600)
    assert error.sqlstate == "42501"
    assert str(tmp_path / "db") in error.message
