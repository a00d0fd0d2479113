"""The log of a shard while it is open: appending, group commit, reading, truncating, and disks that fail."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckraft.engine.errors import (
    InterfaceError,
    InternalError,
    LogDamagedError,
    LogFailedError,
    OperationalError,
)
from duckraft.engine.storage import log as log_module
from duckraft.engine.storage.log import Entry, EntryKind, ShardLog

from .logs import add, add_durably, after_crash, bodies_of, open_log, segments_of

ROOT = Path(__file__).parents[3]


class Disk:
    """An fsync that can be held up and made to fail, and counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails = False
        self.entered = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def sync(self, descriptor: int) -> None:
        self.calls += 1
        self.entered.set()
        assert self.may_go_on.wait(60)
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
        os.fdatasync(descriptor)


def start(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def run_python(code: str, *arguments: object, under: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a program that may import duckraft, and whose files are its own: none of what measures coverage."""
    environment = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"}
    return subprocess.run(
        [*under, sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        env={**environment, "PYTHONPATH": f"{ROOT / 'tests' / '_importroot'}{os.pathsep}{ROOT}"},
    )


def test_entries_come_back_as_they_were_appended_now_and_after_reopening(tmp_path: Path) -> None:
    expected = [
        Entry(number, 7 * number, kind, f"transaction-{number}"[: number * 16], bytes(number) * number)
        for number, kind in enumerate(EntryKind, start=1)
    ]
    with open_log(tmp_path / "log") as log:
        assert (log.first_sequence, log.last_sequence, log.durable_sequence) == (1, 0, 0)
        for entry in expected:
            assert log.append(entry.kind, entry.transaction, entry.body, entry.term) == entry.sequence
        assert list(log.entries()) == expected
        assert log.read(3) == expected[2]
    with open_log(tmp_path / "log") as log:
        assert list(log.entries()) == expected
        assert list(log.entries(after=2)) == expected[2:]
        assert list(log.entries(after=log.last_sequence)) == []
        assert [log.read(entry.sequence) for entry in expected] == expected
        assert log.durable_sequence == log.last_sequence == len(expected)
        assert log.repaired_bytes == 0


@settings(max_examples=40)  # Each takes some fsyncs.
@given(st.lists(st.lists(st.binary(max_size=50), max_size=4), max_size=20), st.integers(70, 2000))
def test_any_bodies_in_any_parts_survive_in_segments_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[list[bytes]], segment_bytes: int
) -> None:
    directory = tmp_path_factory.mktemp("any") / "log"
    expected = [b"".join(parts) for parts in bodies]
    with open_log(directory, segment_bytes=segment_bytes) as log:
        for parts in bodies:
            log.append(EntryKind.OPERATIONS, "t", [memoryview(part) for part in parts])
        assert bodies_of(log) == expected
        size = log.size_bytes
    with open_log(directory, segment_bytes=segment_bytes) as log:
        assert bodies_of(log) == expected
        assert log.size_bytes == size == sum(path.stat().st_size for path in segments_of(directory))


def test_a_new_log_may_begin_with_any_sequence(tmp_path: Path) -> None:
    with open_log(tmp_path / "log", first_sequence=500) as log:
        assert (log.first_sequence, log.last_sequence) == (500, 499)
        add_durably(log, b"one")
    with open_log(tmp_path / "log") as log:
        assert (log.first_sequence, log.last_sequence) == (500, 500)


def test_an_entry_is_durable_when_sync_returns_and_not_before(tmp_path: Path) -> None:
    disk = Disk()
    with open_log(tmp_path / "log", sync=disk.sync) as log:
        add(log, b"one", b"two")
        assert log.durable_sequence == 0
        log.sync(1)
        assert log.durable_sequence == 2
        calls = disk.calls
        log.sync(2)
        assert disk.calls == calls
        with pytest.raises(InternalError):
            log.sync(3)


def test_threads_that_wait_during_an_fsync_share_the_next_one(tmp_path: Path) -> None:
    disk = Disk()
    with open_log(tmp_path / "log", sync=disk.sync) as log:
        calls = disk.calls
        add(log, b"first")
        disk.may_go_on.clear()
        disk.entered.clear()
        threads = [start(lambda: log.sync(1))]
        assert disk.entered.wait(60)
        for number in range(2, 22):
            add(log, b"x")
            threads.append(start(partial(log.sync, number)))
        disk.may_go_on.set()
        for thread in threads:
            thread.join()
        assert log.durable_sequence == 21
        assert disk.calls == calls + 2


def test_many_threads_lose_nothing_while_segments_begin_and_go(tmp_path: Path) -> None:
    appended: list[tuple[int, bytes]] = []
    with open_log(tmp_path / "log", segment_bytes=3000) as log:

        def work(name: int) -> None:
            for number in range(60):
                body = b"%d %d" % (name, number)
                sequence = log.append(EntryKind.COMMIT, "t", body)
                log.sync(sequence)
                assert log.durable_sequence >= sequence
                appended.append((sequence, body))
                if number % 20 == 19:
                    log.truncate(sequence - 100)

        threads = [start(partial(work, name)) for name in range(8)]
        for thread in threads:
            thread.join()
        left = after_crash(tmp_path / "log")
        assert log.first_sequence > 1
    assert [sequence for sequence, _ in sorted(appended)] == list(range(1, 481))
    with open_log(left) as log:
        kept = [(entry.sequence, entry.body) for entry in log.entries(log.first_sequence - 1)]
        assert kept == sorted(appended)[log.first_sequence - 1 :]


def test_entries_that_the_log_does_not_have_are_an_error_not_an_empty_answer(tmp_path: Path) -> None:
    with open_log(tmp_path / "log", first_sequence=10) as log:
        add(log, b"ten", b"eleven")
        assert len(list(log.entries(after=9))) == 2
        for after in (0, 8, 12):
            with pytest.raises(LogDamagedError, match="from 10 to 11"):
                log.entries(after)
        for sequence in (9, 12):
            with pytest.raises(InternalError):
                log.read(sequence)


def test_entries_reads_what_was_there_when_it_was_called(tmp_path: Path) -> None:
    with open_log(tmp_path / "log", segment_bytes=200) as log:
        add(log, b"a" * 90, b"b" * 90)
        entries = log.entries()
        assert next(entries).sequence == 1
        add(log, b"c" * 90)
        assert [entry.sequence for entry in entries] == [2]


def test_an_entry_far_inside_a_large_segment_is_found(tmp_path: Path) -> None:
    with open_log(tmp_path / "log") as log:
        add(log, *(b"%d" % number * 300 for number in range(2000)))
        for sequence in (1, 2, 999, 1000, 2000):
            assert log.read(sequence).body == b"%d" % (sequence - 1) * 300


def test_truncation_deletes_whole_segments_and_keeps_the_last_sequence(tmp_path: Path) -> None:
    with open_log(tmp_path / "log", segment_bytes=200) as log:
        add(log, *(b"%d" % number * 60 for number in range(6)))
        count = len(segments_of(tmp_path / "log"))
        log.truncate(1)
        assert len(segments_of(tmp_path / "log")) == count
        log.truncate(4)
        assert 1 < log.first_sequence <= 4
        assert log.last_sequence == 6
    with open_log(tmp_path / "log", segment_bytes=200) as log:
        assert [entry.sequence for entry in log.entries(3)] == [4, 5, 6]
        log.truncate(7)
        assert (log.first_sequence, log.last_sequence, log.durable_sequence) == (7, 6, 6)
        assert len(segments_of(tmp_path / "log")) == 1
        log.truncate(7)
        add_durably(log, b"next")
    with open_log(tmp_path / "log") as log:
        assert bodies_of(log) == [b"next"]
        assert log.last_sequence == 7


def test_a_truncation_that_fails_half_way_leaves_a_log_that_works_and_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_log(tmp_path / "log", segment_bytes=200) as log:
        add(log, *(b"%d" % number * 60 for number in range(8)))
        real = Path.unlink

        def fail_for_the_second(path: Path, missing_ok: bool = False) -> None:
            if path == segments_of(tmp_path / "log")[0] and path.name != f"{1:020}.log":
                raise OSError(errno.EIO, "Input/output error")
            real(path, missing_ok)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", fail_for_the_second)
            with pytest.raises(OperationalError):
                log.truncate(7)
        add_durably(log, b"next")
        expected = bodies_of(log)
        left = after_crash(tmp_path / "log")
    with open_log(left) as log:
        assert bodies_of(log) == expected
        assert len(segments_of(left)) < 5


def test_an_fsync_that_fails_is_never_tried_again(tmp_path: Path) -> None:
    disk = Disk()
    with open_log(tmp_path / "log", sync=disk.sync) as log:
        add_durably(log, b"safe")
        add(log, b"lost?")
        disk.fails = True
        with pytest.raises(LogFailedError, match="Input/output error") as caught:
            log.sync(2)
        assert caught.value.sqlstate == "58030"
        assert not caught.value.outcome_known
        assert "open the database again" in (caught.value.hint or "")
        disk.fails = False
        calls = disk.calls
        with pytest.raises(LogFailedError):
            log.sync(2)
        with pytest.raises(LogFailedError):
            add(log, b"more")
        with pytest.raises(LogFailedError):
            log.truncate(3)
        log.sync(1)
        assert log.durable_sequence == 1
        assert bodies_of(log) == [b"safe", b"lost?"]
        log.close()
        assert disk.calls == calls
    with open_log(tmp_path / "log") as log:
        assert bodies_of(log) == [b"safe", b"lost?"]
        assert log.durable_sequence == 2


def test_all_that_wait_for_an_fsync_that_fails_are_told(tmp_path: Path) -> None:
    disk = Disk()
    errors: list[LogFailedError] = []
    with open_log(tmp_path / "log", sync=disk.sync) as log:

        def wait_for(sequence: int) -> None:
            try:
                log.sync(sequence)
            except LogFailedError as error:
                errors.append(error)

        add(log, b"one")
        disk.fails = True
        disk.may_go_on.clear()
        disk.entered.clear()
        threads = [start(lambda: wait_for(1))]
        assert disk.entered.wait(60)
        add(log, b"two")
        threads += [start(partial(wait_for, number)) for number in (1, 2, 1, 2)]
        calls = disk.calls
        disk.may_go_on.set()
        for thread in threads:
            thread.join()
        assert len(errors) == 5
        assert disk.calls == calls


def test_a_segment_that_cannot_be_finished_fails_the_log(tmp_path: Path) -> None:
    disk = Disk()
    with open_log(tmp_path / "log", sync=disk.sync, segment_bytes=200) as log:
        add(log, b"x" * 100)
        disk.fails = True
        with pytest.raises(LogFailedError):
            add(log, b"y" * 100)
        disk.fails = False
        with pytest.raises(LogFailedError):
            log.sync(1)
    with open_log(tmp_path / "log") as log:
        assert bodies_of(log) == [b"x" * 100]


def test_a_close_that_cannot_make_everything_durable_says_so_and_closes(tmp_path: Path) -> None:
    disk = Disk()
    log = open_log(tmp_path / "log", sync=disk.sync)
    add(log, b"one")
    disk.fails = True
    with pytest.raises(LogFailedError):
        log.close()
    log.close()


def test_a_closed_log_is_durable_and_takes_nothing_more(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    add(log, b"one")
    log.close()
    log.close()
    assert log.durable_sequence == 1
    log.sync(1)
    with pytest.raises(InterfaceError):
        add(log, b"two")
    with pytest.raises(InterfaceError):
        log.truncate(1)


@pytest.mark.parametrize("room", [0, 1, 50, 99])
def test_an_entry_for_which_the_disk_has_no_room_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    with open_log(tmp_path / "log") as log:
        add_durably(log, b"one")
        size, real = log.size_bytes, os.pwritev

        def write(descriptor: int, parts: Sequence[bytes], offset: int) -> int:
            data = b"".join(parts)[: max(size + room - offset, 0)]
            if not data:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(descriptor, [data], offset)

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", write)
            with pytest.raises(OperationalError, match="No space left") as caught:
                add(log, b"two" * 100)
        assert caught.value.sqlstate == "53100"
        assert (log.last_sequence, log.size_bytes) == (1, size)
        add_durably(log, b"three")
        left = after_crash(tmp_path / "log")
    with open_log(left) as log:
        assert bodies_of(log) == [b"one", b"three"]
        assert log.repaired_bytes == 0


def test_an_entry_that_cannot_be_taken_back_fails_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with open_log(tmp_path / "log") as log:
        add_durably(log, b"one")
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", fail)
            patch.setattr(os, "ftruncate", fail)
            with pytest.raises(LogFailedError):
                add(log, b"two")
        with pytest.raises(LogFailedError):
            add(log, b"two")
    with open_log(tmp_path / "log") as log:
        assert bodies_of(log) == [b"one"]


def test_writes_that_the_system_cuts_short_are_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda file, parts, at: real(file, [b"".join(parts)[:7]], at))
    parts = [b"%d," % number for number in range(100)] + [b"", b"end"]
    with open_log(tmp_path / "log") as log:
        log.append(EntryKind.OPERATIONS, "t", parts)
        assert bodies_of(log) == [b"".join(parts)]


def test_a_body_may_have_more_parts_than_the_system_writes_at_once(tmp_path: Path) -> None:
    parts = [b"%d," % number for number in range(3000)]
    with open_log(tmp_path / "log") as log:
        log.append(EntryKind.OPERATIONS, "t", parts)
        add(log, b"next")
        assert bodies_of(log) == [b"".join(parts), b"next"]


def test_a_body_beyond_the_limit_is_refused_and_the_log_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "BODY_BYTES_MAX", 100)
    with open_log(tmp_path / "log") as log:
        with pytest.raises(OperationalError) as caught:
            add(log, b"x" * 101)
        assert caught.value.sqlstate == "54000"
        add(log, b"x" * 100)
        assert log.last_sequence == 1


def test_large_bodies_are_not_copied_and_are_read_one_at_a_time(tmp_path: Path) -> None:
    part = os.urandom(4 << 20)
    body = [part] * 8
    with open_log(tmp_path / "log") as log:
        tracemalloc.start()
        try:
            for _ in range(3):
                log.append(EntryKind.OPERATIONS, "t", body)
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
            log.close()
            log = open_log(tmp_path / "log")
            assert tracemalloc.get_traced_memory()[1] < 2 << 20
            assert sum(len(entry.body) for entry in log.entries()) == 3 * len(body) * len(part)
            assert tracemalloc.get_traced_memory()[1] < 2 * len(body) * len(part) + (1 << 20)
        finally:
            tracemalloc.stop()
            log.close()


KILLED = """
import sys, threading
from pathlib import Path
from tests.engine.storage.logs import open_log
from duckraft.engine.storage.log import EntryKind

log = open_log(Path(sys.argv[1]), segment_bytes=20_000)
printing = threading.Lock()

def work(name):
    while True:
        sequence = log.append(EntryKind.COMMIT, name, b"%d" % threading.get_ident() * 20)
        log.sync(sequence)
        with printing:
            print(sequence, flush=True)

for number in range(4):
    threading.Thread(target=work, args=(f"t{number}",)).start()
"""


@pytest.mark.parametrize("after", [1, 100, 1000])
def test_what_a_killed_process_acknowledged_is_there(tmp_path: Path, after: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests' / '_importroot'}{os.pathsep}{ROOT}"},
    )
    with child:
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(after)]
        child.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in child.stdout if line.endswith("\n")]
    with open_log(tmp_path / "log") as log:
        assert {entry.sequence for entry in log.entries()} >= set(acknowledged)
        add_durably(log, b"next")
    with open_log(tmp_path / "log") as log:
        assert log.repaired_bytes == 0


FULL = """
import sys, subprocess
from pathlib import Path
from tests.engine.storage.logs import add_durably, bodies_of, open_log
from duckraft.engine.errors import OperationalError

place = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", place], check=True)
log = open_log(place / "log", segment_bytes=40_000)
count = 0
try:
    while True:
        add_durably(log, b"%d" % count * 1000)
        count += 1
except OperationalError as error:
    assert error.sqlstate == "53100", error
    assert "Free some space" in error.hint, error.hint
assert len(bodies_of(log)) == count > 50
log.truncate(count)
add_durably(log, b"there is room again")
last = log.last_sequence
log.close()
log = open_log(place / "log")
assert (log.last_sequence, log.repaired_bytes) == (last, 0)
assert last == count + 1
print("done")
"""

READ_ONLY = """
import sys, subprocess
from pathlib import Path
from tests.engine.storage.logs import add_durably, open_log
from duckraft.engine.errors import OperationalError

place = Path(sys.argv[1])
with open_log(place / "log") as log:
    add_durably(log, b"one")
subprocess.run(["mount", "--bind", place, place], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
for name in ("log", "new"):
    try:
        open_log(place / name)
    except OperationalError as error:
        assert str(place / name) in error.message, error
        assert "Read-only" in error.message, error
        print(error.sqlstate)
"""


def mounting() -> list[str]:
    """The command under which a program may mount; skips the test where that is not allowed."""
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this system does not let us mount")
    return command


def test_a_full_disk_is_an_error_and_the_log_goes_on_when_there_is_room(tmp_path: Path) -> None:
    result = run_python(FULL, tmp_path, under=mounting())
    assert (result.stdout, result.stderr) == ("done\n", "")


def test_a_read_only_directory_is_an_error(tmp_path: Path) -> None:
    result = run_python(READ_ONLY, tmp_path, under=mounting())
    assert (result.stdout, result.stderr) == ("42501\n42501\n", "")


def test_a_directory_without_permission_is_an_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(OperationalError) as caught:
        open_log(tmp_path / "log")
    tmp_path.chmod(0o700)
    assert caught.value.sqlstate == "42501"


LIMITED = """
import resource, sys
from pathlib import Path
from tests.engine.storage.logs import add_durably, bodies_of, open_log
from duckraft.engine.errors import OperationalError

resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
log = open_log(Path(sys.argv[1]))
add_durably(log, b"x" * 3000)
try:
    add_durably(log, b"y" * 3000)
except OperationalError as error:
    print(error.sqlstate, error.message.rpartition(": ")[2])
add_durably(log, b"z" * 1000)
print([body[:1] for body in bodies_of(log)])
"""


def test_a_file_that_must_not_grow_is_an_error_and_the_log_goes_on(tmp_path: Path) -> None:
    result = run_python(LIMITED, tmp_path / "log")
    assert (result.stdout, result.stderr) == ("58030 File too large\n[b'x', b'z']\n", "")


def test_a_log_needs_its_parent_directory(tmp_path: Path) -> None:
    with pytest.raises(OperationalError) as caught:
        ShardLog.open(tmp_path / "no" / "log", database_id="x", shard=0)
    assert caught.value.sqlstate == "58P01"
