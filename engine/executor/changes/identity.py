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
    values = _Values.of(identity)
    given = _numbered("given", f"{source} given", [changing, *values.given_equal, *values.given_exact])
    here = _numbered("here", "alike here", [*values.here_equal, *values.here_exact])
    names = ", ".join(map(quote_identifier, identity.names))
    ctes = (
        f"WITH given AS MATERIALIZED ({given}),"
        f" alike AS (SELECT {names}, rowid AS {ROW} FROM {target} here SEMI JOIN given ON {values.equal}),"
        f" here AS MATERIALIZED ({here}), "
    )
    found = (
        f"SELECT given.*, here.{ROW} FROM given"
        f" LEFT JOIN here ON {changing} AND given.{_OCCURRENCE} = here.{_OCCURRENCE} AND {values.same}"
    )
    if not values.given_exact:
        return f"{ctes.rstrip(', ')} SELECT * EXCLUDE ({_OCCURRENCE}) FROM ({found})"
    # DuckDB's UPDATE may leave 0.0 where -0.0 was to be written, as it takes them for equal, and on a copy it may not:
    # what is not found to the last bit is a row that is equal.
    lost = _numbered("given", f"(SELECT * EXCLUDE ({_OCCURRENCE}) FROM found) given", values.given_equal)
    free = _numbered("here", f"(SELECT * EXCLUDE ({_OCCURRENCE}) FROM here) here", values.here_equal)
    return (
        f"{ctes} found AS MATERIALIZED ({found}),"
        f" lost AS ({lost} WHERE {ROW} IS NULL AND {changing}),"
        f" free AS ({free} WHERE {ROW} NOT IN (SELECT {ROW} FROM found WHERE {ROW} IS NOT NULL))"
        f" SELECT * EXCLUDE ({_OCCURRENCE}) FROM found given WHERE {ROW} IS NOT NULL OR NOT ({changing})"
        f" UNION ALL SELECT given.* EXCLUDE ({_OCCURRENCE}, {ROW}), here.{ROW} FROM lost given"
        f" LEFT JOIN free here ON given.{_OCCURRENCE} = here.{_OCCURRENCE} AND {values.equal}"
    )


@dataclass(frozen=True, slots=True)
class _Values:
    """SQL of the values that say which row is meant, in `given` and in `here`: as DuckDB compares them, and exactly."""

    given_equal: list[str]
    here_equal: list[str]
    given_exact: list[str]
    here_exact: list[str]

    @classmethod
    def of(cls, identity: Identity) -> _Values:
        values = cls([], [], [], [])
        for column in identity.columns:
            given, here = f"given.{old_name(column.name)}", f"here.{quote_identifier(column.name)}"
            if column.type == "VARCHAR" and identity.collated:
                given, here = f"encode({given})", f"encode({here})"
            elif not _is_plain(column, identity.collated):
                values.given_exact.append(f"encode(CAST({given} AS VARCHAR))")
                values.here_exact.append(f"encode(CAST({here} AS VARCHAR))")
            values.given_equal.append(given)
            values.here_equal.append(here)
        return values

    @property
    def equal(self) -> str:
        """That a given row and one of the table are equal."""
        return _none_distinct(self.given_equal, self.here_equal)

    @property
    def same(self) -> str:
        """That they are the same."""
        return _none_distinct(self.given_equal + self.given_exact, self.here_equal + self.here_exact)


def _none_distinct(given: Sequence[str], here: Sequence[str]) -> str:
    return " AND ".join(f"{one} IS NOT DISTINCT FROM {other}" for one, other in zip(given, here, strict=True))


def _numbered(name: str, relation: str, values: Sequence[str]) -> str:
    """A query for the rows of a relation, those that are alike in some values numbered."""
    occurrence = f"row_number() OVER (PARTITION BY {', '.join(values)}) AS {_OCCURRENCE}"
    return f"SELECT {name}.*, {occurrence} FROM {relation}"


def _is_plain(column: Column, collated: bool) -> bool:
    """Whether equal values of a column are the same."""
    if column.type == "VARCHAR":
        return not collated
    return bool(_EQUAL_IS_SAME.fullmatch(column.type))
