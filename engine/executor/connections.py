"""The connections of one session: to the gateway, and to each shard that it addresses directly.

A connection to a shard has that shard first in its search path, so that a user's own text runs there as it is.
Promises: a setting that the session changes holds on all of them, also on those made later. `interrupt` may be called
from any thread.
Leaves to others: what to run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Error
from ..storage import duck, shard


class SessionConnections:
    """DuckDB connections of one session, all to the same instance."""

    def __init__(self, instance: duck.Connection) -> None:
        self._instance = instance
        self.gateway = instance.cursor()
        self._shards: dict[int, duck.Connection] = {}
        self._settings: list[str] = []

    def shard(self, number: int) -> duck.Connection:
        """The session's connection to shard `number`."""
        connection = self._shards.get(number)
        if connection is None:
            connection = self._instance.cursor()
            for setting in self._settings:
                duck.execute(connection, setting)
            duck.execute(connection, f"SET search_path = '{shard.search_path(number)}'")
            self._shards[number] = connection
        return connection

    def apply_setting(self, sql: str) -> duck.Connection:
        """Run a SET, RESET or PRAGMA on every connection; returns the gateway's, with the outcome."""
        duck.execute(self.gateway, sql)
        for connection in self._shards.values():
            duck.execute(connection, sql)
        self._settings.append(sql)
        return self.gateway

    def interrupt(self) -> None:
        """Stop what any of the connections is doing."""
        for connection in (self.gateway, *list(self._shards.values())):
            connection.interrupt()

    @contextmanager
    def atomic(self, numbers: list[int]) -> Iterator[dict[int, duck.Connection]]:
        """One transaction on each of these shards: all commit if the block ends well, none if it raises.

        Whether one shard commits and the next fails is decided at the statements, not at COMMIT: the caller holds the
        database's write lock, so nobody else's change can come in between.
        """
        connections = {number: self.shard(number) for number in numbers}
        begun: list[duck.Connection] = []
        try:
            for connection in connections.values():
                duck.execute(connection, "BEGIN")
                begun.append(connection)
            yield connections
            while begun:
                duck.execute(begun[-1], "COMMIT")
                begun.pop()
        finally:
            for connection in begun:
                _roll_back(connection)

    def close(self) -> None:
        """Close them all."""
        for connection in (self.gateway, *self._shards.values()):
            connection.close()
        self._shards.clear()


def _roll_back(connection: duck.Connection) -> None:
    """Leave the transaction; one that DuckDB has already ended counts as left."""
    try:
        duck.execute(connection, "ROLLBACK")
    except Error as error:
        if error.sqlstate != "25P01":
            raise
