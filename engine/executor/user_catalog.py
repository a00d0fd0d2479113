"""DuckDB's own catalog as the user made it: each table once, with its keys and defaults, and no shards.

DuckDB's catalog functions (`duckdb_tables()`, …) would list the tables of every attached shard, and at the gateway a
view for each table. Macros of the same names stand in front of them, in a schema that the search path of a session's
connection to the gateway names. DuckDB looks up what its own views read (`information_schema`, `pg_catalog`,
`sqlite_master`) and what its lists read (`SHOW TABLES`) along that path too, so they all show the same.
Promises: rows and columns are those that one plain DuckDB would show. `system.main.duckdb_tables()` is still DuckDB's
own: the SQL of this package says so wherever it asks for shards.
Leaves to others: statements about one table (`listing.py`).
"""

from __future__ import annotations

from ..sql.sequences import at_gateway_sql
from ..storage import duck
from .own_settings import READER, rows_sql
from .reading.binding import ROWS_PREFIX

SCHEMA = "memory.duckraft_lists"
"""Where the macros are."""

SEARCH_PATH = f"memory.main,{SCHEMA}"
"""The search path of a session's connection to the gateway."""

_IS_OURS = (
    "(starts_with(database_name, 'duckraft_') OR (database_name = 'memory' AND (schema_name = 'duckraft'"
    " OR starts_with(schema_name, 'duckraft_'))))"
)
_MADE_BY_US = (
    "(database_name = 'temp' AND regexp_matches({0}, '^(__)?duckraft_')"
    f" OR database_name = 'memory' AND starts_with({{0}}, '{ROWS_PREFIX}'))"
)
"""What duckraft makes beside the user's: temporary tables and views while it runs a statement, the views with the rows
of tables. To be filled in: the column of the name."""

_MOVED = (
    "'memory' AS database_name, h.database_oid AS database_oid, h.schema_name AS schema_name,"
    " h.schema_oid AS schema_oid, h.view_oid AS table_oid"
)


def _of_tables(function: str, replaced: str = "") -> str:
    """The rows of a function about tables: those of the user's tables come from one shard of each."""
    return f"""
        SELECT l.* REPLACE ({_MOVED}{replaced})
        FROM system.main.{function}() AS l JOIN {SCHEMA}.duckraft_homes() AS h
          ON l.database_name = h.home AND l.table_oid = h.home_oid
        UNION ALL
        SELECT * FROM system.main.{function}() WHERE NOT {_IS_OURS} AND NOT ({_MADE_BY_US.format("table_name")})
          AND table_oid NOT IN (SELECT view_oid FROM {SCHEMA}.duckraft_homes())
    """


def _without_ours(function: str) -> str:
    return f"SELECT * FROM system.main.{function}() WHERE NOT {_IS_OURS}"


FUNCTIONS = {
    # One row for each table of the user: the shard that is looked at, and the view that the gateway has of it.
    "duckraft_homes": """
        SELECT t.database_name AS home, t.table_oid AS home_oid,
        v.schema_name, v.database_oid, v.schema_oid, v.view_oid,
        CAST(sum(t.estimated_size) OVER same_table AS BIGINT) AS estimated_size
        FROM system.main.duckdb_tables() AS t
        JOIN system.main.duckdb_views() AS v
        ON lower(v.view_name) = lower(t.table_name) AND lower(v.schema_name) = lower(t.schema_name)
        WHERE starts_with(t.database_name, 'duckraft_') AND t.schema_name <> 'duckraft'
        AND v.database_name = 'memory' AND NOT v.internal
        WINDOW same_table AS (PARTITION BY v.view_oid)
        QUALIFY row_number() OVER (PARTITION BY v.view_oid ORDER BY t.table_oid) = 1
    """,
    "duckdb_tables": _of_tables(
        "duckdb_tables", f", h.estimated_size AS estimated_size, {at_gateway_sql('l.sql')} AS sql"
    ),
    "duckdb_columns": _of_tables(
        "duckdb_columns", f", {at_gateway_sql('l.column_default')} AS column_default"
    ),
    "duckdb_constraints": _of_tables("duckdb_constraints"),
    "duckdb_indexes": _of_tables("duckdb_indexes"),
    "duckdb_views": f"""
        SELECT * FROM system.main.duckdb_views()
        WHERE NOT {_IS_OURS} AND NOT ({_MADE_BY_US.format("view_name")})
          AND view_oid NOT IN (SELECT view_oid FROM {SCHEMA}.duckraft_homes())
    """,
    "duckdb_databases": """
        SELECT * FROM system.main.duckdb_databases() WHERE NOT starts_with(database_name, 'duckraft_')
    """,
    "duckdb_schemas": _without_ours("duckdb_schemas"),
    "duckdb_sequences": _without_ours("duckdb_sequences"),
    "duckdb_types": _without_ours("duckdb_types"),
    "duckdb_triggers": _without_ours("duckdb_triggers"),
    "duckdb_functions": f"""
        SELECT * FROM system.main.duckdb_functions()
        WHERE (database_name IS NULL OR schema_name IS NULL OR NOT {_IS_OURS})
    """,
    "duckdb_variables": "SELECT * FROM system.main.duckdb_variables() WHERE NOT starts_with(name, 'duckraft_')",
    "duckdb_prepared_statements": """
        SELECT s.name, s.statement, CAST(NULL AS VARCHAR[]) AS parameter_types, s.result_types
        FROM (SELECT unnest(CAST(getvariable('duckraft_prepared') AS
              STRUCT(name VARCHAR, statement VARCHAR, result_types VARCHAR[])[])) AS s)
    """,
    "duckdb_settings": f"""
        SELECT * REPLACE (CASE name WHEN 'search_path' THEN '' ELSE value END AS value,
                          CASE name WHEN 'search_path' THEN NULL ELSE typed_value END AS typed_value)
        FROM system.main.duckdb_settings()
        UNION ALL BY NAME {rows_sql()}
    """,
    "pragma_database_size": """
        SELECT 'memory' AS database_name, format_bytes(sum(total_blocks * block_size)::BIGINT) AS database_size,
               max(block_size) AS block_size, sum(total_blocks)::BIGINT AS total_blocks,
               sum(used_blocks)::BIGINT AS used_blocks, sum(free_blocks)::BIGINT AS free_blocks,
               '0 bytes' AS wal_size, any_value(memory_usage) AS memory_usage, any_value(memory_limit) AS memory_limit
        FROM system.main.pragma_database_size()
        WHERE database_name = 'memory' OR starts_with(database_name, 'duckraft_')
        UNION ALL
        FROM system.main.pragma_database_size()
        WHERE database_name <> 'memory' AND NOT starts_with(database_name, 'duckraft_')
    """,
}


def make(connection: duck.Connection) -> None:
    """Make the schema and the macros. connection: of the gateway."""
    duck.execute(connection, f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    for name, query in FUNCTIONS.items():
        duck.execute(connection, f"CREATE OR REPLACE MACRO {SCHEMA}.{name}() AS TABLE {query}")
    reader = f"(SELECT s.value FROM ({rows_sql()}) AS s WHERE s.name = lower(setting))"
    duck.execute(connection, f"CREATE OR REPLACE MACRO {SCHEMA}.{READER}(setting) AS {reader}")
