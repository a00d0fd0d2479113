"""JSON Lines: one object a line, one line a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from duckraft.engine.types import Column

from .format import Batch, Format, Style
from .json_objects import object_encoder


def render(columns: Sequence[Column], batches: Iterable[Batch], style: Style) -> Iterator[str]:  # noqa: ARG001
    """The objects."""
    encode_row = object_encoder(columns)
    for batch in batches:
        if batch:
            yield "\n".join(map(encode_row, batch)) + "\n"


FORMAT = Format("jsonl", "JSON Lines: one object a line.", render)
