"""Crash points: an armed one kills the process, by its name and count, and an unarmed one does nothing."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from duckraft.engine.testing import crashpoints

ENGINE = Path(__file__).parents[3] / "engine"

PROGRAM = """
import sys
from duckraft.engine.testing.crashpoints import reach
for name in sys.argv[1:]:
    reach(name)
    print(name, flush=True)
"""


def run(armed: str, *reached: str) -> subprocess.CompletedProcess[str]:
    """A process that reaches these crash points, one after the other, and prints each that it lives through."""
    environment = {**os.environ, crashpoints.VARIABLE: armed, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *reached],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_armed_point_kills_the_process_and_no_other_does() -> None:
    ended = run("prepare-synced", "prepare-appended", "prepare-synced", "decision-synced")
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout.split() == ["prepare-appended"]


def test_a_count_says_which_time_it_is() -> None:
    ended = run("prepare-synced:2", "prepare-synced", "decision-synced", "prepare-synced", "decision-synced")
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout.split() == ["prepare-synced", "decision-synced"]


@pytest.mark.parametrize(
    "value", ["no-such-point", "prepare-synced:0", "prepare-synced:x", "prepare-synced:²"]
)
def test_a_value_that_can_never_be_reached_ends_the_process_when_it_starts(value: str) -> None:
    ended = run(value, "prepare-synced")
    assert ended.returncode == 1
    assert crashpoints.VARIABLE in ended.stderr


def test_every_point_that_the_engine_reaches_is_declared() -> None:
    reached: set[str] = set()
    trees = {path: ast.parse(path.read_text()) for path in ENGINE.rglob("*.py")}
    tables: dict[str, ast.expr] = {}
    for tree in trees.values():
        for statement in tree.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Dict):
                target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
                tables[ast.unparse(target)] = statement.value
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("reach", "crashpoints.reach"):
                (name,) = node.args
                # Written out, or looked up among names that are.
                source = tables[ast.unparse(name.value)] if isinstance(name, ast.Subscript) else name
                found = {part.value for part in ast.walk(source) if isinstance(part, ast.Constant)}
                assert found, f"{path}:{node.lineno}: a name is written out"
                reached |= {one for one in found if isinstance(one, str)}
    assert reached <= set(crashpoints.NAMES)
