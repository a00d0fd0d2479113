"""A session: one user's statements, one after another.

Promises: a statement either does all it says or raises an `errors.Error` and changes nothing. The result of a statement
stays readable while the next ones run, in bounded memory. A statement runs from its start until its last row was read;
so long it can be cancelled, from any thread, and so long its time counts (`SET statement_timeout`).
Leaves to others: what a statement does (`statements`), how statements arrive (`shell`, `proxy`, `dbapi.py`).
"""

from __future__ import annotations

import time
import weakref
from functools import partial
from typing import TYPE_CHECKING

from .errors import InterfaceError, QueryCanceledError
from .executor.reading.result import BATCH_ROWS, Result, RowSource
from .statements import dispatch, queries
from .statements.context import Context
from .storage import duck
from .storage.interruption import Running
from .types import Parameters

if TYPE_CHECKING:
    from .database import Database
    from .planner.plan import Plan
    from .transactions.transaction import Transaction


class Session:
    """Made by `Database.session()`; used by one thread at a time, but for `cancel`.

    name: unique among the sessions of the database. context: what its statements share; tests set there which ways a
    query may be run.
    """

    def __init__(self, database: Database, name: str = "") -> None:
        self.database = database
        self.name = name
        self.statement = ""
        """The text of the statement that runs, or ran last."""
        self.since = 0.0
        """When it began, in seconds since 1970."""
        self.context = Context(database.gateway, lambda: database.plans, name)
        self._running: Running | None = None
        self._open: weakref.ref[Result] | None = None
        self._open_source: RowSource | None = None
        self._aside: tuple[weakref.ref[Result], ...] = ()
        self._closed = False
        database.gateway.sessions.join(self)

    def execute(self, sql: str, parameters: Parameters = None) -> Result:
        """Run exactly one statement.

        parameters: for `?` and `$1` a sequence, for `$name` a mapping. Raises errors.Error.
        """
        if self._closed:
            raise InterfaceError("the session is closed")
        running = Running(self.context.connections.interrupt, self.context.statement_timeout_s)
        self.context.limits.enter(running)
        self._running = running
        self.statement, self.since = sql, time.time()
        try:
            if self._closed:
                raise InterfaceError("the session was closed meanwhile")
            running.enter()
            if self._open is not None:
                self._set_aside(running)
            result = dispatch.run(self.context, sql, parameters)
        except QueryCanceledError as error:
            running.end()
            # Whoever waits for rows of a shard is told that it was cancelled, but not why.
            raise running.error or error from None
        except BaseException:
            running.end()
            raise
        finally:
            running.leave()
            self.context.limits.leave()
        if result.streaming:
            result.running = running
            self._open, self._open_source = weakref.ref(result), result.source
        else:
            running.end()
        return result

    def plan(self, sql: str, parameters: Parameters = None) -> Plan:
        """Plan a query without running it."""
        from .planner.plan import Plan, Tier

        shard = queries.known_shard(self.context, sql, parameters)
        if shard is not None:
            version = self.context.gateway.catalog.version
            return Plan(Tier.ROUTE, "a known shape of statement", (), version, shard)
        return queries.plan(self.context, sql, parameters)

    def cancel(self) -> None:
        """Stop the statement that is running, if one is; it raises QueryCanceledError."""
        for running in (*(result.running for result in self._set_aside_results()), self._running):
            if running is not None and (running.busy or running is self._running):
                running.cancel()

    @property
    def transaction(self) -> Transaction | None:
        """The transaction that is open, of BEGIN or of the running statement alone."""
        return self.context.connections.transactions.current

    @property
    def is_running(self) -> bool:
        """Whether a statement runs, or its rows are still being read."""
        running, result = self._running, self._open() if self._open is not None else None
        return (running is not None and running.busy) or (result is not None and result.streaming)

    def end_transaction(self, error: QueryCanceledError) -> None:
        """Undo the open transaction as soon as may be; the session then gets this error until it rolls back."""
        transaction = self.transaction
        if transaction is not None:
            self.context.limits.end(transaction, error)

    def close(self) -> None:
        """End the session: what it runs in another thread is cancelled. Closing twice is fine."""
        if not self._closed:
            self._closed = True
            self.context.limits.close(self.cancel)
            result = self._open() if self._open is not None else None
            for left in (result, *self._set_aside_results()):
                if left is not None:
                    left.close()
            self.context.connections.close()
            self.context.gateway.sessions.leave(self)
            self.context.connections.transactions.shared.locks.release_all(self.name)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def _set_aside(self, running: Running) -> None:
        """See to it that the open result of the statement before needs no connection of the session any more.

        A few rows are kept in memory. Otherwise the result keeps its connection and the session takes a new one or,
        where something was made on the old one that no other connection knows, the rows are moved into a file.
        """
        result, source = self._open() if self._open is not None else None, self._open_source
        self._open = self._open_source = None
        if result is None:
            if isinstance(source, duck.Connection):
                duck.abandon(source)  # Nobody can ask for its rows.
        elif result.keep(BATCH_ROWS):
            pass
        elif self.context.has_own_state or self.transaction is not None:
            from .executor.reading.spilled import SpilledRows

            result.move(partial(SpilledRows, directory=self.context.gateway.scratch.path))
        else:
            result.take(self.context.connections.give_away(source))
            self._aside = (*map(weakref.ref, self._set_aside_results()), weakref.ref(result))
        if running.error is not None:
            raise running.error  # What was cancelled is the statement that needs the connection.

    def _set_aside_results(self) -> list[Result]:
        """The results that wait on connections of their own and still have rows to give."""
        found = (result() for result in self._aside)
        return [result for result in found if result is not None and result.streaming]

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
