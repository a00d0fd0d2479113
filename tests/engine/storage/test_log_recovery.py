"""Opening a log after a crash, and after damage: what is repaired, what is refused; nothing is lost silently."""

from __future__ import annotations

import errno
import os
import re
import tracemalloc
from itertools import chain, combinations
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckraft.engine.errors import LogDamagedError, OperationalError
from duckraft.engine.storage.log import ShardLog
from duckraft.engine.storage.log_mark import MARK_NAME
from duckraft.engine.storage.log_segment import EntryHeader, EntryKind, pack_entry_header, segment_path

from .logs import (
    IDENTITY,
    add,
    add_durably,
    after_crash,
    bodies_of,
    flip,
    open_log,
    segments_of,
)

HEADER_BYTES = 64
ENTRY_BYTES = 42 + len("t1")
SAFE = [b"one", b"", b"three" * 9]
UNSAFE = [b"four", b"", b"six" * 11, b"seven"]
SECTOR_BYTES = 16


def ends(bodies: list[bytes]) -> list[int]:
    """The offsets behind the segment's header and behind each entry."""
    found = [HEADER_BYTES]
    for body in bodies:
        found.append(found[-1] + ENTRY_BYTES + len(body))
    return found


def crashed(directory: Path) -> Path:
    """A log with SAFE entries that were made durable, and UNSAFE ones that were not, left by a crash."""
    with open_log(directory) as log:
        add_durably(log, *SAFE)
        add(log, *UNSAFE)
        return after_crash(directory)


def refusal(directory: Path) -> LogDamagedError:
    """The error of opening a damaged log, which must not change a byte of its segments."""
    before = [path.read_bytes() for path in segments_of(directory)]
    with pytest.raises(LogDamagedError) as caught:
        open_log(directory)
    assert caught.value.sqlstate == "XX001"
    assert caught.value.hint
    assert [path.read_bytes() for path in segments_of(directory)] == before
    return caught.value


def test_a_log_cut_at_any_byte_behind_what_was_durable_keeps_all_whole_entries(tmp_path: Path) -> None:
    left = crashed(tmp_path / "log")
    (path,) = segments_of(left)
    whole = path.read_bytes()
    entry_ends = ends(SAFE + UNSAFE)
    for cut in range(ends(SAFE)[-1], entry_ends[-1] + 1):
        path.write_bytes(whole[:cut])
        count = sum(end <= cut for end in entry_ends) - 1
        with open_log(left) as log:
            assert bodies_of(log) == (SAFE + UNSAFE)[:count]
            assert log.last_sequence == log.durable_sequence == count
            assert log.repaired_bytes == len(whole[entry_ends[count] : cut].rstrip(b"\0"))
        (left / MARK_NAME).unlink()  # It says by now that more is durable.


@pytest.mark.parametrize("marked", [True, False])
def test_a_log_cut_at_any_byte_of_what_was_durable_is_refused_if_that_is_known(
    tmp_path: Path, marked: bool
) -> None:
    left = crashed(tmp_path / "log")
    if not marked:
        (left / MARK_NAME).unlink()
    (path,) = segments_of(left)
    whole = path.read_bytes()
    for cut in range(ends(SAFE)[-1]):
        path.write_bytes(whole[:cut])
        if marked or cut < HEADER_BYTES:
            assert str(path) in refusal(left).message
        else:
            with open_log(after_crash(left)) as log:
                assert bodies_of(log) == SAFE[: log.last_sequence]


def test_a_flipped_byte_anywhere_in_a_closed_log_is_an_error_with_file_and_offset(tmp_path: Path) -> None:
    with open_log(tmp_path / "log") as log:
        add_durably(log, *SAFE)
    (path,) = segments_of(tmp_path / "log")
    size = path.stat().st_size
    starts = [0, *ends(SAFE)[:-1]]
    assert size == ends(SAFE)[-1]
    for offset in range(size):
        flip(path, offset)
        message = refusal(tmp_path / "log").message
        assert str(path) in message
        if not 8 <= offset < 12:  # The number of the format: the file looks like one of a newer version.
            start = max(start for start in starts if start <= offset)
            assert f"at byte {start}:" in message
        flip(path, offset)
    with open_log(tmp_path / "log") as log:
        assert bodies_of(log) == SAFE


def test_without_a_mark_the_entries_behind_it_tell_that_a_damaged_one_was_durable(tmp_path: Path) -> None:
    with open_log(tmp_path / "log") as log:
        add_durably(log, *SAFE)
    (path,) = segments_of(tmp_path / "log")
    (tmp_path / "log" / MARK_NAME).unlink()
    for offset in range(HEADER_BYTES, ends(SAFE)[-2]):
        flip(path, offset)
        refusal(tmp_path / "log")
        flip(path, offset)


