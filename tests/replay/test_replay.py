"""Copies made of the logs, for a few seeds; `python -m tests.replay` hunts for longer."""

from __future__ import annotations

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
