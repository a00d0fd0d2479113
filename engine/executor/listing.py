"""Statements about one table that would tell of the gateway's view of it, or of nothing, instead of the table.

DESCRIBE t, SHOW t, also in a subquery                   the table as one of its shards has it, with its keys
PRAGMA table_info('t'), FROM pragma_table_info('t')      the same
PRAGMA storage_info('t'), FROM pragma_storage_info('t')  what all its shards store

Leaves to others: lists of tables, which `user_catalog.py` has right wherever they are read.
"""

from __future__ import annotations

import re

from ..sql.lexer import Kind, Lexeme, significant
from ..sql.names import name_at
from ..sql.sequences import at_gateway_sql
from ..types import quote_identifier, quote_string
from .gateway import HOME, Gateway
from .reading.binding import shard_table

_MENTIONED = re.compile(r"\b(?:desc|describe|show|call|pragma\w*)\b", re.IGNORECASE)
_DESCRIBES = frozenset({"DESCRIBE", "DESC", "SHOW"})
_OF_A_TABLE = {
    "PRAGMA_TABLE_INFO": "pragma_table_info",
    "TABLE_INFO": "table_info",
    "PRAGMA_SHOW": "pragma_show",
}
_STORAGE = frozenset({"STORAGE_INFO", "PRAGMA_STORAGE_INFO"})


def listing_sql(gateway: Gateway, sql: str) -> str | None:
    """The statement for the gateway in the place of one that would show its view; None for every other statement."""
    if _MENTIONED.search(sql) is None:
        return None
    lexemes = significant(sql)
    words = [lexeme.upper for lexeme in lexemes[:3]]
    if words[:1] == ["SHOW"] and words[1:3] == ["TABLES", "FROM"] and len(lexemes) == 4:
        return f"SHOW TABLES FROM {_schema_or_database(gateway, lexemes[3])}"
    pieces: list[str] = []
    position = 0
    for index in range(len(lexemes)):
        found = _described(gateway, lexemes, index) or _asked(gateway, lexemes, index)
        if found is not None:
            start, end, text = found
            pieces += [sql[position:start], text]
            position = end
    return "".join(pieces) + sql[position:] if pieces else None


def _schema_or_database(gateway: Gateway, name: Lexeme) -> str:
    """A schema of this database, or else what DuckDB takes the name for."""
    quoted = quote_identifier(name.identifier)
    return f"{HOME}.{quoted}" if gateway.has_schema(name.identifier) else quoted


def _described(gateway: Gateway, lexemes: list[Lexeme], index: int) -> tuple[int, int, str] | None:
    """The span of `DESCRIBE name`, a statement or a subquery, and the same about its shard."""
    if lexemes[index].upper not in _DESCRIBES or not (index == 0 or lexemes[index - 1].text == "("):
        return None
    start = index + 2 if index + 1 < len(lexemes) and lexemes[index + 1].upper == "TABLE" else index + 1
    found = name_at(lexemes, start)
    if found is None or (found[1] < len(lexemes) and lexemes[found[1]].text != ")"):
        return None
    table = gateway.find_table(found[0])
    if table is None:
        return None
    text = f"DESCRIBE {shard_table(table, 0)}"
    if gateway.catalog.sequences:
        default = at_gateway_sql('"default"')
        text = f'SELECT * REPLACE ({default} AS "default") FROM ({text})'
    return lexemes[index].start, lexemes[found[1] - 1].end, text


def _asked(gateway: Gateway, lexemes: list[Lexeme], index: int) -> tuple[int, int, str] | None:
    """The span of `pragma_table_info('name')` or the like, and what is asked of the shards instead."""
    word = lexemes[index].upper
    if word not in _OF_A_TABLE and word not in _STORAGE:
        return None
    if index + 3 >= len(lexemes) or (lexemes[index + 1].text, lexemes[index + 3].text) != ("(", ")"):
        return None
    name = lexemes[index + 2]
    bare = name.text[1:-1].replace("''", "'") if name.kind is Kind.STRING else name.identifier
    found = name_at(significant(bare), 0)
    table = gateway.find_table(found[0]) if found is not None else None
    if table is None:
        return None
    start, end = lexemes[index].start, lexemes[index + 3].end
    if word in _OF_A_TABLE:
        text = f"{_OF_A_TABLE[word]}({quote_string(shard_table(table, 0))})"
        if not gateway.catalog.sequences or word == "PRAGMA_SHOW":
            return start, end, text
        default = at_gateway_sql("dflt_value")
        text = f"FROM pragma_table_info({quote_string(shard_table(table, 0))})"
        text = f"(SELECT * REPLACE ({default} AS dflt_value) {text})"
        if index > 0 and lexemes[index - 1].upper in ("PRAGMA", "CALL"):
            return lexemes[index - 1].start, end, f"FROM {text}"
        return start, end, text
    shards = [
        f"FROM pragma_storage_info({quote_string(shard_table(table, number))})"
        for number in range(table.strategy.shard_count)
    ]
    union = f"({' UNION ALL '.join(shards)})"
    if index > 0 and lexemes[index - 1].upper in ("PRAGMA", "CALL"):
        return lexemes[index - 1].start, end, f"FROM {union}"
    return start, end, union
