"""The mark of a log: what is read is what was written, or nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from duckraft.engine.storage.log_mark import Mark, MarkFile
from duckraft.engine.storage.log_segment import Identity

from .logs import IDENTITY, flip


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[MarkFile]:
    file = MarkFile(tmp_path / "mark", IDENTITY)
    yield file
    file.close()


def test_a_new_mark_says_nothing(mark: MarkFile) -> None:
    assert mark.read() is None


def test_a_mark_says_what_was_written_last(mark: MarkFile, tmp_path: Path) -> None:
    synced: list[int] = []
    mark.note(Mark(1, 2**64 - 1))
    mark.save(Mark(3, 5), synced.append)
    assert len(synced) == 1
    other = MarkFile(tmp_path / "mark", IDENTITY)
    assert mark.read() == other.read() == Mark(3, 5)
    other.close()


def test_a_mark_with_any_flipped_byte_says_nothing(mark: MarkFile, tmp_path: Path) -> None:
    mark.note(Mark(3, 5))
    for offset in range((tmp_path / "mark").stat().st_size):
        flip(tmp_path / "mark", offset)
        assert mark.read() is None
        flip(tmp_path / "mark", offset)
    assert mark.read() == Mark(3, 5)


@pytest.mark.parametrize("identity", [Identity(IDENTITY.database_id, 4), Identity("another", IDENTITY.shard)])
def test_the_mark_of_another_shard_says_nothing(mark: MarkFile, tmp_path: Path, identity: Identity) -> None:
    mark.note(Mark(3, 5))
    other = MarkFile(tmp_path / "mark", identity)
    assert other.read() is None
    other.close()


def test_a_mark_that_cannot_be_written_stays_as_it_was_and_only_save_says_so(
    mark: MarkFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    mark.note(Mark(1, 2))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        mark.note(Mark(1, 3))
        with pytest.raises(OSError, match="Input/output"):
            mark.save(Mark(1, 4), os.fdatasync)
    assert mark.read() == Mark(1, 2)
