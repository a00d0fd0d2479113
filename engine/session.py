"""A session: one user's statements, one after another.

Promises: a statement either does all it says or raises an `errors.Error` and changes nothing. The result of a statement
stays readable while the next one runs. `cancel` may be called from any thread.
Leaves to others: what a statement does (`statements`), how statements arrive (`shell`, `proxy`, `dbapi.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InterfaceError
from .executor.result import Result
from .statements import dispatch, queries
from .statements.context import Context
from .types import Parameters

if TYPE_CHECKING:
    from .database import Database
    from .planner.plan import Plan


class Session:
    """Made by `Database.session()`; used by one thread at a time, but for `cancel`.

    context: what its statements share; tests set there which ways a query may be run.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.context = Context(database.gateway, lambda: database.plans)
        self._open_result: Result | None = None
        self._closed = False

    def execute(self, sql: str, parameters: Parameters = None) -> Result:
        """Run exactly one statement.

        parameters: for `?` and `$1` a sequence, for `$name` a mapping. Raises errors.Error.
        """
        if self._closed:
            raise InterfaceError("the session is closed")
        if self._open_result is not None:
            self._open_result.detach()
            self._open_result = None
        result = dispatch.run(self.context, sql, parameters)
        if result.streaming:
            self._open_result = result
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
        self.context.connections.interrupt()

    def close(self) -> None:
        """End the session. Closing twice is fine."""
        if not self._closed:
            self._closed = True
            if self._open_result is not None:
                self._open_result.close()
            self.context.connections.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
