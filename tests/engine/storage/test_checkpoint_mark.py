"""What a killed checkpoint leaves is told from what another program has committed."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.storage import duck, shard
from duckraft.engine.storage.checkpoint_mark import is_checkpoint_mark


def left_by_checkpoint(folder: Path) -> Path:
    """A shard's file, with what its checkpoint leaves when the program ends in the middle."""
    folder.mkdir()
    connection = duckdb.connect()
    shard.create(connection, 0, folder / "0000.duckdb", "me")
    connection.execute(f"CREATE TABLE {shard.alias(0)}.t AS SELECT range AS k FROM range(100000)")
    connection.execute("SET debug_checkpoint_abort = 'before_truncate'")
    with suppress(duckdb.Error):
        connection.execute(f"CHECKPOINT {shard.alias(0)}")
    path = folder / "killed" / "0000.duckdb"
    path.parent.mkdir()
    for file in folder.glob("0000.duckdb*"):
        shutil.copy(file, path.parent)
    with suppress(duckdb.Error):
        connection.close()
    return path


def test_a_file_whose_checkpoint_was_killed_is_attached(tmp_path: Path) -> None:
    path = left_by_checkpoint(tmp_path / "a")
    wal = path.with_name(path.name + ".wal")
    assert is_checkpoint_mark(wal)
    connection = duck.open_instance()
    shard.attach(connection, 0, path, "me")
    assert duck.rows(connection, f"SELECT count(*) FROM {shard.alias(0)}.t") == [(100000,)]
    assert not wal.exists()
    connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "DROP SCHEMA s.a",
        "CREATE SCHEMA s.b",
        "DROP SEQUENCE s.q",
        "INSERT INTO s.t VALUES (1)",
        "DELETE FROM s.t WHERE k = 1",
    ],
)
def test_what_another_program_has_committed_is_no_mark(tmp_path: Path, change: str) -> None:
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{tmp_path / 'x.duckdb'}' AS s")
    connection.execute("CREATE SCHEMA s.a; CREATE SEQUENCE s.q; CREATE TABLE s.t AS SELECT 1 AS k")
    connection.execute("CHECKPOINT s")
    connection.execute(change)
    copy = tmp_path / "copy.wal"
    shutil.copy(tmp_path / "x.duckdb.wal", copy)
    connection.close()
    assert not is_checkpoint_mark(copy)
    mark = left_by_checkpoint(tmp_path / "a").with_name("0000.duckdb.wal").read_bytes()
    copy.write_bytes(copy.read_bytes() + mark)
    assert not is_checkpoint_mark(copy)


def test_what_was_not_committed_is_nothing(tmp_path: Path) -> None:
    mark = left_by_checkpoint(tmp_path / "a").with_name("0000.duckdb.wal")
    torn = tmp_path / "torn.wal"
    data = mark.read_bytes()
    for length in range(len(data)):
        torn.write_bytes(data[:length])
        assert is_checkpoint_mark(torn)
