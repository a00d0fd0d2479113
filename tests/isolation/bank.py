"""A bank that is killed: accounts on all shards, writers that move money, readers that sum, and SIGKILL at any moment.

Every life of the bank is a process of its own. It opens the database, which repairs what the last one left, audits the
books, and goes to work until it is killed. It reports each transfer after its COMMIT has returned. The audit demands
that all money is there, that each reported transfer is in the ledger, and that the balances are just what the ledger
says, so that no transfer is half done.

The processes are forked from one that has everything imported and never opens a database or starts a thread, which
makes a life cheap.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from duckraft.engine.errors import Error

from .clients import Execute, Plain, Sharded, Store, transaction
from .history import Level

SHARDS = 8
OPENING = 1000
"""What each account has at first."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS account (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL) SHARD BY HASH (id)",
    "CREATE TABLE IF NOT EXISTS ledger (id BIGINT PRIMARY KEY, source BIGINT, target BIGINT, amount BIGINT)"
    " SHARD BY HASH (id)",
)
_BOOKS = """
    SELECT id, balance, moved FROM account LEFT JOIN
        (SELECT id, sum(amount) AS moved FROM
            (SELECT source AS id, -amount AS amount FROM ledger UNION ALL SELECT target, amount FROM ledger)
         GROUP BY id) USING (id)
    ORDER BY id"""

_OPENING_S_MAX = 120.0
_LIFE_S_MAX = 60.0
_TRANSFERS_MAX = 25
_LAST_BREATH_S_MAX = 0.03

_YOUNG = 0.2
"""Part of the lives that are killed while they open the database, or soon after."""

_PAUSE_S = 0.01
"""Between two sums of a reader, so that writers get most of the processors."""


@dataclass(frozen=True, slots=True)
class Settings:
    """seconds: after which no new life begins. kills: after how many it ends; with 0 one life lasts all the seconds."""

    seconds: float
    kills: int
    accounts: int = 64
    writers: int = 4
    seed: int = 0
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Fate:
    """When a life is killed: `wait_s` after it has reported so many transfers or, if young, after its birth."""

    wait_s: float
    transfers: int = 0
    young: bool = False


@dataclass(slots=True)
class Books:
    """What the bank has reported in all its lives. acknowledged: transfers whose COMMIT returned.

    opening_s: how long the last life that was not killed before took to open the database and audit it.
    """

    acknowledged: set[int] = field(default_factory=set)
    kills: int = 0
    opening_s: float = 1.0
    audits: int = 0
    reads: int = 0
    retries: int = 0
    wrong: list[str] = field(default_factory=list)
    rest: bytes = b""

    def take_all(self, data: bytes) -> None:
        """Note the lines that are complete; the rest waits for more."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.take(line.decode())

    def take(self, line: str) -> None:
        """Note a line that a life of the bank has written."""
        word, _, rest = line.partition(" ")
        match word:
            case "moved":
                self.acknowledged.add(int(rest))
            case "read":
                self.reads += 1
            case "retry":
                self.retries += 1
            case "audited":
                self.audits += 1
            case _:
                self.wrong.append(line)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {len(self.acknowledged)} transfers acknowledged, {self.retries} retried, "
            f"{self.reads} sums read, {self.audits} audits, {len(self.wrong)} wrong"
        )


def run(settings: Settings, tell: Callable[[str], None]) -> Books:
    """Live and die until time or kills are used up, then audit once more. The files stay if something was wrong."""
    folder = Path(tempfile.mkdtemp(prefix="duckraft-bank-"))
    rng = random.Random(settings.seed)
    books = Books()
    end = time.monotonic() + settings.seconds
    life = 0
    while not books.wrong and time.monotonic() < end and (books.kills < settings.kills or not life):
        life += 1
        if not settings.kills:
            fate = Fate(settings.seconds)
        elif life > 1 and rng.random() < _YOUNG:
            fate = Fate(rng.uniform(0, 1.2 * books.opening_s), young=True)
        else:
            fate = Fate(rng.uniform(0, _LAST_BREATH_S_MAX), rng.randint(0, _TRANSFERS_MAX))
        _live(folder, settings, life, books, fate)
        if books.kills % 20 == 0:
            tell(str(books))
    if not books.wrong:
        _live(folder, settings, life + 1, books, None)
    if books.wrong:
        tell(f"the database is in {folder}")
    else:
        shutil.rmtree(folder)
    return books


def _live(folder: Path, settings: Settings, life: int, books: Books, fate: Fate | None) -> None:
    """One life, as a process. fate: None for one that only audits."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_the_bank(folder, settings, life, books, writing, fate is not None)
    os.close(writing)
    try:
        why = _listen(reading, books, fate)
        if why is not None:
            os.kill(child, signal.SIGKILL)
            books.kills += 1
            if why:
                books.wrong.append(f"life {life}: {why}")
            while data := os.read(reading, 1 << 16):  # What it had said before.
                books.rest += data
            books.take_all(b"")
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        books.wrong.append(f"life {life} ended with exit code {os.WEXITSTATUS(status)}")
    elif os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL:
        books.wrong.append(f"life {life} was ended by signal {os.WTERMSIG(status)}")


def _listen(reading: int, books: Books, fate: Fate | None) -> str | None:
    """Take what a life reports until it ends by itself (None) or its time has come ("", or what is wrong with it)."""
    born = time.monotonic()
    books.rest = b""
    audits, before = books.audits, len(books.acknowledged)
    deadline, late = born + _OPENING_S_MAX, f"not open after {_OPENING_S_MAX:g} s"
    if fate is not None and fate.young:
        deadline, late = born + fate.wait_s, ""
    opened = dying = False
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return late
        data = os.read(reading, 1 << 16)
        if not data:
            return None
        books.take_all(data)
        if fate is None or fate.young:
            continue
        if not opened and books.audits > audits:
            opened = True
            books.opening_s = time.monotonic() - born
            deadline, late = (
                time.monotonic() + _LIFE_S_MAX,
                f"no {fate.transfers} transfers in {_LIFE_S_MAX:g} s",
            )
        if opened and not dying and len(books.acknowledged) - before >= fate.transfers:
            dying = True
            deadline, late = time.monotonic() + fate.wait_s, ""


def _be_the_bank(
    folder: Path, settings: Settings, life: int, books: Books, writing: int, works: bool
) -> None:
    """The process of one life. Does not return."""

    def report(line: str) -> None:
        # One write of few bytes is never torn.
        os.write(writing, f"{' '.join(line.split())[:400]}\n".encode())

    status = 1
    try:
        store: Store = Plain(folder / "plain.duckdb") if settings.plain else Sharded(folder / "bank", SHARDS)
        execute = store.connect()
        _found(execute, settings.accounts)
        for line in audit(execute, settings.accounts, books.acknowledged):
            report(line)
        report("audited")
        if works:
            _work(store, settings, life, report)
        store.close()
        status = 0
    except BaseException as error:
        traceback.print_exc()
        report(f"died: {error}")
    finally:
        os._exit(status)


def _found(execute: Execute, accounts: int) -> None:
    """Make the tables and the accounts, all in one statement, if they are not there."""
    for definition in _TABLES:
        execute(definition)
    if execute("SELECT count(*) FROM account") == [(0,)]:
        execute(f"INSERT INTO account SELECT i, {OPENING} FROM range({accounts}) AS numbers (i)")


def audit(execute: Execute, accounts: int, acknowledged: set[int]) -> Iterator[str]:
    """What is wrong with the books, a line each."""
    books = execute(_BOOKS)
    if len(books) != accounts:
        yield f"accounts: {len(books)} of {accounts} are there"
    total = sum(balance for _, balance, _ in books)
    if total != accounts * OPENING:
        yield f"total: {total} instead of {accounts * OPENING}"
    for number, balance, moved in books:
        if balance != OPENING + (moved or 0):
            yield f"half: account {number} has {balance}, by the ledger {OPENING + (moved or 0)}"
    entries = [number for (number,) in execute("SELECT id FROM ledger")]
    if lost := acknowledged.difference(entries):
        yield f"lost: {len(lost)} acknowledged transfers, such as {min(lost)}"
    if len(entries) != len(set(entries)):
        yield f"twice: {len(entries) - len(set(entries))} transfers are in the ledger more than once"


