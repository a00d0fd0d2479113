"""Opening a shard's log: which segments there are, what a crash left at the end, and what is damage.

Promises: what it returns has been checked entry by entry, and is durable: bytes that were not known to be so are
written again and synced, since after a failed fsync the kernel's cache may hold what the disk does not.
A tail that a crash tore is cut off. Anything else that is not as it was written raises LogDamagedError, and nothing is
changed: a bad entry is a torn one only if nothing says that it was durable, neither the mark nor a later entry.
Leaves to others: the format (`log_segment.py`), everything after opening (`log.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import LogDamagedError
from .directory import sync_directory
from .log_mark import Mark
from .log_segment import (
    Identity,
    Segment,
    damaged,
    offset_of,
    open_segment,
    scan,
    survey_tail,
    write_at,
)

_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Recovered:
    """segments: in order, at least one. repaired_bytes: how many a crash had left torn at the end."""

    segments: list[Segment]
    repaired_bytes: int


def recover(
    directory: Path, identity: Identity, mark: Mark | None, sync: Callable[[int], None]
) -> Recovered | None:
    """Read and check the log in `directory`; None if there is none. Raises LogDamagedError, OSError."""
    paths, left = _segment_paths(directory, mark)
    if not paths:
        if mark is not None:
            raise _incomplete(f'the log in "{directory}" has lost all its segments')
        return None
    segments, durable, problem = _read(paths, identity, mark)
    last = segments[-1]
    torn_end, durable_by_tail = survey_tail(last)
    durable = max(durable, durable_by_tail)
    if last.last_sequence < durable:
        problem = problem or "the file ends here"
        raise damaged(
            last.path,
            last.end,
            f"{problem}, and entries up to {durable} were durable, so that no crash tore it",
        )
    _make_durable(last, durable, sync)
    _remove(directory, left)
    return Recovered(segments, torn_end - last.end)


def _segment_paths(directory: Path, mark: Mark | None) -> tuple[list[Path], list[Path]]:
    """The segments in order, and the files that a crash left when one was made or some were deleted."""
    paths = sorted(directory.glob("*.log"))
    left = list(directory.glob("*.new"))
    if mark is not None:
        needed = [path for path in paths if path.stem <= f"{mark.first:020}"]
        left += needed[:-1]
        paths = paths[len(needed) - 1 :] if needed else paths
        if paths and not needed:
            raise _incomplete(
                f'the log in "{directory}" begins with "{paths[0].name}"; '
                f"the segment with entry {mark.first} is missing"
            )
    return paths, left


def _remove(directory: Path, left: list[Path]) -> None:
    for path in left:
        path.unlink()
    if left:
        sync_directory(directory)


def _read(paths: list[Path], identity: Identity, mark: Mark | None) -> tuple[list[Segment], int, str | None]:
    """The segments, the last sequence known to be durable, and why reading the last segment stopped."""
    segments: list[Segment] = []
    durable = mark.durable if mark is not None else 0
    problem: str | None = None
    for path in paths:
        segment = open_segment(path, identity)
        if segments:
            before = segments[-1]
            if problem is not None:
                raise damaged(before.path, before.end, problem)
            if segment.first_sequence != before.last_sequence + 1:
                raise _incomplete(
                    f'the log "{before.path}" ends with entry {before.last_sequence} '
                    f'and "{path.name}" begins with {segment.first_sequence}'
                )
        said, problem = scan(segment)
        # A segment is begun only after the one before it was made durable.
        durable = max(durable, said, segment.first_sequence - 1)
        segments.append(segment)
    return segments, durable, problem


def _make_durable(segment: Segment, durable: int, sync: Callable[[int], None]) -> None:
    """Cut off what is behind the last entry, and write the entries that are not known to be durable once more."""
    descriptor = os.open(segment.path, os.O_RDWR)
    try:
        if os.fstat(descriptor).st_size > segment.end:
            os.ftruncate(descriptor, segment.end)
            os.fsync(descriptor)
        if durable < segment.last_sequence:
            offset = offset_of(segment, durable + 1)
            while offset < segment.end:
                data = os.pread(descriptor, min(_COPY_BYTES, segment.end - offset), offset)
                write_at(descriptor, [data], offset, len(data))
                offset += len(data)
        sync(descriptor)
    finally:
        os.close(descriptor)


def _incomplete(problem: str) -> LogDamagedError:
    return LogDamagedError(
        problem,
        hint="Nothing was changed. Restore the database's directory from one backup, with all its files.",
    )
