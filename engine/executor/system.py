"""The system tables: `duckraft.tables`, `duckraft.shards`, `duckraft.nodes`, `duckraft.statistics`, and those of
`activity.py`.

They are ordinary tables in the gateway's memory, filled anew just before a statement reads them, so that they can be
filtered, ordered and joined with anything; `statistics` is a view that asks DuckDB. Row counts are exact, `bytes` is an
estimate, `file_bytes` the size of the shard's file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from ..catalog.colocation import colocated
from ..catalog.model import LOCAL_NODE, Table
from ..errors import Error
from ..storage import duck
from ..types import Row, quote_identifier, quote_string
from . import activity
from .gateway import Gateway
from .reading.binding import shard_table

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
        database_shard INTEGER, file VARCHAR, rows BIGINT, file_bytes BIGINT, bytes BIGINT)
"""
_NODES = """
    CREATE OR REPLACE TABLE memory.duckraft.nodes (
        node VARCHAR, role VARCHAR, status VARCHAR, shards BIGINT, tables BIGINT, catalog_version BIGINT)
"""

_STATISTICS = """
    CREATE OR REPLACE VIEW memory.duckraft.statistics AS
    SELECT table_schema, table_name, shard, column_name, column_type,
           known.min AS min_value, known.max AS max_value, known.has_null, known.approx_unique
    FROM ({}) AS statistics (table_schema, table_name, shard, column_name, column_type, known)
"""
_KNOWN = "STRUCT(min VARCHAR, max VARCHAR, has_null BOOLEAN, approx_unique BIGINT)"
_NO_STATISTICS = f"SELECT '', '', 0, '', '', NULL::{_KNOWN} WHERE false"

_T = TypeVar("_T")


def mentions(text: str) -> bool:
    """Whether a statement may read a system table."""
    return _MENTIONED.search(text) is not None


def refresh(gateway: Gateway) -> None:
    """Fill the system tables from the catalog in force, from the shards and from what goes on."""
    with gateway.system_lock, gateway.asking() as connection:
        shard_rows = _of_one_catalog(gateway, lambda: _shard_rows(gateway, connection))
        _of_one_catalog(gateway, lambda: _show_statistics(gateway, connection))
        filled = (
            (_TABLES, "tables", _table_rows(gateway, shard_rows)),
            (_SHARDS, "shards", shard_rows),
            (_NODES, "nodes", [_node_row(gateway)]),
            *activity.contents(gateway),
        )
        _fill(connection, filled)


def refresh_activity(gateway: Gateway) -> None:
    """Fill the tables of what goes on; it asks no shard, so that nothing of it can be in the way."""
    with gateway.system_lock, gateway.asking() as connection:
        _fill(connection, activity.contents(gateway))


def _fill(connection: duck.Connection, filled: Iterable[activity.Content]) -> None:
    duck.execute(connection, "BEGIN")
    for definition, name, rows in filled:
        duck.execute(connection, definition)
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            duck.execute_many(connection, f"INSERT INTO memory.duckraft.{name} VALUES ({marks})", rows)
    duck.execute(connection, "COMMIT")


def _of_one_catalog(gateway: Gateway, ask: Callable[[], _T]) -> _T:
    """What `ask` gives; it asks anew if a table was dropped under it."""
    while True:
        catalog = gateway.catalog
        try:
            return ask()
        except Error:
            if gateway.catalog is catalog:
                raise


def _show_statistics(gateway: Gateway, connection: duck.Connection) -> None:
    """Make the view of statistics anew if the tables may be others than when it was made."""
    version = gateway.catalog.version
    if gateway.statistics.shown_version == version:
        return
    parts = [
        _statistics_sql(table, number)
        for table in gateway.catalog.ready_tables()
        for number in range(table.strategy.shard_count)
    ]
    duck.execute(connection, _STATISTICS.format(" UNION ALL ".join(parts or [_NO_STATISTICS])))
    gateway.statistics.shown_version = version


def _statistics_sql(table: Table, number: int) -> str:
    """One row for each column of a shard that has rows."""
    names = ", ".join(quote_string(column.name) for column in table.columns)
    kinds = ", ".join(quote_string(column.type) for column in table.columns)
    known = ", ".join(f"stats({quote_identifier(column.name)})::{_KNOWN}" for column in table.columns)
    return (
        f"SELECT {quote_string(table.schema)}, {quote_string(table.name)}, {number}, unnest([{names}]),"
        f" unnest([{kinds}]), unnest(known) FROM (SELECT [{known}] AS known FROM {shard_table(table, number)} LIMIT 1)"
    )


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
                    gateway.statistics.bytes(table, number),
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
