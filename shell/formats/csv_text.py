"""Comma-separated values as RFC 4180 has them, with lines that end in a bare line feed.

Promises: NULL and the empty string stay apart: NULL is the text given (by default nothing at all), a string that is
empty or equal to that text is quoted. DuckDB and PostgreSQL read it back so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from duckraft.engine.types import Column

from .format import Batch, Format, Style
from .value_types import parse_type
from .values import text_encoder

_SPECIAL = re.compile(r'[",\r\n]')


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def render(columns: Sequence[Column], batches: Iterable[Batch], style: Style) -> Iterator[str]:
    """The header, then a record a row."""
    null = style.null_or("")
    special = _SPECIAL.search

    def field(text: str) -> str:
        return _quote(text) if not text or text == null or special(text) else text

    encoders = [
        (text_encoder(column.type), parse_type(column.type).is_number and not null) for column in columns
    ]
    if style.header:
        yield ",".join(field(column.name) for column in columns) + "\n"
    for batch in batches:
        if not batch:
            continue
        texts = [
            [null if value is None else encode(value) for value in values]
            if never_quoted
            else [null if value is None else field(encode(value)) for value in values]
            for (encode, never_quoted), values in zip(encoders, zip(*batch, strict=True), strict=True)
        ]
        yield "\n".join(map(",".join, zip(*texts, strict=True))) + "\n"


FORMAT = Format("csv", "Comma-separated values (RFC 4180).", render)
