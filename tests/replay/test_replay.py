"""Copies made of the logs, for a few seeds; `python -m tests.replay` hunts for longer."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from duckraft.engine.database import Database

from . import hunting
from .hunting import Tally, hunt


@pytest.mark.parametrize("seed", range(6))
def test_a_copy_made_of_the_logs_has_the_same_rows(seed: int) -> None:
    tally = Tally()
    fault = hunt(seed, 45, tally)
    assert fault is None, str(fault)
    assert tally.copies == 3
    assert tally.changes > 20


def test_a_change_that_the_log_does_not_tell_is_found(tmp_path: Path) -> None:
    path = tmp_path / "original"
    database = Database.open(path, shards=2)
    database.session().execute("CREATE TABLE t (k INTEGER) SHARD BY HASH (k)").close()
    database.session().execute("INSERT INTO t SELECT range FROM range(100)").close()
    assert hunting.difference(database, path, tmp_path / "copy", Tally()) is None
    database.gateway.instance.execute(
        "DELETE FROM duckraft_s1.main.t WHERE k = (SELECT min(k) FROM duckraft_s1.main.t)"
    )
    found = hunting.difference(database, path, tmp_path / "copy", Tally())
    assert found is not None
    assert found.startswith("main.t on shard 1:")
    database.close()


@pytest.mark.parametrize(
    "alteration",
    [
        "ADD COLUMN r DOUBLE DEFAULT random()",
        "ADD COLUMN IF NOT EXISTS made TIMESTAMPTZ DEFAULT now()",
        "ALTER v TYPE DOUBLE USING random()",
        "ALTER COLUMN v SET DATA TYPE UUID USING uuid()",
    ],
)
def test_a_column_that_is_filled_by_chance_has_the_same_values_in_a_copy(
    tmp_path: Path, alteration: str
) -> None:
    path = tmp_path / "original"
    with closing(Database.open(path, shards=2)) as database:
        session = database.session()
        for sql in (
            "CREATE TABLE t (k INTEGER, v VARCHAR, PRIMARY KEY (k)) SHARD BY HASH (k)",
            "CREATE TABLE bare (k INTEGER, v VARCHAR) REFERENCE",
            "INSERT INTO t SELECT range, range % 3 FROM range(50)",
            "INSERT INTO bare SELECT 1, 2 FROM range(5)",
            f"ALTER TABLE t {alteration}",
            f"ALTER TABLE bare {alteration}",
        ):
            session.execute(sql).close()
        assert hunting.difference(database, path, tmp_path / "copy", Tally()) is None
