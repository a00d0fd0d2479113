"""The one way in: a database, opened from a directory or made in memory, and its sessions."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InterfaceError
from .executor.gateway import Gateway
from .session import Session

if TYPE_CHECKING:
    from .catalog.model import Catalog
    from .planner.cache import PlanCache


class Database:
    """A sharded database embedded in this process. Also a context manager."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._plans: PlanCache | None = None
        self._sessions: list[Session] = []
        self._count = 0
        self._closed = False
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        *,
        shards: int | None = None,
        threads: int | None = None,
        memory_limit: str | None = None,
    ) -> Database:
        """Open the database in the directory `path`, making a new one where there is none; None keeps it in memory.

        shards: how many a new table gets when it does not say; kept in the database until another number is given, 4 at
        first. threads, memory_limit: for the DuckDB instance, such as 2 and '4GB'. Raises DirectoryInUseError,
        CatalogFileError, MissingShardFileError or another OperationalError, each naming the file and what to do;
        ProgrammingError for arguments that cannot be.
        """
        return cls(Gateway.open(Path(path) if path is not None else None, shards, threads, memory_limit))

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self.gateway.catalog

    @property
    def plans(self) -> PlanCache:
        """The plan cache that the sessions share."""
        if self._plans is None:
            from .planner.cache import PlanCache

            self._plans = PlanCache()
        return self._plans

    def session(self) -> Session:
        """A new session."""
        with self._lock:
            if self._closed:
                raise InterfaceError("the database is closed")
            self._count += 1
            session = Session(self, f"s{self._count}")
            self._sessions = [known for known in self._sessions if not known.closed]
            self._sessions.append(session)
            return session

    def close(self) -> None:
        """Close the sessions, write everything to the shard files, give the directory up. Closing twice is fine."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for session in self._sessions:
                    session.cancel()  # Before the first is closed, which may be what others wait for.
                for session in self._sessions:
                    session.close()
                self.gateway.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
