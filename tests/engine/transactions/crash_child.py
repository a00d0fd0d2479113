"""A process that works on a database until a crash point kills it: `python crash_child.py DIRECTORY COUNT`.

Its transactions have the numbers from 1 to COUNT. Each puts eight rows of its number into `part` and adds one to every
row of `counter`, on all shards. It prints `committed N` when COMMIT has returned, `undone N` when it was rolled back,
and `end` in the end. With COUNT 0 it only opens and closes the database.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from duckraft.engine.database import Database
from duckraft.engine.errors import Error, OperationalError
from duckraft.engine.session import Session
from duckraft.engine.storage.log import EntryKind, ShardLog
from duckraft.engine.transactions import writer
from duckraft.engine.transactions.store import ShardStore

SHARDS = 3
PARTS = 8
TABLES = (
    "CREATE TABLE part (k BIGINT PRIMARY KEY, tx BIGINT, filler VARCHAR) SHARD BY HASH (k)",
    "CREATE TABLE counter (k BIGINT PRIMARY KEY, n BIGINT) SHARD BY HASH (k)",
    f"INSERT INTO counter SELECT range, 0 FROM range({PARTS})",
)
_WIDE = f"""
    INSERT INTO part SELECT ? * 100 + j, ?, string_agg(md5(concat(j, ' ', i, ' ', random())), '')
    FROM range({PARTS}) AS p (j), range(200) AS f (i) GROUP BY j"""
_NARROW = f"INSERT INTO part SELECT ? * 100 + range, ?, 'x' FROM range({PARTS})"
_COUNT = "UPDATE counter SET n = n + 1"


class _FullDisk:
    """Makes the last shard refuse to prepare while `is_full`."""

    def __init__(self) -> None:
        self.is_full = False
        append = ShardStore.append
        disk = self

        def refusing(store: ShardStore, kind: EntryKind, transaction: str, body: Any) -> int:
            if disk.is_full and kind is EntryKind.PREPARE and store.number == SHARDS - 1:
                raise OperationalError("no space is left", sqlstate="53100")
            return append(store, kind, transaction, body)

        ShardStore.append = refusing  # type: ignore[method-assign, assignment]


def change(session: Session, number: int, parts: str = _NARROW) -> None:
    """What a transaction changes."""
    session.execute(parts, [number, number])
    session.execute(_COUNT)


def work(session: Session, disk: _FullDisk, number: int) -> bool:
    """One transaction; whether it was committed. Of five, one loads much, one meets a full disk, one is given up."""
    kind = number % 5
    disk.is_full = kind == 2
    session.execute("BEGIN")
    try:
        change(session, number, _WIDE if kind == 1 else _NARROW)
        session.execute("ROLLBACK" if kind == 3 else "COMMIT")
    except Error as error:
        if error.sqlstate != "53100":
            raise
        return False
    finally:
        disk.is_full = False
    return kind != 3


def main(directory: Path, count: int) -> None:
    """Print what has happened, each time when it has."""
    writer._LARGE_BYTES = 1 << 12  # So that it need not load much to load much.
    disk = _FullDisk()
    with Database.open(directory, threads=1) as database:
        session = database.session()
        for number in range(1, count + 1):
            print("committed" if work(session, disk, number) else "undone", number, flush=True)
            if number % 4 == 0:
                session.execute("CHECKPOINT")
    print("end", flush=True)


def has_entries(log: ShardLog, kind: EntryKind) -> bool:
    """Whether a log has entries of this kind."""
    return any(entry.kind is kind for entry in log.entries(log.first_sequence - 1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
