"""Which tables a text may read at the gateway, whatever it calls them by.

Promises: none too few. A text says the name of what it reads, or that of a view or macro whose text does; what makes
names while it runs is taken to read everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...catalog.model import Catalog, Table

_READING = ("VIEW", "MACRO", "MACRO TABLE")
_MAKES_NAMES = re.compile(r"\bquery|serialized_sql")
"""`query`, `query_table` and `json_execute_serialized_sql` take texts that may be put together of pieces."""
_PLAIN = re.compile(r"[^\"'\\]*")
"""A name that is written in one way only, but for its case, inside quotes and strings too."""


def reached(text: str, catalog: Catalog, tables: Iterable[Table]) -> list[Table]:
    """Those of the tables that a text may read, itself or by way of the catalog's views and macros."""
    said = text.lower()
    waiting = [definition for definition in catalog.definitions if definition.kind in _READING]
    while found := [definition for definition in waiting if _says(said, definition.name)]:
        said = "\n".join([said, *(definition.sql.lower() for definition in found)])
        waiting = [definition for definition in waiting if definition not in found]
    everything = _MAKES_NAMES.search(said) is not None
    return [table for table in tables if everything or _says(said, table.name)]


def _says(said: str, name: str) -> bool:
    """Whether a text in lower case may have a name in it."""
    if not _PLAIN.fullmatch(name):
        return True
    return re.search(rf"(?<!\w){re.escape(name.lower())}(?!\w)", said) is not None
