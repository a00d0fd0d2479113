"""DuckDB's own catalog as the user made it: each table once, with its keys and defaults, and no shards.

DuckDB's catalog functions (`duckdb_tables()`, …) would list the tables of every attached shard, and at the gateway a
view for each table. Macros of the same names, in a schema of the gateway that a session's search path names, stand in
front of them; `information_schema`, `pg_catalog` and `sqlite_master` are views over such functions, and are made once
more over the macros. So they can be used wherever DuckDB's own can, in views and macros of the user too.
Promises: rows and columns are those that one plain DuckDB would show. `system.main.duckdb_tables()` is still DuckDB's
own: the SQL of this package says so wherever it asks for shards.
Leaves to others: statements that list (`listing.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..sql.lexer import Kind, significant
from ..storage import duck
from ..types import quote_identifier

if TYPE_CHECKING:
    from .gateway import Gateway

SCHEMA = "memory.duckraft_lists"
"""Where the macros are, and the views that DuckDB has in `main`."""

_STAND_INS = {"information_schema": "duckraft_standards", "pg_catalog": "duckraft_p"}
"""DuckDB lets nobody make a schema of these names. The stand-ins are as long, so that positions in a text stay right."""

SEARCH_PATH = f"memory.main,{SCHEMA},memory.duckraft_p"
"""The search path of a session's connection to the gateway."""

SCHEMAS = (SCHEMA, *(f"memory.{name}" for name in _STAND_INS.values()))

_MENTIONED = re.compile(
    r"\b(?:duckdb_\w+|duckraft_option|information_schema|duckraft_standards|pg_\w+|duckraft_p|sqlite_\w+|pragma\w*"
    r"|call|show|describe|desc)\b",
    re.IGNORECASE,
)

_IS_OURS = (
    "(starts_with(database_name, 'duckraft_') OR (database_name = 'memory' AND (schema_name = 'duckraft'"
    " OR starts_with(schema_name, 'duckraft_'))))"
)
_AS_WRITTEN = "replace(replace(l.sql, 'duckraft_standards.', 'information_schema.'), 'duckraft_p.', 'pg_catalog.') AS sql"

# One row for each table of the user: the shard that is looked at, and the view that the gateway has of it.
_HOMES = f"""
CREATE OR REPLACE VIEW {SCHEMA}.duckraft_homes AS
SELECT t.database_name AS home, t.table_oid AS home_oid, v.schema_name, v.database_oid, v.schema_oid, v.view_oid,
       CAST(sum(t.estimated_size) OVER same_table AS BIGINT) AS estimated_size
FROM system.main.duckdb_tables() AS t
JOIN system.main.duckdb_views() AS v
  ON lower(v.view_name) = lower(t.table_name) AND lower(v.schema_name) = lower(t.schema_name)
WHERE starts_with(t.database_name, 'duckraft_') AND t.schema_name <> 'duckraft'
  AND v.database_name = 'memory' AND NOT v.internal
WINDOW same_table AS (PARTITION BY v.view_oid)
QUALIFY row_number() OVER (PARTITION BY v.view_oid ORDER BY t.table_oid) = 1
"""

_MOVED = (
    "'memory' AS database_name, h.database_oid AS database_oid, h.schema_name AS schema_name,"
    " h.schema_oid AS schema_oid, h.view_oid AS table_oid"
)


def _of_tables(function: str, replaced: str = "") -> str:
    """The rows of a function about tables: those of the user's tables come from one shard of each."""
    return f"""
        SELECT l.* REPLACE ({_MOVED}{replaced})
        FROM system.main.{function}() AS l JOIN {SCHEMA}.duckraft_homes AS h
          ON l.database_name = h.home AND l.table_oid = h.home_oid
        UNION ALL
        SELECT * FROM system.main.{function}() WHERE NOT {_IS_OURS}
          AND table_oid NOT IN (SELECT view_oid FROM {SCHEMA}.duckraft_homes)
    """


def _without_ours(function: str) -> str:
    return f"SELECT * FROM system.main.{function}() WHERE NOT {_IS_OURS}"


