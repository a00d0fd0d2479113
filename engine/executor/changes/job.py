"""What a bulk load is to do, whichever road it takes: the job, its outcome, and the statements both roads share.

Leaves to others: moving the rows (`load.py` as a stream of Arrow batches, `staged.py` for types that Arrow changes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...catalog.model import Table
from ...errors import NoShardError
from ...sharding.values import sql_literal
from ...sql.lexer import Kind, significant
from ...sql.parameters import parameters_in
from ...storage.operations import Operation
from ...storage.rows import ROWS_NAME, Rows
from ...storage.settings import Settings
from ...types import Column, Parameters, Row, quote_identifier
from ..reading.binding import shard_table

SHARD = "__duckraft_shard"
"""The column that carries a row's shard number beside the columns of the query."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to load. query: gives exactly the columns `columns` of `table`, already of their types.

    dealt: how many rows a spread table has already, so that small loads go on where the last one ended.
    tail: `ON CONFLICT …` and `RETURNING …`, as in INSERT. verb: `INSERT INTO`, `INSERT OR REPLACE INTO`, ….
    settings: with which its operations are to run again.
    """

    table: Table
    columns: tuple[str, ...]
    query: str
    parameters: Parameters = None
    verb: str = "INSERT INTO"
    target_alias: str = ""
    tail: str = ""
    returning: bool = False
    dealt: int = 0
    settings: Settings = ()

    @property
    def keeps_first(self) -> bool:
        """Whether the order of the rows decides: of those with one key, the first is inserted.

        As in DuckDB, that is certain for what it reads in one go, and not from one row group to the next.
        """
        return self.verb != "INSERT INTO" or self.tail[:2].upper() == "ON"

    def insert_sql(self, shard: int, rows: str) -> str:
        """The INSERT into one shard. rows: the query that gives its rows."""
        columns = ", ".join(quote_identifier(name) for name in self.columns)
        target = shard_table(self.table, shard) + self.target_alias
        return f"{self.verb} {target} ({columns}) {rows} {self.tail}"

    def operation(self, shard: int, rows: Rows) -> Operation:
        """The INSERT of some rows into one shard, as it is written to the log: without RETURNING."""
        tail = without_returning(self.tail)
        columns = ", ".join(quote_identifier(name) for name in self.columns)
        target = shard_table(self.table, shard) + self.target_alias
        sql = f"{self.verb} {target} ({columns}) SELECT * FROM {ROWS_NAME} {tail}".rstrip()
        return Operation(sql, parameters_in(tail, self.parameters), rows, self.settings)

    def numbered_query(self) -> str:
        """The query with each row's shard number beside it, NULL for a row without a shard. Not for spread tables."""
        number = "0"
        if self.table.shard_key:
            keys = [quote_identifier(name) for name in self.table.shard_key]
            number = self.table.strategy.shard_sql(keys)
        return f"SELECT *, CAST({number} AS USMALLINT) AS {SHARD} FROM ({self.query}\n)"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded: the number of rows, and what RETURNING gave, with its columns."""

    count: int
    returned: list[Row]
    columns: tuple[Column, ...]


def without_returning(tail: str) -> str:
    """What follows the rows of an INSERT, up to RETURNING."""
    depth = 0
    for lexeme in significant(tail):
        if lexeme.upper == "RETURNING" and depth == 0:
            return tail[: lexeme.start]
        if lexeme.kind is Kind.SYMBOL and lexeme.text in "()[]{}":
            depth += 1 if lexeme.text in "([{" else -1
    return tail


def no_shard(table: Table, key: Sequence[Any]) -> NoShardError:
    """The error for a row whose key no shard takes. key: its values, in the order of the shard key."""
    named = ", ".join(
        f"{name} = {sql_literal(value)}" for name, value in zip(table.shard_key, key, strict=True)
    )
    last = "a last range MAXVALUE" if table.strategy.kind == "range" else "a DEFAULT SHARD"
    return NoShardError(
        f'no shard of table "{table.name}" takes a row with {named}',
        detail=f"The table is placed by {table.strategy.clause()}.",
        hint=f"Give the table {last}, or leave the row out. Nothing was changed.",
    )
