"""Shard files: made, marked, checked, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duckraft.engine.errors import CatalogFileError, Error, MissingShardFileError
from duckraft.engine.storage import duck, shard


@pytest.fixture
def connection() -> Iterator[duck.Connection]:
    """An instance of its own."""
    connection = duck.open_instance(threads=1)
    yield connection
    connection.close()


def make(connection: duck.Connection, number: int, path: Path, database_id: str) -> None:
    """A shard file that is not attached."""
    shard.create(connection, number, path, database_id)
    duck.execute(connection, f"DETACH {shard.alias(number)}")


def test_a_shard_is_found_again(connection: duck.Connection, tmp_path: Path) -> None:
    path = tmp_path / "0000.duckdb"
    make(connection, 0, path, "me")
    shard.attach(connection, 0, path, "me")
    duck.execute(connection, f"SET search_path = '{shard.alias(0)}.main'")


@pytest.mark.parametrize(("number", "database_id"), [(1, "me"), (0, "you")])
def test_a_shard_that_is_not_ours_is_refused(
    connection: duck.Connection, tmp_path: Path, number: int, database_id: str
) -> None:
    path = tmp_path / "0000.duckdb"
    make(connection, 0, path, "me")
    with pytest.raises(CatalogFileError, match="another database or shard"):
        shard.attach(connection, number, path, database_id)


def test_a_missing_file_is_not_made(connection: duck.Connection, tmp_path: Path) -> None:
    with pytest.raises(MissingShardFileError, match=r"0000\.duckdb"):
        shard.attach(connection, 0, tmp_path / "0000.duckdb", "me")
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_behind_is_made_anew(connection: duck.Connection, tmp_path: Path) -> None:
    path = tmp_path / "0000.duckdb"
    path.write_bytes(b"half a file")
    make(connection, 0, path, "me")
    shard.attach(connection, 0, path, "me")


def test_discarding_leaves_nothing(connection: duck.Connection, tmp_path: Path) -> None:
    path = tmp_path / "0000.duckdb"
    shard.create(connection, 0, path, "me")
    shard.discard(connection, 0, path)
    shard.discard(connection, 0, path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Error):
        duck.rows(connection, f"FROM {shard.alias(0)}.duckraft.identity")


def test_names() -> None:
    assert (shard.alias(7), shard.alias(-1)) == ("duckraft_s7", "duckraft_ref")
    assert shard.qualified(7, "s", 'a"b') == 'duckraft_s7."s"."a""b"'


def test_a_shard_remembers_its_last_change(connection: duck.Connection, tmp_path: Path) -> None:
    path = tmp_path / "0000.duckdb"
    shard.create(connection, 0, path, "me")
    assert shard.last_change(connection, 0) == 0
    made = f"CREATE OR REPLACE TABLE {shard.alias(0)}.duckraft.changes AS SELECT 9::BIGINT AS last"
    duck.execute(connection, "BEGIN")
    duck.execute(connection, made)
    duck.execute(connection, "ROLLBACK")
    assert shard.last_change(connection, 0) == 0
    duck.execute(connection, made)
    duck.execute(connection, f"CHECKPOINT {shard.alias(0)}")
    duck.execute(connection, f"DETACH {shard.alias(0)}")
    shard.attach(connection, 0, path, "me")
    assert shard.last_change(connection, 0) == 9
