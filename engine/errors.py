"""Every error duckraft raises, and what may be done about each.

Promises: each error carries an SQLSTATE, and where they help a hint, a position in the statement (counted in
characters from 1), and a detail; `retryable` says whether the same statement may succeed when it is sent again
unchanged; `outcome_known` is False only when a write may or may not have happened.
The classes follow DB-API 2.0 (PEP 249), so that Python programs can catch the standard names.
Leaves to others: turning DuckDB's exceptions into these (`storage/duck.py`), printing them (`shell`, `proxy`).
"""

from __future__ import annotations


class Warning(Exception):  # noqa: A001  (the name is fixed by DB-API 2.0)
    """DB-API 2.0: an important warning, such as data truncation while inserting."""


class Error(Exception):
    """Base of every error that duckraft raises on purpose.

    message: one or more lines for a person, without trailing newline.
    sqlstate: five characters of the SQL standard or of PostgreSQL's appendix A.
    hint: what to do about it. detail: more about what happened. position: 1-based character offset
    into the statement that was given. retryable: sending the same statement again may succeed.
    outcome_known: False if the effect of the statement is unknown.
    """

    sqlstate = "XX000"
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        hint: str | None = None,
        detail: str | None = None,
        position: int | None = None,
        retryable: bool | None = None,
        outcome_known: bool = True,
    ) -> None:
        super().__init__(message)
        self.message = message
        if sqlstate is not None:
            self.sqlstate = sqlstate
        if retryable is not None:
            self.retryable = retryable
        self.hint = hint
        self.detail = detail
        self.position = position
        self.outcome_known = outcome_known

    def __str__(self) -> str:
        return self.message


class InterfaceError(Error):
    """The caller used the Python interface wrongly, such as a cursor that is closed."""

    sqlstate = "08000"


class DatabaseError(Error):
    """Anything that went wrong in the database."""


class DataError(DatabaseError):
    """A value does not fit: out of range, not convertible, division by zero."""

    sqlstate = "22000"


class OperationalError(DatabaseError):
    """The environment failed: files, memory, a cancelled statement, a directory in use."""

    sqlstate = "58000"


class IntegrityError(DatabaseError):
    """A constraint of the schema would not hold."""

    sqlstate = "23000"


class InternalError(DatabaseError):
    """Something that must hold in duckraft does not: a bug, never the user's fault."""

    sqlstate = "XX000"


class ProgrammingError(DatabaseError):
    """The statement is wrong: syntax, an unknown name, wrong types."""

    sqlstate = "42000"


class NotSupportedError(DatabaseError):
    """duckraft does not do this, and says what to do in its place."""

    sqlstate = "0A000"


class NoShardError(IntegrityError):
    """A row has no shard: its key is outside every range, or in no directory entry, and there is no default."""

    sqlstate = "23514"


class CatalogFileError(OperationalError):
    """The catalog file is damaged, newer than this program, or at odds with the files beside it."""

    sqlstate = "XX001"


class DirectoryInUseError(OperationalError):
    """Another process holds the data directory."""

    sqlstate = "55006"
    retryable = True


class MissingShardFileError(OperationalError):
    """The catalog names a shard file that is not there."""

    sqlstate = "58P01"


class LogDamagedError(OperationalError):
    """A shard's log is damaged, incomplete, newer than this program, or another shard's."""

    sqlstate = "XX001"


class LogFailedError(OperationalError):
    """A shard's log could not be made durable, and takes nothing more until the database is opened again."""

    sqlstate = "58030"


class QueryCanceledError(OperationalError):
    """The statement was cancelled by its user or by a timeout."""

    sqlstate = "57014"


class LockTimeoutError(OperationalError):
    """A lock was not to be had: in the time of `lock_timeout`, or at once for NOWAIT."""

    sqlstate = "55P03"
    retryable = True


class SerializationError(OperationalError):
    """The transaction cannot go on as if it ran alone; the whole of it may succeed when it is sent again."""

    sqlstate = "40001"
    retryable = True


class DeadlockError(OperationalError):
    """Transactions waited for each other, and this one was chosen to give way. It may be sent again."""

    sqlstate = "40P01"
    retryable = True


def invariant(condition: object, message: str) -> None:
    """Raise InternalError unless `condition` is true. Unlike `assert`, `python -O` does not strip it."""
    if not condition:
        raise InternalError(
            f"invariant broken: {message}", hint="This is a bug in duckraft. Please report it."
        )
