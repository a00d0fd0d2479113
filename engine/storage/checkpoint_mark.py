"""The mark that DuckDB's checkpoint leaves in a log of its own, beside the file, if the program is killed meanwhile.

DuckDB is told to write no log (`RECOVERY_MODE 'no_wal_writes'`), but a checkpoint still notes there that it has begun,
and takes the note away when it is done. The file is whole with the note and without it: it has the state of before or
of after, decided by the file's header alone.
Promises: a log in which another program has committed something is never taken for such a mark.
Leaves to others: what to do about either (`shard.py`).
"""

from __future__ import annotations

from pathlib import Path

_COMMIT = bytes.fromhex("0500000000000000 e7fe7d722fed3d5e 640064ffff")
"""The entry that ends what was committed: its length, its checksum, and its type, 100."""

_VERSION = bytes.fromhex("640062")
_CHECKPOINT = bytes.fromhex("640063")
"""How the entry that a log begins with, and that of a checkpoint, begin: field 100 is their type, 98 and 99."""

_FRAME_BYTES = 16
"""Length and checksum, before each entry but the first."""

_LONGEST_VERSION_BYTES = 64
_LONGEST_MARK_BYTES = 256


def is_checkpoint_mark(path: Path) -> bool:
    """Whether this log of DuckDB's holds nothing but the mark of a checkpoint, or nothing that was committed."""
    with path.open("rb") as file:
        data = file.read(_LONGEST_MARK_BYTES + 1)
    if len(data) > _LONGEST_MARK_BYTES:
        return False
    before, committed, after = data.partition(_COMMIT)
    if not committed:
        return True
    if after or not before.startswith(_VERSION):
        return False
    start = before.find(_CHECKPOINT)
    while start >= 0:
        frame = start - _FRAME_BYTES
        length = int.from_bytes(before[max(frame, 0) : frame + 8], "little")
        if 0 < frame <= _LONGEST_VERSION_BYTES and length == len(before) - start:
            return True
        start = before.find(_CHECKPOINT, start + 1)
    return False
