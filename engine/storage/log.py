"""The log of a shard: what was committed, in order. It is the truth; the shard's DuckDB file follows it.

Promises: when `sync` returns, the entries are on disk, and every later `open` finds them or raises. Entries are
numbered without gaps. An append that fails leaves the log as it was. When making durable fails, nobody knows what is on
disk, so the log fails for good: it takes nothing more until it is opened again, which finds out.
Many threads may use a log; those that wait for the disk share an fsync. One process at a time: that is what the lock on
the data directory is for.
Leaves to others: what the bodies mean, when to truncate, replay.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from zlib import crc32

from ..errors import InterfaceError, LogDamagedError, LogFailedError, OperationalError, invariant
from .directory import file_error, sync_directory
from .log_mark import MARK_NAME, Mark, MarkFile
from .log_recovery import recover
from .log_segment import (
    BODY_BYTES_MAX,
    TRANSACTION_BYTES_MAX,
    Buffer,
    Entry,
    EntryHeader,
    EntryKind,
    Identity,
    Segment,
    create_segment,
    pack_entry_header,
    read_entries,
    segment_path,
    write_at,
)
from .log_turns import Turns

__all__ = ["Entry", "EntryKind", "ShardLog"]

SEGMENT_BYTES = 64 << 20
_PREALLOCATED_BYTES = 1 << 20

Sync = Callable[[int], None]


class ShardLog:
    """One shard's log, open. Also a context manager.

    first_sequence, last_sequence: of the entries that are there; last is first − 1 if there are none.
    repaired_bytes: how many bytes of a torn tail were cut off when it was opened.
    """

    def __init__(
        self,
        directory: Path,
        identity: Identity,
        segments: list[Segment],
        mark: MarkFile,
        sync: Sync,
        segment_bytes: int,
        repaired_bytes: int,
    ) -> None:
        """Use `open`."""
        self.repaired_bytes = repaired_bytes
        self._directory = directory
        self._identity = identity
        self._segments = segments
        self._mark = mark
        self._sync = sync
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        """Guards everything below."""
        self._turns = Turns(self._lock)
        self._descriptor = os.open(segments[-1].path, os.O_RDWR)
        self._allocated = segments[-1].end
        self._durable = segments[-1].last_sequence
        self._failure: BaseException | None = None
        self._closed = False

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        database_id: str,
        shard: int,
        create: bool = True,
        first_sequence: int = 1,
        sync: Sync = os.fdatasync,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> ShardLog:
        """Open the log in `directory`; with `create`, make it first if it is missing.

        All entries are read and checked, a torn tail is cut off, and what is left is durable.
        database_id, shard: whose log it is; −1 is the reference shard. first_sequence: of the first entry of a new log.
        sync: makes the data of a descriptor durable or raises OSError. segment_bytes: a new file begins about there.
        Raises LogDamagedError for a log that is not as it was written, and OperationalError.
        """
        identity = Identity(database_id, shard)
        try:
            if not create:
                _check_is_there(directory)
            if not directory.exists():
                directory.mkdir()
                sync_directory(directory.parent)
            mark = MarkFile(directory / MARK_NAME, identity)
            try:
                recovered = recover(directory, identity, mark.read(), sync)
                segments = recovered.segments if recovered else []
                repaired_bytes = recovered.repaired_bytes if recovered else 0
                if not segments:
                    segments = [create_segment(directory, identity, first_sequence, sync)]
                mark.note(Mark(segments[0].first_sequence, segments[-1].last_sequence))
                return cls(directory, identity, segments, mark, sync, segment_bytes, repaired_bytes)
            except BaseException:
                mark.close()
                raise
        except OSError as error:
            raise file_error(error, f'cannot open the log in "{directory}"') from None

    @property
    def first_sequence(self) -> int:
        """The sequence of the first entry that is still there."""
        with self._lock:
            return self._segments[0].first_sequence

    @property
    def last_sequence(self) -> int:
        """The sequence of the last entry, durable or not."""
        with self._lock:
            return self._segments[-1].last_sequence

    @property
    def durable_sequence(self) -> int:
        """Entries up to this one are durable."""
        with self._lock:
            return self._durable

    @property
    def size_bytes(self) -> int:
        """What the entries and the headers of the segments take, without what is allocated in advance."""
        with self._lock:
            return sum(segment.end for segment in self._segments)

    def append(self, kind: EntryKind, transaction: str, body: bytes | Sequence[Buffer], term: int = 0) -> int:
        """Hand an entry to the operating system; it is not durable before `sync`. Returns its sequence.

        transaction: up to 64 ASCII characters. body: bytes, or parts that are written one behind the other without
        being copied; together at most 4 GiB − 1.
        Raises OperationalError if it cannot be written, 53100 if the disk is full: the log is then as before, and
        usable. Raises LogFailedError.
        """
        name = transaction.encode("ascii")
        invariant(len(name) <= TRANSACTION_BYTES_MAX, "the name of a transaction fits into an entry")
        parts = [body] if isinstance(body, bytes) else body
        checksum = body_bytes = 0
        for part in parts:
            checksum = crc32(part, checksum)
            body_bytes += part.nbytes if isinstance(part, memoryview) else len(part)
        if body_bytes > BODY_BYTES_MAX:
            raise OperationalError(
                f"{body_bytes} bytes are too many for one entry of the log",
                sqlstate="54000",
                hint=f"Change fewer rows in one statement; the limit is {BODY_BYTES_MAX} bytes.",
            )
        with self._lock:
            self._make_room(body_bytes)
            segment = self._segments[-1]
            sequence = segment.last_sequence + 1
            header = EntryHeader(checksum, body_bytes, sequence, term, self._durable, kind, name)
            self._write([pack_entry_header(header, segment.seed), *parts], header.total_bytes)
            segment.add(header.total_bytes)
            return sequence

    def sync(self, up_to: int) -> None:
        """Return when all entries up to this one are durable. Threads that wait at the same time share an fsync.

        Raises LogFailedError, now and ever after, once it could not be done; the outcome is then not known.
        """
        with self._lock:
            invariant(up_to <= self._segments[-1].last_sequence, "only what was appended is made durable")
            while self._durable < up_to:
                self._check_usable(outcome_known=False)
                last = self._segments[-1].last_sequence
                if self._turns.begin_or_wait(up_to, last):
                    self._sync_all(last)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """The entries after this one that are there now, in order. One body at a time is in memory.

        Do not truncate what is still to be read. Raises LogDamagedError if the log was truncated beyond `after`, or
        ends before it; while it is read, LogDamagedError or OperationalError.
        """
        with self._lock:
            segments = list(self._segments)
        first, last = segments[0].first_sequence, segments[-1].last_sequence
        if not first - 1 <= after <= last:
            raise LogDamagedError(
                f'the log in "{self._directory}" has the entries from {first} to {last}, '
                f"but those after {after} are needed",
                hint="The log and the shard's file do not belong together. Restore the directory from one backup.",
            )
        return self._read(segments, after + 1, last)

    def read(self, sequence: int) -> Entry:
        """One entry, which is there. Raises LogDamagedError, OperationalError."""
        with self._lock:
            segments = list(self._segments)
        invariant(
            segments[0].first_sequence <= sequence <= segments[-1].last_sequence, "the entry is in the log"
        )
        return next(self._read(segments, sequence, sequence))

    def check_space(self) -> None:
        """Raise OperationalError, 53100, if the disk has not the space that a checkpoint of the shard may need.

        DuckDB gives a file up whose checkpoint fails. It needs about as much as was logged.
        """
        try:
            found = os.statvfs(self._directory)
        except OSError as error:
            raise file_error(error, f'cannot look at the disk of "{self._directory}"') from None
        free_bytes, needed_bytes = found.f_bavail * found.f_frsize, self.size_bytes
        if free_bytes < needed_bytes:
            raise OperationalError(
                f"there is not enough space for a checkpoint: {free_bytes} bytes are free on the disk of "
                f'"{self._directory}", and it may take {needed_bytes}',
                sqlstate="53100",
                hint="Free some space on this disk and try again. What was committed is in the log.",
            )

    def truncate(self, before: int) -> None:
        """Delete the segments all of whose entries come before this one. `last_sequence` stays.

        A crash while it runs leaves a log that opens. Raises OperationalError, LogFailedError.
        """
        with self._lock, self._turns.paused():
            self._check_usable()
            last = self._segments[-1]
            if last.first_sequence <= last.last_sequence < before:
                self._begin_segment()
            kept = [segment for segment in self._segments[:-1] if segment.last_sequence >= before]
            kept.append(self._segments[-1])
            if given_up := self._segments[: -len(kept)]:
                try:
                    # First, so that the files that are about to go are not missed.
                    self._mark.save(Mark(kept[0].first_sequence, self._durable), self._sync)
                    self._segments = kept
                    for segment in given_up:
                        segment.path.unlink()
                    sync_directory(self._directory)
                except OSError as error:
                    raise file_error(error, f'cannot truncate the log in "{self._directory}"') from None

    def close(self) -> None:
        """Make everything durable and give the files up. Closing twice is fine, and so is closing a failed log.

        Raises LogFailedError; the log is closed all the same.
        """
        with self._lock, self._turns.paused():
            if self._closed:
                return
            self._closed = True
            try:
                if self._failure is None:
                    self._finish_segment()
                    with suppress(OSError):
                        self._mark.save(self._present_mark(), self._sync)
            finally:
                os.close(self._descriptor)
                self._mark.close()

    def __enter__(self) -> ShardLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # All below but `_read`: the caller holds the lock.

    def _check_usable(self, *, outcome_known: bool = True) -> None:
        self._check_not_failed(outcome_known=outcome_known)
        if self._closed:
            raise InterfaceError(f'the log in "{self._directory}" is closed', sqlstate="08000")

    def _check_not_failed(self, *, outcome_known: bool) -> None:
        if (failure := self._failure) is not None:
            reason = (isinstance(failure, OSError) and failure.strerror) or type(failure).__name__
            raise LogFailedError(
                f'the log in "{self._directory}" could not be made durable: {reason}',
                hint="Check the disk, then open the database again: it keeps what is found to be on disk.",
                outcome_known=outcome_known,
            )

    def _present_mark(self) -> Mark:
        return Mark(self._segments[0].first_sequence, self._durable)

    def _sync_all(self, target: int) -> None:
        """Make durable what was appended up to `target`, while other threads append more."""
        first = self._segments[0].first_sequence
        try:
            self._lock.release()
            self._sync_now(self._descriptor)
            self._mark.note(Mark(first, target))
        finally:
            self._lock.acquire()
            self._turns.end(failed=self._failure is not None)
        self._durable = target

    def _sync_now(self, descriptor: int) -> None:
        try:
            self._sync(descriptor)
        except OSError as error:
            # Before anything else is called: an interrupt that came now would make the failure be forgotten.
            self._failure = error
        self._check_not_failed(outcome_known=False)

    def _make_room(self, body_bytes: int) -> None:
        """See that the present segment may take an entry of this size."""
        self._check_usable()
        if self._is_full(body_bytes):
            with self._turns.paused():
                self._check_usable()
                if self._is_full(body_bytes):
                    self._begin_segment()

    def _is_full(self, body_bytes: int) -> bool:
        segment = self._segments[-1]
        is_empty = segment.last_sequence < segment.first_sequence
        return not is_empty and segment.end + body_bytes > self._segment_bytes

    def _finish_segment(self) -> None:
        """Make the last segment durable, without what was allocated in advance."""
        segment = self._segments[-1]
        if self._allocated > segment.end:
            try:
                os.ftruncate(self._descriptor, segment.end)
                os.fsync(self._descriptor)  # fdatasync need not care about a length that shrinks.
            except OSError as error:
                self._failure = error
            self._check_not_failed(outcome_known=False)
            self._allocated = segment.end
        self._sync_now(self._descriptor)
        self._durable = segment.last_sequence

    def _begin_segment(self) -> None:
        """Go on in a new file. The one before it is complete and durable by then."""
        self._finish_segment()
        first = self._durable + 1
        try:
            segment = create_segment(self._directory, self._identity, first, self._sync)
            descriptor = os.open(segment.path, os.O_RDWR)
        except BaseException as error:
            if segment_path(self._directory, first).exists():
                # No entry may be added to the segment before it; and perhaps a power cut would take it away.
                self._failure = error
                self._check_not_failed(outcome_known=True)
            if isinstance(error, OSError):
                problem = f'cannot begin a new file of the log in "{self._directory}"'
                raise file_error(error, problem) from None
            raise
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._segments.append(segment)
        self._allocated = segment.end
        self._mark.note(self._present_mark())

    def _write(self, parts: list[Buffer], total_bytes: int) -> None:
        segment = self._segments[-1]
        end = segment.end + total_bytes
        try:
            if end > self._allocated:
                self._allocate(end)
            write_at(self._descriptor, parts, segment.end, total_bytes)
        except OSError as error:
            self._cut(segment, error)

    def _allocate(self, end: int) -> None:
        """Have the file system set space aside, since an fsync that need not make the file longer is faster."""
        wanted = end + _PREALLOCATED_BYTES - self._allocated
        with suppress(OSError):
            os.posix_fallocate(self._descriptor, self._allocated, wanted)
        self._allocated = end + _PREALLOCATED_BYTES

    def _cut(self, segment: Segment, error: OSError) -> None:
        """Take back what was written of an entry that did not fit, and raise the error."""
        try:
            os.ftruncate(self._descriptor, segment.end)
        except OSError as second:
            self._failure = second
            self._check_not_failed(outcome_known=True)
        self._allocated = segment.end
        raise file_error(error, f'cannot write to the log "{segment.path}"')

    def _read(self, segments: list[Segment], first: int, last: int) -> Iterator[Entry]:
        try:
            for segment in segments:
                if segment.first_sequence <= last and segment.last_sequence >= first:
                    yield from read_entries(
                        segment, max(first, segment.first_sequence), min(last, segment.last_sequence)
                    )
        except OSError as error:
            raise file_error(error, f'cannot read the log in "{self._directory}"') from None


def _check_is_there(directory: Path) -> None:
    """Refuse to take a log that was lost for a new one. Raises LogDamagedError."""
    if not any(directory.glob("*.log")):
        problem = "has no segments" if directory.exists() else "is missing"
        raise LogDamagedError(
            f'the log in "{directory}" {problem}: what it had and its shard\'s file has not is lost',
            hint="Restore the database's directory from one backup, with all its files. Nothing was changed.",
        )
