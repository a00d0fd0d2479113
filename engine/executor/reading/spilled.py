"""The rows of an open result, moved into a file, so that its connection is free without all of them in memory.

Promises: every value comes back as it was. The file has no name in its directory and goes with the object, or with the
process, however that ends.
"""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

from ...storage import interruption
from ...storage.directory import file_error
from ...types import Row
from .result import BATCH_ROWS, RowSource

_CANNOT = "cannot keep the rows of an open result"


class SpilledRows:
    """A `RowSource` over a file. directory: where the file is."""

    def __init__(self, source: RowSource, directory: Path) -> None:
        self._left: list[Row] = []
        self._next = 0
        try:
            self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  (it lives as long as this object)
        except OSError as error:
            raise file_error(error, _CANNOT) from None
        try:
            self._write(source)
        except BaseException:
            self._file.close()
            raise

    def fetchmany(self, size: int) -> list[Row]:
        """Up to `size` more rows; an empty list at the end."""
        if self._next >= len(self._left):
            self._left, self._next = self._load(), 0
        rows = self._left[self._next : self._next + size]
        self._next += len(rows)
        return rows

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        rows, self._left = self._left[self._next :], []
        while more := self._load():
            rows += more
        return rows

    def close(self) -> None:
        """Give up the rows that were not read."""
        self._file.close()

    def _write(self, source: RowSource) -> None:
        try:
            while rows := source.fetchmany(BATCH_ROWS):
                interruption.check()
                pickle.dump(rows, self._file, pickle.HIGHEST_PROTOCOL)
            pickle.dump([], self._file)
            self._file.seek(0)
        except OSError as error:
            raise file_error(error, _CANNOT) from None

    def _load(self) -> list[Row]:
        """The next batch. The last one is empty, and is not read twice: `Result` asks no more after it."""
        rows: list[Row] = pickle.load(self._file)  # Written above, into a file without a name.
        return rows
