"""Locks in SQL, from text to a value: LOCK and UNLOCK, KILL, and SELECT … FOR UPDATE.

Promises: a locking clause is cut off so that what remains is the user's own text, each character at its place; what
is misspelt is a ProgrammingError at its place. What looks like a locking clause and is none (a column named `share` in
`substring(x FOR share)`) is left alone.
Leaves to others: `pg_advisory_lock()` and its like (`advisory.py`), what the statements do (`statements/locks.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ..errors import NotSupportedError, ProgrammingError
from .durations import milliseconds
from .lexer import Kind
from .names import name_at
from .reader import Reader
from .words import Words


class Wait(StrEnum):
    """What to do about a lock that another holds: wait for it, raise 55P03, or do without the row."""

    WAIT = "wait"
    NOWAIT = "nowait"
    SKIP = "skip"


class TableMode(StrEnum):
    """The modes of LOCK TABLE, which are PostgreSQL's."""

    ACCESS_SHARE = "ACCESS SHARE"
    ROW_SHARE = "ROW SHARE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    EXCLUSIVE = "EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"


@dataclass(frozen=True, slots=True)
class RowLock:
    """One locking clause. shared: FOR SHARE, FOR KEY SHARE. tables: behind OF, aliases or names; none for all.

    position: where FOR stands, from 1.
    """

    shared: bool
    tables: tuple[str, ...]
    wait: Wait
    position: int


@dataclass(frozen=True, slots=True)
class LockingSelect:
    """A SELECT whose locking clauses were cut off. sql: the rest, with blanks in their place."""

    sql: str
    locks: tuple[RowLock, ...]


@dataclass(frozen=True, slots=True)
class LockResource:
    """LOCK RESOURCE 'name'. timeout_ms: None for the session's lock_timeout, 0 for as long as it takes."""

    name: str
    shared: bool
    nowait: bool
    timeout_ms: int | None


@dataclass(frozen=True, slots=True)
class UnlockResource:
    """UNLOCK RESOURCE 'name'."""

    name: str


@dataclass(frozen=True, slots=True)
class LockTable:
    """LOCK [TABLE] names. positions: where each name stands, from 1."""

    tables: tuple[tuple[str, ...], ...]
    positions: tuple[int, ...]
    mode: TableMode
    nowait: bool


@dataclass(frozen=True, slots=True)
class Kill:
    """KILL QUERY 'id': the statement that runs in that transaction or session; KILL TRANSACTION 'id': all of it."""

    identifier: str
    transaction: bool


LockStatement = LockResource | UnlockResource | LockTable

_LOCK_USAGE = (
    "LOCK RESOURCE 'name' [SHARED] [NOWAIT | TIMEOUT '5s'], UNLOCK RESOURCE 'name',"
    " or LOCK [TABLE] name [, …] [IN mode MODE] [NOWAIT]"
)
_STRENGTHS = (("UPDATE",), ("NO", "KEY", "UPDATE"), ("SHARE",), ("KEY", "SHARE"))
_FOR = re.compile(r"\bfor\b", re.IGNORECASE)
_STRENGTH = re.compile(r"\b(?:update|share)\b", re.IGNORECASE)
_QUERY_WORDS = frozenset({"SELECT", "WITH", "FROM", "TABLE", "VALUES"})


def parse_lock(text: str) -> LockStatement:
    """The statement in `text`, which begins with LOCK or UNLOCK. Raises ProgrammingError."""
    words = Words(text, _LOCK_USAGE)
    verb = words.name().upper()
    statement: LockStatement
    if verb == "UNLOCK":
        words.expect("RESOURCE")
        statement = UnlockResource(words.string())
    elif _names_resource(words):
        statement = _lock_resource(words)
    else:
        statement = _lock_table(words)
    words.finish()
    return statement


def parse_kill(text: str) -> Kill:
    """The statement in `text`, which begins with KILL. Raises ProgrammingError."""
    words = Words(text, "KILL QUERY 'id' or KILL TRANSACTION 'id', with an id of SHOW TRANSACTIONS")
    words.expect("KILL")
    what = words.take_one("QUERY", "TRANSACTION")
    if what is None:
        raise words.error()
    identifier = words.string()
    words.finish()
    return Kill(identifier, what == "TRANSACTION")


def may_lock_rows(text: str) -> bool:
    """Whether a text may have a locking clause."""
    return _STRENGTH.search(text) is not None and _FOR.search(text) is not None


