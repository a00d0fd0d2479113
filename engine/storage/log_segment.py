"""A segment: one file of a shard's log, and how its entries are written, read and checked.

Promises: an entry is believed only after its checksums agree, and a length only after the checksum over it does.
Nothing here needs more memory than the one entry asked for.
Leaves to others: which segments make a log and what to do about damage (`log_recovery.py`), appending and making
durable (`log.py`). The format is specified in docs/reference/log-format.md.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zlib import crc32

from ..errors import LogDamagedError, invariant
from .directory import sync_directory

FORMAT = 1
SEGMENT_HEADER_BYTES = 64
BODY_BYTES_MAX = 2**32 - 1
TRANSACTION_BYTES_MAX = 64

_MAGIC = b"duckrlog"
_MAGIC_AND_FORMAT = struct.Struct("<8sI")
_SEGMENT_HEADER = struct.Struct("<8sIiQ36s")
_CHECKSUM = struct.Struct("<I")

_MARKER = b"\xd7ent"
_PREFIX = struct.Struct("<4sI")
_FIELDS = struct.Struct("<IIQQQBB")
_ENTRY_HEADER_BYTES = _PREFIX.size + _FIELDS.size
_ENTRY_HEADER_BYTES_MAX = _ENTRY_HEADER_BYTES + TRANSACTION_BYTES_MAX

_INDEX_BYTES = 64 * 1024
_READ_BYTES = 256 * 1024
_PARTS_MAX = 1024  # Linux writes no more buffers in one call.

Buffer = bytes | bytearray | memoryview


class EntryKind(IntEnum):
    """What an entry is for. The numbers are part of the format."""

    OPERATIONS = 1
    COMMIT = 2
    PREPARE = 3
    COMMIT_PREPARED = 4
    ABORT = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a log.

    sequence: its place; entries of a log are numbered without gaps. term: of the primary that wrote it.
    transaction: whose it is, up to 64 ASCII characters. body: up to 4 GiB, for others to interpret.
    """

    sequence: int
    term: int
    kind: EntryKind
    transaction: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose log it is. database_id: up to 36 bytes of UTF-8. shard: its number; −1 is the reference shard."""

    database_id: str
    shard: int


class Unreadable(Exception):  # noqa: N818  (not an error yet: whoever reads decides what it means)
    """No valid entry begins here; the text says why."""


class EntryHeader(NamedTuple):
    """The header of an entry. durable: the last sequence that was known to be durable when the entry was written."""

    body_checksum: int
    body_bytes: int
    sequence: int
    term: int
    durable: int
    kind: int
    transaction: bytes

    @property
    def total_bytes(self) -> int:
        """Header and body."""
        return _ENTRY_HEADER_BYTES + len(self.transaction) + self.body_bytes


@dataclass(slots=True)
class Segment:
    """A segment and what is known of it.

    seed: where its entries' checksums begin, so that an entry of any other segment is no entry of this one.
    end: the offset behind its last entry. index: (sequence, offset) of an entry about every 64 KiB.
    """

    path: Path
    first_sequence: int
    seed: int
    last_sequence: int
    end: int = SEGMENT_HEADER_BYTES
    index: list[tuple[int, int]] = field(default_factory=list)

    def add(self, total_bytes: int) -> None:
        """Note that the next entry lies at `end` and has so many bytes."""
        self.last_sequence += 1
        if not self.index or self.end - self.index[-1][1] >= _INDEX_BYTES:
            self.index.append((self.last_sequence, self.end))
        self.end += total_bytes

    def offset_near(self, sequence: int) -> int:
        """The offset of some entry at or before `sequence`, and not far before it."""
        at = bisect_right(self.index, sequence, key=lambda known: known[0])
        return self.index[at - 1][1] if at else SEGMENT_HEADER_BYTES


def segment_path(directory: Path, first_sequence: int) -> Path:
    """The file of the segment that begins with this sequence. Names sort as the segments do."""
    return directory / f"{first_sequence:020}.log"


def damaged(path: Path, offset: int, problem: str) -> LogDamagedError:
    """The error for damage in a segment, with its place."""
    return LogDamagedError(
        f'the log "{path}" is damaged at byte {offset}: {problem}',
        hint="Nothing was changed. Restore the database's directory from a backup, and check the disk.",
    )


def create_segment(
    directory: Path, identity: Identity, first_sequence: int, sync: Callable[[int], None]
) -> Segment:
    """Make an empty segment, durably: under its name there never is anything but a whole header.

    Raises OSError. There is a file under its name then only if the name could not be made durable.
    """
    header = _pack_segment_header(identity, first_sequence)
    path = segment_path(directory, first_sequence)
    new = path.with_suffix(".new")
    try:
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            write_at(descriptor, [header], 0, len(header))
            sync(descriptor)
        finally:
            os.close(descriptor)
        new.rename(path)
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    sync_directory(directory)
    return Segment(path, first_sequence, _seed(header), first_sequence - 1)


def open_segment(path: Path, identity: Identity) -> Segment:
    """A segment that is there, its header checked and its entries not yet read. Raises LogDamagedError, OSError."""
    with path.open("rb") as file:
        header = file.read(SEGMENT_HEADER_BYTES)
    if len(header) < SEGMENT_HEADER_BYTES or not header.startswith(_MAGIC):
        raise damaged(path, 0, "it does not begin as a segment of a log")
    _, version = _MAGIC_AND_FORMAT.unpack_from(header)
    if version > FORMAT:
        raise LogDamagedError(
            f'the log "{path}" has format {version}; this duckraft reads formats up to {FORMAT}',
            hint="Upgrade duckraft to the version that wrote this database, or a later one.",
        )
    _, _, shard, first_sequence, database_id = _SEGMENT_HEADER.unpack_from(header)
    checked, checksum = header[: -_CHECKSUM.size], header[-_CHECKSUM.size :]
    if _CHECKSUM.pack(crc32(checked)) != checksum:
        raise damaged(path, 0, "the checksum of the segment's header does not agree")
    if header != _pack_segment_header(identity, first_sequence):
        raise LogDamagedError(
            f'the log "{path}" belongs to shard {shard} of database '
            f'"{database_id.rstrip(bytes(1)).decode(errors="replace")}", '
            f'not to shard {identity.shard} of "{identity.database_id}"',
            hint="Files of different databases or shards were mixed. Restore the directory from one backup.",
        )
    if path != segment_path(path.parent, first_sequence):
        raise LogDamagedError(
            f'the log "{path}" was renamed: it begins with sequence {first_sequence}',
            hint="Restore the database's directory from a backup.",
        )
    return Segment(path, first_sequence, _seed(header), first_sequence - 1)


def _seed(header: bytes) -> int:
    """The segment's own checksum. Not one over all of the header: that would be the same for every header."""
    (seed,) = _CHECKSUM.unpack_from(header, SEGMENT_HEADER_BYTES - _CHECKSUM.size)
    return int(seed)


