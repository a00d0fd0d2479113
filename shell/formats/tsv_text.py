"""Tab-separated values with PostgreSQL's escapes, as its COPY writes and reads them.

Promises: a row is one line; tab, line break and backslash in a value are `\\t`, `\\n`, `\\r` and `\\\\`; NULL is `\\N`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from duckraft.engine.types import Column

from .format import Batch, Format, Style
from .values import text_encoder

_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _field(text: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], text)


def render(columns: Sequence[Column], batches: Iterable[Batch], style: Style) -> Iterator[str]:
    """The header, then a line a row."""
    null = style.null_or("\\N")
    encoders = [text_encoder(column.type) for column in columns]
    if style.header:
        yield "\t".join(_field(column.name) for column in columns) + "\n"
    for batch in batches:
        if not batch:
            continue
        texts = [
            [null if value is None else _field(encode(value)) for value in values]
            for encode, values in zip(encoders, zip(*batch, strict=True), strict=True)
        ]
        yield "\n".join(map("\t".join, zip(*texts, strict=True))) + "\n"


FORMAT = Format("tsv", "Tab-separated values with backslash escapes; NULL is \\N.", render)
