"""What tests of several sessions share: statements that run beside those of the test, and waiting for what comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.types import Row

_LONGEST_S = 20.0


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what must become so; an assertion fails if it does not."""
    ends_at = time.monotonic() + _LONGEST_S
    while not is_so():
        assert time.monotonic() < ends_at, "it has not come"
        time.sleep(0.002)


class Beside:
    """A session of its own in which a thread runs statements, one after the other, until one raises."""

    def __init__(self, database: Database, *statements: str) -> None:
        self.session = database.session()
        self._statements = statements
        self._rows: list[Row] = []
        self._error: Error | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self.session.cancel()
        self._thread.join()
        self.session.close()

    @property
    def is_done(self) -> bool:
        """Whether all have run."""
        return not self._thread.is_alive()

    def rows(self) -> list[Row]:
        """Those of the last statement, when it has ended."""
        self._join()
        assert self._error is None, self._error
        return self._rows

    def error(self) -> Error:
        """The error that ended it."""
        self._join()
        assert self._error is not None, "no statement has failed"
        return self._error

    def _join(self) -> None:
        self._thread.join(_LONGEST_S)
        assert not self._thread.is_alive(), "it still runs"

    def _run(self) -> None:
        try:
            for sql in self._statements:
                result = self.session.execute(sql)
                self._rows = result.fetchall() if result.columns else []
        except Error as error:
            self._error = error
