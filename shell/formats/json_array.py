"""One JSON array a result, with one object a row, each on a line of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from duckraft.engine.types import Column

from .format import Batch, Format, Style
from .json_objects import object_encoder


def render(columns: Sequence[Column], batches: Iterable[Batch], style: Style) -> Iterator[str]:  # noqa: ARG001
    """The array. It stays open if the rows end with an error, so that no parser takes it for the whole."""
    encode_row = object_encoder(columns)
    opening = "[\n"
    for batch in batches:
        if batch:
            yield opening + ",\n".join(map(encode_row, batch))
            opening = ",\n"
    yield "[]\n" if opening == "[\n" else "\n]\n"


FORMAT = Format("json", "An array of objects, one a row.", render)
