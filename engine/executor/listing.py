"""Statements that list what there is, and would show the shards where the user has tables.

DESCRIBE t, SHOW t, PRAGMA table_info('t')            a table as one of its shards has it, with its keys
SHOW ALL TABLES, SHOW DATABASES and their PRAGMAs     without the databases that are shards
"""

from __future__ import annotations

from ..catalog.model import Table
from ..sql.lexer import Kind, Lexeme, significant
from ..sql.names import name_at
from .gateway import Gateway
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


def list_query(sql: str) -> str | None:
    """The query in the place of a statement that would list the shards; None for every other statement."""
    words = tuple(lexeme.upper for lexeme in significant(sql)[:4])
    return _QUERIES[_LISTS[words]] if words in _LISTS else None


def described_table(gateway: Gateway, sql: str) -> Table | None:
    """The table of the catalog that a statement describes; None if it does something else."""
    lexemes = significant(sql)
    first = lexemes[0].upper if lexemes else ""
    if first == "PRAGMA":
        name = _named_in_pragma(lexemes)
        return gateway.find_table(name) if name is not None else None
    start = 2 if [lexeme.upper for lexeme in lexemes[1:2]] == ["TABLE"] else 1
    found = name_at(lexemes, start) if first in ("DESCRIBE", "DESC", "SHOW") else None
    return gateway.find_table(found[0]) if found is not None and found[1] == len(lexemes) else None


def _named_in_pragma(lexemes: list[Lexeme]) -> tuple[str, ...] | None:
    """The name in `PRAGMA table_info('name')`."""
    if [lexeme.upper for lexeme in lexemes[1:2]] != ["TABLE_INFO"] or len(lexemes) != 5:
        return None
    name = lexemes[3]
    bare = name.text[1:-1].replace("''", "'") if name.kind is Kind.STRING else name.identifier
    found = name_at(significant(bare), 0)
    return found[0] if found is not None else None
