"""INSERT … ON CONFLICT DO UPDATE that the shards cannot do alone.

If it sets the shard key, a row in conflict may have to move to another shard. If it could give something else when it
runs again, as with `random()`, the gateway works out the values.

Promises: what DuckDB does: of several new rows with one key the first counts, bare names mean the target's columns.
Leaves to others: every other ON CONFLICT, which each shard resolves for its own rows (`insert.py`).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from ...catalog.model import Table
from ...errors import NotSupportedError, ProgrammingError
from ...sql.determinism import is_replayable_expression
from ...sql.insert import ConflictUpdate, InsertParts, parse_conflict
from ...sql.parameters import parameters_in
from ...storage import duck, shard
from ...types import Parameters, quote_identifier
from ..composed import at_position
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.result import Result
from .columns import Insertable
from .job import without_returning
from .merge import run_merge
from .replaying import own_names


def moving_conflict(table: Table, parts: InsertParts) -> ConflictUpdate | None:
    """The ON CONFLICT DO UPDATE of an INSERT, if it sets the shard key."""
    conflict = parse_conflict(parts.tail)
    key = {name.lower() for name in table.shard_key}
    if conflict is None or not any(column.lower() in key for column in conflict.columns):
        return None
    return conflict


def computed_conflict(gateway: Gateway, table: Table, parts: InsertParts) -> ConflictUpdate | None:
    """The ON CONFLICT DO UPDATE of an INSERT, if the gateway must compute what it does. Raises NotSupportedError."""
    if is_replayable_expression(without_returning(parts.tail), own_names(gateway)):
        return moving_conflict(table, parts)
    conflict = parse_conflict(parts.tail)
    if conflict is None:
        raise NotSupportedError(
            "this form of ON CONFLICT is not understood where its values may differ from one run to the next",
            hint="Write one column and its value at a time.",
        )
    return conflict


def named_replacement(gateway: Gateway, table: Table, parts: InsertParts, unsteady: Set[str]) -> InsertParts:
    """INSERT OR REPLACE as the ON CONFLICT that it means, if it leaves out columns with these unsteady defaults.

    Their values come with the rows then, and must not take the place of what is there.
    """
    if parts.verb != "INSERT OR REPLACE INTO" or parts.columns is None:
        return parts
    named = {name.lower() for name in parts.columns}
    if all(name.lower() in named for name in unsteady):
        return parts
    unique = {name.lower() for name in _unique_columns(gateway, table)}
    sets = ", ".join(
        f"{quote_identifier(name)} = excluded.{quote_identifier(name)}"
        for name in parts.columns
        if name.lower() not in unique
    )
    action = f"UPDATE SET {sets}" if sets else "NOTHING"
    return replace(parts, verb="INSERT INTO", tail=f"ON CONFLICT DO {action} {parts.tail}")


def run_conflict(
    gateway: Gateway,
    connections: SessionConnections,
    table: Table,
    columns: Sequence[Insertable],
    parts: InsertParts,
    conflict: ConflictUpdate,
    rows: str,
    parameters: Parameters,
) -> Result:
    """Insert or update. rows: a temporary table with the rows to insert, whole. Raises errors.Error."""
    target = conflict.target or _unique_columns(gateway, table)
    with at_position(None):
        _keep_first(connections.gateway, rows, target)
        sql = _as_merge(table, columns, parts, conflict, target, rows)
        result = run_merge(gateway, connections, table, sql, parameters_in(sql, parameters))
    result.tag = f"INSERT 0 {result.rowcount}"
    return result


def _keep_first(connection: duck.Connection, rows: str, target: Sequence[str]) -> None:
    """Of several rows with the same values in the columns `target`, none of them NULL, leave the first."""
    keys = [quote_identifier(name) for name in target]
    known = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    first = f"SELECT min(rowid) FROM {rows} GROUP BY {', '.join(keys)}"
    duck.execute(connection, f"DELETE FROM {rows} WHERE {known} AND rowid NOT IN ({first})")


def _as_merge(
    table: Table,
    columns: Sequence[Insertable],
    parts: InsertParts,
    conflict: ConflictUpdate,
    target: Sequence[str],
    rows: str,
) -> str:
    """ON CONFLICT DO UPDATE of the shard key as the MERGE that it means: a row may move to another shard.

    The new row is one column, `excluded`, so that a bare name means a column of the target.
    """
    alias = quote_identifier(parts.alias or table.name)
    on = " AND ".join(
        f"{alias}.{quote_identifier(name)} = excluded.{quote_identifier(name)}" for name in target
    )
    listed = ", ".join(quote_identifier(one.column.name) for one in columns)
    values = ", ".join(f"excluded.{quote_identifier(one.column.name)}" for one in columns)
    condition = f" AND ({conflict.condition}\n)" if conflict.condition else ""
    returning = f" RETURNING {conflict.returning}" if conflict.returning else ""
    name = f"{quote_identifier(table.schema)}.{quote_identifier(table.name)}"
    return (
        f"MERGE INTO {name} AS {alias}"
        f' USING (SELECT excluded FROM {rows} AS excluded) AS "duckraft new" ON {on}'
        f" WHEN MATCHED{condition} THEN UPDATE SET {conflict.sets}"
        f" WHEN NOT MATCHED THEN INSERT ({listed}) VALUES ({values}){returning}"
    )


def _unique_columns(gateway: Gateway, table: Table) -> tuple[str, ...]:
    """The columns of the table's one unique constraint. Raises ProgrammingError if it has none or several."""
    with gateway.asking() as connection:
        found = duck.rows(
            connection,
            "SELECT constraint_column_names FROM system.main.duckdb_constraints()"
            " WHERE database_name = ? AND schema_name = ? AND table_name = ?"
            " AND constraint_type IN ('PRIMARY KEY', 'UNIQUE')",
            [shard.alias(table.placements[0]), table.schema, table.name],
        )
    if len(found) != 1:
        raise ProgrammingError(
            f'"{table.name}" has {len(found)} constraints that a row may conflict with',
            sqlstate="42000",
            hint="Name the columns of one behind ON CONFLICT.",
        )
    return tuple(found[0][0])
