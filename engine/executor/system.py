"""The system tables: `duckraft.tables`, `duckraft.shards`, `duckraft.nodes`.

They are ordinary tables in the gateway's memory, filled anew just before a statement reads them, so that they can be
filtered, ordered and joined with anything. Row counts are exact; sizes are those of the shard files.
"""

from __future__ import annotations

import re

from ..catalog.colocation import colocated
from ..catalog.model import LOCAL_NODE, Table
from ..errors import Error
from ..storage import duck
from ..types import Row
from .binding import shard_table
from .gateway import Gateway

SCHEMA = "duckraft"
"""Where they are; nothing else may be there."""

_MENTIONED = re.compile(r"\bduckraft\s*\.", re.IGNORECASE)

_TABLES = """
    CREATE OR REPLACE TABLE memory.duckraft.tables (
        table_schema VARCHAR, table_name VARCHAR, strategy VARCHAR, shard_key VARCHAR[], shards INTEGER,
        clause VARCHAR, rows BIGINT, primary_key VARCHAR[], colocated_with VARCHAR[], version BIGINT)
"""
_SHARDS = """
    CREATE OR REPLACE TABLE memory.duckraft.shards (
        table_schema VARCHAR, table_name VARCHAR, shard INTEGER, holds VARCHAR, node VARCHAR,
        database_shard INTEGER, file VARCHAR, rows BIGINT, file_bytes BIGINT)
"""
_NODES = """
    CREATE OR REPLACE TABLE memory.duckraft.nodes (
        node VARCHAR, role VARCHAR, status VARCHAR, shards BIGINT, tables BIGINT, catalog_version BIGINT)
"""


def mentions(text: str) -> bool:
    """Whether a statement may read a system table."""
    return _MENTIONED.search(text) is not None


def refresh(gateway: Gateway) -> None:
    """Fill the system tables from the catalog in force and from the shards."""
    with gateway.system_lock, gateway.asking() as connection:
        shard_rows = _current_shard_rows(gateway, connection)
        filled = (
            (_TABLES, "tables", _table_rows(gateway, shard_rows)),
            (_SHARDS, "shards", shard_rows),
            (_NODES, "nodes", [_node_row(gateway)]),
        )
        duck.execute(connection, "BEGIN")
        for definition, name, rows in filled:
            duck.execute(connection, definition)
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                duck.execute_many(connection, f"INSERT INTO memory.duckraft.{name} VALUES ({marks})", rows)
        duck.execute(connection, "COMMIT")


def _current_shard_rows(gateway: Gateway, connection: duck.Connection) -> list[Row]:
    """The rows of `duckraft.shards`; counted anew if a table was dropped under the counting."""
    while True:
        catalog = gateway.catalog
        try:
            return _shard_rows(gateway, connection)
        except Error:
            if gateway.catalog is catalog:
                raise


def _shard_rows(gateway: Gateway, connection: duck.Connection) -> list[Row]:
    catalog = gateway.catalog
    rows: list[Row] = []
    for table in catalog.ready_tables():
        counts = _row_counts(connection, table)
        for number in range(table.strategy.shard_count):
            home = catalog.shard(table.placements[number])
            size = None
            if gateway.directory is not None and home.file is not None:
                size = (gateway.directory.path / home.file).stat().st_size
            holds = table.strategy.describe_shard(number)
            database_shard = None if table.is_reference else home.number
            rows.append(
                (
                    table.schema,
                    table.name,
                    number,
                    holds,
                    home.node,
                    database_shard,
                    home.file,
                    counts[number],
                    size,
                )
            )
    return rows


def _row_counts(connection: duck.Connection, table: Table) -> list[int]:
    """The rows of each shard of a table, in one query; DuckDB answers it from its metadata."""
    parts = [
        f"SELECT {number}, count(*) FROM {shard_table(table, number)}"
        for number in range(table.strategy.shard_count)
    ]
    found = dict(duck.rows(connection, " UNION ALL ".join(parts)))
    return [found[number] for number in range(table.strategy.shard_count)]


def _table_rows(gateway: Gateway, shard_rows: list[Row]) -> list[Row]:
    catalog = gateway.catalog
    rows: list[Row] = []
    for table in catalog.ready_tables():
        count = sum(row[7] for row in shard_rows if (row[0], row[1]) == (table.schema, table.name))
        together = [other.name for other in catalog.ready_tables() if colocated(table, other)]
        rows.append(
            (
                table.schema,
                table.name,
                table.strategy.kind,
                list(table.shard_key),
                table.strategy.shard_count,
                table.strategy.clause(),
                count,
                list(table.primary_key),
                together,
                table.version,
            )
        )
    return rows


def _node_row(gateway: Gateway) -> Row:
    catalog = gateway.catalog
    tables = len(list(catalog.ready_tables()))
    return (LOCAL_NODE, "gateway, primary", "up", len(catalog.shards), tables, catalog.version)
