"""Opening and closing a database, and what is said when its files are not right."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import (
    CatalogFileError,
    DirectoryInUseError,
    Error,
    MissingShardFileError,
    ProgrammingError,
)
from tests.engine.executor.support import rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of two shards with a table of ten rows, closed."""
    path = tmp_path / "db"
    with Database.open(path, shards=2) as database:
        database.session().execute("CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k FROM range(10)")
    return path


def other_database(path: Path) -> Path:
    """Another database of the same shape."""
    other = path.with_name("other")
    with Database.open(other, shards=2) as database:
        database.session().execute("CREATE TABLE t (k INT) SHARD BY HASH (k)")
    return other


def test_what_was_written_is_there_again(path: Path) -> None:
    for count in (10, 11, 12):
        with Database.open(path) as database:
            session = database.session()
            assert rows(session, "SELECT count(*) FROM t") == [(count,)]
            session.execute("INSERT INTO t VALUES (?)", [count])


def swap_shards(path: Path) -> None:
    one, other = path / "shards/0000.duckdb", path / "shards/0001.duckdb"
    one.rename(path / "aside")
    other.rename(one)
    (path / "aside").rename(other)


def take_shard_of_another(path: Path) -> None:
    shutil.copy(other_database(path) / "shards/0000.duckdb", path / "shards/0000.duckdb")


def newer_format(path: Path) -> None:
    from duckraft.engine.catalog import store

    body = json.loads((path / "catalog.json").read_text())["catalog"]
    (path / "catalog.json").write_bytes(store._envelope(99, body))


@pytest.mark.parametrize(
    ("damage", "kind", "named", "said"),
    [
        (lambda path: (path / "shards/0001.duckdb").unlink(), MissingShardFileError, "0001.duckdb", "missing"),
        (lambda path: (path / "shards/0001.duckdb").write_bytes(b""), MissingShardFileError, "0001.duckdb", "empty"),
        (lambda path: (path / "shards/0001.duckdb").write_bytes(b"d" * 9000), CatalogFileError, "0001", "cannot be"),
        (lambda path: (path / "shards/reference.duckdb").unlink(), MissingShardFileError, "reference.", "missing"),
        (swap_shards, CatalogFileError, "0000.duckdb", "another database or shard"),
        (take_shard_of_another, CatalogFileError, "0000.duckdb", "another database or shard"),
        (lambda path: (path / "catalog.json").write_text("{}"), CatalogFileError, "catalog.json", "damaged"),
        (lambda path: (path / "catalog.json").unlink(), CatalogFileError, "catalog.json", "missing"),
        (newer_format, CatalogFileError, "catalog.json", "format 99"),
    ],
)  # fmt: skip
def test_files_that_are_not_right_are_named(
    path: Path, damage: Callable[[Path], None], kind: type[Error], named: str, said: str
) -> None:
    damage(path)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name != "LOCK"}
    for _ in range(2):
        with pytest.raises(kind) as caught:
            Database.open(path)
        assert named in caught.value.message
        assert said in caught.value.message
        assert caught.value.hint
    after = {file: file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name != "LOCK"}
    assert after == before


def test_a_directory_held_by_another_process_is_refused(path: Path) -> None:
    holding = (
        "import sys; from duckraft.engine.database import Database\n"
        f"database = Database.open({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(DirectoryInUseError) as caught:
            Database.open(path)
        assert str(holder.pid) in caught.value.message
        holder.stdin.close()
    Database.open(path).close()


def test_the_default_number_of_shards_can_be_changed(path: Path) -> None:
    for shards, expected in ((5, 5), (None, 5)):
        with Database.open(path, shards=shards) as database:
            database.session().execute("CREATE OR REPLACE TABLE n (a INT)")
            table = database.catalog.table("main", "n")
            assert table is not None
            assert table.strategy.shard_count == expected
            assert rows(database.session(), "SELECT count(*) FROM t") == [(10,)]


@pytest.mark.parametrize("shards", [0, -1, 100_000])
def test_an_impossible_number_of_shards_makes_no_directory(tmp_path: Path, shards: int) -> None:
    with pytest.raises(ProgrammingError):
        Database.open(tmp_path / "db", shards=shards)
    assert not (tmp_path / "db").exists()


def test_impossible_settings_make_no_directory(tmp_path: Path) -> None:
    with pytest.raises(Error):
        Database.open(tmp_path / "db", memory_limit="much")
    assert not (tmp_path / "db").exists()


def test_a_shard_that_cannot_be_made_is_taken_back(path: Path) -> None:
    with Database.open(path) as database:
        session = database.session()
        blocked = path / "shards/0003.duckdb"
        (blocked / "in the way").mkdir(parents=True)
        with pytest.raises(Error):
            session.execute("CREATE TABLE n (a INT) SHARD BY HASH (a) SHARDS 4")
        assert [shard.number for shard in database.catalog.shards] == [-1, 0, 1]
        assert not (path / "shards/0002.duckdb").exists()
        shutil.rmtree(blocked)
        session.execute("CREATE TABLE n SHARD BY HASH (a) SHARDS 4 AS SELECT 1 AS a")
    with Database.open(path) as database:
        assert rows(database.session(), "FROM n") == [(1,)]


def test_a_catalog_that_cannot_be_made_leaves_a_directory_that_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from duckraft.engine.catalog import store

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_write_durably", full)
        with pytest.raises(Error, match="No space left") as caught:
            Database.open(tmp_path / "db")
    assert caught.value.sqlstate == "53100"
    with Database.open(tmp_path / "db") as database:
        assert rows(database.session(), "SELECT 1") == [(1,)]
