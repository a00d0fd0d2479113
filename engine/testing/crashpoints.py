"""Crash points: named places at which a test has this very process killed.

`reach("prepare-synced")` stands in the engine's code where a crash is most telling. If the environment variable
DUCKRAFT_CRASH_POINT says `prepare-synced`, the process kills itself there by SIGKILL, so nothing is flushed and no
`finally` runs; with `prepare-synced:3` it does so the third time it gets there, counted over all threads.

Promises: every name that `reach()` is called with is in NAMES, so that tests can try each one. An unarmed `reach()` is
one comparison (50 ns). Names that do not exist, or counts that are no numbers, end the process when it starts, since a
test that waits for a crash would wait for ever.
Leaves to others: where the names stand (`transactions`, `storage`); what must hold after the crash (the tests).
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Mapping

VARIABLE = "DUCKRAFT_CRASH_POINT"

NAMES: Mapping[str, str] = {
    "prepare-begun": "a shard has been asked to prepare; nothing of it is in its log",
    "prepare-appended": "a PREPARE was handed to the operating system, but is not durable",
    "prepare-synced": "a PREPARE is durable; the coordinator has not heard of it",
    "all-prepared": "the coordinator has every vote; the deciding shard has not been asked to decide",
    "decision-appended": "a COMMIT was handed to the operating system, but is not durable",
    "decision-synced": "a COMMIT is durable: the transaction is decided; nobody has heard of it",
    "decision-applied": "the deciding shard has applied the transaction; the others have not been told",
    "outcome-appended": "a COMMIT_PREPARED was handed to the operating system; it is not applied",
    "outcome-applied": "a shard has applied a transaction that another one decided",
    "abort-begun": "a transaction is to be rolled back; its shards have not been told",
    "abort-appended": "an ABORT was handed to the operating system",
    "acknowledged": "the session knows that its transaction is committed",
    "checkpoint-begun": "a shard is about to write a checkpoint",
    "checkpoint-written": "a shard's file has everything applied so far; its log is as long as before",
    "log-truncated": "segments that the checkpoint made superfluous are gone",
    "recovery-replayed": "a shard has replayed its log; transactions in doubt are not resolved",
    "recovery-resolved": "every transaction in doubt is resolved; the database is not open yet",
}
"""Every crash point, with what has happened when it is reached. The order is that of a transaction's life."""


def reach(name: str) -> None:
    """Die here if the crash point `name` is armed and this is the time that was asked for."""
    if _armed is not None and name == _armed:
        _die_if_due()


def parse(value: str) -> tuple[str, int]:
    """The name and the count in a value of DUCKRAFT_CRASH_POINT; without a count it is 1. Raises ValueError."""
    name, _, count = value.partition(":")
    if name not in NAMES:
        raise ValueError(f"{VARIABLE}: there is no crash point {name!r}; there are {', '.join(NAMES)}")
    if count and (not count.isascii() or not count.isdigit() or int(count) == 0):
        raise ValueError(f"{VARIABLE}: {count!r} is not a count; it is {name}:1, {name}:2, …")
    return name, int(count or 1)


def _die_if_due() -> None:
    if next(_reached) == _due:
        os.kill(os.getpid(), signal.SIGKILL)


_armed: str | None = None
_due = 0
_reached = itertools.count(1)  # Its next() is atomic, so two threads never count the same.
if VARIABLE in os.environ:
    _armed, _due = parse(os.environ[VARIABLE])
