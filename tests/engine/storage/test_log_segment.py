"""The format of a segment, byte by byte, and how single entries are found and checked."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duckraft.engine.errors import LogDamagedError
from duckraft.engine.storage.log_segment import (
    EntryHeader,
    EntryKind,
    Segment,
    create_segment,
    offset_of,
    open_segment,
    pack_entry_header,
    read_entries,
    scan,
    segment_path,
    survey_tail,
    unpack_entry_header,
)

from .logs import IDENTITY, flip

HEADERS = st.builds(
    EntryHeader,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 255),
    st.text(st.characters(codec="ascii"), max_size=64).map(str.encode),
)


def with_entries(directory: Path, *bodies: bytes) -> Segment:
    """A segment with these entries, as a program that only knows the reference page would write it."""
    segment = create_segment(directory, IDENTITY, 7, os.fdatasync)
    seed = crc32(segment.path.read_bytes()[:60])
    with segment.path.open("ab") as file:
        for sequence, body in enumerate(bodies, start=7):
            checked = b"".join(
                [
                    crc32(body).to_bytes(4, "little"),
                    len(body).to_bytes(4, "little"),
                    sequence.to_bytes(8, "little"),
                    (5).to_bytes(8, "little"),
                    (sequence - 1).to_bytes(8, "little"),
                    bytes([EntryKind.PREPARE, 3]),
                    b"tx1",
                ]
            )
            file.write(b"\xd7ent" + crc32(checked, seed).to_bytes(4, "little") + checked + body)
    return open_segment(segment.path, IDENTITY)


def test_the_header_of_a_segment_is_as_documented(tmp_path: Path) -> None:
    segment = create_segment(tmp_path, IDENTITY, 7, os.fdatasync)
    assert segment.path == tmp_path / "00000000000000000007.log"
    header = b"duckrlog" + bytes([1, 0, 0, 0]) + bytes([3, 0, 0, 0]) + bytes([7, 0, 0, 0, 0, 0, 0, 0])
    header += IDENTITY.database_id.encode().ljust(36, b"\0")
    assert segment.path.read_bytes() == header + crc32(header).to_bytes(4, "little")
    assert open_segment(segment.path, IDENTITY) == segment


def test_an_entry_that_is_written_as_documented_is_read(tmp_path: Path) -> None:
    segment = with_entries(tmp_path, b"first", b"", b"third")
    assert scan(segment) == (8, None)
    assert (segment.last_sequence, segment.end) == (9, segment.path.stat().st_size)
    entries = list(read_entries(segment, 7, 9))
    assert [(entry.sequence, entry.body) for entry in entries] == [(7, b"first"), (8, b""), (9, b"third")]
    assert {(entry.term, entry.kind, entry.transaction) for entry in entries} == {
        (5, EntryKind.PREPARE, "tx1")
    }


@given(HEADERS, st.integers(0, 2**32 - 1), st.binary(max_size=5))
def test_a_header_is_read_as_it_was_written_and_with_no_other_seed(
    header: EntryHeader, seed: int, before: bytes
) -> None:
    data = before + pack_entry_header(header, seed)
    assert unpack_entry_header(data, len(before), seed) == header
    assert unpack_entry_header(data, len(before), seed ^ 1) is None
    assert unpack_entry_header(data[:-1], len(before), seed) is None


def test_segments_differ_in_the_seed_of_their_checksums(tmp_path: Path) -> None:
    segments = [create_segment(tmp_path, IDENTITY, first, os.fdatasync) for first in range(1, 20)]
    assert len({segment.seed for segment in segments}) == len(segments)


def test_a_scan_stops_at_the_first_byte_that_is_wrong(tmp_path: Path) -> None:
    segment = with_entries(tmp_path, b"first", b"second", b"third")
    scan(segment)
    start = offset_of(segment, 8)
    flip(segment.path, start + 50)
    again = open_segment(segment.path, IDENTITY)
    assert scan(again) == (6, "the checksum of the body of entry 8 does not agree")
    assert (again.last_sequence, again.end) == (7, start)
    with pytest.raises(LogDamagedError, match=f"at byte {start}:"):
        list(read_entries(segment, 7, 9))


def test_the_tail_tells_what_later_entries_knew_to_be_durable(tmp_path: Path) -> None:
    segment = with_entries(tmp_path, b"first", b"second", b"third")
    size = segment.path.stat().st_size
    with segment.path.open("ab") as file:
        file.write(bytes(1000))
    assert survey_tail(segment) == (size, 8)
    scan(segment)
    assert survey_tail(segment) == (size, 0)


def test_an_entry_is_recognised_across_the_pieces_in_which_a_tail_is_read(tmp_path: Path) -> None:
    for before in range(256 * 1024 - 60, 256 * 1024 + 10, 7):
        segment = with_entries(tmp_path, b"first")
        entry = segment.path.read_bytes()[64:]
        segment.path.write_bytes(segment.path.read_bytes()[:64] + bytes(before) + entry)
        assert survey_tail(segment)[1] == 6
        segment.path.unlink()


def test_every_entry_of_a_long_segment_is_found_from_the_index(tmp_path: Path) -> None:
    segment = with_entries(tmp_path, *(bytes(number * 7 % 3000) for number in range(400)))
    scan(segment)
    assert len(segment.index) > 5
    for sequence in range(7, 407):
        assert segment.offset_near(sequence) <= offset_of(segment, sequence)
        (entry,) = read_entries(segment, sequence, sequence)
        assert (entry.sequence, len(entry.body)) == (sequence, (sequence - 7) * 7 % 3000)


def test_a_segment_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        create_segment(tmp_path, IDENTITY, 1, fail)
    assert list(tmp_path.iterdir()) == []


def test_names_of_segments_sort_as_their_sequences(tmp_path: Path) -> None:
    sequences = [1, 9, 10, 2**40, 2**64 - 1]
    paths = [segment_path(tmp_path, sequence) for sequence in sequences]
    assert sorted(paths) == paths
