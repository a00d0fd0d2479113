"""What a format is: a function from columns and batches of rows to pieces of text.

Promises: formats know neither files nor terminals; they yield text, which ends with a newline, as the rows come, so
that a large result needs the memory of one batch (`table` says what it keeps beyond that).
Leaves to others: where the text goes (`output.py`), how one value looks (`values.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from duckraft.engine.types import Column, Row

Batch: TypeAlias = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Style:
    """What the user chose.

    null: text for NULL; None for the format's own. width_chars: of the terminal; None if there is none.
    """

    header: bool = True
    null: str | None = None
    width_chars: int | None = None

    def null_or(self, default: str) -> str:
        """The text for NULL, where the format's own is `default`."""
        return default if self.null is None else self.null


Render: TypeAlias = Callable[[Sequence[Column], Iterable[Batch], Style], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Format:
    """One format. help: a sentence for the list of formats. counts_rows: people read it, so a row count helps them."""

    name: str
    help: str
    render: Render
    counts_rows: bool = False
