"""What the tests of the shell share: an interpreter over a real database in memory, and the program as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """The environment for a process of the program: duckraft can be imported, nothing asks for colour."""
    clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "TERM")}
    clean["PYTHONPATH"] = str(ROOT / "tests" / "_importroot")
    return clean


def command_line(*arguments: str) -> list[str]:
    """The words that start the program."""
    return [sys.executable, "-m", "duckraft.shell", *arguments]


def run_process(
    arguments: Sequence[str], stdin: str | bytes = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end with `stdin` as its standard input."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        command_line(*arguments),
        input=data,
        capture_output=True,
        env=environment(),
        cwd=cwd,
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
