"""What a transaction changes on one shard: a DuckDB transaction there, and the operations that make it again.

Promises: the operations, run in order on the rows that the transaction found, give what its DuckDB transaction has; so
that one can be rebuilt on newer rows, and the log says what was done. What is large goes to the log at once and is not
kept in memory.
Leaves to others: when to commit and how (`store.py`, `commit.py`), the locks that keep the rows found as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import Error
from ..storage import duck, settings
from ..storage.log import EntryKind
from ..storage.operations import Operation, apply, decode, encode
from ..types import Parameters

if TYPE_CHECKING:
    from .store import ShardStore

_LARGE_BYTES = 1 << 18
"""Rows of this size are written to the log when they come, not with the commit."""


class ShardWriter:
    """Used by the thread of its session, and while it commits by whoever commits for it.

    store: the shard. connection: the session's own to this shard. rebuilds: whether it may have to be made again, so
    that operations are kept even where no log wants them.
    """

    def __init__(
        self, store: ShardStore, connection: duck.Connection, transaction: str, *, rebuilds: bool
    ) -> None:
        self.store = store
        self.connection = connection
        self.transaction = transaction
        self.base: tuple[int, int] | None = None
        """How many commits of the shard, and of the reference tables, its snapshot shows; None if nobody asks."""
        self.is_open = False
        self.committed: int | None = None
        """The number of its commit, once it was made visible."""
        self._rebuilds = rebuilds
        self._pending: list[Operation] = []
        self._logged: list[int] = []
        self.changed = False
        """Whether there is anything to commit. `record` says so; whoever need not record says it himself."""
        self._keeps = False

    @property
    def number(self) -> int:
        """The number of the shard."""
        return self.store.number

    @property
    def recording(self) -> bool:
        """Whether operations are wanted at all."""
        return self._rebuilds or self.store.log is not None

    def begin(self) -> None:
        """Begin the DuckDB transaction; its snapshot is taken when it first looks at the shard."""
        self.is_open = True  # First: one that is interrupted may have begun.
        duck.execute(self.connection, "BEGIN")

    def execute(self, sql: str, parameters: Parameters = None) -> duck.Connection:
        """Run a statement that is deterministic, and record it. Raises errors.Error."""
        connection = duck.execute(self.connection, sql, parameters)
        self.record(Operation(sql, parameters))
        return connection

    def record(self, operation: Operation) -> None:
        """Note what was run on the connection. Raises errors.Error if the log cannot take it."""
        self.changed = True
        if not self.recording:
            return
        self._pending.append(operation)
        if operation.rows is not None and self.store.log is not None and not self._keeps:
            size = sum(len(one.rows.data) for one in self._pending if one.rows is not None)
            if size >= _LARGE_BYTES:
                self.store.keep_log(self.transaction)  # First: a checkpoint may come in between.
                body = encode(self._pending)
                self._logged.append(self.store.append(EntryKind.OPERATIONS, self.transaction, body))
                self._pending = []

    def inline(self) -> bytes:
        """The operations that are not in the log yet, for the entry that ends the transaction or prepares it."""
        return encode(self._pending) if self._pending else b""

    def rebuild(self) -> None:
        """Make the transaction's changes again on its new snapshot. Raises errors.Error."""
        own: settings.Settings | None = None
        for operation in self._operations():
            if own is None:
                own = settings.deviating(self.connection)
            apply(self.connection, operation, own)

    def mark(self) -> int:
        """A point to which `forget_since` can go back: from now on operations stay in memory until the commit."""
        self._keeps = True
        return len(self._pending)

    def forget_since(self, mark: int) -> None:
        """Take back the operations since a mark; the caller begins anew and rebuilds."""
        del self._pending[mark:]
        self.changed = bool(self._pending or self._logged)

    def roll_back(self) -> None:
        """Leave the DuckDB transaction; one that DuckDB has already ended counts as left. Raises errors.Error."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            duck.clean_up(self.connection, "ROLLBACK")
        except Error as error:
            if error.sqlstate != "25P01":
                raise

    def _operations(self) -> Iterator[Operation]:
        log = self.store.log
        for sequence in self._logged:
            if log is not None:
                yield from decode(log.read(sequence).body)
        yield from self._pending