_FUNCTIONS = {
    "duckdb_tables": _of_tables("duckdb_tables", ", h.estimated_size AS estimated_size"),
    "duckdb_columns": _of_tables("duckdb_columns"),
    "duckdb_constraints": _of_tables("duckdb_constraints"),
    "duckdb_indexes": _of_tables("duckdb_indexes"),
    "duckdb_views": f"""
        SELECT l.* REPLACE ({_AS_WRITTEN}) FROM system.main.duckdb_views() AS l
        WHERE NOT {_IS_OURS} AND view_oid NOT IN (SELECT view_oid FROM {SCHEMA}.duckraft_homes)
    """,
    "duckdb_databases": "SELECT * FROM system.main.duckdb_databases() WHERE NOT starts_with(database_name, 'duckraft_')",
    "duckdb_schemas": _without_ours("duckdb_schemas"),
    "duckdb_sequences": _without_ours("duckdb_sequences"),
    "duckdb_types": _without_ours("duckdb_types"),
    "duckdb_triggers": _without_ours("duckdb_triggers"),
    "duckdb_functions": f"""
        SELECT * FROM system.main.duckdb_functions()
        WHERE (database_name IS NULL OR schema_name IS NULL OR NOT {_IS_OURS})
    """,
    "duckdb_variables": "SELECT * FROM system.main.duckdb_variables() WHERE NOT starts_with(name, 'duckraft_')",
    "duckdb_dependencies": f"""
        SELECT d.* REPLACE (coalesce(o.view_oid, d.objid) AS objid, coalesce(r.view_oid, d.refobjid) AS refobjid)
        FROM system.main.duckdb_dependencies() AS d
        LEFT JOIN {SCHEMA}.duckraft_homes AS o ON o.home_oid = d.objid
        LEFT JOIN {SCHEMA}.duckraft_homes AS r ON r.home_oid = d.refobjid
        WHERE o.home_oid IS NOT NULL OR d.objid NOT IN
              (SELECT table_oid FROM system.main.duckdb_tables() WHERE starts_with(database_name, 'duckraft_'))
    """,
    "pragma_database_size": """
        SELECT 'memory' AS database_name, format_bytes(sum(total_blocks * block_size)::BIGINT) AS database_size,
               max(block_size) AS block_size, sum(total_blocks)::BIGINT AS total_blocks,
               sum(used_blocks)::BIGINT AS used_blocks, sum(free_blocks)::BIGINT AS free_blocks,
               '0 bytes' AS wal_size, any_value(memory_usage) AS memory_usage, any_value(memory_limit) AS memory_limit
        FROM system.main.pragma_database_size() WHERE database_name = 'memory' OR starts_with(database_name, 'duckraft_')
        UNION ALL
        FROM system.main.pragma_database_size()
        WHERE database_name <> 'memory' AND NOT starts_with(database_name, 'duckraft_')
    """,
}


_VIEW_TEXT = re.compile(r"CREATE TEMP VIEW .+? AS (.*);", re.DOTALL)


def mentions(text: str) -> bool:
    """Whether a statement may read DuckDB's catalog."""
    return _MENTIONED.search(text) is not None


def as_users_see(gateway: Gateway, sql: str) -> str:
    """The statement with what it says of DuckDB's catalog meaning the user's tables; every position in it stays."""
    if not mentions(sql):
        return sql
    ensure(gateway)
    pieces: list[str] = []
    position = 0
    lexemes = significant(sql)
    for before, lexeme, dot, name in zip([None, *lexemes], lexemes, lexemes[1:], lexemes[2:], strict=False):
        stand_in = _STAND_INS.get(lexeme.identifier.lower()) if dot.text == "." else None
        if (
            stand_in is None
            or (lexeme.identifier.lower(), name.identifier.lower()) not in gateway.catalog_views
        ):
            continue
        quote = '"' if lexeme.kind is Kind.QUOTED else ""
        pieces += [sql[position : lexeme.start], quote + stand_in + quote]
        position = lexeme.end
    return "".join(pieces) + sql[position:] if pieces else sql


def ensure(gateway: Gateway) -> None:
    """Make the macros and views, if that was not done yet."""
    if gateway.catalog_views:
        return
    with gateway.system_lock, gateway.asking() as connection:
        if gateway.catalog_views:
            return
        views = duck.rows(
            connection,
            "SELECT schema_name, view_name, sql FROM system.main.duckdb_views() WHERE internal ORDER BY 1, 2",
        )
        names = frozenset((schema, name) for schema, name, _ in views)
        duck.execute(connection, "BEGIN")
        duck.execute(connection, _HOMES)
        for name, query in _FUNCTIONS.items():
            duck.execute(connection, f"CREATE OR REPLACE MACRO {SCHEMA}.{name}() AS TABLE {query}")
        # sqlite_master is a view over duckdb_tables, and others are views over it.
        for schema, name, text in sorted(
            views, key=lambda view: (view[0] != "main", view[1].startswith("sqlite"), view)
        ):
            made = _VIEW_TEXT.fullmatch(text)
            if made is not None:
                home = SCHEMA if schema == "main" else f"memory.{_STAND_INS[schema]}"
                query = _over_macros(made.group(1), names)
                duck.execute(connection, f"CREATE OR REPLACE VIEW {home}.{quote_identifier(name)} AS {query}")
        duck.execute(connection, "COMMIT")
        gateway.catalog_views = names


def _over_macros(query: str, views: frozenset[tuple[str, str]]) -> str:
    """The query of one of DuckDB's views, reading the macros and views that stand in for what it reads."""
    pieces: list[str] = []
    position = 0
    lexemes = significant(query)
    for index, lexeme in enumerate(lexemes):
        called = index + 1 < len(lexemes) and lexemes[index + 1].text == "("
        known = lexeme.text in _FUNCTIONS if called else ("main", lexeme.text) in views
        if lexeme.kind is Kind.WORD and known:
            pieces += [query[position : lexeme.start], f"{SCHEMA}.{lexeme.text}"]
            position = lexeme.end
    return "".join(pieces) + query[position:]
