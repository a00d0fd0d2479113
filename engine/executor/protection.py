"""What statements may not touch: the schema of the system tables, and the databases that are the shards."""

from __future__ import annotations

import re
from pathlib import PurePath

from ..errors import ProgrammingError
from ..sql.classify import Classified, StatementKind
from ..sql.lexer import Kind, Lexeme, significant
from ..sql.names import name_at
from .own_settings import OWN
from .system import SCHEMA
from .user_catalog import FUNCTIONS

_READING = frozenset(
    {
        StatementKind.QUERY,
        StatementKind.EXPLAIN,
        StatementKind.EXPLAIN_ROUTE,
        StatementKind.SHOW_CATALOG,
        StatementKind.COPY_TO,
        StatementKind.ADVISORY,
        StatementKind.ROW_LOCKS,
        StatementKind.LOCK,
        StatementKind.KILL,
        StatementKind.TRANSACTION,
        StatementKind.EMPTY,
    }
)
_BY_NAME = frozenset({StatementKind.DROP, StatementKind.ALTER, StatementKind.COMMENT})
"""Statements that would find, by a bare name, the macros that stand in front of DuckDB's catalog functions."""

_SHARD = re.compile(r"(?:__)?duckraft_", re.IGNORECASE)
_BEFORE_TARGET = frozenset(
    [
        "INSERT",
        "OR",
        "REPLACE",
        "IGNORE",
        "INTO",
        "UPDATE",
        "DELETE",
        "FROM",
        "TRUNCATE",
        "COPY",
        "MERGE",
        "CREATE",
        "TEMP",
        "TEMPORARY",
        "PERSISTENT",
        "DROP",
        "ALTER",
        "TABLE",
        "VIEW",
        "MACRO",
        "FUNCTION",
        "TYPE",
        "SCHEMA",
        "SEQUENCE",
        "INDEX",
        "IF",
        "NOT",
        "EXISTS",
        "COMMENT",
        "ON",
        "COLUMN",
    ]
)


def check_target(sql: str, classified: Classified) -> None:
    """Raise ProgrammingError if a statement would change what is duckraft's own."""
    if classified.kind in _READING:
        return
    lexemes = significant(sql)
    for lexeme in lexemes:
        name = lexeme.identifier if lexeme.kind in (Kind.WORD, Kind.QUOTED) else ""
        if (_SHARD.match(name) and name.lower() not in OWN) or (
            classified.kind is StatementKind.ATTACHMENT and name.lower() == SCHEMA
        ):
            raise _refused(lexeme)
        if (
            classified.kind is StatementKind.ATTACHMENT
            and lexeme.kind is Kind.STRING
            and not any(other.upper == "AS" for other in lexemes)
            and _SHARD.match(PurePath(lexeme.text[1:-1]).name)
        ):
            # DuckDB would call the database as the file is called.
            raise _refused(lexeme)
    first = _start_of_target(lexemes, 0)
    found = name_at(lexemes, first)
    if found is None:
        return
    if classified.kind in _BY_NAME and len(found[0]) == 1 and found[0][0].lower() in FUNCTIONS:
        raise _refused(lexemes[first])
    parts = found[0] if classified.object_kind == "SCHEMA" else found[0][:-1]
    if SCHEMA in (part.lower() for part in parts):
        raise _refused(lexemes[first])


def target_of(sql: str) -> tuple[str, ...] | None:
    """The parts of the name of what a change, or a statement that defines something, is about."""
    lexemes = significant(sql)
    start = 0
    if lexemes and lexemes[0].upper == "WITH":
        depth = 0
        for index, lexeme in enumerate(lexemes):
            depth += {"(": 1, ")": -1}.get(lexeme.text, 0)
            if depth == 0 and lexeme.upper in ("INSERT", "UPDATE", "DELETE", "MERGE"):
                start = index
                break
    found = name_at(lexemes, _start_of_target(lexemes, start))
    return found[0] if found is not None else None


def _start_of_target(lexemes: list[Lexeme], start: int) -> int:
    while start < len(lexemes) and lexemes[start].upper in _BEFORE_TARGET:
        start += 1
    return start


def _refused(lexeme: Lexeme) -> ProgrammingError:
    return ProgrammingError(
        f'"{lexeme.identifier}" belongs to duckraft itself and cannot be changed',
        sqlstate="42501",
        hint="The system tables can be read; shards are changed through their tables.",
        position=lexeme.start + 1,
    )