def parse_row_locks(text: str) -> LockingSelect | None:
    """A query with its locking clauses cut off; None if it has none.

    Raises ProgrammingError, and NotSupportedError for a clause in a subquery.
    """
    if not may_lock_rows(text):
        return None
    reader = Reader(text)
    locks: list[RowLock] = []
    spans: list[tuple[int, int]] = []
    index = 0
    while index < reader.end:
        behind = _behind_strength(reader, index)
        if behind is None or (reader.depths[index] > 0 and not _in_query(reader, index)):
            index += 1
            continue
        if reader.depths[index] > 0:
            raise NotSupportedError(
                f"{_strength(reader, index, behind)} in a subquery is not supported",
                hint="Put it at the end of the whole statement.",
                position=reader.lexemes[index].start + 1,
            )
        lock, index_after = _row_lock(reader, index, behind)
        locks.append(lock)
        spans.append((reader.lexemes[index].start, reader.lexemes[index_after - 1].end))
        index = index_after
    return LockingSelect(_blanked(text, spans), tuple(locks)) if locks else None


def without_row_locks(text: str) -> str:
    """A query with blanks in the place of its locking clauses. Raises what `parse_row_locks` raises."""
    found = parse_row_locks(text)
    return text if found is None else found.sql


def _behind_strength(reader: Reader, index: int) -> int | None:
    """The index behind `FOR UPDATE` or the like at `index`; None if nothing of the kind stands there."""
    if reader.word(index) != "FOR":
        return None
    for words in _STRENGTHS:
        behind = index + 1 + len(words)
        if tuple(reader.word(at) for at in range(index + 1, behind)) == words:
            return None if reader.word(behind) == "IN" else behind
    return None


def _in_query(reader: Reader, index: int) -> bool:
    """Whether the innermost bracket around `index` begins with a query."""
    depth = reader.depths[index]
    opening = next((at for at in range(index - 1, -1, -1) if reader.depths[at] < depth), 0)
    return reader.word(opening + 1) in _QUERY_WORDS or reader.symbol(opening + 1) == "("


def _strength(reader: Reader, index: int, behind: int) -> str:
    return " ".join(reader.word(at) for at in range(index, behind))


def _row_lock(reader: Reader, start: int, behind: int) -> tuple[RowLock, int]:
    """The locking clause at `start`, whose strength ends before `behind`, and the index behind all of it."""
    shared = reader.word(behind - 1) == "SHARE"
    position = reader.lexemes[start].start + 1
    index = behind
    tables: list[str] = []
    if reader.word(index) == "OF":
        while not tables or reader.symbol(index) == ",":
            found = name_at(reader.lexemes, index + 1)
            if found is None or len(found[0]) != 1:
                at = reader.lexemes[min(index + 1, reader.end - 1)]
                raise ProgrammingError(
                    "FOR UPDATE OF takes names of tables of the FROM, without their schemas",
                    sqlstate="42601",
                    position=at.start + 1,
                )
            tables.append(found[0][0])
            index = found[1]
    wait = Wait.WAIT
    if reader.word(index) == "NOWAIT":
        wait, index = Wait.NOWAIT, index + 1
    elif (reader.word(index), reader.word(index + 1)) == ("SKIP", "LOCKED"):
        wait, index = Wait.SKIP, index + 2
    return RowLock(shared, tuple(tables), wait, position), index


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with blanks over these spans, so that all else stays where it was."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _names_resource(words: Words) -> bool:
    """Whether LOCK is followed by `RESOURCE 'name'`, not by a table that happens to be called so."""
    ahead = words.lexemes[words.index : words.index + 2]
    return bool(ahead) and ahead[0].upper == "RESOURCE" and (len(ahead) == 1 or ahead[1].kind is Kind.STRING)


def _lock_resource(words: Words) -> LockResource:
    words.expect("RESOURCE")
    name = words.string()
    shared = words.take("SHARED")
    nowait = words.take("NOWAIT")
    timeout_ms = None
    if not nowait and words.take("TIMEOUT"):
        timeout_ms = _timeout(words)
    return LockResource(name, shared, nowait, timeout_ms)


def _timeout(words: Words) -> int:
    lexeme = words.next
    if lexeme is not None and lexeme.kind is Kind.NUMBER:
        words.index += 1
        return milliseconds(lexeme.text, "TIMEOUT")
    return milliseconds(words.string(), "TIMEOUT")


def _lock_table(words: Words) -> LockTable:
    words.take("TABLE")
    tables: list[tuple[str, ...]] = []
    positions: list[int] = []
    while not tables or words.take(","):
        positions.append(words.position)
        tables.append(words.qualified_name())
    mode = TableMode.ACCESS_EXCLUSIVE
    if words.take("IN"):
        # The longest first: SHARE is the beginning of SHARE UPDATE EXCLUSIVE.
        for mode in sorted(TableMode, key=len, reverse=True):
            if words.take(*mode.split()):
                break
        else:
            raise words.error()
        words.expect("MODE")
    nowait = words.take("NOWAIT")
    return LockTable(tuple(tables), tuple(positions), mode, nowait)
