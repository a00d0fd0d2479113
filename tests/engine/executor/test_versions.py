"""Changes of shards are counted, those that nobody spoke of too."""

from __future__ import annotations

import pytest

from duckraft.engine.executor.versions import ShardVersions, WriteLock


def test_a_shard_that_is_being_changed_has_no_number_and_then_another_one() -> None:
    versions = ShardVersions()
    before = versions.changes(1)
    assert before is not None
    with versions.changing([1, 2]):
        assert versions.changes(1) is None
        assert not versions.unchanged([(1, before)])
        assert versions.changes(3) == before
    assert versions.changes(1) not in (None, before)
    assert not versions.unchanged([(1, before)])
    assert versions.unchanged([(3, before)])


def test_a_change_counts_that_fails() -> None:
    versions = ShardVersions()
    with pytest.raises(ZeroDivisionError), versions.changing([1]):
        raise ZeroDivisionError
    assert versions.changes(1) == 1


def test_two_writers_of_a_shard_must_both_have_ended() -> None:
    versions = ShardVersions()
    with versions.changing([1]):
        with versions.changing([1]):
            pass
        assert versions.changes(1) is None
    assert versions.changes(1) == 2


def test_who_holds_the_write_lock_and_says_nothing_has_changed_every_shard() -> None:
    versions = ShardVersions()
    lock = WriteLock(versions)
    before = versions.changes(7)
    with lock, lock:
        pass
    assert versions.changes(7) != before


def test_who_says_which_shards_change_has_changed_no_other() -> None:
    versions = ShardVersions()
    lock = WriteLock(versions)
    before = versions.changes(7)
    with lock, lock, versions.changing([3]):
        pass
    assert versions.changes(7) == before
    assert versions.changes(3) != before
