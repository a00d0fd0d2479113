"""The small values that every part of the engine passes around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Parameters = Sequence[Any] | Mapping[str, Any] | None
"""Values for `?`, `$1` (a sequence) or `$name` (a mapping) in a statement."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or of a result: its name and its DuckDB type as DESCRIBE prints it."""

    name: str
    type: str


def quote_identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_string(text: str) -> str:
    """`text` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
