"""What a change needs to know of a table's columns, as DuckDB has them on the shards: defaults, generated ones.

Promises: the truth of the shards, asked for each time; the catalog's copy of the columns has neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...catalog.model import Table
from ...errors import ProgrammingError
from ...sql.sequences import at_gateway, draws
from ...storage import duck, shard
from ...types import Column, quote_identifier
from ..gateway import Gateway
from ..reading.binding import shard_table


@dataclass(frozen=True, slots=True)
class Insertable:
    """A column that can be inserted into. default: SQL of its default, or None."""

    column: Column
    default: str | None


@dataclass(frozen=True, slots=True)
class Described:
    """The columns of a table: those that can be inserted into, and the expressions of the generated ones, by name."""

    insertable: tuple[Insertable, ...]
    generated: Mapping[str, str]


def insertable_columns(gateway: Gateway, table: Table) -> list[Insertable]:
    """The columns of a table that can be inserted into, in order: generated ones are left out."""
    return list(described_columns(gateway, table).insertable)


def described_columns(gateway: Gateway, table: Table) -> Described:
    """All columns of a table.

    DuckDB lists the expression of a generated column as its default in one place and not in the other.
    """
    with gateway.asking() as connection:
        described = duck.rows(connection, f"DESCRIBE {shard_table(table, 0)}")
        listed = duck.rows(
            connection,
            "SELECT column_name, column_default FROM system.main.duckdb_columns()"
            " WHERE database_name = ? AND schema_name = ? AND table_name = ?",
            [shard.alias(table.placements[0]), table.schema, table.name],
        )
    defaults: dict[str, str | None] = {row[0]: row[4] for row in described}
    generated = {
        name: default for name, default in listed if default is not None and defaults.get(name) is None
    }
    insertable = tuple(
        Insertable(column, _at_gateway(defaults[column.name]))
        for column in table.columns
        if column.name not in generated
    )
    return Described(insertable, generated)


def drawing_defaults(gateway: Gateway, table: Table, given: Sequence[str]) -> list[Insertable]:
    """The columns beside those given whose defaults draw from a sequence, which a shard cannot."""
    folded = {name.lower() for name in given}
    return [
        one
        for one in insertable_columns(gateway, table)
        if one.default is not None and draws(one.default) and one.column.name.lower() not in folded
    ]


def _at_gateway(default: str | None) -> str | None:
    return None if default is None else at_gateway(default)


def column_of(table: Table, name: str) -> Column:
    """The column of this name. Raises ProgrammingError."""
    for column in table.columns:
        if column.name.lower() == name.lower():
            return column
    raise ProgrammingError(
        f'column "{name}" of table "{table.name}" does not exist',
        sqlstate="42703",
        hint=f"It has {', '.join(column.name for column in table.columns)}.",
    )


def row_count(connection: duck.Connection, table: Table) -> int:
    """How many rows a table has; DuckDB knows without reading them."""
    parts = [
        f"SELECT count(*) AS n FROM {shard_table(table, shard)}"
        for shard in range(table.strategy.shard_count)
    ]
    count: int = duck.rows(connection, f"SELECT sum(n) FROM ({' UNION ALL '.join(parts)})")[0][0]
    return count


@contextmanager
def stand_in(connection: duck.Connection, table: Table, described: Described, name: str) -> Iterator[None]:
    """While the block runs, `temp.name` is an empty table with the columns of `table`, generated ones as such.

    It has no constraints: DuckDB looks at them when rows change, not when it reads a statement.
    """
    generated = described.generated
    columns = ", ".join(
        f"{quote_identifier(column.name)} {column.type}"
        + (f" GENERATED ALWAYS AS ({generated[column.name]})" if column.name in generated else "")
        for column in table.columns
    )
    duck.execute(connection, f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
    try:
        yield
    finally:
        duck.clean_up(connection, f"DROP TABLE temp.{name}")
