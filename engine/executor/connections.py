"""The connections of one session: to the gateway, and to each shard that it addresses directly.

A connection to a shard has that shard first in its search path, so that a user's own text runs there as it is.
Promises: a setting that the session changes holds on all of them, also on those made later. `interrupt` may be called
from any thread.
Leaves to others: what to run; which settings a user may change (`settings.py`); what the session's transaction sees
and does on these connections (`session_transactions.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..errors import Error
from ..storage import duck, settings, shard
from ..transactions.transactions import Transactions
from ..types import Parameters
from .session_transactions import SessionTransactions
from .user_catalog import SEARCH_PATH


class SessionConnections:
    """DuckDB connections of one session, all to the same instance.

    session: its name. before_commit: as in `SessionTransactions`.
    """

    def __init__(
        self,
        instance: duck.Connection,
        transactions: Transactions,
        session: str = "",
        before_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._instance = instance
        self.transactions = SessionTransactions(self, transactions, session, before_commit)
        self.gateway = self._new_gateway()
        self._shards: dict[int, duck.Connection] = {}
        self._settings: dict[str, tuple[str, Parameters]] = {}
        self._deviating: tuple[int, settings.Settings] | None = None
        self.on_interrupt: set[Callable[[], None]] = set()
        """What else must be told of an interruption of the running statement: its streams."""

    def _new_gateway(self) -> duck.Connection:
        connection = self._instance.cursor()
        duck.execute(connection, f"SET search_path = '{SEARCH_PATH}'")
        return connection

    def shard(self, number: int) -> duck.Connection:
        """The session's connection to shard `number`."""
        connection = self._shards.get(number)
        if connection is None:
            connection = self._instance.cursor()
            for sql, parameters in self._settings.values():
                duck.execute(connection, sql, parameters)
            duck.execute(connection, f"SET search_path = '{shard.search_path(number)}'")
            self._shards[number] = connection
        return connection

    @contextmanager
    def reader(self, number: int | None) -> Iterator[duck.Connection]:
        """A connection of its own for as long as the block runs. number: its shard; None for the gateway."""
        connection = self._new(number)
        try:
            yield connection
        finally:
            connection.close()

    def new_shard(self, number: int) -> duck.Connection:
        """One more connection to a shard; who asks for it closes it."""
        return self._new(number)

    def _new(self, number: int | None) -> duck.Connection:
        connection = self._instance.cursor()
        for sql, parameters in list(self._settings.values()):
            duck.execute(connection, sql, parameters)
        if number is not None:
            duck.execute(connection, f"SET search_path = '{shard.search_path(number)}'")
        return connection

    def give_away(self, source: object) -> duck.Connection:
        """Leave a connection to the result that still reads from it: whoever gets it closes it.

        source: where its rows wait, a connection of this session, or something that uses the one to the gateway. The
        session has a new one in its place, with the same settings, but without what else was made on the old one.
        """
        for number, connection in self._shards.items():
            if connection is source:
                return self._shards.pop(number)
        successor = self._new_gateway()
        for sql, parameters in self._settings.values():
            duck.execute(successor, sql, parameters)
        given, self.gateway = self.gateway, successor
        self.transactions.leave(given)
        self.on_interrupt.clear()  # Streams go with the connection that reads them.
        return given

    def deviating(self, version: int) -> settings.Settings:
        """The settings that go with what the session's statements do, into the log. version: the gateway's."""
        if self._deviating is None or self._deviating[0] != version:
            self._deviating = version, settings.deviating(self.gateway)
        return self._deviating[1]

    def repeat_on_shards(self, key: str, sql: str, parameters: Parameters = None) -> None:
        """Run a statement that the gateway has run on each connection to a shard, now and whenever one is made.

        key: what it sets; a later one with the same key takes its place.
        """
        self._settings.pop(key, None)
        self._settings[key] = (sql, parameters)
        for connection in self._shards.values():
            duck.execute(connection, sql, parameters)

    def interrupt(self) -> None:
        """Stop what any of the connections is doing."""
        for connection in (self.gateway, *list(self._shards.values())):
            duck.interrupt(connection)
        for tell in list(self.on_interrupt):
            tell()

    def close(self) -> None:
        """Close them all, but for those that were given away. An open transaction is rolled back."""
        with suppress(Error):
            self.transactions.roll_back()
        for connection in (self.gateway, *self._shards.values()):
            connection.close()
        self._shards.clear()
