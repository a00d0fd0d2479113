"""The catalog file: what survives a crash, what is found to be damaged, and what its errors say."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from duckraft.engine.catalog import store as store_module
from duckraft.engine.catalog.model import Catalog, Definition, Shard
from duckraft.engine.catalog.store import FORMAT, CatalogStore, MemoryCatalogStore, decode, encode
from duckraft.engine.errors import CatalogFileError, InternalError, OperationalError

OLD = Catalog("4f1c", 1, 4, (Shard(0, "shards/0000.duckdb"),))
NEW = OLD.with_definition(Definition("view", "main", "v", "CREATE VIEW v AS SELECT 'Bücher' AS \"größte\""))

SAVE_FOREVER = """
import sys
from pathlib import Path
from duckraft.engine.catalog.model import Catalog, Definition
from duckraft.engine.catalog.store import CatalogStore
store = CatalogStore(Path(sys.argv[1]))
catalog = store.load()
while True:
    text = "x" * (1 + catalog.version * 7919 % 50_000)
    catalog = catalog.with_definition(Definition("view", "main", "v", text))
    store.save(catalog)
    print(catalog.version, flush=True)
"""


class CrashError(BaseException):
    """The process ends here: nothing in the code under test may catch it and carry on."""


@pytest.fixture
def store(tmp_path: Path) -> CatalogStore:
    """A store that holds OLD."""
    made = CatalogStore(tmp_path)
    made.create(OLD)
    return made


def fail_at(monkeypatch: pytest.MonkeyPatch, call: str, nth: int, failure: BaseException) -> None:
    """Make the n-th call (from 1) of an `os` function raise, and let the others through."""
    real, calls = getattr(os, call), iter(range(1, 1_000_000))

    def replacement(*arguments: Any, **more: Any) -> Any:
        if next(calls) == nth:
            raise failure
        return real(*arguments, **more)

    monkeypatch.setattr(os, call, replacement)


def write_sealed(path: Path, number: Any, body: Any) -> None:
    """A catalog file whose checksum is right, whatever it says."""
    text = json.dumps([number, body], sort_keys=True, separators=(",", ":"))
    checksum = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps({"checksum": checksum, "format": number, "catalog": body}) + "\n")


def damage_of(store: CatalogStore) -> CatalogFileError:
    with pytest.raises(CatalogFileError) as caught:
        store.load()
    assert str(store.path) in caught.value.message
    assert caught.value.hint
    return caught.value


def test_what_was_saved_last_is_loaded(store: CatalogStore) -> None:
    assert store.load() == OLD
    store.save(NEW)
    assert CatalogStore(store.path.parent).load() == NEW


def test_saving_leaves_nothing_beside_the_catalog(store: CatalogStore, tmp_path: Path) -> None:
    store.save(NEW)
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.json"]


def test_what_a_crash_left_of_an_earlier_save_is_no_hindrance(store: CatalogStore, tmp_path: Path) -> None:
    (tmp_path / "catalog.json.new").write_bytes(b"x" * 100_000)
    store.save(NEW)
    assert store.load() == NEW


def test_the_file_is_json_that_other_programs_can_read(store: CatalogStore) -> None:
    outer = json.loads(store.path.read_text())
    assert outer["format"] == FORMAT
    assert outer["catalog"]["shards"] == [{"number": 0, "file": "shards/0000.duckdb", "node": "local"}]


def test_create_never_replaces_a_catalog(store: CatalogStore) -> None:
    with pytest.raises(CatalogFileError, match="exists already"):
        store.create(NEW)
    assert store.load() == OLD


STEPS = [
    ("open", 1),
    ("write", 1),
    ("fsync", 1),
    ("replace", 1),
    ("open", 2),
    ("fsync", 2),
    ("close", 1),
    ("close", 2),
]


@pytest.mark.parametrize(("call", "nth"), STEPS)
def test_a_crash_at_any_step_of_a_save_leaves_the_old_or_the_new_catalog(
    store: CatalogStore, monkeypatch: pytest.MonkeyPatch, call: str, nth: int
) -> None:
    with monkeypatch.context() as patch:
        fail_at(patch, call, nth, CrashError())
        with pytest.raises(CrashError):
            store.save(NEW)
    renamed = nth == 2
    assert store.load() == (NEW if renamed else OLD)
    store.save(NEW)
    assert store.load() == NEW


@pytest.mark.parametrize(("call", "nth"), STEPS)
@pytest.mark.parametrize(
    ("number", "sqlstate"), [(errno.ENOSPC, "53100"), (errno.EACCES, "42501"), (errno.EIO, "58030")]
)
def test_a_failing_save_says_which_catalog_is_in_force(
    store: CatalogStore, monkeypatch: pytest.MonkeyPatch, call: str, nth: int, number: int, sqlstate: str
) -> None:
    with monkeypatch.context() as patch:
        fail_at(patch, call, nth, OSError(number, os.strerror(number)))
        with pytest.raises(OperationalError) as caught:
            store.save(NEW)
    assert str(store.path) in caught.value.message
    assert os.strerror(number) in caught.value.message
    if nth == 1:
        assert caught.value.sqlstate == sqlstate
        assert caught.value.outcome_known
        assert "the old one stays in force" in caught.value.message
        assert store.load() == OLD
        assert not store.path.with_name("catalog.json.new").exists()
    else:
        assert not caught.value.outcome_known
        assert store.load() == NEW


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_them_all(
    store: CatalogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: real(descriptor, content[:7]))
    store.save(NEW)
    assert store.load() == NEW


def test_the_file_is_synced_before_the_rename_and_the_directory_after_it(
    store: CatalogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def recorded(call: str) -> None:
        real = getattr(os, call)

        def replacement(*arguments: Any) -> Any:
            steps.append(call)
            return real(*arguments)

        monkeypatch.setattr(os, call, replacement)

    for call in ("write", "fsync", "replace"):
        recorded(call)
    store.save(NEW)
    assert steps == ["write", "fsync", "replace", "fsync"]


def test_a_process_killed_while_it_saves_leaves_a_whole_catalog_not_older_than_it_said(
    tmp_path: Path,
) -> None:
    store = CatalogStore(tmp_path)
    store.create(OLD)
    root = next(path for path in map(Path, sys.path) if (path / "duckraft").is_dir())
    for lines in (1, 5, 20):
        with subprocess.Popen(
            [sys.executable, "-c", SAVE_FOREVER, str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(root)},
        ) as writer:
            assert writer.stdout is not None
            said = [int(writer.stdout.readline()) for _ in range(lines)]
            writer.send_signal(signal.SIGKILL)
        assert store.load().version >= said[-1]


def test_every_changed_byte_is_found() -> None:
    raw = encode(NEW)
    chance = random.Random(1)
    for place in range(len(raw)):
        for mask in (1, 0x20, 0x80, chance.randrange(1, 256)):
            changed = raw[:place] + bytes([raw[place] ^ mask]) + raw[place + 1 :]
            with pytest.raises(ValueError, match=r"JSON|checksum"):
                decode(changed)


def test_every_cut_and_every_addition_is_found() -> None:
    raw = encode(NEW)
    for length in range(len(raw)):
        with pytest.raises(ValueError, match=r"JSON|not as duckraft writes it"):
            decode(raw[:length])
    for more in (b" ", b"\n", b"\0", b"{}", raw):
        with pytest.raises(ValueError, match=r"JSON|not as duckraft writes it"):
            decode(raw + more)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 4096,
        b"[]",
        b"null",
        b"{}",
        b'{"format": 1}',
        b"[" * 100_000,
        b"DUCK",
        b"\xff\xfe",
        b"1" * 10_000,
    ],
    ids=lambda content: repr(content[:13]),
)
def test_a_file_that_is_no_catalog_is_damaged(store: CatalogStore, content: bytes) -> None:
    store.path.write_bytes(content)
    assert "is damaged" in damage_of(store).message
    assert store.path.read_bytes() == content


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "1", None, [1]])
def test_a_format_that_never_was_is_damaged(store: CatalogStore, number: Any) -> None:
    write_sealed(store.path, number, {})
    assert "its format is" in damage_of(store).message


def test_a_newer_format_asks_for_an_upgrade(store: CatalogStore) -> None:
    write_sealed(store.path, FORMAT + 1, {"something": "else"})
    error = damage_of(store)
    assert f"format {FORMAT + 1}" in error.message
    assert f"up to {FORMAT}" in error.message
    assert error.hint is not None
    assert "Upgrade duckraft" in error.hint


def test_a_body_with_a_right_checksum_that_is_no_catalog_is_damaged(store: CatalogStore) -> None:
    write_sealed(store.path, FORMAT, {"database_id": "4f1c"})
    assert '"tables"' in damage_of(store).message


def test_a_catalog_that_is_missing_is_not_made_anew(tmp_path: Path) -> None:
    assert "is missing" in damage_of(CatalogStore(tmp_path)).message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "sqlstate"), [(errno.EACCES, "42501"), (errno.EIO, "58030")])
def test_a_catalog_that_cannot_be_read_is_not_called_damaged(
    store: CatalogStore, monkeypatch: pytest.MonkeyPatch, number: int, sqlstate: str
) -> None:
    def fail(path: Path) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OperationalError) as caught:
        store.load()
    assert not isinstance(caught.value, CatalogFileError)
    assert str(store.path) in caught.value.message
    assert caught.value.sqlstate == sqlstate


def test_a_directory_in_the_place_of_the_catalog_is_told(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").mkdir()
    with pytest.raises(OperationalError, match="Is a directory"):
        CatalogStore(tmp_path).load()


def test_a_database_in_memory_keeps_its_catalog_in_the_object() -> None:
    memory = MemoryCatalogStore()
    memory.create(OLD)
    memory.save(NEW)
    assert memory.load() == NEW


def test_the_store_in_memory_is_made_once_and_before_it_is_read() -> None:
    memory = MemoryCatalogStore()
    with pytest.raises(InternalError, match="read before"):
        memory.load()
    memory.create(OLD)
    with pytest.raises(InternalError, match="made twice"):
        memory.create(OLD)


def test_both_stores_offer_the_same_methods() -> None:
    def methods(of: type) -> set[str]:
        return {name for name in vars(of) if not name.startswith("_")}

    assert methods(store_module.CatalogStore) == methods(MemoryCatalogStore)
