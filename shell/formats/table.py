"""Columns side by side, for people.

Promises: nothing is left out. The first rows (up to `SAMPLE_ROWS`) fix the widths and are kept until then; later rows
stream, and one that is wider than its column sticks out. In a terminal, cells that do not fit are wrapped; a result
with too many columns for that is printed as `line` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from duckraft.engine.types import Column, Row

from . import line
from .cells import break_lines, display_width, pad, show_controls
from .format import Batch, Format, Style
from .value_types import parse_type
from .values import text_encoder

SAMPLE_ROWS = 10_000
"""How many rows are looked at before the widths of the columns are fixed."""

NARROWEST_CHARS = 10
"""No column is wrapped to less than this: the result is printed as records in its place."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one result: widths in terminal columns, and which of them hold numbers.

    wraps: cells wider than their column are cut into several lines.
    """

    widths: tuple[int, ...]
    numbers: tuple[bool, ...]
    wraps: bool = False


def render(columns: Sequence[Column], batches: Iterable[Batch], style: Style) -> Iterator[str]:
    """The result as a table with a rule under its header."""
    encoders = [text_encoder(column.type) for column in columns]
    null = style.null_or("NULL")

    def to_cells(batch: Sequence[Row]) -> list[list[str]]:
        """The texts of a batch, column by column."""
        if not batch:
            return [[] for _ in columns]
        return [
            [null if value is None else encode(value) for value in values]
            for encode, values in zip(encoders, zip(*batch, strict=True), strict=True)
        ]

    rows = iter(batches)
    sample: list[Row] = []
    for batch in rows:
        sample += batch
        if len(sample) >= SAMPLE_ROWS:
            break
    names = [show_controls(column.name).replace("\n", "\\n") for column in columns]
    cells = to_cells(sample)
    numbers = tuple(parse_type(column.type).is_number for column in columns)
    layout = _layout(names if style.header else [""] * len(names), cells, numbers, style.width_chars)
    if layout is None:
        yield from line.render(columns, chain([sample], rows), style)
        return
    if style.header:
        yield _header(names, layout)
    yield _body(cells, layout)
    for batch in rows:
        yield _body(to_cells(batch), layout)


def _layout(
    names: list[str], cells: list[list[str]], numbers: tuple[bool, ...], available: int | None
) -> Layout | None:
    """Widths for these columns; None if they do not fit into `available` columns even when wrapped."""
    widths = [max(display_width(name), _widest(texts)) for name, texts in zip(names, cells, strict=True)]
    # Each cell has a blank at its left and one for its mark at its right; a bar stands between two cells.
    excess = 0 if available is None else sum(widths) + 3 * len(widths) - 1 - available
    if excess <= 0:
        return Layout(tuple(widths), numbers)
    wrappable = sorted((widths[i] for i in range(len(widths)) if not numbers[i]), reverse=True)
    for count in range(1, len(wrappable) + 1):
        # The `count` widest columns are cut to one width that takes up the excess; it must leave the next as it is.
        limit = (sum(wrappable[:count]) - excess) // count
        if limit >= NARROWEST_CHARS and (count == len(wrappable) or limit >= wrappable[count]):
            cut = (w if number else min(w, limit) for w, number in zip(widths, numbers, strict=True))
            return Layout(tuple(cut), numbers, wraps=True)
    return None


def _widest(texts: list[str]) -> int:
    if all(map(str.isascii, texts)) and all(map(str.isprintable, texts)):
        return max(map(len, texts), default=0)
    return max((display_width(piece) for text in texts for piece, _ in break_lines(text, None)), default=0)


def _header(names: list[str], layout: Layout) -> str:
    rule = "+".join("-" * (width + 2) for width in layout.widths)
    return _body([[name] for name in names], layout) + rule + "\n"


def _body(cells: list[list[str]], layout: Layout) -> str:
    """The lines of some rows, given as columns of texts."""
    if not cells or not cells[0]:
        return ""
    if all(
        _is_simple(texts, w if layout.wraps else None) for texts, w in zip(cells, layout.widths, strict=True)
    ):
        template = _template(layout)
        return "".join([template % row for row in zip(*cells, strict=True)])
    return "".join(text for row in zip(*cells, strict=True) for text in _tall_row(row, layout))


def _is_simple(texts: list[str], limit: int | None) -> bool:
    """Whether all texts are ASCII on one line, and none is wider than `limit`."""
    if not (all(map(str.isascii, texts)) and all(map(str.isprintable, texts))):
        return False
    return limit is None or max(map(len, texts)) <= limit


def _template(layout: Layout) -> str:
    """A template for the operator %, which is by far the fastest way to lay out simple rows."""
    parts = [
        f" %{width}s " if number else f" %-{width}s "
        for width, number in zip(layout.widths, layout.numbers, strict=True)
    ]
    parts[-1] = parts[-1].rstrip() if layout.numbers[-1] else " %s"
    return "|".join(parts) + "\n"


def _tall_row(row: tuple[str, ...], layout: Layout) -> Iterator[str]:
    """The lines of a row in which some cell has several, or characters that are not one column wide."""
    broken = [
        break_lines(text, width if layout.wraps else None)
        for text, width in zip(row, layout.widths, strict=True)
    ]
    for index in range(max(map(len, broken))):
        parts: list[str] = []
        for lines, width, number in zip(broken, layout.widths, layout.numbers, strict=True):
            text, mark = lines[index] if index < len(lines) else ("", " ")
            parts.append(f" {pad(text, width, number)}{mark}")
        yield "|".join(parts).rstrip() + "\n"


FORMAT = Format("table", "Aligned columns under a header, for people.", render, counts_rows=True)
