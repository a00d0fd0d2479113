"""What the tests of the log share: logs of one identity, and what a crash would leave of one that is open."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

from duckraft.engine.storage.log import EntryKind, ShardLog
from duckraft.engine.storage.log_segment import Identity

IDENTITY = Identity("0123456789abcdef0123456789abcdef", 3)

_numbers = itertools.count()


def open_log(directory: Path, **options: Any) -> ShardLog:
    """A log of IDENTITY."""
    return ShardLog.open(directory, database_id=IDENTITY.database_id, shard=IDENTITY.shard, **options)


def add(log: ShardLog, *bodies: bytes) -> None:
    """Append commits with these bodies."""
    for body in bodies:
        log.append(EntryKind.COMMIT, "t1", body)


def add_durably(log: ShardLog, *bodies: bytes) -> None:
    """Append commits, each with an fsync of its own."""
    for body in bodies:
        log.sync(log.append(EntryKind.COMMIT, "t1", body))


def bodies_of(log: ShardLog) -> list[bytes]:
    """The bodies of all entries that are there."""
    return [entry.body for entry in log.entries(log.first_sequence - 1)]


def after_crash(directory: Path) -> Path:
    """A copy of a log's directory as it is now: what a process that is killed now leaves."""
    copy = directory.with_name(f"{directory.name} {next(_numbers)}")
    shutil.copytree(directory, copy)
    return copy


def segments_of(directory: Path) -> list[Path]:
    """The files of the segments, in order."""
    return sorted(directory.glob("*.log"))


def flip(path: Path, offset: int) -> None:
    """Turn over one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)