def _pack_segment_header(identity: Identity, first_sequence: int) -> bytes:
    database_id = identity.database_id.encode()
    invariant(len(database_id) <= 36, "the identifier of a database fits into the header of a segment")
    header = _SEGMENT_HEADER.pack(_MAGIC, FORMAT, identity.shard, first_sequence, database_id)
    return header + _CHECKSUM.pack(crc32(header))


def pack_entry_header(header: EntryHeader, seed: int) -> bytes:
    """The bytes that stand before the body."""
    *fields, transaction = header
    data = _FIELDS.pack(*fields, len(transaction)) + transaction
    return _PREFIX.pack(_MARKER, crc32(data, seed)) + data


def unpack_entry_header(data: bytes, at: int, seed: int) -> EntryHeader | None:
    """The header that begins at `data[at]`, or None if no valid one does."""
    fields_at = at + _PREFIX.size
    transaction_at = at + _ENTRY_HEADER_BYTES
    if len(data) < transaction_at:
        return None
    marker, checksum = _PREFIX.unpack_from(data, at)
    fields = _FIELDS.unpack_from(data, fields_at)
    end = transaction_at + fields[-1]
    if marker != _MARKER or len(data) < end or crc32(data[fields_at:end], seed) != checksum:
        return None
    return EntryHeader._make((*fields[:-1], data[transaction_at:end]))


def scan(segment: Segment) -> tuple[int, str | None]:
    """Check the entries from `segment.end` on, and add to the segment those that are valid.

    Returns the greatest sequence that they say was durable, and why it stopped: None at the end of the file.
    Raises LogDamagedError for a valid entry that is not the next one, OSError.
    """
    durable = 0
    with segment.path.open("rb", buffering=_READ_BYTES) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(segment.end)
        while segment.end < size:
            try:
                header = _read_header(file, segment.seed)
                _check_body(file, header)
            except Unreadable as problem:
                return durable, str(problem)
            if header.sequence != segment.last_sequence + 1:
                expected = segment.last_sequence + 1
                raise damaged(
                    segment.path, segment.end, f"entry {header.sequence} stands where {expected} belongs"
                )
            durable = max(durable, header.durable)
            segment.add(header.total_bytes)
    return durable, None


