"""The attached binding: fragments inlined over shard files that are attached to the gateway's own DuckDB.

Promises: the SQL it makes gives the rows of the fragment on all its shards, each once, whatever their order.
"""

from __future__ import annotations

from ..catalog.model import Table
from ..planner.plan import Fragment, Move, Plan
from ..storage.shard import qualified
from ..types import quote_identifier


def shard_table(table: Table, shard: int) -> str:
    """The full name of one shard of a table; a reference table has one."""
    return qualified(table.placements[0 if table.is_reference else shard], table.schema, table.name)


def attached_sql(plan: Plan) -> str:
    """The whole plan as one query over attached shards."""
    return plan.merge_sql(lambda fragment: f"({union_of(fragment)})")


def union_of(fragment: Fragment) -> str:
    """The fragment's text once per shard."""

    def on_shard(shard: int) -> str:
        return fragment.sql(
            lambda table: shard_table(table, shard), lambda move: f"({_moved_sql(move, shard)})"
        )

    return " UNION ALL ".join(map(on_shard, fragment.shards))


def _moved_sql(move: Move, shard: int) -> str:
    """The rows that a move brings to one shard: where all files are attached, they are read where they are."""
    rows = f"SELECT * FROM ({union_of(move.source)})"
    return rows if move.number_sql is None else f"{rows} WHERE {move.number_sql} = {shard}"


def view_sql(table: Table) -> str:
    """The gateway's view of a table: all its shards, under the user's own name for it."""
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    parts = [
        f"SELECT {columns} FROM {shard_table(table, shard)}" for shard in range(table.strategy.shard_count)
    ]
    name = f"memory.{quote_identifier(table.schema)}.{quote_identifier(table.name)}"
    return f"CREATE OR REPLACE VIEW {name} AS {' UNION ALL '.join(parts)}"


def shards_of(table: Table) -> list[int]:
    """The database's shards that hold the table, each once."""
    return sorted(set(table.placements))
