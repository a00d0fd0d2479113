"""Statements of transactions, from text to a value: BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, SET TRANSACTION.

They are written as in PostgreSQL and DuckDB: WORK and TRANSACTION are noise, modes may be separated by commas.
Promises: what is misspelt is a ProgrammingError at its place; what PostgreSQL knows and duckraft does not (transactions
prepared by name) is a NotSupportedError that says so.
Leaves to others: what the statements do (`statements/transactions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ..errors import NotSupportedError, ProgrammingError
from .words import Words


class Isolation(StrEnum):
    """What a transaction may see of others that run beside it, from the weakest to the strongest level.

    READ_UNCOMMITTED is served as READ_COMMITTED.
    """

    READ_UNCOMMITTED = "read uncommitted"
    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"


@dataclass(frozen=True, slots=True)
class Modes:
    """How a transaction shall run; None where the statement leaves it to the session's default."""

    isolation: Isolation | None = None
    read_only: bool | None = None
    deferrable: bool | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """BEGIN, START TRANSACTION."""

    modes: Modes


@dataclass(frozen=True, slots=True)
class Commit:
    """COMMIT, END. chain: a transaction of the same modes begins at once."""

    chain: bool


@dataclass(frozen=True, slots=True)
class Rollback:
    """ROLLBACK, ABORT. chain: a transaction of the same modes begins at once."""

    chain: bool


@dataclass(frozen=True, slots=True)
class Savepoint:
    """SAVEPOINT name. Names of savepoints are folded, as all names are."""

    name: str


@dataclass(frozen=True, slots=True)
class Release:
    """RELEASE [SAVEPOINT] name."""

    name: str


@dataclass(frozen=True, slots=True)
class RollbackTo:
    """ROLLBACK TO [SAVEPOINT] name."""

    name: str


@dataclass(frozen=True, slots=True)
class SetTransaction:
    """SET TRANSACTION modes: of the transaction that is open."""

    modes: Modes


@dataclass(frozen=True, slots=True)
class SetSession:
    """SET SESSION CHARACTERISTICS AS TRANSACTION modes: of those that the session begins from now on."""

    modes: Modes


TransactionStatement = (
    Begin | Commit | Rollback | Savepoint | Release | RollbackTo | SetTransaction | SetSession
)

_MODES = (
    "The modes are ISOLATION LEVEL READ UNCOMMITTED | READ COMMITTED | REPEATABLE READ | SERIALIZABLE,"
    " READ ONLY, READ WRITE, [NOT] DEFERRABLE."
)
_USAGE = {
    "BEGIN": f"BEGIN [TRANSACTION] [mode, …]. {_MODES}",
    "START": f"START TRANSACTION [mode, …]. {_MODES}",
    "SET": f"SET TRANSACTION mode, …, or SET SESSION CHARACTERISTICS AS TRANSACTION mode, …. {_MODES}",
    "COMMIT": "COMMIT [TRANSACTION] [AND [NO] CHAIN]",
    "END": "END [TRANSACTION] [AND [NO] CHAIN]",
    "ROLLBACK": "ROLLBACK [TRANSACTION] [AND [NO] CHAIN], or ROLLBACK TO [SAVEPOINT] name",
    "ABORT": "ABORT [TRANSACTION] [AND [NO] CHAIN]",
    "SAVEPOINT": "SAVEPOINT name",
    "RELEASE": "RELEASE [SAVEPOINT] name",
}
_LEVELS = {
    ("READ", "UNCOMMITTED"): Isolation.READ_UNCOMMITTED,
    ("READ", "COMMITTED"): Isolation.READ_COMMITTED,
    ("REPEATABLE", "READ"): Isolation.REPEATABLE_READ,
    ("SNAPSHOT",): Isolation.REPEATABLE_READ,
    ("SERIALIZABLE",): Isolation.SERIALIZABLE,
}


def parse_transaction(text: str) -> TransactionStatement:
    """The statement in `text`, whose kind is TRANSACTION. Raises ProgrammingError, NotSupportedError."""
    words = Words(text, "")
    verb = words.name().upper()
    words.usage = _USAGE.get(verb, "")
    if verb == "PREPARE" or (verb in ("COMMIT", "ROLLBACK") and words.take("PREPARED")):
        raise _prepared_by_name()
    statement = _statement(verb, words)
    words.finish()
    return statement


def _statement(verb: str, words: Words) -> TransactionStatement:
    match verb:
        case "BEGIN":
            words.take_one("TRANSACTION", "WORK")
            return Begin(_modes(words))
        case "START":
            words.expect("TRANSACTION")
            return Begin(_modes(words))
        case "SET":
            return _set(words)
        case "SAVEPOINT":
            return Savepoint(words.name().lower())
        case "RELEASE":
            words.take("SAVEPOINT")
            return Release(words.name().lower())
        case "COMMIT" | "END":
            words.take_one("TRANSACTION", "WORK")
            return Commit(_chain(words))
        case "ROLLBACK" | "ABORT":
            words.take_one("TRANSACTION", "WORK")
            if verb == "ROLLBACK" and words.take("TO"):
                words.take("SAVEPOINT")
                return RollbackTo(words.name().lower())
            return Rollback(_chain(words))
        case _:
            words.index = 0
            raise words.error()


def isolation_level(value: str) -> Isolation | None:
    """The level that a text such as `repeatable read` names; None if it names none."""
    return _LEVELS.get(tuple(value.upper().split()))


def _set(words: Words) -> SetTransaction | SetSession:
    session = words.take("SESSION", "CHARACTERISTICS")
    if session:
        words.expect("AS")
    words.expect("TRANSACTION")
    if words.at_end:
        raise words.error()
    modes = _modes(words)
    return SetSession(modes) if session else SetTransaction(modes)


def _modes(words: Words) -> Modes:
    """The modes up to the end; each once."""
    modes = Modes()
    seen: set[str] = set()
    while not words.at_end:
        position = words.position
        subject, modes = _with_mode(modes, words)
        if subject in seen:
            raise ProgrammingError(
                "conflicting or redundant options", sqlstate="42601", position=position, hint=_MODES
            )
        seen.add(subject)
        if words.take(",") and words.at_end:
            raise words.error()
    return modes


def _with_mode(modes: Modes, words: Words) -> tuple[str, Modes]:
    """The next mode: what it is about, and the modes with it."""
    if words.take("ISOLATION"):
        words.expect("LEVEL")
        return "isolation", replace(modes, isolation=_level(words))
    if words.take("READ"):
        return "access", replace(modes, read_only=_one_of(words, "ONLY", "WRITE") == "ONLY")
    deferrable = not words.take("NOT")
    words.expect("DEFERRABLE")
    return "deferrable", replace(modes, deferrable=deferrable)


def _level(words: Words) -> Isolation:
    for names, level in _LEVELS.items():
        if words.take(*names):
            return level
    raise words.error()


def _one_of(words: Words, *allowed: str) -> str:
    found = words.take_one(*allowed)
    if found is None:
        raise words.error()
    return found


def _chain(words: Words) -> bool:
    if not words.take("AND"):
        return False
    wanted = not words.take("NO")
    words.expect("CHAIN")
    return wanted


def _prepared_by_name() -> NotSupportedError:
    return NotSupportedError(
        "transactions prepared by name are not supported",
        hint="COMMIT commits on all shards, by a two-phase commit of duckraft's own where it takes one.",
    )
