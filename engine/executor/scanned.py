"""A relation that DuckDB scans by asking for the columns it wants, as often as it wants.

DuckDB calls `scanner(columns=…)` of any pyarrow dataset, and reads what it returns. DuckDB 2.0 filters the rows itself.
Leaves to others: where the rows come from. This module imports pyarrow: import it late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset


class ScannedRelation(pyarrow.dataset.Dataset):  # type: ignore[misc]
    """A relation with this schema. scan: starts a scan of some of its columns, in the order asked for."""

    def __init__(self, schema: pa.Schema, scan: Callable[[Sequence[str]], pa.RecordBatchReader]) -> None:
        self._schema = schema
        self._scan = scan

    @property
    def schema(self) -> pa.Schema:
        """The names and types of all columns."""
        return self._schema

    def scanner(self, columns: Sequence[str] | None = None, **_: Any) -> _Scanner:
        """What DuckDB asks for when it begins a scan. columns: None for all."""
        return _Scanner(self._scan, list(columns or self._schema.names))


class _Scanner:
    """One scan, which starts when it is read."""

    def __init__(self, scan: Callable[[Sequence[str]], pa.RecordBatchReader], columns: list[str]) -> None:
        self._scan = scan
        self._columns = columns

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows."""
        return self._scan(self._columns)
