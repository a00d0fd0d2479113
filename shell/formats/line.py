"""One `name = value` a line, with an empty line between rows: for rows with many or long values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from duckraft.engine.types import Column

from .cells import display_width, pad, show_controls
from .format import Batch, Format, Style
from .values import text_encoder


def render(columns: Sequence[Column], batches: Iterable[Batch], style: Style) -> Iterator[str]:
    """The rows one under the other. A value of several lines is continued under its first."""
    names = [show_controls(column.name).replace("\n", "\\n") for column in columns]
    width = max(map(display_width, names), default=0)
    heads = [pad(name, width, right=True) + " = " for name in names] if style.header else [""] * len(names)
    next_line = "\n" + " " * (width + 3 if style.header else 0)
    encoders = [text_encoder(column.type) for column in columns]
    null = style.null_or("NULL")
    separator = ""
    for batch in batches:
        pieces: list[str] = []
        for row in batch:
            pieces.append(separator)
            separator = "\n"
            for head, encode, value in zip(heads, encoders, row, strict=True):
                text = null if value is None else encode(value)
                if not text.isprintable():
                    text = show_controls(text).replace("\n", next_line)
                pieces.append(f"{head}{text}\n")
        yield "".join(pieces)


FORMAT = Format("line", "One `name = value` a line, rows one under the other.", render, counts_rows=True)
