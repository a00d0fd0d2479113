"""A table in Markdown, with numbers at the right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from duckraft.engine.types import Column

from .cells import show_controls
from .format import Batch, Format, Style
from .value_types import parse_type
from .values import text_encoder


def _cell(text: str) -> str:
    if text.isprintable() and "|" not in text and "\\" not in text:
        return text
    return show_controls(text.replace("\\", "\\\\").replace("|", "\\|")).replace("\n", "<br>")


def render(columns: Sequence[Column], batches: Iterable[Batch], style: Style) -> Iterator[str]:
    """The table. Without a header it is the rows alone, which can be put under another table."""
    null = style.null_or("NULL")
    encoders = [text_encoder(column.type) for column in columns]
    if style.header:
        rules = ("---:" if parse_type(column.type).is_number else "---" for column in columns)
        yield f"| {' | '.join(_cell(column.name) for column in columns)} |\n| {' | '.join(rules)} |\n"
    for batch in batches:
        lines: list[str] = []
        for row in batch:
            cells = [
                null if value is None else _cell(encode(value))
                for encode, value in zip(encoders, row, strict=True)
            ]
            lines.append(f"| {' | '.join(cells)} |\n")
        yield "".join(lines)


FORMAT = Format("markdown", "A Markdown table.", render)
