"""Golden scripts: files of cases, each a command, a line of `---` and the output that it must print.

    # A comment explains the cases below it.
    explain select * from t where k = 1
    ---
    Route: one shard answers the statement as it is

Cases are parted by an empty line. `pytest --rewrite` writes what the commands print now into the files; read the
difference before you commit it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

RULE = "---"


@dataclass(frozen=True, slots=True)
class Case:
    """One case: the comment lines above it, its command and the output it must have."""

    comment: str
    command: str
    output: str

    def text(self) -> str:
        """The case as it stands in a file."""
        return "\n".join(part for part in (self.comment, self.command, RULE, self.output) if part) + "\n"


def read_cases(path: Path) -> list[Case]:
    """All cases of a file."""
    return [_parse(block) for block in path.read_text().split("\n\n") if block.strip()]


def _parse(block: str) -> Case:
    lines = block.strip("\n").splitlines()
    start = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    rule = lines.index(RULE) if RULE in lines else len(lines)
    return Case(
        "\n".join(lines[:start]), "\n".join(lines[start:rule]), "\n".join(line for line in lines[rule + 1 :])
    )


def check_file(path: Path, run: Callable[[str], str], rewrite: bool) -> None:
    """Run every case of a file and compare, or write what the commands print into it."""
    cases = read_cases(path)
    found = [Case(case.comment, case.command, run(case.command).rstrip("\n")) for case in cases]
    if rewrite:
        path.write_text("\n".join(case.text() for case in found))
        return
    for case, got in zip(cases, found, strict=True):
        assert got.output == case.output, f"{path.name}: {case.command}\nprinted:\n{got.output}"
