"""The mark of a shard's log: up to which entry it is known to be durable, and from which one it has to be there.

The log alone cannot tell a last entry that was damaged later from one that a crash cut short, nor a missing file from
one that was deleted on purpose. The mark can: it is written after the log was made durable, and before a segment is
deleted.
Promises: never ahead of the log. After a power cut it may be behind, since `durable` is not waited for.
A mark that is missing or damaged is as good as none: checks become weaker, the log is read all the same.
Leaves to others: what follows from it (`log_recovery.py`). The format is specified in docs/reference/log-format.md.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from .log_segment import Identity

MARK_NAME = "mark"

_MAGIC = b"duckmrk1"
_FIELDS = struct.Struct("<8sQQ")
_CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Mark:
    """first: entries before it were given up. durable: entries up to it are on disk; at least first − 1."""

    first: int
    durable: int


class MarkFile:
    """The file of a mark, open for writing."""

    def __init__(self, path: Path, identity: Identity) -> None:
        """Open the file, and make it if it is missing. Raises OSError."""
        self._seed = crc32(f"{identity.database_id} {identity.shard}".encode())
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)

    def read(self) -> Mark | None:
        """The mark, or None if it is not there, damaged or another shard's."""
        data = os.pread(self._descriptor, _FIELDS.size + _CHECKSUM.size, 0)
        if len(data) < _FIELDS.size + _CHECKSUM.size:
            return None
        magic, first, durable = _FIELDS.unpack_from(data)
        if magic != _MAGIC or _CHECKSUM.unpack_from(data, _FIELDS.size)[0] != self._checksum(data):
            return None
        return Mark(first, durable)

    def note(self, mark: Mark) -> None:
        """Write the mark without waiting for the disk. A mark that cannot be written stays as it was."""
        with suppress(OSError):
            self._write(mark)

    def save(self, mark: Mark, sync: Callable[[int], None]) -> None:
        """Write the mark and wait for the disk. Raises OSError."""
        self._write(mark)
        sync(self._descriptor)

    def close(self) -> None:
        """Give the file up."""
        os.close(self._descriptor)

    def _write(self, mark: Mark) -> None:
        data = _FIELDS.pack(_MAGIC, mark.first, mark.durable)
        os.pwrite(self._descriptor, data + _CHECKSUM.pack(self._checksum(data)), 0)

    def _checksum(self, data: bytes) -> int:
        return crc32(data[: _FIELDS.size], self._seed)
