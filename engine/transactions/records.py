"""The bodies of the log entries that two-phase commit writes.

    COMMIT            participants, operations
    PREPARE           deciding shard, participants, operations
    COMMIT_PREPARED   the sequence of its PREPARE, whose operations it commits
    ABORT             nothing

Numbers are little-endian: the count of participants an unsigned 16-bit number, shards signed 32-bit (the reference
shard is −1), sequences unsigned 64-bit. The operations are the rest of the body.

Promises: what was encoded decodes to the same values; any other body raises LogDamagedError and nothing else.
Leaves to others: what the operations mean (`storage/operations.py`); checksums and the entry's own header
(`storage/log.py`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import LogDamagedError

_COUNT = struct.Struct("<H")
_SHARD = struct.Struct("<i")
_SEQUENCE = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class CommitBody:
    """participants: every shard the transaction wrote on; the deciding one, whose log this is, among them."""

    participants: tuple[int, ...]
    operations: bytes


@dataclass(frozen=True, slots=True)
class PrepareBody:
    """deciding: the shard whose log tells the outcome."""

    deciding: int
    participants: tuple[int, ...]
    operations: bytes


def encode_commit(participants: tuple[int, ...], operations: bytes) -> tuple[bytes, ...]:
    """The parts of a COMMIT's body; the operations are not copied."""
    return _encode_shards(participants), operations


def decode_commit(body: bytes) -> CommitBody:
    """Raises LogDamagedError."""
    participants, end = _decode_shards(body, 0)
    return CommitBody(participants, body[end:])


def encode_prepare(deciding: int, participants: tuple[int, ...], operations: bytes) -> tuple[bytes, ...]:
    """The parts of a PREPARE's body; the operations are not copied."""
    return _SHARD.pack(deciding) + _encode_shards(participants), operations


def decode_prepare(body: bytes) -> PrepareBody:
    """Raises LogDamagedError."""
    if len(body) < _SHARD.size:
        raise _malformed("a PREPARE without its deciding shard")
    (deciding,) = _SHARD.unpack_from(body)
    participants, end = _decode_shards(body, _SHARD.size)
    return PrepareBody(deciding, participants, body[end:])


def encode_commit_prepared(prepared_at: int) -> tuple[bytes, ...]:
    """prepared_at: the sequence of the PREPARE."""
    return (_SEQUENCE.pack(prepared_at),)


def decode_commit_prepared(body: bytes) -> int:
    """The sequence of the PREPARE. Raises LogDamagedError."""
    if len(body) != _SEQUENCE.size:
        raise _malformed("a COMMIT_PREPARED that does not name its PREPARE")
    (prepared_at,) = _SEQUENCE.unpack(body)
    return int(prepared_at)


def _encode_shards(shards: tuple[int, ...]) -> bytes:
    return _COUNT.pack(len(shards)) + b"".join(map(_SHARD.pack, shards))


def _decode_shards(body: bytes, start: int) -> tuple[tuple[int, ...], int]:
    """The shards at `start`, and where they end."""
    if len(body) < start + _COUNT.size:
        raise _malformed("an entry without its participants")
    (count,) = _COUNT.unpack_from(body, start)
    start += _COUNT.size
    end = start + count * _SHARD.size
    if len(body) < end:
        raise _malformed("an entry that is shorter than its list of participants")
    return tuple(shard for (shard,) in _SHARD.iter_unpack(body[start:end])), end


def _malformed(what: str) -> LogDamagedError:
    return LogDamagedError(
        f"the log holds {what}",
        hint="Its checksum is right, so another version of duckraft may have written it. Open it with that one.",
    )
