"""Databases: their sessions, and what is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import InterfaceError


def test_closing_closes_the_sessions(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "db")
    session = database.session()
    database.close()
    database.close()
    assert session.closed
    with pytest.raises(InterfaceError):
        database.session()
    Database.open(tmp_path / "db").close()


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_a_database_without_tables_imports_no_heavy_module() -> None:
    done = run(
        "import sys; from duckraft.engine.database import Database; session = Database.open().session()\n"
        "assert session.execute('SELECT 1').fetchall() == [(1,)]\n"
        "print([name for name in ('sqlglot', 'pyarrow', 'numpy') if name in sys.modules])"
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "script",
    [
        "session.execute('INSERT INTO t SELECT range, -1 FROM range(100)')",
        "session.execute('INSERT INTO t SELECT range, 1 FROM range(99, 200)')",
        "session.execute('SELECT nosuch FROM t')",
        "session.execute('CREATE TABLE u AS SELECT error(1) FROM range(5)')",
        "result = session.execute('FROM range(100000)'); result.fetchone(); raise Error('left open')",
        "session.cancel(); raise Error('left open')",
    ],
)
def test_nothing_is_printed_at_exit_when_objects_stay_referenced(script: str) -> None:
    done = run(
        "from duckraft.engine.database import Database\nfrom duckraft.engine.errors import Error\n"
        "database = Database.open(shards=3); session = database.session()\n"
        "session.execute('CREATE TABLE t (k INT PRIMARY KEY, v INT CHECK (v > 0))')\n"
        "session.execute('INSERT INTO t SELECT range, 1 FROM range(100)')\n"
        f"kept = None\ntry:\n    {script}\nexcept Error as error:\n    kept = error, session\n"
        "print(kept is not None)"
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)
