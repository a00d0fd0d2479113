"""Directories that are not as they were written: opening them is refused or repairs them; nothing is lost silently."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import (
    CatalogFileError,
    DirectoryInUseError,
    LogDamagedError,
    MissingShardFileError,
)

from .damage import error_of, make, refusal, run_python, values, values_in

BEFORE = {1: 0, 2: 0, 101: 0, 102: 0}
AFTER = {1: 3, 2: 0, 101: 3, 102: 0}

KILLED = """
import os, sys
from duckraft.engine.database import Database

session = Database.open(sys.argv[1], threads=1).session()
for value in (1, 2, 3):
    session.execute("UPDATE t SET v = ? WHERE k = 1", [value])
    session.execute("UPDATE t SET v = ? WHERE k = 101", [value])
os._exit(0)
"""
"""Leaves three entries in each of two logs, which no checkpoint has brought into a file."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database that was killed after three changes of shard 0 and of shard 1."""
    make(tmp_path / "db")
    run_python(KILLED, tmp_path / "db")
    return tmp_path / "db"


def copy_of(path: Path) -> Path:
    """A backup."""
    target = path.with_name(f"{path.name}-copy")
    shutil.copytree(path, target)
    return target


def put_back(copy: Path, path: Path, *names: str) -> None:
    """Restore these files and directories from a backup, and nothing else."""
    for name in names:
        if (copy / name).is_dir():
            shutil.rmtree(path / name)
            shutil.copytree(copy / name, path / name)
        else:
            shutil.copy(copy / name, path / name)


def segment(path: Path, shard: str = "0000") -> Path:
    """The last file of a shard's log."""
    return max((path / "logs" / shard).glob("*.log"))


def test_what_a_killed_process_has_committed_is_there(path: Path) -> None:
    assert values_in(path) == AFTER
    assert values_in(path) == AFTER


@pytest.mark.parametrize("which", ["the first", "the second", "the last"])
def test_a_flipped_byte_in_a_log_is_refused(path: Path, which: str) -> None:
    file = segment(path)
    data = bytearray(file.read_bytes())
    places = [at for at in range(len(data)) if data.startswith(b"UPDATE t", at)]
    assert len(places) == 3
    data[places[["the first", "the second", "the last"].index(which)]] ^= 0x01
    file.write_bytes(data)
    error = refusal(path)
    assert isinstance(error, LogDamagedError)
    assert str(file) in error.message
    assert "backup" in (error.hint or "")


def test_a_torn_tail_is_cut_off_and_all_that_was_acknowledged_is_there(path: Path) -> None:
    with segment(path).open("ab") as file:
        file.write(b"\x07" * 100)
    with Database.open(path, threads=1) as database:
        log = database.gateway.transactions.stores[0].log
        assert log is not None
        assert log.repaired_bytes >= 100
        assert values(database.session()) == AFTER
        database.session().execute("UPDATE t SET v = 4 WHERE k = 1")
    assert values_in(path) == AFTER | {1: 4}


def test_a_tail_that_was_durable_is_not_taken_for_a_torn_one(path: Path) -> None:
    file = segment(path)
    data = file.read_bytes()
    end = data.rindex(b"UPDATE t") + 3
    file.write_bytes(data[:end])
    assert isinstance(refusal(path), LogDamagedError)


def remove(*paths: Path) -> None:
    """Files and directories."""
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


