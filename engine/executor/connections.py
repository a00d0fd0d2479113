"""The connections of one session: to the gateway, and to each shard that it addresses directly.

A connection to a shard has that shard first in its search path, so that a user's own text runs there as it is.
Promises: a setting that the session changes holds on all of them, also on those made later. `interrupt` may be called
from any thread.
Leaves to others: what to run; which settings a user may change (`settings.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..errors import Error, OperationalError
from ..storage import duck, interruption, shard
from ..types import Parameters
from .user_catalog import SEARCH_PATH
from .versions import ShardVersions


class SessionConnections:
    """DuckDB connections of one session, all to the same instance.

    versions: told which shards are being changed. before_commit: called before the first shard of a change commits;
    what it raises undoes the change.
    """

    def __init__(
        self,
        instance: duck.Connection,
        versions: ShardVersions,
        before_commit: Callable[[], None] | None = None,
    ) -> None:
        self._instance = instance
        self._versions = versions
        self._before_commit = before_commit
        self.gateway = self._new_gateway()
        self._shards: dict[int, duck.Connection] = {}
        self._settings: dict[str, tuple[str, Parameters]] = {}
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
        connection = self._instance.cursor()
        try:
            for sql, parameters in list(self._settings.values()):
                duck.execute(connection, sql, parameters)
            if number is not None:
                duck.execute(connection, f"SET search_path = '{shard.search_path(number)}'")
            yield connection
        finally:
            connection.close()

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
        self.on_interrupt.clear()  # Streams go with the connection that reads them.
        return given

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

    @contextmanager
    def atomic(self, numbers: Sequence[int]) -> Iterator[dict[int, duck.Connection]]:
        """One transaction on each of these shards: all commit if the block ends well, none if it raises.

        Whether one shard commits and the next fails is decided at the statements, not at COMMIT: the caller holds the
        database's write lock, so nobody else's change can come in between. Should a COMMIT fail all the same, the error
        says that the outcome is not known.
        """
        with self._versions.changing(numbers), self._transactions(numbers) as connections:
            yield connections

    @contextmanager
    def _transactions(self, numbers: Sequence[int]) -> Iterator[dict[int, duck.Connection]]:
        interruption.go_on()
        connections = {number: self.shard(number) for number in numbers}
        begun: list[int] = []
        try:
            for number, connection in connections.items():
                begun.append(number)  # First: one that is interrupted may have begun.
                duck.execute(connection, "BEGIN")
            yield connections
            if self._before_commit is not None:
                self._before_commit()
            interruption.decide()
            while begun:
                try:
                    duck.execute(connections[begun[-1]], "COMMIT")
                except Error as error:
                    raise _commit_failed(begun, len(connections), error) from None
                begun.pop()
        finally:
            _roll_back([connections[number] for number in begun])

    def close(self) -> None:
        """Close them all, but for those that were given away."""
        for connection in (self.gateway, *self._shards.values()):
            connection.close()
        self._shards.clear()


def _commit_failed(left: list[int], count: int, error: Error) -> Error:
    """The error of a COMMIT that failed on the last of the shards in `left`."""
    if len(left) == count:
        return error
    shards = ", ".join(shard.alias(number) for number in left)
    return OperationalError(
        f"{count - len(left)} of {count} shards have committed, then {shard.alias(left[-1])} failed: {error.message}",
        sqlstate="40003",
        detail=f"Not committed: {shards}.",
        hint="Part of the change is in the database. Look at the rows before you send the statement again.",
        outcome_known=False,
    )


def _roll_back(connections: Sequence[duck.Connection]) -> None:
    """Leave each transaction, whatever becomes of the others; one that DuckDB has already ended counts as left."""
    failure: Error | None = None
    for connection in connections:
        try:
            duck.clean_up(connection, "ROLLBACK")
        except Error as error:
            if error.sqlstate != "25P01":
                failure = failure or error
    if failure is not None:
        raise failure
