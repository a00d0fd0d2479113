"""What the README shows, done as it stands there. Its commands for the terminal are run by `.ci/run`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def block(language: str) -> str:
    """The one fenced block of this language in the README."""
    blocks = re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) == 1
    return str(blocks[0])


def run_python(folder: Path, *arguments: str) -> str:
    """What Python prints with these arguments, run in `folder`; duckraft need not be installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "_importroot")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_sql_and_then_the_python_of_the_readme_run_on_one_database(tmp_path: Path) -> None:
    (tmp_path / "readme.sql").write_text(block("sql"))
    printed = run_python(tmp_path, "-m", "duckraft.shell", "shop", "-f", "readme.sql")
    assert re.search(r"Ada +\| +14\.75\n *Alan +\| +7\.00\n", printed)
    assert run_python(tmp_path, "-c", block("python")) == "(2,)\n"


def test_the_readme_lists_the_two_commands_that_ci_runs() -> None:
    marks = re.findall(
        r"^<!-- ci: (\w+) -->\n```sh\n(.+)\n```$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert [name for name, _ in marks] == ["tour", "tests"]
    assert all(command.startswith("python3 -m venv .venv && ") for _, command in marks)
