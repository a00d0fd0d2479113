"""What a command is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..interpreter import Interpreter


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the shell.

    names: all its spellings, psql's first. arguments: how help writes them. help: a sentence. example: a line that
    works. words_min, words_max: how many words may follow the name.
    completes: what Tab offers after it: `tables`, `formats`, `files`, `switch`, `options` or nothing.
    """

    names: tuple[str, ...]
    arguments: str
    help: str
    example: str
    run: Callable[[Interpreter, list[str]], None]
    words_min: int = 0
    words_max: int = 0
    completes: str = ""

    @property
    def usage(self) -> str:
        """Names and arguments in one line."""
        return f"{', '.join(self.names)} {self.arguments}".rstrip()
