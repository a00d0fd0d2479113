"""The data directory: what is refused, what is made, and who holds the lock."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from duckraft.engine.errors import (
    CatalogFileError,
    DirectoryInUseError,
    Error,
    MissingShardFileError,
    OperationalError,
)
from duckraft.engine.storage.directory import DataDirectory, file_error, sync_directory

HOLD = """
import sys
from duckraft.engine.storage.directory import DataDirectory
directory = DataDirectory.open(sys.argv[1], create=True)
print("held", flush=True)
sys.stdin.read()
"""


def listing(path: Path) -> set[str]:
    return {str(entry.relative_to(path)) for entry in path.rglob("*")}


def refused(path: Path, *, create: bool = True) -> Error:
    with pytest.raises(OperationalError) as caught:
        DataDirectory.open(path, create=create)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_new_directory_gets_its_layout_and_no_catalog(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path / "db", create=True) as directory:
        assert listing(tmp_path / "db") == {"LOCK", "logs", "shards"}
        assert not directory.has_catalog


def test_an_empty_directory_may_become_a_database(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path, create=True):
        assert listing(tmp_path) == {"LOCK", "logs", "shards"}


def test_a_creation_that_was_cut_short_can_be_repeated(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, create=True).close()
    (tmp_path / "catalog.json.new").write_text('{"checks')
    with DataDirectory.open(tmp_path, create=True) as directory:
        assert not directory.has_catalog


def test_an_existing_database_is_opened_whatever_else_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("ours")
    with DataDirectory.open(tmp_path, create=False) as directory:
        assert directory.has_catalog


def test_the_files_of_shards_have_fixed_names(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path, create=True) as directory:
        assert directory.shard_path(0) == tmp_path / "shards" / "0000.duckdb"
        assert directory.shard_path(12345) == tmp_path / "shards" / "12345.duckdb"
        assert directory.reference_path == tmp_path / "shards" / "reference.duckdb"


def test_paths_stay_right_when_the_program_changes_its_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with DataDirectory.open("db", create=True) as directory:
        monkeypatch.chdir("/")
        assert directory.shard_path(0).parent.is_dir()


def test_without_create_a_missing_or_empty_directory_is_refused_and_left_alone(tmp_path: Path) -> None:
    assert "no database" in refused(tmp_path / "db", create=False).message
    assert "no database" in refused(tmp_path, create=False).message
    assert listing(tmp_path) == set()


def test_without_create_a_layout_without_catalog_is_refused(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, create=True).close()
    assert "no database" in refused(tmp_path, create=False).message


def test_a_directory_of_someone_else_is_refused_by_its_content_and_left_alone(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt", "d.txt"):
        (tmp_path / name).touch()
    assert "a.txt, b.txt, c.txt and 1 more" in refused(tmp_path).message
    assert listing(tmp_path) == {"a.txt", "b.txt", "c.txt", "d.txt"}


def test_a_duckdb_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "plain.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
    before = path.read_bytes()
    assert "is a file" in refused(path).message
    assert path.read_bytes() == before


def test_a_path_below_a_missing_directory_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path / "no" / "db")
    assert error.sqlstate == "58P01"
    assert listing(tmp_path) == set()


def test_shard_files_without_a_catalog_never_become_a_new_database(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, create=True).close()
    (tmp_path / "shards" / "0000.duckdb").write_bytes(b"rows")
    error = refused(tmp_path)
    assert isinstance(error, CatalogFileError)
    assert "catalog.json" in error.message
    assert "shards/0000.duckdb" in error.message
    assert (tmp_path / "shards" / "0000.duckdb").read_bytes() == b"rows"


def test_a_refused_directory_is_not_kept_locked(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, create=True).close()
    (tmp_path / "shards" / "0000.duckdb").write_bytes(b"rows")
    refused(tmp_path)
    (tmp_path / "shards" / "0000.duckdb").unlink()
    DataDirectory.open(tmp_path, create=True).close()


@pytest.mark.parametrize("call", ["open", "mkdir", "ftruncate"])
@pytest.mark.parametrize(
    ("number", "sqlstate"),
    [(errno.EACCES, "42501"), (errno.ENOSPC, "53100"), (errno.EDQUOT, "53100"), (errno.EIO, "58030")],
)
def test_a_failure_of_the_system_names_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, sqlstate: str
) -> None:
    def fail(*arguments: Any, **more: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        error = refused(tmp_path / "db")
    assert error.sqlstate == sqlstate
    assert os.strerror(number) in error.message
    DataDirectory.open(tmp_path / "db", create=True).close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_does_not_keep_a_database_from_being_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    DataDirectory.open(tmp_path, create=True).close()

    def fail(*arguments: Any, **more: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with DataDirectory.open(tmp_path, create=True):
            assert isinstance(refused(tmp_path), DirectoryInUseError)


def test_logs_without_a_catalog_are_no_new_database(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, create=True).close()
    (tmp_path / "logs" / "0000").mkdir()
    error = refused(tmp_path)
    assert isinstance(error, CatalogFileError)
    assert "logs/0000" in error.message


def test_the_same_process_cannot_open_a_directory_twice(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path, create=True):
        error = refused(tmp_path)
        assert isinstance(error, DirectoryInUseError)
        assert "already open in this process" in error.message
        assert str(os.getpid()) in error.message


def test_close_gives_the_directory_up_and_may_be_repeated(tmp_path: Path) -> None:
    first = DataDirectory.open(tmp_path, create=True)
    first.close()
    with DataDirectory.open(tmp_path, create=True):
        first.close()
        assert isinstance(refused(tmp_path), DirectoryInUseError)


def test_a_lock_file_that_says_nothing_still_refuses_clearly(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path, create=True):
        (tmp_path / "LOCK").write_bytes(b"\xff\x00")
        error = refused(tmp_path)
        assert isinstance(error, DirectoryInUseError)
        assert "unknown" in error.message


def test_what_a_former_holder_wrote_does_not_remain_in_the_lock_file(tmp_path: Path) -> None:
    (tmp_path / "LOCK").write_text("pid 99999999999\n" * 100)
    with DataDirectory.open(tmp_path, create=True):
        assert (tmp_path / "LOCK").read_text().startswith(f"pid {os.getpid()}\nhost ")
        assert "99999999999" not in (tmp_path / "LOCK").read_text()


def test_another_process_is_named_and_its_death_frees_the_directory(tmp_path: Path) -> None:
    root = next(path for path in map(Path, sys.path) if (path / "duckraft").is_dir())
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        error = refused(tmp_path)
        assert isinstance(error, DirectoryInUseError)
        assert f"process {holder.pid}" in error.message
        assert error.retryable
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    DataDirectory.open(tmp_path, create=True).close()


def test_a_program_that_is_started_while_the_directory_is_open_does_not_inherit_the_lock(
    tmp_path: Path,
) -> None:
    directory = DataDirectory.open(tmp_path, create=True)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):
        directory.close()
        DataDirectory.open(tmp_path, create=True).close()


def test_shard_files_that_are_there_pass_the_check(tmp_path: Path) -> None:
    with DataDirectory.open(tmp_path, create=True) as directory:
        directory.shard_path(0).write_bytes(b"rows")
        directory.check_shard_files(["shards/0000.duckdb"])


@pytest.mark.parametrize(
    ("make", "problem"),
    [(lambda path: None, "is missing"), (Path.touch, "is empty"), (Path.mkdir, "is missing")],
)
def test_a_shard_file_that_is_missing_or_empty_is_named(
    tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    with DataDirectory.open(tmp_path, create=True) as directory:
        directory.shard_path(0).write_bytes(b"rows")
        make(directory.shard_path(1))
        with pytest.raises(MissingShardFileError, match=problem) as caught:
            directory.check_shard_files(["shards/0000.duckdb", "shards/0001.duckdb"])
        assert str(directory.shard_path(1)) in caught.value.message
        assert caught.value.hint


def test_syncing_a_directory_gives_its_descriptor_back(tmp_path: Path) -> None:
    before = os.open(tmp_path, os.O_RDONLY)
    os.close(before)
    sync_directory(tmp_path)
    after = os.open(tmp_path, os.O_RDONLY)
    os.close(after)
    assert before == after


def test_an_error_without_a_number_keeps_its_text() -> None:
    assert file_error(OSError("odd"), "cannot read").message == "cannot read: odd"
