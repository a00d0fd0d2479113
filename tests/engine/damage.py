"""What the tests of failing disks and damaged directories share: a database on disk, with rows on two shards."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.executor.gateway import Gateway
from duckraft.engine.session import Session

ROOT = Path(__file__).parents[2]
TABLE = (
    "CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER) SHARD BY RANGE (k) (VALUES LESS THAN (100), MAXVALUE)"
)
"""Keys below 100 are on shard 0, the others on shard 1."""


def make(path: Path) -> None:
    """A database with keys 1, 2 on shard 0 and 101, 102 on shard 1, closed; `v` is 0 everywhere."""
    with Database.open(path, threads=1) as database:
        session = database.session()
        session.execute(TABLE)
        session.execute("INSERT INTO t VALUES (1, 0), (2, 0), (101, 0), (102, 0)")


def values(session: Session) -> dict[int, int]:
    """The whole table."""
    return dict(session.execute("SELECT k, v FROM t").fetchall())


def values_in(path: Path) -> dict[int, int]:
    """The whole table of a database that is closed."""
    with Database.open(path, threads=1) as database:
        return values(database.session())


def error_of(run: Callable[[], object]) -> Error:
    """The error that a call ends with. Each must say what to do."""
    with pytest.raises(Error) as caught:
        run()
    assert caught.value.hint, caught.value
    return caught.value


def refusal(path: Path) -> Error:
    """The error with which a database does not open; trying changes no file of a shard, nor the catalog."""
    before = content(path)
    error = error_of(lambda: Database.open(path, threads=1))
    assert content(path) == before
    return error


def content(path: Path) -> dict[str, bytes]:
    """What is in the files that hold data, without the space that was set aside behind the entries of logs."""
    return {
        str(file.relative_to(path)): file.read_bytes().rstrip(b"\0")
        for file in path.rglob("*")
        if file.is_file() and file.suffix in (".duckdb", ".log", ".json")
    }


class Disk:
    """Stands for the disk under the logs. failing: parts of the paths whose fsync fails from now on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.failing: set[str] = set()
        self.calls = 0
        patch.setattr(Gateway, "sync_log", staticmethod(self._sync))

    def _sync(self, descriptor: int) -> None:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        self.calls += 1
        if any(part in path for part in self.failing):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fdatasync(descriptor)


def run_python(code: str, *arguments: object, under: Sequence[str] = ()) -> str:
    """What a program prints that may import duckraft and these tests; it must end well."""
    done = subprocess.run(
        [*under, sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests' / '_importroot'}{os.pathsep}{ROOT}"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout
