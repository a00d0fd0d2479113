"""One shard as its transactions see it: the log is the truth, DuckDB's file is the log's state machine.

Whoever commits puts an entry into the log, makes it durable, and only then commits in DuckDB, in the order of the log.
The DuckDB transaction also notes the entry's sequence in the shard, so that after a crash it is known what is missing.
Sessions that commit at the same time share an fsync: one of them does the work of all that wait (`gathering.py`).
Promises: what `commit` has returned for is durable and visible. Commits are applied in the order of the log. After an
fsync that failed the shard takes no more changes until the database is opened again.
Leaves to others: commits over several shards (`commit.py`), what a crash left behind (`recovery.py`).
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..catalog.model import REFERENCE_SHARD
from ..errors import Error, OperationalError
from ..storage import duck, interruption, settings, shard
from ..storage.log import EntryKind, ShardLog
from ..storage.operations import Operation, encode
from ..testing import crashpoints
from ..types import Parameters
from . import records
from .gate import CommitGate
from .gathering import Crowd, Gathering
from .group import SmallWrite, run_group
from .participant import Participant

if TYPE_CHECKING:
    from .writer import ShardWriter

CHECKPOINT_BYTES = 64 << 20
CHECKPOINT_ENTRIES = 100_000
"""A checkpoint is due when so much was logged since the last one: replaying as much takes some seconds."""

_AGAIN_PART = 16
"""Where a checkpoint could not be written, after which part of that it is tried again."""

KEPT_TEXTS = 128
LONGEST_KEPT_TEXT = 8192
"""How many texts are kept parsed, and how many characters the longest of them has."""

_REOPEN = (
    "Check the disk and the space on it, then open the database again: what was committed is in the logs."
)

Applying = Callable[[Sequence[int]], AbstractContextManager[None]]
"""Told which shards are about to change, for as long as they do."""


@dataclass(slots=True, eq=False)
class _Commit:
    """A transaction of this shard alone that waits for its turn."""

    writer: ShardWriter
    committed: int | None = None
    error: Error | None = None

    @property
    def transaction(self) -> str:
        """Whose commit it is."""
        return self.writer.transaction


_Request = _Commit | SmallWrite


@dataclass(slots=True, eq=False)
class _Ready:
    """An open DuckDB transaction that is to be committed: that of one request, or of many small ones.

    body: of its entry in the log. sequence: the entry's, once it is there. applied: whether DuckDB has committed it.
    """

    connection: duck.Connection
    members: Sequence[_Request]
    body: tuple[bytes, ...]
    sequence: int = 0
    applied: bool = False

    def fail(self, error: Error) -> None:
        """Every request in it ends with this error."""
        for member in self.members:
            member.error = error


class ShardStore:
    """Shared by all sessions. Safe for threads.

    number: of the shard. log: None for a database in memory. applying: told of each change. settle_outcomes: makes the
    shards tell each other which decisions nobody will ask for any more. crowd: those who commit on any shard.
    commits: how many were applied since the shard was opened. mutex: held by whoever commits on the shard, or writes a
    checkpoint. failure: why the shard takes no more changes until the database is opened again; None while all is well.
    """

    def __init__(
        self,
        number: int,
        log: ShardLog | None,
        instance: duck.Connection,
        gate: CommitGate,
        applying: Applying,
        settle_outcomes: Callable[[], None],
        crowd: Crowd | None = None,
    ) -> None:
        self.number = number
        self.log = log
        self.commits = 0
        self.mutex = threading.Lock()
        self.failure: Error | None = None
        self.participant = Participant(number)
        self.books = threading.Lock()
        """Held while `participant` is asked or told something."""
        self.keep_from: dict[str, int] = {}
        """By transaction without an outcome, the first entry of the log that is still needed for it."""
        self.applied = 0
        """The sequence of the last entry that was applied."""
        self._instance = instance
        self._gate = gate
        self._applying = applying
        self._settle_outcomes = settle_outcomes
        self._gathering: Gathering[_Request] = Gathering(self._deal, crowd)
        self._statements: OrderedDict[str, duck.Statement | None] = OrderedDict()
        self._groups: dict[bool, duck.Connection] = {}
        self._due_bytes = CHECKPOINT_BYTES
        self._due_sequence = CHECKPOINT_ENTRIES if log is None else log.last_sequence + CHECKPOINT_ENTRIES
        self._numbers = itertools.count(1)

    def look(self, connection: duck.Connection) -> None:
        """Begin the snapshot of an open DuckDB transaction on this shard, and on the reference shard."""
        tables = ", ".join(
            f"{shard.alias(number)}.duckraft.identity" for number in sorted({self.number, REFERENCE_SHARD})
        )
        self._execute(connection, f"SELECT 1 FROM {tables} LIMIT 0")

    def check(self) -> None:
        """Raise OperationalError if the shard takes no more changes."""
        if self.failure is not None:
            raise OperationalError(
                f"{shard.alias(self.number)} takes no more changes: {self.failure.message}",
                sqlstate=self.failure.sqlstate if self.failure.outcome_known else "58030",
                hint=f"{_REOPEN} Until then it can be read.",
            )

    def fail(self, error: Error) -> None:
        """Take no more changes, for the first such reason, until the database is opened again."""
        self.failure = self.failure or error

    def append(self, kind: EntryKind, transaction: str, body: bytes | Sequence[bytes]) -> int:
        """Put an entry into the log, not yet durable; without a log it is only numbered. Raises errors.Error."""
        self.check()
        return next(self._numbers) if self.log is None else self.log.append(kind, transaction, body)

    def sync(self, sequence: int) -> None:
        """Make the entries up to this one durable. If that fails, the shard has failed. Raises errors.Error."""
        if self.log is None:
            return
        try:
            self.log.sync(sequence)
        except Error as error:
            self.fail(error)
            raise

    def commit(self, writer: ShardWriter) -> None:
        """Commit a transaction that has changed this shard alone. Raises errors.Error.

        With an error whose `outcome_known` is False it may have been committed, with any other it was not.
        """
        request = _Commit(writer)
        self._submit(request)
        writer.committed = request.committed

    def write(self, request: SmallWrite) -> None:
        """Run and commit one autocommit statement, together with those of other sessions. Raises errors.Error."""
        encode(
            [Operation(request.sql, request.parameters)]
        )  # What the log cannot take is no error of the others.
        self._submit(request)

    def keep_log(self, transaction: str) -> None:
        """Whatever comes into the log from now on is needed for a transaction, until it has an outcome."""
        if self.log is not None:
            self.keep_from.setdefault(transaction, self.log.last_sequence + 1)

    def abort(self, transaction: str) -> None:
        """Say in the log that a transaction came to nothing. Never raises: without an outcome it did so too."""
        if self.keep_from.pop(transaction, None) is not None:
            with suppress(Error):
                self.append(EntryKind.ABORT, transaction, b"")

    def apply(self, connection: duck.Connection, sequence: int) -> None:
        """Commit an open DuckDB transaction as the entry of this sequence. The caller holds `mutex` and is in the gate.

        Raises errors.Error; then the shard has failed, since its file no longer follows its log.
        """
        try:
            with interruption.undisturbed():
                if self.log is not None:
                    note = f"INSERT INTO {shard.alias(self.number)}.duckraft.applied VALUES (?)"
                    self._execute(connection, note, [sequence])
                self._execute(connection, "COMMIT")
        except Error as error:
            self.fail(error)
            raise behind(error) from None
        self.applied = sequence
        self.commits += 1

    def checkpoint(self) -> bool:
        """Bring what was applied into the shard's file, and take from the log what is not needed any more.

        Whether it was done: DuckDB cannot while a reader still sees rows that were changed since. Raises errors.Error;
        what was committed is in the log all the same.
        """
        with self.mutex:
            return self._checkpoint()

    def _checkpoint(self) -> bool:
        self.check()
        crashpoints.reach("checkpoint-begun")
        connection = self._instance.cursor()
        try:
            if self.log is not None:
                self.sync(self.log.last_sequence)
                self.log.check_space()
            with interruption.undisturbed():
                if self.log is not None:
                    shard.forget_applied(connection, self.number, self.applied)
                duck.execute(connection, f"CHECKPOINT {shard.alias(self.number)}")
        except Error as error:
            if error.sqlstate == "40001":
                return False
            if duck.is_invalidated(error):
                self.fail(error)
            raise
        finally:
            connection.close()
        crashpoints.reach("checkpoint-written")
        if self.log is not None:
            floor = self._truncate_before()
            if floor <= self.applied:
                self._settle_outcomes()
                floor = self._truncate_before()
            self.log.truncate(min([floor, *self.keep_from.values()]))
            crashpoints.reach("log-truncated")
        return True

    def _truncate_before(self) -> int:
        """The sequence before which the log is not needed for what is over or prepared."""
        with self.books:
            return self.participant.truncate_before(self.applied)

    def _checkpoint_if_due(self) -> None:
        """After so much was logged, opening the database should not have to do it all again.

        If it cannot be done now it is tried again later: nothing is lost meanwhile but time.
        """
        log = self.log
        if log is None or (log.size_bytes < self._due_bytes and log.last_sequence < self._due_sequence):
            return
        done = False
        with suppress(Error):
            done = self._checkpoint()
        part = 1 if done else _AGAIN_PART
        self._due_bytes = log.size_bytes + CHECKPOINT_BYTES // part
        self._due_sequence = log.last_sequence + CHECKPOINT_ENTRIES // part

    def close(self) -> None:
        """Give up the connection and the log."""
        for connection in self._groups.values():
            connection.close()
        if self.log is not None:
            self.log.close()

    def _submit(self, request: _Request) -> None:
        self._gathering.submit(request)
        if request.error is not None:
            raise request.error

    def _deal(self, batch: list[_Request]) -> None:
        with self.mutex:
            self._settle(batch)

    def _settle(self, batch: list[_Request]) -> None:
        """Deal with all that wait."""
        ready: list[_Ready] = []
        may_be_logged = False
        try:
            self.check()
            for request in batch:
                if isinstance(request, _Commit):
                    ready += self._ready(request)
            ready += self._run([request for request in batch if isinstance(request, SmallWrite)])
            may_be_logged = True
            self._log(ready)
            self._apply([one for one in ready if one.sequence or self.log is None])
        except Error as error:
            for request in batch:
                request.error = request.error or error
        except BaseException:
            if may_be_logged:  # No later entry may be applied if one before it perhaps was not.
                self.fail(OperationalError("a commit was interrupted"))
            raise
        finally:
            for one in ready:
                if not one.applied and one.connection in self._groups.values():
                    with suppress(Error):  # A COMMIT that failed has ended it.
                        duck.clean_up(one.connection, "ROLLBACK")
            for request in batch:
                self.keep_from.pop(request.transaction, None)
        self._checkpoint_if_due()

    def _ready(self, request: _Commit) -> list[_Ready]:
        """A transaction of one session, whose statements have run."""
        try:
            body = self._body(request.writer.inline())
        except Error as error:
            request.error = error
            return []
        return [_Ready(request.writer.connection, [request], body)]

    def _run(self, writes: list[SmallWrite]) -> list[_Ready]:
        """Run the small writes on a connection of the shard's own."""
        if not writes:
            return []
        connection = self._group(only_rows=all(write.head is not None for write in writes))
        with interruption.undisturbed():
            try:
                operations = run_group(connection, writes, partial(self._parsed, connection))
                body = self._body(encode(operations))
            except BaseException:
                with suppress(Error):
                    duck.execute(connection, "ROLLBACK")
                raise
            if not operations:
                duck.execute(connection, "ROLLBACK")
                return []
        return [_Ready(connection, [write for write in writes if write.error is None], body)]

    def _group(self, *, only_rows: bool) -> duck.Connection:
        """The connection for groups. only_rows: for those that only insert rows of values, which need no optimiser:
        without it, such a commit takes 15 % less time."""
        connection = self._groups.get(only_rows)
        if connection is None:
            connection = self._instance.cursor()
            settings.settle(connection)
            duck.execute(connection, f"SET search_path = '{shard.search_path(self.number)}'")
            if only_rows:
                duck.execute(connection, "PRAGMA disable_optimizer")
            self._groups[only_rows] = connection
        return connection

    def _body(self, operations: bytes) -> tuple[bytes, ...]:
        return records.encode_commit((self.number,), operations)

    def _log(self, ready: list[_Ready]) -> None:
        """Make the commits durable. Those that cannot be have their error."""
        if self.log is None:
            return
        last = 0
        for one in ready:
            try:
                one.sequence = last = self.append(EntryKind.COMMIT, one.members[0].transaction, one.body)
            except Error as error:
                one.fail(error)
        if not last:
            return
        crashpoints.reach("decision-appended")
        try:
            self.sync(last)
        except Error as error:
            for one in ready:
                if one.sequence:
                    one.fail(outcome_unknown(error))
                    one.sequence = 0
        crashpoints.reach("decision-synced")

    def _apply(self, ready: list[_Ready]) -> None:
        if not ready:
            return
        with self._applying([self.number]), self._gate.committing() as number:
            for one in ready:
                try:
                    self.check()
                    self.apply(one.connection, one.sequence)
                    one.applied = True
                    crashpoints.reach("decision-applied")
                    for member in one.members:
                        member.committed = number
                except Error as error:
                    one.fail(error)

    def _execute(self, connection: duck.Connection, sql: str, parameters: Parameters = None) -> None:
        """Run one of the few statements that come again and again, parsed once."""
        duck.execute(connection, sql, parameters, self._parsed(connection, sql))

    def _parsed(self, connection: duck.Connection, sql: str) -> duck.Statement | None:
        """What DuckDB's parser makes of a text that is likely to come again."""
        if sql in self._statements:
            return self._statements[sql]
        statement = duck.parse(connection, sql)
        if len(sql) <= LONGEST_KEPT_TEXT:
            self._statements[sql] = statement
            while len(self._statements) > KEPT_TEXTS:
                self._statements.popitem(last=False)
        return statement


def behind(error: Error) -> Error:
    """The error of a commit that is in the logs, and cannot be seen before the database is opened again."""
    return OperationalError(
        f"the change is committed, but cannot be shown: {error.message}",
        sqlstate="53100" if error.sqlstate == "53100" else "58030",
        hint=_REOPEN,
    )


def outcome_unknown(error: Error) -> Error:
    """The error of a commit of which nobody knows whether it is on the disk."""
    return OperationalError(
        f"the disk failed while the commit was written: {error.message}",
        sqlstate="40003",
        hint="Open the database again, then look whether the change is there.",
        outcome_known=False,
    )