def survey_tail(segment: Segment) -> tuple[int, int]:
    """What lies behind the last valid entry, where the next one is damaged or was never written.

    Returns the offset behind the last byte there that is not zero, and the greatest sequence that was durable by the
    word of entry headers found there, which are looked for at every offset.
    """
    last, durable = segment.end, 0
    with segment.path.open("rb", buffering=0) as file:
        position = file.seek(segment.end)
        window = b""
        while chunk := file.read(_READ_BYTES):
            if content := chunk.rstrip(b"\0"):
                last = position + len(content)
            position += len(chunk)
            window = window[-_ENTRY_HEADER_BYTES_MAX:] + chunk
            at = window.find(_MARKER)
            while at >= 0:
                if header := unpack_entry_header(window, at, segment.seed):
                    durable = max(durable, header.durable)
                at = window.find(_MARKER, at + 1)
    return last, durable


def offset_of(segment: Segment, sequence: int) -> int:
    """The offset of an entry that the segment has. Raises LogDamagedError, OSError."""
    with segment.path.open("rb", buffering=_READ_BYTES) as file:
        offset = segment.offset_near(sequence)
        file.seek(offset)
        while True:
            header = _read_known_header(file, segment, offset)
            if header.sequence == sequence:
                return offset
            file.seek(header.body_bytes, os.SEEK_CUR)
            offset += header.total_bytes


def read_entries(segment: Segment, first: int, last: int) -> Iterator[Entry]:
    """The entries from `first` to `last`, which the segment has. Raises LogDamagedError, OSError."""
    with segment.path.open("rb", buffering=_READ_BYTES) as file:
        offset = segment.offset_near(first)
        file.seek(offset)
        sequence = first - 1
        while sequence < last:
            header = _read_known_header(file, segment, offset)
            if header.sequence < first:
                file.seek(header.body_bytes, os.SEEK_CUR)
            else:
                sequence += 1
                body = file.read(header.body_bytes)
                if header.sequence != sequence or crc32(body) != header.body_checksum:
                    raise damaged(
                        segment.path, offset, f"the body of entry {sequence} is not what was written"
                    )
                yield Entry(sequence, header.term, _kind(header), header.transaction.decode("ascii"), body)
            offset += header.total_bytes


def _read_known_header(file: BinaryIO, segment: Segment, offset: int) -> EntryHeader:
    try:
        return _read_header(file, segment.seed)
    except Unreadable as problem:
        raise damaged(segment.path, offset, str(problem)) from None


def _read_header(file: BinaryIO, seed: int) -> EntryHeader:
    data = file.read(_ENTRY_HEADER_BYTES)
    if len(data) == _ENTRY_HEADER_BYTES:
        data += file.read(data[-1])
    header = unpack_entry_header(data, 0, seed)
    if header is None:
        raise Unreadable("no valid header of an entry begins here")
    return header


def _check_body(file: BinaryIO, header: EntryHeader) -> None:
    checksum, left = 0, header.body_bytes
    while left:
        chunk = file.read(min(left, _READ_BYTES))
        if not chunk:
            raise Unreadable(f"entry {header.sequence} is cut short")
        checksum = crc32(chunk, checksum)
        left -= len(chunk)
    if checksum != header.body_checksum:
        raise Unreadable(f"the checksum of the body of entry {header.sequence} does not agree")


def _kind(header: EntryHeader) -> EntryKind:
    try:
        return EntryKind(header.kind)
    except ValueError:
        raise LogDamagedError(
            f"entry {header.sequence} of the log is of kind {header.kind}, which this duckraft does not know",
            hint="Upgrade duckraft to the version that wrote this database, or a later one.",
        ) from None


def write_at(descriptor: int, parts: Sequence[Buffer], offset: int, total_bytes: int) -> None:
    """Write all of these parts, one behind the other, without putting them together first. Raises OSError."""
    if len(parts) <= _PARTS_MAX and os.pwritev(descriptor, parts, offset) == total_bytes:
        return
    left = [view for part in parts if (view := memoryview(part).cast("B")).nbytes]
    at = 0
    while at < len(left):
        written = os.pwritev(descriptor, left[at : at + _PARTS_MAX], offset)
        offset += written
        while at < len(left) and written >= len(left[at]):
            written -= len(left[at])
            at += 1
        if written:
            left[at] = left[at][written:]
