"""Rows of queries on some connections, brought at once into a table of another connection.

A transaction that has written on a shard sees its rows on one connection only. Whoever else needs them gets a copy.
Promises: values arrive as they were; memory is bounded by some batches, the table is DuckDB's to spill. An error of a
source is raised as it was there.
Leaves to others: which rows (`overlay.py`), types that Arrow changes (`transport.py`).
"""

from __future__ import annotations

import contextvars
import itertools
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from ...errors import Error
from ...sql.parameters import parameters_in
from ...storage import duck
from ...types import Column, Parameters
from .transport import States, arrived, leaving

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 122_880
"""DuckDB's row group."""

_ARRIVING = "__duckraft_arriving"

Source = tuple[duck.Connection, str]
"""A connection, and a query that it runs."""


def make_like(
    connection: duck.Connection, table: str, query: str, parameters: Parameters = None
) -> list[Column]:
    """Make `table`, a temporary one with the columns of a query, collations included. Raises errors.Error."""
    sql = f"CREATE TEMP TABLE {table} AS SELECT * FROM ({query}\n) LIMIT 0"
    duck.execute(connection, sql, parameters_in(query, parameters))
    return described(connection, f"FROM {table}")


def described(connection: duck.Connection, query: str, parameters: Parameters = None) -> list[Column]:
    """The columns of a query. Raises errors.Error."""
    found = duck.rows(connection, f"DESCRIBE {query}", parameters_in(query, parameters))
    return [Column(str(row[0]), str(row[1])) for row in found]


def bring(
    target: duck.Connection,
    table: str,
    sources: Sequence[Source],
    columns: Sequence[Column],
    states: States | None = None,
    parameters: Parameters = None,
) -> None:
    """Insert the rows of all sources into a table of `target`.

    columns: those of the table and of every source, of types that `transport.can_be_carried`. states: as there.
    parameters: of the statement; each source gets those that it uses. The connections must have no open result.
    Raises errors.Error.
    """
    import pyarrow as pa

    selected = [(connection, f"SELECT {leaving(columns)} FROM ({sql}\n)") for connection, sql in sources]
    rows = _Rows(selected, parameters)
    with closing(rows.batches()) as batches:
        first = next(batches, None)
        if first is None:
            return
        reader = pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], batches))
        duck.guarded(lambda: target.register(_ARRIVING, reader))
        try:
            duck.execute(
                target, f"INSERT INTO {table} SELECT {arrived(columns, states or {})} FROM {_ARRIVING}"
            )
        except Exception as error:
            # What a source raises comes back as a text in an error of the target.
            raise rows.failure or error from None
        finally:
            with suppress(
                Error
            ):  # Where the statement failed, its transaction may have taken the registration along.
                duck.guarded(lambda: target.unregister(_ARRIVING))


class _Rows:
    """The rows of the sources, one after the other. failure: what the source raised that ended them."""

    def __init__(self, sources: Sequence[Source], parameters: Parameters) -> None:
        self.failure: Exception | None = None
        self._sources = sources
        self._parameters = parameters
        self._context = contextvars.copy_context()  # Here: DuckDB may ask for a batch in a thread of its own.

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """Arrow batches with at least one row each."""
        with closing(self._read()) as rows:
            while (batch := self._context.run(next, rows, None)) is not None:
                yield batch

    def _read(self) -> Generator[pa.RecordBatch, None, None]:
        try:
            for connection, sql in self._sources:
                parameters = parameters_in(sql, self._parameters)
                for batch in duck.arrow_stream(connection, sql, parameters, BATCH_ROWS):
                    if batch.num_rows:
                        yield batch
        except Exception as error:
            self.failure = error
            raise