def _work(store: Store, settings: Settings, life: int, report: Callable[[str], None]) -> None:
    """All threads of a life, until the process is killed or one of them fails."""
    over = threading.Event()

    def guarded(work: Callable[[random.Random], None], name: str) -> None:
        rng = random.Random(f"{settings.seed} {life} {name}")
        try:
            while not over.is_set():
                work(rng)
        except BaseException as error:
            traceback.print_exc()
            report(f"{name} failed: {error}")
            over.set()

    threads = []
    for writer in range(settings.writers):
        teller = _Teller(store, settings.accounts, (life * settings.writers + writer) * 1_000_000, report)
        threads.append(threading.Thread(target=guarded, args=(teller.move, f"writer {writer}")))
    execute, again, beside = store.connect(), store.connect(), store.connect()
    expected = settings.accounts * OPENING

    def sum_once(_: random.Random) -> None:
        over.wait(_PAUSE_S)
        _expect(execute("SELECT sum(balance) FROM account"), [(expected,)], "one sum", report)

    def sum_twice(_: random.Random) -> None:
        over.wait(_PAUSE_S)
        found: list[object] = []

        def work() -> None:
            found.append(again("SELECT sum(balance) FROM account"))
            found.append(again("SELECT count(*), sum(amount) FROM ledger"))
            found.append(again("SELECT count(*), sum(amount) FROM ledger"))
            found.append(again("SELECT sum(balance) FROM account"))

        if (error := transaction(again, store.begin(Level.REPEATABLE_READ), work)) is not None:
            if error.sqlstate not in store.retryable(Level.REPEATABLE_READ):
                raise error
            report("retry")
            return
        _expect(found[0], [(expected,)], "sum in a snapshot", report)
        _expect(found[2:], found[1::-1], "second look in a snapshot", report)

    def check_point(rng: random.Random) -> None:
        over.wait(rng.uniform(0.05, 1.0))
        try:
            beside("CHECKPOINT")
        except Error as error:
            if error.sqlstate != "55006":  # Others were in its way all the time.
                raise

    others: list[tuple[Callable[[random.Random], None], str]] = [
        (sum_once, "reader 1"),
        (sum_twice, "reader 2"),
    ]
    if not settings.plain:  # DuckDB refuses a CHECKPOINT while others write.
        others.append((check_point, "checkpoints"))
    for work, name in others:
        threads.append(threading.Thread(target=guarded, args=(work, name)))
    for thread in threads:
        thread.start()
    over.wait()
    for thread in threads:
        thread.join()
    raise RuntimeError("a thread failed")


def _expect(found: object, expected: object, what: str, report: Callable[[str], None]) -> None:
    report("read" if found == expected else f"sum: {what} is {found} instead of {expected}")


@dataclass(slots=True)
class _Teller:
    """Moves money, one transfer after the other. number: of the next one."""

    store: Store
    accounts: int
    number: int
    report: Callable[[str], None]
    execute: Execute = field(init=False)

    def __post_init__(self) -> None:
        self.execute = self.store.connect()

    def move(self, rng: random.Random) -> None:
        """One transfer, in a transaction of any level; the order of its statements is any, too."""
        source, target = rng.sample(range(self.accounts), 2)
        amount = rng.randint(1, 50)
        self.number += 1
        steps = [("INSERT INTO ledger VALUES (?, ?, ?, ?)", [self.number, source, target, amount])]
        if rng.random() < 0.3:
            both = (
                "UPDATE account SET balance = balance + CASE id WHEN ? THEN -? ELSE ? END WHERE id IN (?, ?)"
            )
            steps.append((both, [source, amount, amount, source, target]))
        else:
            one = "UPDATE account SET balance = balance + ? WHERE id = ?"
            steps += [(one, [-amount, source]), (one, [amount, target])]
        rng.shuffle(steps)

        def work() -> None:
            for sql, parameters in steps:
                self.execute(sql, parameters)

        level = rng.choice(list(Level))
        error = transaction(self.execute, self.store.begin(level), work)
        if error is None:
            self.report(f"moved {self.number}")
        elif error.sqlstate in self.store.retryable(level):
            self.report("retry")
        else:
            raise error
