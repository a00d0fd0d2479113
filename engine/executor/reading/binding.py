"""The attached binding: fragments inlined over shard files that are attached to the gateway's own DuckDB.

Promises: the SQL it makes gives the rows of the fragment on all its shards, each once, whatever their order.
"""

from __future__ import annotations

from ...catalog.model import Table
from ...planner.plan import Fragment, Move, Plan
from ...storage.shard import qualified
from ...types import quote_identifier

MOST_BRANCHES = 16
"""A fragment of more shards is not written once for each of them, if the gateway's views can stand for most of them.

Measured with 256 shards, two million rows: a join takes a quarter of the time, the top ten a fifth. DuckDB parses,
plans and starts every branch by itself, and a view is not even parsed."""


ROWS_PREFIX = "duckraft_rows "
"""How the names of the views begin that no user sees."""


def shard_table(table: Table, shard: int) -> str:
    """The full name of one shard of a table; a reference table has one."""
    return qualified(table.placements[0 if table.is_reference else shard], table.schema, table.name)


def attached_sql(plan: Plan) -> str:
    """The whole plan as one query over attached shards."""
    return plan.merge_sql(lambda fragment: f"({union_of(fragment)})")


def union_of(fragment: Fragment) -> str:
    """The rows of the fragment on all its shards: its text once per shard or, if they are many, once over the views.

    Co-located tables as a whole are as good as one large shard: rows that belong together are in both. Shards that a
    view has besides those of the fragment have no row that its conditions let through.
    """
    if _reads_most_of_many(fragment):
        return fragment.sql(lambda table: shard_table(table, 0) if table.is_reference else view_name(table))

    return " UNION ALL ".join(attached_text(fragment, shard) for shard in fragment.shards)


def attached_text(fragment: Fragment, shard: int) -> str:
    """The fragment's text for one of its shards, where all are attached."""
    return fragment.sql(
        lambda table: shard_table(table, shard),
        lambda move: f"({moved_rows(move, shard, f'({union_of(move.source)})')})",
    )


def _reads_most_of_many(fragment: Fragment) -> bool:
    count = len(fragment.shards)
    if count <= MOST_BRANCHES or fragment.moves():
        return False
    return all(
        route.table.is_reference or route.table.strategy.shard_count <= 2 * count for route in fragment.routes
    )


def moved_rows(move: Move, shard: int, source: str) -> str:
    """A query for the rows that a move brings to one shard. source: a relation with all rows that move."""
    rows = f"SELECT * FROM {source}"
    return rows if move.number_sql is None else f"{rows} WHERE {move.number_sql} = {shard}"


def view_sql(table: Table) -> tuple[str, str]:
    """The statements that make the gateway's two views of a table.

    The first has the rows of all its shards, the second bears the user's own name for the table and reads the first
    by its bare name: on a connection that has a temporary view of that name, the table is what that view says.
    """
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    parts = [
        f"SELECT {columns} FROM {shard_table(table, shard)}" for shard in range(table.strategy.shard_count)
    ]
    rows = quote_identifier(rows_name(table))
    return (
        f"CREATE OR REPLACE VIEW memory.{quote_identifier(table.schema)}.{rows} AS {' UNION ALL '.join(parts)}",
        f"CREATE OR REPLACE VIEW {view_name(table)} AS SELECT {columns} FROM {rows}",
    )


def rows_name(table: Table) -> str:
    """The name of the view with the rows of a table, which no other table's has in any schema."""
    return f"{ROWS_PREFIX}{quote_identifier(table.schema)}.{quote_identifier(table.name)}"


def view_name(table: Table) -> str:
    """The full name of the gateway's view of a table."""
    return f"memory.{quote_identifier(table.schema)}.{quote_identifier(table.name)}"


def shards_of(table: Table) -> list[int]:
    """The database's shards that hold the table, each once."""
    return sorted(set(table.placements))