LOST: dict[str, tuple[Callable[[Path], object], type[Exception], str]] = {
    "a log": (lambda path: shutil.rmtree(path / "logs" / "0000"), LogDamagedError, "logs/0000"),
    "the log of reference tables": (
        lambda path: shutil.rmtree(path / "logs" / "reference"),
        LogDamagedError,
        "logs/reference",
    ),
    "the segments of a log": (lambda path: segment(path).unlink(), LogDamagedError, "logs/0000"),
    "all of a log but its directory": (
        lambda path: remove(*(path / "logs" / "0000").iterdir()),
        LogDamagedError,
        "logs/0000",
    ),
    "all logs": (lambda path: shutil.rmtree(path / "logs"), LogDamagedError, "logs/"),
    "a shard file": (
        lambda path: (path / "shards" / "0000.duckdb").unlink(),
        MissingShardFileError,
        "0000.duckdb",
    ),
    "the content of a shard file": (
        lambda path: (path / "shards" / "0000.duckdb").write_bytes(b""),
        MissingShardFileError,
        "0000.duckdb",
    ),
    "the half of a shard file": (
        lambda path: (path / "shards" / "0000.duckdb").write_bytes(
            (path / "shards" / "0000.duckdb").read_bytes()[:6000]
        ),
        CatalogFileError,
        "0000.duckdb",
    ),
    "all shard files": (lambda path: shutil.rmtree(path / "shards"), MissingShardFileError, ".duckdb"),
    "the catalog": (lambda path: (path / "catalog.json").unlink(), CatalogFileError, "catalog.json"),
    "the catalog and the shard files": (
        lambda path: remove(path / "catalog.json", path / "shards"),
        CatalogFileError,
        "catalog.json",
    ),
}


@pytest.mark.parametrize("what", LOST)
def test_what_is_lost_is_missed(path: Path, what: str) -> None:
    lose, kind, named = LOST[what]
    lose(path)
    error = refusal(path)
    assert isinstance(error, kind)
    assert named in error.message
    assert "backup" in (error.hint or "")


