"""What the transaction of a session sees and does on the session's connections.

A statement that changes data runs in the session's transaction or, if it has begun none, in one of its own. On each
shard that it changes, the session's connection to the shard is a writer, inside a DuckDB transaction. Queries read on
the connection to the gateway; of shards that were written they must read on the writers.
- READ COMMITTED: each statement sees what was committed when it began. DuckDB's transactions see what was committed
  when they began, so a writer on a shard that others have changed since begins anew and makes its changes again.
- REPEATABLE READ: all connections take their snapshots together, at the first statement.
- SERIALIZABLE: as READ COMMITTED, with locks on what is read.
Promises: what is read of several shards shows a commit on all of them or on none. Whatever ends a transaction leaves no
connection inside one.
Leaves to others: locks, logs and commits (`transactions`), what statements do (`changes`, `reading`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ..catalog.model import REFERENCE_SHARD, Table
from ..errors import (
    DeadlockError,
    Error,
    NotSupportedError,
    OperationalError,
    SerializationError,
    invariant,
)
from ..storage import duck, interruption, shard
from ..transactions.group import SmallWrite
from ..transactions.locks import Mode
from ..transactions.transaction import Isolation, State, Transaction
from ..transactions.transactions import CATALOG, Transactions, rows_of
from ..transactions.writer import ShardWriter
from .reading.binding import shard_table
from .savepoints import Savepoints

if TYPE_CHECKING:
    from .changes.targets import WriteTarget
    from .connections import SessionConnections
    from .gateway import Gateway
    from .reading.overlay import Overlay

_NO_WAY_BACK = (DeadlockError, SerializationError)
_ATTEMPTS = 2
"""How often a statement is run beside commits, before commits have to wait for it."""

_TRANSACTION_FAILED = "current transaction is aborted, commands ignored until end of transaction block"


class SessionTransactions:
    """The transactions of one session, one after another. Used by the thread of the session.

    session: its name, for SHOW TRANSACTIONS. before_commit: called before a change commits; what it raises undoes it.
    current: the transaction that is open: one that BEGIN began, or that of the running statement.
    """

    def __init__(
        self,
        connections: SessionConnections,
        shared: Transactions,
        session: str,
        before_commit: Callable[[], None],
    ) -> None:
        self.shared = shared
        self.session = session
        self.current: Transaction | None = None
        self.lock_timeout_s: float | None = None
        self.default_read_only = False
        """Whether transactions that do not say it may only read."""
        self._connections = connections
        self._before_commit = before_commit
        self._reading: duck.Connection | None = None
        self._held: list[duck.Connection] = []
        self._commits_seen = -1
        self.own: Overlay | None = None
        """While a change runs at the gateway: what the transaction has written before."""
        self._savepoints = Savepoints()

    @property
    def explicit(self) -> Transaction | None:
        """The transaction that BEGIN began, if one is open."""
        return self.current if self.current is not None and not self.current.implicit else None

    # Beginning and ending

    def begin(self, isolation: Isolation, *, read_only: bool) -> None:
        """BEGIN. Raises ProgrammingError inside a transaction."""
        invariant(self.current is None, "a transaction begins when none is open")
        self.current = self.shared.begin(self.session, isolation, read_only=read_only)

    def commit(self) -> bool:
        """COMMIT: whether the changes were made; a transaction that has failed is rolled back. Raises errors.Error."""
        transaction = self.explicit
        if transaction is None:
            return False
        if transaction.state is not State.ACTIVE:
            self.roll_back()
            return False
        try:
            if transaction.has_written:
                self._before_commit()
            self.shared.commit(transaction)
        except BaseException:
            with suppress(Error):
                self.roll_back()
            raise
        self._release("COMMIT")
        self.current = None
        return True

    def roll_back(self) -> None:
        """ROLLBACK, of whatever state. Raises errors.Error."""
        transaction = self.current
        self.current = None
        if transaction is None:
            return
        try:
            if transaction.is_open:
                self.shared.roll_back(transaction)
        finally:
            self._release("ROLLBACK")

    def fail(self, error: BaseException | None = None) -> None:
        """A statement of the open transaction has raised: its changes are undone now, and it waits for its end.

        If it can go back to a savepoint, they wait for that. error: why; one for which others must not have to wait
        for its locks any longer leaves no way back.
        """
        transaction = self.explicit
        if transaction is None:
            self.end_reading()
            return
        if not transaction.is_open:
            return
        if self._savepoints and transaction.failure is None and not isinstance(error, _NO_WAY_BACK):
            transaction.state = State.SAVED
            self.end_reading()
            return
        try:
            self.shared.roll_back(transaction)
        finally:
            transaction.state = State.FAILED
            self._release("ROLLBACK")

    def check_usable(self) -> None:
        """Raise OperationalError if the open transaction can only be rolled back."""
        if self.current is not None and self.current.failure is not None:
            raise self.current.failure
        if self.current is not None and self.current.state is not State.ACTIVE:
            raise OperationalError(
                _TRANSACTION_FAILED, sqlstate="25P02", hint="Send ROLLBACK, then begin again."
            )

    @property
    def has_looked(self) -> bool:
        """Whether the transaction that BEGIN began has read or written anything."""
        return self.explicit is not None and self.explicit.has_looked

    def lock(self, targets: Iterable[WriteTarget]) -> None:
        """Lock what a statement of the transaction can write, then let it see what is there. Raises errors.Error."""
        transaction = self.current
        invariant(transaction is not None, "changes run inside a transaction")
        if transaction is None:
            return
        if transaction.isolation is Isolation.REPEATABLE_READ:
            self.start_statement()  # Its snapshot is as of the statement, not as of the end of the waiting.
        for target in targets:
            places = [(number, None) for number in target.shards] if target.keys is None else target.keys
            for number, key in places:
                self.shared.lock(transaction, target.table, number, key, timeout_s=self.lock_timeout_s)
        self.start_statement()

    def lock_read(self, read: Iterable[tuple[Table, int]]) -> None:
        """Keep these rows, of tables on shards of the database, as they are. Raises errors.Error."""
        transaction = self.current
        if transaction is not None:
            for table, shard in sorted(read, key=lambda one: (one[1], one[0].key)):
                self.shared.lock(transaction, table, shard, None, shared=True, timeout_s=self.lock_timeout_s)

    def lock_catalog(self) -> None:
        """Keep the definitions as they are to the end of the transaction, if one is open. Raises errors.Error."""
        if self.current is not None and not self.current.has_looked:
            self.shared.locks.acquire(
                self.current.id, CATALOG, Mode.INTENTION_EXCLUSIVE, timeout_s=self.lock_timeout_s
            )
            self.current.has_looked = True

    # Savepoints

    def savepoint(self, name: str) -> None:
        """SAVEPOINT. Raises NotSupportedError at REPEATABLE READ: what is made again would see newer rows."""
        transaction = self.explicit
        invariant(transaction is not None, "savepoints are made inside a transaction")
        if transaction is None:
            return
        if transaction.isolation is Isolation.REPEATABLE_READ:
            raise NotSupportedError(
                "savepoints are not supported at REPEATABLE READ",
                hint="READ COMMITTED and SERIALIZABLE have them.",
            )
        self._savepoints.add(name, {number: writer.mark() for number, writer in transaction.writers.items()})

    def release_savepoint(self, name: str) -> None:
        """RELEASE. Raises ProgrammingError if there is none of this name."""
        self._savepoints.release(name)

    def roll_back_to(self, name: str) -> None:
        """ROLLBACK TO: undo what was changed since; a transaction that failed since goes on. Raises errors.Error."""
        transaction = self.explicit
        invariant(transaction is not None, "savepoints are made inside a transaction")
        if transaction is None:
            return
        marks = self._savepoints.go_back(name)
        self.end_reading()
        for writer in transaction.writers.values():
            writer.forget_since(marks.get(writer.number, 0))
            writer.base = None  # It begins anew.
        self._refresh(transaction, None)
        transaction.state = State.ACTIVE

    # Changing

    @contextmanager
    def defining(self, *, temporary: bool) -> Iterator[None]:
        """While definitions change: no other transaction has looked at anything and still goes on.

        temporary: they are the session's own, which needs no lock. Raises errors.Error.
        """
        if temporary:
            yield
            return
        if self.explicit is not None:
            raise NotSupportedError(
                "definitions cannot be changed inside a transaction",
                sqlstate="25001",
                hint="COMMIT or ROLLBACK first: each change of definitions is a transaction of its own.",
            )
        transaction = self.shared.begin(self.session, read_only=self.default_read_only, implicit=True)
        try:
            transaction.check_may_write("changes of definitions")
            self.shared.locks.acquire(transaction.id, CATALOG, Mode.EXCLUSIVE, timeout_s=self.lock_timeout_s)
            yield
        finally:
            self.shared.roll_back(transaction)

    @contextmanager
    def changing(self, statement: str) -> Iterator[Transaction]:
        """The transaction in which a statement changes data: the session's or, if it has begun none, one that commits
        when the block ends well and is undone when it raises."""
        if self.current is not None:
            yield self.current
            return
        interruption.go_on()
        transaction = self.current = self.shared.begin(
            self.session, read_only=self.default_read_only, implicit=True, statement=statement
        )
        try:
            yield transaction
            if transaction.has_written:
                self._before_commit()
            self.shared.commit(transaction)
        finally:
            self.current = None
            if transaction.state is State.ACTIVE:
                self.shared.roll_back(transaction)

    @contextmanager
    def atomic(self, numbers: Sequence[int]) -> Iterator[dict[int, ShardWriter]]:
        """Writers for these shards, in the transaction of the statement."""
        with self.changing("") as transaction:
            yield {number: self._writer(transaction, number) for number in numbers}

    def write_small(self, number: int, write: SmallWrite) -> None:
        """Run and commit the one statement of a transaction that nobody began, together with those of others.

        number: the database's shard. What it writes is locked already. Raises errors.Error.
        """
        transaction = self.current
        invariant(
            transaction is not None and transaction.implicit, "the statement has a transaction of its own"
        )
        if transaction is None:
            return
        interruption.decide()
        transaction.state = State.COMMITTING
        try:
            self.shared.stores[number].write(write)
        except Error as error:
            transaction.state = State.ACTIVE
            if not error.outcome_known:
                self.shared.leave_in_doubt(transaction, [number], error)
            raise
        transaction.state = State.ACTIVE
        if write.committed is not None:
            self.shared.snapshots.changed(write.committed, transaction.locked)

    def writers(self) -> dict[int, duck.Connection]:
        """By shard that the transaction has changed, the connection that sees the changes."""
        found = self.current.writers if self.current is not None else {}
        return {number: writer.connection for number, writer in found.items() if writer.changed}

    def overlay(
        self, gateway: Gateway, *, has_own_names: bool, is_collated: Callable[[Table], bool]
    ) -> Overlay:
        """What the transaction has written, to be put over what the gateway's connection sees, for one statement."""
        from .reading.overlay import Overlay

        return Overlay(
            gateway,
            self._connections.gateway,
            self.writers(),
            self.may_have_changed,
            has_own_names=has_own_names,
            is_collated=is_collated,
        )

    def show_own(self, text: str) -> None:
        """Let a text that a change runs on the gateway's connection see what the transaction has written before.

        Raises errors.Error.
        """
        if self.own is not None:
            self.own.show_reached(text)

    def numbered(self, table: Table, shard: int) -> tuple[str, str]:
        """What a change reads a shard of a table from at the gateway, and the column with DuckDB's number of a row."""
        return (shard_table(table, shard), "rowid") if self.own is None else self.own.numbered(table, shard)

    def may_have_changed(self, table: Table, number: int) -> bool:
        """Whether the transaction may have written rows of a table on a shard of the database."""
        whole = rows_of(table, number)
        return self.current is not None and any(known == whole for known, _ in self.current.locked)

    def _writer(self, transaction: Transaction, number: int) -> ShardWriter:
        writer = transaction.writers.get(number)
        if writer is None:
            store = self.shared.stores[number]
            store.check()
            connection = self._connections.shard(number)
            writer = ShardWriter(store, connection, transaction.id, rebuilds=not transaction.implicit)
            transaction.writers[number] = writer
            if self._savepoints:
                writer.mark()
            if transaction.snapshot is not None:
                writer.is_open = True  # Its snapshot was taken with the others of the transaction.
            elif transaction.implicit:
                writer.begin()
            else:
                with self.shared.gate.snapshot():
                    writer.begin()
                    self._look(writer)
        return writer

    # Reading

    def start_statement(self) -> None:
        """A statement of the open transaction begins to look at data. Raises errors.Error."""
        transaction = self.explicit
        if transaction is None:
            return
        if transaction.isolation is Isolation.REPEATABLE_READ:
            self._hold(transaction)
        else:
            self._refresh(transaction, None)

    @property
    def holds_snapshot(self) -> bool:
        """Whether the connection to the gateway stays in one DuckDB transaction until the session's ends."""
        return bool(self._held)

    def on_shard(self, number: int) -> duck.Connection:
        """The connection on which a query that needs only this shard sees what the transaction may see."""
        self.start_statement()
        return self._connections.shard(number)

    def read_together(
        self, numbers: Collection[int], run: Callable[[], None], connection: duck.Connection | None = None
    ) -> None:
        """Run a statement that reads several shards, so that it sees them as of one moment. Raises errors.Error.

        run: may be called twice. It leaves rows on the connection, whose snapshot then ends with `end_reading`.
        connection: on which it runs; None for the one to the gateway.
        """
        gate = self.shared.gate
        transaction = self.explicit
        if transaction is not None and transaction.isolation is Isolation.REPEATABLE_READ:
            self._hold(transaction)
            run()
            return
        writers = transaction.writers if transaction is not None else {}
        if connection is not None and any(writer.connection is connection for writer in writers.values()):
            run()  # A writer's snapshot has all that it reads.
            return
        before = gate.commits
        if before == self._commits_seen and gate.quiet and not writers:
            # Nobody has committed for a while: it costs less to look again if somebody does than to take a snapshot.
            run()
            if gate.commits == before:
                return
        try:
            if transaction is not None and writers:
                self._refresh(transaction, numbers)
            else:
                with gate.snapshot() as self._commits_seen:
                    self._begin_reading(connection or self._connections.gateway, numbers)
            run()
        except BaseException:
            with suppress(Error):
                self.end_reading()
            raise

    def begin_snapshot(self, connection: duck.Connection) -> None:
        """Begin a DuckDB transaction that sees all shards as of one moment, on a connection of the caller's own."""
        with self.shared.gate.snapshot():
            duck.execute(connection, "BEGIN")
            if self.shared.stores:
                _look(connection, list(self.shared.stores))

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """While the block runs, what the connection to the gateway reads of the shards is as of one moment.

        A transaction that has written keeps to what its writers see. Raises errors.Error.
        """
        if self._held or self._reading is not None or self.writers():
            yield
            return
        with self.shared.gate.snapshot():
            self._begin_reading(self._connections.gateway, list(self.shared.stores))
        try:
            yield
        finally:
            self.end_reading()

    def look_together(self) -> None:
        """Let the writers and the connection to the gateway see the same commits, up to `end_reading`.

        For statements of a transaction that has written, which read both. Raises errors.Error.
        """
        transaction = self.explicit
        if transaction is not None and not self._held:
            self._refresh(transaction, list(self.shared.stores))

    def at_once(self, run: Callable[[], object]) -> None:
        """Run a statement that reads several shards and makes what other connections must see. Raises errors.Error.

        It cannot be inside a transaction. run: may be called several times; it waits for nobody.
        """
        gate = self.shared.gate
        if self._held or self.writers():
            run()
            return
        for _ in range(_ATTEMPTS):
            before, was_quiet = gate.commits, gate.quiet
            run()
            if was_quiet and gate.commits == before:
                return
        with gate.snapshot():
            run()

    def snapshots(self, numbers: Collection[int]) -> dict[int, duck.Connection]:
        """A connection to each of these shards, and the one to the gateway, all of which see them as of one moment.

        To be given back with `end_snapshots`. Raises errors.Error.
        """
        transaction = self.explicit
        if transaction is not None and transaction.isolation is Isolation.REPEATABLE_READ:
            self._hold(transaction)
            return {number: self._connections.shard(number) for number in numbers}
        made = {number: self._connections.new_shard(number) for number in numbers}
        try:
            with self.shared.gate.snapshot():
                self._begin_reading(self._connections.gateway, numbers)
                for number, connection in made.items():
                    duck.execute(connection, "BEGIN")
                    _look(connection, [number])
        except BaseException:
            self.end_snapshots(self._connections.gateway, made)
            raise
        return made

    def end_snapshots(self, gateway: duck.Connection, snapshots: Mapping[int, duck.Connection]) -> None:
        """Nobody reads on these connections any more. Never raises.

        gateway: the connection to the gateway that goes with them.
        """
        with suppress(Error):
            self.end_reading(gateway)
        for connection in snapshots.values():
            if connection not in self._held:
                connection.close()

    def end_reading(self, of: duck.Connection | None = None) -> None:
        """Nobody needs the snapshot that `read_together` took any more.

        of: the connection on which it was taken, for a result that may end when there is a newer one on another.
        """
        if self._reading is None or (of is not None and of is not self._reading):
            return
        connection, self._reading = self._reading, None
        try:
            duck.clean_up(connection, "COMMIT")
        except Error:
            with suppress(
                Error
            ):  # A statement that failed has ended it, and DuckDB only wants to hear of it.
                duck.clean_up(connection, "ROLLBACK")

    def leave(self, connection: duck.Connection) -> None:
        """A connection was given away, with its snapshot."""
        if self._reading is connection:
            self._reading = None

    def _begin_reading(self, connection: duck.Connection, numbers: Collection[int]) -> None:
        self.end_reading()
        self._reading = connection
        duck.execute(connection, "BEGIN")
        _look(connection, numbers)

    def _refresh(self, transaction: Transaction, numbers: Collection[int] | None) -> None:
        """Let the writers see what was committed since; numbers: shards of which the gateway must see as much."""
        writers = transaction.writers.values()
        if numbers is None and all(writer.base == self._commits_of(writer) for writer in writers):
            return
        with self.shared.gate.snapshot():
            stale = [writer for writer in writers if writer.base != self._commits_of(writer)]
            for writer in stale:
                writer.roll_back()
                writer.begin()
                self._look(writer)
            if numbers is not None:
                self._begin_reading(self._connections.gateway, numbers)
        for writer in stale:
            writer.rebuild()

    def _look(self, writer: ShardWriter) -> None:
        """Take a writer's snapshot. The caller is inside the gate, so that nobody commits meanwhile."""
        writer.store.look(writer.connection)
        writer.base = self._commits_of(writer)

    def _commits_of(self, writer: ShardWriter) -> tuple[int, int]:
        """How many commits there were so far of all that a writer sees: its shard, and the reference tables."""
        return writer.store.commits, self.shared.stores[REFERENCE_SHARD].commits

    def _hold(self, transaction: Transaction) -> None:
        """Take the snapshots of a transaction that reads everything as of one moment, unless it has them."""
        if transaction.snapshot is not None:
            return
        numbers = sorted(self.shared.stores)
        connections = [self._connections.shard(number) for number in numbers]
        with self.shared.gate.snapshot() as commits:
            self._held = [self._connections.gateway, *connections]
            duck.execute(self._connections.gateway, "BEGIN")
            _look(self._connections.gateway, numbers)
            for number, connection in zip(numbers, connections, strict=True):
                duck.execute(connection, "BEGIN")
                self.shared.stores[number].look(connection)
            transaction.snapshot = commits
            self.shared.snapshots.hold(commits)

    def _release(self, verb: str) -> None:
        """End the snapshots of a transaction that has ended."""
        self._savepoints.clear()
        held, self._held = self._held, []
        self.end_reading()
        for connection in held:
            with suppress(Error):  # A writer's has ended with its commit.
                duck.clean_up(connection, verb)


def _look(connection: duck.Connection, numbers: Collection[int]) -> None:
    """Take the snapshot of an open DuckDB transaction on these shards, and on the reference shard.

    A database without tables has none.
    """
    if not numbers:
        return
    parts = [
        f"SELECT 1 FROM {shard.alias(number)}.duckraft.identity" for number in {REFERENCE_SHARD, *numbers}
    ]
    duck.execute(connection, f"{' UNION ALL '.join(parts)} LIMIT 0")
