"""Calls of PostgreSQL's advisory locks, from text to a value: `SELECT pg_advisory_lock(42)`.

DuckDB has no functions that wait, so such a call is a statement of its own. Its arguments are expressions of any kind.
Leaves to others: the values of the arguments, and what the calls do (`statements/locks.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ..errors import NotSupportedError, ProgrammingError
from .lexer import Kind, Lexeme, matching_parenthesis, significant
from .reader import Piece, Reader


class Scope(Enum):
    """Until when an advisory lock is held."""

    SESSION = "session"
    TRANSACTION = "transaction"


class AdvisoryAction(Enum):
    """What a call of a `pg_advisory_…` function does."""

    LOCK = "lock"
    TRY = "try"
    UNLOCK = "unlock"
    UNLOCK_ALL = "unlock all"


@dataclass(frozen=True, slots=True)
class AdvisoryCall:
    """`SELECT pg_advisory_lock(…)`. arguments: none, one key, or two; column: what the result's column is called."""

    action: AdvisoryAction
    scope: Scope
    shared: bool
    arguments: tuple[Piece, ...]
    column: str


_FUNCTION = re.compile(
    r"pg_(?:(?P<try>try_)?advisory_(?P<xact>xact_)?lock(?P<shared>_shared)?"
    r"|advisory_unlock(?P<of>_shared|_all)?)"
)
_MAY_BE_ADVISORY = re.compile(r"\bpg_(?:try_)?advisory_", re.IGNORECASE)


def may_be_advisory(text: str) -> bool:
    """Whether a text has the name of such a function in it."""
    return _MAY_BE_ADVISORY.search(text) is not None


def parse_advisory(text: str) -> AdvisoryCall | None:
    """`SELECT pg_advisory_lock(42)` and its like; None for a statement that calls none of these functions.

    Raises NotSupportedError for a call anywhere else in a statement, ProgrammingError for a wrong number of arguments.
    """
    if not may_be_advisory(text):
        return None
    lexemes = significant(text)
    calls = [index for index in range(len(lexemes) - 1) if _function_at(lexemes, index) is not None]
    if not calls:
        return None
    call = _whole_statement(text, lexemes, calls[0]) if len(calls) == 1 else None
    if call is None:
        raise NotSupportedError(
            f"{lexemes[calls[0]].identifier}() inside a larger statement is not supported",
            hint=f"Call it alone: SELECT {lexemes[calls[0]].identifier}(…)",
            position=lexemes[calls[0]].start + 1,
        )
    return call


def _function_at(lexemes: list[Lexeme], index: int) -> re.Match[str] | None:
    lexeme = lexemes[index]
    if lexeme.kind not in (Kind.WORD, Kind.QUOTED) or lexemes[index + 1].text != "(":
        return None
    return _FUNCTION.fullmatch(lexeme.identifier.lower())


def _whole_statement(text: str, lexemes: list[Lexeme], at: int) -> AdvisoryCall | None:
    """The call at `at`, if the statement is nothing but SELECT, the call, and a name for its column."""
    found = _function_at(lexemes, at)
    closing = matching_parenthesis(lexemes, at + 1)
    before = [lexeme.identifier.lower() for lexeme in lexemes[:at]]
    if found is None or closing is None or before not in (["select"], ["select", "pg_catalog", "."]):
        return None
    rest = [lexeme for lexeme in lexemes[closing + 1 :] if lexeme.text != ";"]
    if rest and rest[0].upper == "AS":
        rest = rest[1:]
    if len(rest) > 1 or (rest and rest[0].kind not in (Kind.WORD, Kind.QUOTED)):
        return None
    column = rest[0].identifier if rest else lexemes[at].identifier
    arguments = _arguments(text, lexemes[at + 2 : closing])
    action = _action(found)
    if len(arguments) not in ((0,) if action is AdvisoryAction.UNLOCK_ALL else (1, 2)):
        raise ProgrammingError(
            f"{lexemes[at].identifier}() takes "
            + ("no arguments" if action is AdvisoryAction.UNLOCK_ALL else "one BIGINT or two INTEGERs"),
            sqlstate="42883",
            position=lexemes[at].start + 1,
        )
    scope = Scope.TRANSACTION if found["xact"] else Scope.SESSION
    shared = bool(found["shared"]) or found["of"] == "_shared"
    return AdvisoryCall(action, scope, shared, arguments, column)


def _action(found: re.Match[str]) -> AdvisoryAction:
    if "unlock" in found[0]:
        return AdvisoryAction.UNLOCK_ALL if found["of"] == "_all" else AdvisoryAction.UNLOCK
    return AdvisoryAction.TRY if found["try"] else AdvisoryAction.LOCK


def _arguments(text: str, lexemes: list[Lexeme]) -> tuple[Piece, ...]:
    """The expressions between the commas of a call."""
    if not lexemes:
        return ()
    start, end = lexemes[0].start, lexemes[-1].end
    inner = Reader(text[start:end])
    return tuple(
        Piece(piece.text, start + (piece.offset or 0))
        for span in inner.listed(0, inner.end)
        if (piece := inner.piece(*span)) is not None
    )
