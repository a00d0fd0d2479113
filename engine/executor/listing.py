"""Statements that list what there is, and would show the shards where the user has tables.

DESCRIBE t, SHOW t, PRAGMA table_info('t')            a table as one of its shards has it, with its keys
SHOW ALL TABLES, SHOW DATABASES and their PRAGMAs     without the databases that are shards
"""

from __future__ import annotations

from ..sql.lexer import Kind, Lexeme, significant
from ..sql.names import name_at
from ..types import quote_identifier, quote_string
from .binding import shard_table
from .gateway import HOME, Gateway
from .system import SCHEMA

_LISTS = {
    ("SHOW", "ALL", "TABLES"): "SHOW ALL TABLES",
    ("PRAGMA", "SHOW_TABLES_EXPANDED"): "SHOW ALL TABLES",
    ("SHOW", "DATABASES"): "SHOW DATABASES",
    ("PRAGMA", "SHOW_DATABASES"): "SHOW DATABASES",
    ("PRAGMA", "DATABASE_LIST"): "PRAGMA database_list",
}
_QUERIES = {
    "SHOW ALL TABLES": "FROM (SHOW ALL TABLES) WHERE NOT starts_with(database, 'duckraft_')"
    f" AND NOT (database = 'memory' AND schema = '{SCHEMA}')",
    "SHOW DATABASES": "FROM (SHOW DATABASES) WHERE NOT starts_with(database_name, 'duckraft_')",
    "PRAGMA database_list": "SELECT database_oid AS seq, database_name AS name, path AS file FROM duckdb_databases()"
    " WHERE NOT internal AND NOT starts_with(database_name, 'duckraft_')",
}


def listing_sql(gateway: Gateway, sql: str) -> str | None:
    """The statement for the gateway in the place of one that would show shards; None for every other statement."""
    lexemes = significant(sql)
    words = tuple(lexeme.upper for lexeme in lexemes[:4])
    if words in _LISTS:
        return _QUERIES[_LISTS[words]]
    if words[:2] == ("SHOW", "TABLES") and words[2:3] in (("FROM",), ("IN",)) and len(lexemes) == 4:
        return f"SHOW TABLES FROM {HOME}.{quote_identifier(lexemes[3].identifier)}"
    if words[:1] == ("PRAGMA",):
        table = gateway.find_table(_named_in_pragma(lexemes))
        return None if table is None else f"PRAGMA table_info({quote_string(shard_table(table, 0))})"
    start = 2 if words[1:2] == ("TABLE",) else 1
    found = name_at(lexemes, start) if words[:1] in (("DESCRIBE",), ("DESC",), ("SHOW",)) else None
    table = gateway.find_table(found[0]) if found is not None and found[1] == len(lexemes) else None
    return None if table is None else f"DESCRIBE {shard_table(table, 0)}"


def _named_in_pragma(lexemes: list[Lexeme]) -> tuple[str, ...]:
    """The name in `PRAGMA table_info('name')`; an empty one for every other PRAGMA."""
    if [lexeme.upper for lexeme in lexemes[1:2]] != ["TABLE_INFO"] or len(lexemes) != 5:
        return ("",)
    name = lexemes[3]
    bare = name.text[1:-1].replace("''", "'") if name.kind is Kind.STRING else name.identifier
    found = name_at(significant(bare), 0)
    return found[0] if found is not None else ("",)
