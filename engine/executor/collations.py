"""Which tables have a column with a collation of its own.

Arrow carries the text and not the collation, and equal texts of such a column may have different hashes: these tables
are read where they are attached, and nothing of them moves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

from ..catalog.model import Table
from ..storage import duck, shard

_QUOTED = re.compile(r""""(?:[^"]|"")*"|'(?:[^']|'')*'""")
_COLLATE = re.compile(r"\bCOLLATE\b", re.IGNORECASE)


class Collations:
    """Asks DuckDB once for each version of a table. reader: gives a connection to ask."""

    def __init__(self, reader: Callable[[], AbstractContextManager[duck.Connection]]) -> None:
        self._reader = reader
        self._known: dict[tuple[str, str], tuple[int, bool]] = {}

    def has(self, table: Table) -> bool:
        """Whether any column of the table has a collation."""
        known = self._known.get(table.key)
        if known is not None and known[0] == table.version:
            return known[1]
        where = [shard.alias(table.placements[0]), table.schema, table.name]
        with self._reader() as connection:
            rows = duck.rows(
                connection,
                "SELECT sql FROM system.main.duckdb_tables()"
                " WHERE database_name = ? AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)",
                where,
            )
        found = any(_COLLATE.search(_QUOTED.sub("", text)) for (text,) in rows)
        self._known[table.key] = (table.version, found)
        return found
