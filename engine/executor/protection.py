"""What statements may not touch: the schema of the system tables, and the databases that are the shards."""

from __future__ import annotations

import re

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
    first = next(
        (at for at, lexeme in enumerate(lexemes) if lexeme.upper not in _BEFORE_TARGET), len(lexemes)
    )
    found = name_at(lexemes, first)
    if found is None:
        return
    if classified.kind in _BY_NAME and len(found[0]) == 1 and found[0][0].lower() in FUNCTIONS:
        raise _refused(lexemes[first])
    parts = found[0] if classified.object_kind == "SCHEMA" else found[0][:-1]
    if SCHEMA in (part.lower() for part in parts):
        raise _refused(lexemes[first])


def _refused(lexeme: Lexeme) -> ProgrammingError:
    return ProgrammingError(
        f'"{lexeme.identifier}" belongs to duckraft itself and cannot be changed',
        sqlstate="42501",
        hint="The system tables can be read; shards are changed through their tables.",
        position=lexeme.start + 1,
    )
