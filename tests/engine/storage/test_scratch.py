"""Directories for what does not fit into memory: where they are, that they go, what a crash leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.storage.scratch import Scratch
from tests.shell.support import environment

_SORT = "SELECT * FROM (SELECT range AS i, repeat('x', 200) || range AS v FROM range(500000)) ORDER BY v DESC"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which the system keeps temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_database_in_memory_has_a_private_one_until_it_closes(temporary: Path) -> None:
    with Database.open(threads=1, memory_limit="80MB") as database:
        path = database.gateway.scratch.path
        assert path.parent == temporary
        assert path.stat().st_mode & 0o777 == 0o700
        result = database.session().execute(_SORT)
        assert len(result.fetchmany(5)) == 5
        assert any(path.iterdir()), "the sort did not need the disk"
    assert list(temporary.iterdir()) == []


def test_that_of_a_directory_is_inside_it(tmp_path: Path) -> None:
    with Database.open(tmp_path / "data", threads=1, memory_limit="80MB") as database:
        path = database.gateway.scratch.path
        assert path == tmp_path / "data" / "tmp"
        assert len(database.session().execute(_SORT).fetchmany(5)) == 5
        assert any(path.iterdir())
    assert not path.exists()


def test_what_a_crash_left_is_removed(temporary: Path, tmp_path: Path) -> None:
    program = "\n".join(
        (
            "import os, signal, sys, tempfile",
            "tempfile.tempdir = sys.argv[2]",
            "from duckraft.engine.database import Database",
            "for path in (None, sys.argv[1]):",
            "    scratch = Database.open(path).gateway.scratch.path",
            "    (scratch / 'left').write_text('x')",
            "os.kill(os.getpid(), signal.SIGKILL)",
        )
    )
    data = tmp_path / "data"
    command = [sys.executable, "-c", program, str(data), str(temporary)]
    assert subprocess.run(command, env=environment(), check=False).returncode == -signal.SIGKILL
    left = list(temporary.glob("duckraft-scratch-*"))
    assert [(path / "left").exists() for path in left] == [True]
    assert (data / "tmp" / "left").exists()
    with Database.open(data):
        assert not (data / "tmp" / "left").exists()
    with Database.open():
        assert not left[0].exists()


def test_what_another_process_uses_and_what_is_not_ours_stays(temporary: Path) -> None:
    (temporary / "duckraft-scratch-file").write_text("a file")
    (temporary / "elsewhere").mkdir()
    (temporary / "duckraft-scratch-link").symlink_to(temporary / "elsewhere")
    first, second = Scratch.open(None), Scratch.open(None)
    assert first.path.exists()
    assert second.path != first.path
    first.close()
    first.close()
    assert not first.path.exists()
    assert second.path.exists()
    second.close()
    assert sorted(path.name for path in temporary.iterdir()) == [
        "duckraft-scratch-file",
        "duckraft-scratch-link",
        "elsewhere",
    ]