def test_a_new_shard_whose_log_is_lost_is_missed_though_its_file_was_never_written(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with Database.open(path, threads=1):
        pass
    run_python(
        "import os, sys\nfrom duckraft.engine.database import Database\n"
        "session = Database.open(sys.argv[1], threads=1).session()\n"
        "session.execute('CREATE TABLE t (k INTEGER)'); session.execute('INSERT INTO t VALUES (1)'); os._exit(0)",
        path,
    )
    shutil.rmtree(path / "logs" / "0000")
    assert "logs/0000" in refusal(path).message


def test_a_file_that_is_newer_than_its_log_is_refused(path: Path) -> None:
    copy = copy_of(path)
    with Database.open(path, threads=1) as database:
        database.session().execute("UPDATE t SET v = 4 WHERE k = 1")
    put_back(copy, path, "logs/0000")
    error = refusal(path)
    assert isinstance(error, CatalogFileError)
    assert "newer than its log" in error.message
    assert "duckraft_s0" in error.message


def test_a_file_that_is_older_than_its_log_is_brought_up_to_it(path: Path) -> None:
    copy = copy_of(path)
    run_python(KILLED, path)
    put_back(copy, path, "shards/0000.duckdb")
    assert values_in(path) == AFTER


def test_a_file_for_which_the_log_has_not_everything_is_refused(path: Path) -> None:
    copy = copy_of(path)
    with Database.open(path, threads=1) as database:
        database.session().execute("CHECKPOINT")
        database.session().execute("UPDATE t SET v = 4 WHERE k = 1")
    put_back(copy, path, "shards/0000.duckdb")
    error = refusal(path)
    assert isinstance(error, CatalogFileError)
    assert "older than its log" in error.message


@pytest.mark.parametrize("name", ["shards/0000.duckdb", "logs/0000"])
def test_what_belongs_to_another_database_is_refused(path: Path, tmp_path: Path, name: str) -> None:
    make(tmp_path / "another")
    put_back(tmp_path / "another", path, name)
    error = refusal(path)
    assert isinstance(error, (CatalogFileError, LogDamagedError))
    assert name in error.message


@pytest.mark.parametrize("kind", ["shards/{}.duckdb", "logs/{}"])
def test_what_belongs_to_another_shard_is_refused(path: Path, kind: str) -> None:
    copy = copy_of(path)
    first, second = kind.format("0000"), kind.format("0001")
    if (path / first).is_dir():
        shutil.rmtree(path / first)
        shutil.copytree(copy / second, path / first)
    else:
        shutil.copy(copy / second, path / first)
    assert first in refusal(path).message


def test_a_catalog_that_does_not_know_a_shard_with_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    make(path)
    copy = copy_of(path)
    with Database.open(path, threads=1) as database:
        database.session().execute("CREATE TABLE u (k INTEGER) SHARD BY HASH (k) SHARDS 4")
        database.session().execute("INSERT INTO u SELECT range FROM range(100)")
    put_back(copy, path, "catalog.json")
    error = refusal(path)
    assert isinstance(error, CatalogFileError)
    assert "older than the log" in error.message


def test_a_shard_file_that_another_program_has_changed_is_refused(path: Path) -> None:
    program = (
        "import duckdb, os, sys\nc = duckdb.connect()\nc.execute(f\"ATTACH '{sys.argv[1]}' AS s\")\n"
        "c.execute('UPDATE s.t SET v = 77'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, path / "shards" / "0000.duckdb"], check=True)
    error = refusal(path)
    assert isinstance(error, CatalogFileError)
    assert "another program" in error.message
    assert "0000.duckdb.wal" in error.message


def test_reading_a_shard_file_with_duckdb_does_no_harm(path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path / 'shards' / '0000.duckdb'}' AS s (READ_ONLY)")
        assert connection.execute("SELECT count(*) FROM s.t").fetchall() == [(2,)]
    assert values_in(path) == AFTER


def test_a_second_process_is_told_who_has_the_directory(path: Path) -> None:
    with Database.open(path, threads=1) as database:
        said = run_python(
            "import sys\nfrom duckraft.engine.database import Database\n"
            "from duckraft.engine.errors import DirectoryInUseError\n"
            "try:\n    Database.open(sys.argv[1])\n"
            "except DirectoryInUseError as error:\n    print(error, error.hint)\n",
            path,
        )
        assert str(path) in said
        assert "is in use by process" in said
        assert values(database.session()) == AFTER
        error = error_of(lambda: Database.open(path))
        assert isinstance(error, DirectoryInUseError)
        database.session().execute("UPDATE t SET v = 9 WHERE k = 2")
    assert values_in(path) == AFTER | {2: 9}


KILLED_WHILE_MAKING = """
import os, signal, sys
from duckraft.engine.catalog.store import CatalogStore
from duckraft.engine.database import Database
from duckraft.engine.storage import shard

where = sys.argv[2]

def die(*arguments, **more):
    os.kill(os.getpid(), signal.SIGKILL)

create = shard.create

def create_some(connection, number, *rest):
    if number == 3:
        if where == "inside":
            rest[0].write_bytes(b"half a file")
        if where != "after":
            die()
    create(connection, number, *rest)

shard.create = create_some
session = Database.open(sys.argv[1], threads=1).session()
CatalogStore.save = die
session.execute("CREATE TABLE u (k INTEGER PRIMARY KEY) SHARD BY HASH (k) SHARDS 6")
"""


@pytest.mark.parametrize("where", ["before", "inside", "after"])
def test_a_process_killed_between_a_shards_log_and_its_file_leaves_nothing(
    tmp_path: Path, where: str
) -> None:
    path = tmp_path / "db"
    make(path)
    with pytest.raises(AssertionError):
        run_python(KILLED_WHILE_MAKING, path, where)
    assert (path / "logs" / "0003").exists()
    assert (path / "shards" / "0003.duckdb").exists() == (where != "before")
    with Database.open(path, threads=1) as database:
        session = database.session()
        assert values(session) == BEFORE
        session.execute("CREATE TABLE u (k INTEGER PRIMARY KEY) SHARD BY HASH (k) SHARDS 6")
        session.execute("INSERT INTO u SELECT range FROM range(100)")
    with Database.open(path, threads=1) as database:
        assert database.session().execute("SELECT count(*) FROM u").fetchall() == [(100,)]