def test_without_a_mark_damage_of_the_last_entry_is_taken_for_a_torn_tail_and_reported(
    tmp_path: Path,
) -> None:
    with open_log(tmp_path / "log") as log:
        add_durably(log, *SAFE)
    (path,) = segments_of(tmp_path / "log")
    (tmp_path / "log" / MARK_NAME).unlink()
    flip(path, path.stat().st_size - 1)
    with open_log(tmp_path / "log") as log:
        assert bodies_of(log) == SAFE[:-1]
        assert log.repaired_bytes == ENTRY_BYTES + len(SAFE[-1])


@settings(max_examples=60)  # Each takes some fsyncs.
@given(lost=st.sets(st.integers(0, sum(ENTRY_BYTES + len(body) for body in UNSAFE) // SECTOR_BYTES)))
def test_sectors_that_never_reached_the_disk_cost_no_more_than_what_was_not_durable(
    tmp_path_factory: pytest.TempPathFactory, lost: set[int]
) -> None:
    left = crashed(tmp_path_factory.mktemp("lost") / "log")
    (path,) = segments_of(left)
    data, start = bytearray(path.read_bytes()), ends(SAFE)[-1]
    for number in lost:
        at = start + number * SECTOR_BYTES
        data[at : at + SECTOR_BYTES] = bytes(len(data[at : at + SECTOR_BYTES]))
    path.write_bytes(data)
    untouched = sum(end <= start + min(lost, default=1000) * SECTOR_BYTES for end in ends(SAFE + UNSAFE)) - 1
    with open_log(left) as log:
        kept = bodies_of(log)
        assert kept == (SAFE + UNSAFE)[: len(kept)]
        assert len(kept) >= untouched
        add_durably(log, b"next")
    with open_log(left) as log:
        assert bodies_of(log) == [*kept, b"next"]
        assert log.repaired_bytes == 0


def test_a_torn_entry_whose_body_is_a_copy_of_a_log_is_only_a_torn_entry(tmp_path: Path) -> None:
    with open_log(tmp_path / "other", first_sequence=1000) as other:
        add_durably(other, b"x", b"y", b"z")
    with open_log(tmp_path / "log") as log:
        add_durably(log, b"one", b"two")
        own = segments_of(tmp_path / "log")[0].read_bytes()
        theirs = segments_of(tmp_path / "other")[0].read_bytes()
        add(log, own.rstrip(b"\0") + theirs + b"end")
        size = log.size_bytes
        left = after_crash(tmp_path / "log")
    (path,) = segments_of(left)
    path.write_bytes(path.read_bytes()[: size - 1])
    with open_log(left) as log:
        assert bodies_of(log) == [b"one", b"two"]


def three_segments(directory: Path) -> list[Path]:
    with open_log(directory, segment_bytes=200) as log:
        add_durably(log, *(b"%d" % number * 60 for number in range(6)))
    found = segments_of(directory)
    assert len(found) >= 3
    return found


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_missing_segment_is_refused(tmp_path: Path, which: int) -> None:
    three_segments(tmp_path / "log")[which].unlink()
    refusal(tmp_path / "log")


def test_a_log_that_lost_all_its_segments_is_not_begun_anew(tmp_path: Path) -> None:
    for path in three_segments(tmp_path / "log"):
        path.unlink()
    assert "all its segments" in refusal(tmp_path / "log").message
    assert segments_of(tmp_path / "log") == []


def test_damage_in_a_segment_before_the_last_is_refused_without_a_mark_too(tmp_path: Path) -> None:
    first, *_ = three_segments(tmp_path / "log")
    (tmp_path / "log" / MARK_NAME).unlink()
    flip(first, first.stat().st_size - 1)
    assert f'"{first}" is damaged at byte' in refusal(tmp_path / "log").message


def test_bytes_behind_the_end_of_a_segment_before_the_last_are_damage(tmp_path: Path) -> None:
    first, *_ = three_segments(tmp_path / "log")
    with first.open("ab") as file:
        file.write(b"\0")
    assert str(first) in refusal(tmp_path / "log").message


@pytest.mark.parametrize(
    "whose", [{"shard": 4}, {"shard": -1}, {"database_id": "f" * 32}, {"database_id": "0"}]
)
def test_a_log_of_another_shard_or_database_is_refused(tmp_path: Path, whose: dict[str, Any]) -> None:
    with open_log(tmp_path / "log") as log:
        add_durably(log, b"one")
    own: dict[str, Any] = {"database_id": IDENTITY.database_id, "shard": IDENTITY.shard}
    with pytest.raises(LogDamagedError, match=f"belongs to shard 3 of database .{IDENTITY.database_id}"):
        ShardLog.open(tmp_path / "log", **{**own, **whose})


def test_a_segment_under_another_name_is_refused(tmp_path: Path) -> None:
    *_, last = three_segments(tmp_path / "log")
    last.rename(segment_path(tmp_path / "log", 99))
    assert "renamed" in refusal(tmp_path / "log").message


def test_a_newer_format_is_refused_and_said_to_be_newer(tmp_path: Path) -> None:
    open_log(tmp_path / "log").close()
    (path,) = segments_of(tmp_path / "log")
    data = bytearray(path.read_bytes())
    data[8] = 9
    path.write_bytes(data)
    error = refusal(tmp_path / "log")
    assert "has format 9" in error.message
    assert "Upgrade" in (error.hint or "")


def forge(directory: Path, header: EntryHeader, body: bytes = b"") -> None:
    """Put an entry with valid checksums at the end of a log, as no duckraft would."""
    (path,) = segments_of(directory)
    seed = int.from_bytes(path.read_bytes()[HEADER_BYTES - 4 : HEADER_BYTES], "little")
    with path.open("ab") as file:
        file.write(pack_entry_header(header, seed) + body)


def test_a_length_beyond_the_end_of_the_file_is_not_believed(tmp_path: Path) -> None:
    with open_log(tmp_path / "log") as log:
        add_durably(log, b"one")
    forge(tmp_path / "log", EntryHeader(0, 2**32 - 1, 2, 0, 1, EntryKind.COMMIT, b"t"), b"short")
    tracemalloc.start()
    with open_log(tmp_path / "log") as log:
        assert bodies_of(log) == [b"one"]
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("sequence", [1, 3])
def test_an_entry_that_is_not_the_next_one_is_damage(tmp_path: Path, sequence: int) -> None:
    with open_log(tmp_path / "log") as log:
        add_durably(log, b"one")
    forge(tmp_path / "log", EntryHeader(crc32(b""), 0, sequence, 0, 0, EntryKind.COMMIT, b"t"))
    assert f"entry {sequence} stands where 2 belongs" in refusal(tmp_path / "log").message


def test_an_entry_of_an_unknown_kind_is_kept_and_said_to_be_newer_when_it_is_read(tmp_path: Path) -> None:
    with open_log(tmp_path / "log") as log:
        add_durably(log, b"one")
    forge(tmp_path / "log", EntryHeader(crc32(b""), 0, 2, 0, 0, 200, b"t"))
    with open_log(tmp_path / "log") as log:
        assert log.last_sequence == 2
        with pytest.raises(LogDamagedError, match="of kind 200"):
            bodies_of(log)


def test_a_truncation_that_was_cut_short_is_finished_whichever_files_are_left(tmp_path: Path) -> None:
    before = three_segments(tmp_path / "log")
    left_by_crash = after_crash(tmp_path / "log")
    with open_log(tmp_path / "log", segment_bytes=200) as log:
        log.truncate(6)
        expected = bodies_of(log)
    gone = [path for path in before if not path.exists()]
    assert len(gone) >= 2
    for survivors in chain.from_iterable(combinations(gone, count) for count in range(len(gone) + 1)):
        directory = after_crash(tmp_path / "log")
        for path in survivors:
            (directory / path.name).write_bytes((left_by_crash / path.name).read_bytes())
        with open_log(directory) as log:
            assert bodies_of(log) == expected
        assert len(segments_of(directory)) == len(before) - len(gone)


def test_a_segment_that_was_not_finished_is_cleared_away(tmp_path: Path) -> None:
    with open_log(tmp_path / "log") as log:
        add_durably(log, b"one")
    half = segment_path(tmp_path / "log", 2).with_suffix(".new")
    half.write_bytes(b"duck")
    with open_log(tmp_path / "log") as log:
        assert bodies_of(log) == [b"one"]
    assert not half.exists()


def test_entries_that_are_not_known_to_be_durable_are_written_again_before_they_are_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = crashed(tmp_path / "log")
    written: list[tuple[int, bytes]] = []
    real = os.pwritev

    def record(descriptor: int, parts: list[bytes], offset: int) -> int:
        written.append((offset, b"".join(parts)))
        return real(descriptor, parts, offset)

    monkeypatch.setattr(os, "pwritev", record)
    (path,) = segments_of(left)
    start, end = ends(SAFE)[-1], ends(SAFE + UNSAFE)[-1]
    open_log(left).close()
    assert written == [(start, path.read_bytes()[start:end])]


def test_a_log_that_cannot_be_made_durable_is_not_opened(tmp_path: Path) -> None:
    left = crashed(tmp_path / "log")

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OperationalError, match=re.escape(str(left))) as caught:
        open_log(left, sync=fail)
    assert caught.value.sqlstate == "58030"
    with open_log(left) as log:
        assert bodies_of(log) == SAFE + UNSAFE


@pytest.mark.parametrize("damage", [b"", b"garbage" * 9])
def test_a_damaged_mark_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    left = crashed(tmp_path / "log")
    (left / MARK_NAME).write_bytes(damage)
    with open_log(left) as log:
        assert bodies_of(log) == SAFE + UNSAFE
