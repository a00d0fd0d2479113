"""Bodies of log entries: what is encoded decodes to the same, and everything else is damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duckraft.engine.errors import LogDamagedError
from duckraft.engine.transactions import records

SHARDS = st.integers(-1, 2**31 - 1)
PARTICIPANTS = st.lists(SHARDS, max_size=20).map(tuple)


@given(SHARDS, PARTICIPANTS, st.binary())
def test_a_prepare_decodes_to_what_was_encoded(
    deciding: int, participants: tuple[int, ...], operations: bytes
) -> None:
    body = b"".join(records.encode_prepare(deciding, participants, operations))
    assert records.decode_prepare(body) == records.PrepareBody(deciding, participants, operations)


@given(PARTICIPANTS, st.binary())
def test_a_commit_decodes_to_what_was_encoded(participants: tuple[int, ...], operations: bytes) -> None:
    body = b"".join(records.encode_commit(participants, operations))
    assert records.decode_commit(body) == records.CommitBody(participants, operations)


@given(st.integers(1, 2**64 - 1))
def test_a_commit_prepared_decodes_to_what_was_encoded(sequence: int) -> None:
    assert records.decode_commit_prepared(b"".join(records.encode_commit_prepared(sequence))) == sequence


def test_the_bytes_are_those_of_the_format() -> None:
    """Logs outlive programs."""
    assert b"".join(records.encode_prepare(-1, (0, 258), b"ops")) == (
        b"\xff\xff\xff\xff\x02\x00\x00\x00\x00\x00\x02\x01\x00\x00ops"
    )
    assert b"".join(records.encode_commit((7,), b"ops")) == b"\x01\x00\x07\x00\x00\x00ops"
    assert b"".join(records.encode_commit_prepared(258)) == b"\x02\x01\x00\x00\x00\x00\x00\x00"


def test_a_body_that_is_cut_off_is_damage() -> None:
    prepare = b"".join(records.encode_prepare(0, (0, 1), b""))
    commit = b"".join(records.encode_commit((0, 1), b""))
    for length in range(len(prepare)):
        with pytest.raises(LogDamagedError):
            records.decode_prepare(prepare[:length])
    for length in range(len(commit)):
        with pytest.raises(LogDamagedError):
            records.decode_commit(commit[:length])
    for length in (0, 7, 9):
        with pytest.raises(LogDamagedError):
            records.decode_commit_prepared(bytes(length))
