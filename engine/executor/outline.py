"""The outline of a database: a DuckDB database in memory with all its definitions, and its tables empty.

DuckDB exports and copies databases as it finds them attached. What it finds here is what one plain DuckDB would have of
ours: schemas, types, sequences, tables, macros, views and indexes, and no shards.
Leaves to others: the rows, and our own clauses (`statements/exporting.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Error
from ..sql.lexer import significant
from ..sql.names import name_at
from ..storage import duck
from ..types import quote_identifier, quote_string
from .gateway import HOME, Gateway
from .user_catalog import SEARCH_PATH

NAME = "duckraft_outline"
"""What it is attached as; there is one at a time."""

_FUNCTIONS = (("sequence", "sequences"), ("table", "tables"), ("view", "views"), ("index", "indexes"))
_LISTED = "SELECT sql FROM duckdb_{}() WHERE database_name = '{}' AND sql IS NOT NULL ORDER BY {}_oid"
_COMMENTS = f"""
    SELECT 'TABLE', [schema_name, table_name], comment FROM duckdb_tables()
    WHERE database_name = '{HOME}' AND comment IS NOT NULL
    UNION ALL
    SELECT 'COLUMN', [c.schema_name, c.table_name, c.column_name], c.comment
    FROM duckdb_columns() AS c JOIN duckdb_tables() AS t USING (table_oid)
    WHERE c.database_name = '{HOME}' AND c.comment IS NOT NULL
    UNION ALL
    SELECT 'INDEX', [schema_name, index_name], comment FROM duckdb_indexes()
    WHERE database_name = '{HOME}' AND comment IS NOT NULL
"""


@contextmanager
def scratch(gateway: Gateway) -> Iterator[duck.Connection]:
    """A connection of its own, on which an empty database is attached. The caller holds the write lock."""
    connection = gateway.instance.cursor()
    duck.execute(connection, f"ATTACH ':memory:' AS {NAME}")
    try:
        yield connection
    finally:
        duck.clean_up(connection, "USE memory")
        duck.clean_up(connection, f"DETACH {NAME}")
        connection.close()


@contextmanager
def outline(gateway: Gateway) -> Iterator[tuple[duck.Connection, list[str]]]:
    """A connection of its own on which the outline is attached, and the views that it lacks, as their text.

    A view is missing whose query names something that is not there. The caller holds the write lock.
    """
    with scratch(gateway) as connection:
        duck.execute(connection, f"SET search_path = '{SEARCH_PATH}'")
        definitions = _definitions(gateway, connection)
        duck.execute(connection, f"USE {NAME}")
        missing = _make(connection, definitions)
        duck.execute(connection, "USE memory")
        yield connection, missing


def _definitions(gateway: Gateway, connection: duck.Connection) -> list[str]:
    """Statements that make everything, each behind what it is likely to need."""
    kept = {
        kind: [_unqualified(known.sql) for known in gateway.catalog.definitions if known.kind in kinds]
        for kind, kinds in (("type", ("TYPE",)), ("macro", ("MACRO", "MACRO TABLE")))
    }
    schemas = duck.rows(
        connection,
        f"SELECT schema_name FROM duckdb_schemas() WHERE database_name = '{HOME}' AND NOT internal ORDER BY oid",
    )
    listed = {
        kind: [str(sql) for (sql,) in duck.rows(connection, _LISTED.format(function, HOME, kind))]
        for kind, function in _FUNCTIONS
    }
    return [
        *(f"CREATE SCHEMA {quote_identifier(name)}" for (name,) in schemas),
        *kept["type"],
        *listed["sequence"],
        *listed["table"],
        *kept["macro"],
        *listed["view"],
        *listed["index"],
    ]


def comments(gateway: Gateway, connection: duck.Connection) -> list[str]:
    """The COMMENT ON statements of everything that has a comment. connection: of the outline."""
    duck.execute(connection, f"SET search_path = '{SEARCH_PATH}'")
    found = duck.rows(connection, _COMMENTS)
    duck.execute(connection, "USE memory")
    on_shards = [
        f"COMMENT ON {kind} {'.'.join(map(quote_identifier, parts))} IS {quote_string(text)}"
        for kind, parts, text in found
    ]
    return on_shards + [known.sql for known in gateway.catalog.comments]


def _make(connection: duck.Connection, statements: list[str]) -> list[str]:
    """Run the statements, in rounds as long as one more succeeds: those that never do. Raises errors.Error for others
    than views."""
    while statements:
        failed: list[tuple[str, Error]] = []
        for sql in statements:
            try:
                duck.execute(connection, sql)
            except Error as error:
                failed.append((sql, error))
        if len(failed) == len(statements):
            for sql, why in failed:
                if not sql.startswith("CREATE VIEW"):
                    raise why
            return [sql for sql, _ in failed]
        statements = [sql for sql, _ in failed]
    return []


def _unqualified(sql: str) -> str:
    """A CREATE without the name of our database in front of the name."""
    lexemes = significant(sql)
    for index, lexeme in enumerate(lexemes):
        if lexeme.identifier.lower() == HOME and index + 1 < len(lexemes) and lexemes[index + 1].text == ".":
            found = name_at(lexemes, index)
            if found is not None and len(found[0]) > 1:
                return sql[: lexeme.start] + sql[lexemes[index + 2].start :]
        if lexeme.upper == "AS":
            break
    return sql
