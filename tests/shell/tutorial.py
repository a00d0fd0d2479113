"""The tutorial as examples: each block of SQL with the output that follows it."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"

_BLOCK = re.compile(r"^```(sql|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[tuple[str, str | None]]:
    """(SQL, output) of each example, in order; None where the page shows no output."""
    found: list[tuple[str, str | None]] = []
    for kind, text in _BLOCK.findall(page):
        if kind == "sql":
            found.append((text, None))
        else:
            found[-1] = (found[-1][0], text)
    return found
