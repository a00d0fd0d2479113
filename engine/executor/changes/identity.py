"""Which row is meant, said so that another copy of a shard knows it too: DuckDB's row numbers differ from copy to copy.

The primary key says it. Where there is none, or one whose equality is not certain, all columns say it together with how
many rows alike came before: of rows that are alike in every bit, it does not matter which one changes.
Promises: values that are equal but not the same, such as 0.0 and -0.0, INTERVALs of 30 days and of a month, or texts
under a collation, are told apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...catalog.model import Table
from ...storage import duck, shard
from ...types import Column, quote_identifier
from ..collations import Collations
from ..gateway import Gateway

ROW = '"duckraft row"'
"""The column with DuckDB's number of a row on its shard."""

_OCCURRENCE = '"duckraft occurrence"'
_EQUAL_IS_SAME = re.compile(
    r"U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL\(\d+,\d+\)|BOOLEAN|BLOB|BIGNUM|BIT|UUID|DATE|TIME"
    r"|TIMESTAMP(?:_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE|ENUM\(.*\)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The columns that say which row is meant. unique: no two rows of a shard have the same values in them.

    collated: VARCHAR columns may have a collation.
    """

    columns: tuple[Column, ...]
    unique: bool
    collated: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(column.name for column in self.columns)


def identity_of(gateway: Gateway, table: Table, insertable: Sequence[Column]) -> Identity:
    """How rows of a table are told apart. insertable: its columns without the generated ones."""
    with gateway.asking() as connection:
        found = duck.rows(
            connection,
            "SELECT constraint_column_names FROM system.main.duckdb_constraints()"
            " WHERE database_name = ? AND schema_name = ? AND table_name = ?"
            " AND constraint_type = 'PRIMARY KEY'",
            [shard.alias(table.placements[0]), table.schema, table.name],
        )
    collated = Collations(gateway.asking).has(table)
    key = set(found[0][0]) if found else set()
    columns = tuple(column for column in insertable if column.name in key)
    if columns and all(_is_plain(column, collated) for column in columns):
        return Identity(columns, True, collated)
    return Identity(tuple(insertable), False, collated)


def old_name(column: str) -> str:
    """The name of the staged column with the value that `column` had before the change."""
    return quote_identifier(f"duckraft old {column}")


def located(identity: Identity, source: str, target: str, changing: str) -> str:
    """A query for the rows of `source` with ROW, the number of the row that each means, NULL for new rows.

    source: has the columns `old_name` of the identity. target: the full name of the table. changing: a condition on
    `given`, the source, for the rows that mean one of the table.
    """
    if identity.unique:
        same = " AND ".join(
            f"given.{old_name(name)} = here.{quote_identifier(name)}" for name in identity.names
        )
        return f"SELECT given.*, here.rowid AS {ROW} FROM {source} given LEFT JOIN {target} here ON {same}"
    given = [
        part
        for column in identity.columns
        for part in _parts(identity, column, f"given.{old_name(column.name)}")
    ]
    here = [
        part
        for column in identity.columns
        for part in _parts(identity, column, f"here.{quote_identifier(column.name)}")
    ]
    same = " AND ".join(f"{one} IS NOT DISTINCT FROM {other}" for one, other in zip(given, here, strict=True))
    names = ", ".join(map(quote_identifier, identity.names))
    return (
        f"WITH given AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY {changing}, {', '.join(given)})"
        f" AS {_OCCURRENCE} FROM {source} given),"
        f" alike AS (SELECT {names}, rowid AS {ROW} FROM {target} here SEMI JOIN given ON {same}),"
        f" here AS (SELECT *, row_number() OVER (PARTITION BY {', '.join(here)}) AS {_OCCURRENCE} FROM alike here)"
        f" SELECT given.* EXCLUDE ({_OCCURRENCE}), here.{ROW} FROM given"
        f" LEFT JOIN here ON {changing} AND given.{_OCCURRENCE} = here.{_OCCURRENCE} AND {same}"
    )


def _is_plain(column: Column, collated: bool) -> bool:
    """Whether equal values of a column are the same."""
    if column.type == "VARCHAR":
        return not collated
    return bool(_EQUAL_IS_SAME.fullmatch(column.type))


def _parts(identity: Identity, column: Column, value: str) -> list[str]:
    """SQL of what must be alike in two values for them to be the same."""
    if _is_plain(column, identity.collated):
        return [value]
    if column.type == "VARCHAR":
        return [f"encode({value})"]
    return [value, f"encode(CAST({value} AS VARCHAR))"]
