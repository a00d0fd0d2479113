"""Bulk loading by way of a table in the gateway's memory, for types that do not come through Arrow as they were.

Tried with every type of DuckDB: unions lose a NULL member, lists of enums cannot be empty, structs in structs cannot
be cut, and JSON, BIT and BIGNUM have no kernel to gather them. Rows of such types are written down once with their
shard numbers, and each shard takes its own.
Promises: as `load.py`, but memory holds the rows (DuckDB spills them to disk if it must).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from ...catalog.model import Table
from ...sharding import SpreadStrategy
from ...sql.parameters import parameters_in
from ...storage import duck
from ...storage.rows import ROWS_NAME, Rows, bound, rows_of
from ...transactions.writer import ShardWriter
from ...types import Column, Row, quote_identifier
from ..connections import SessionConnections
from ..reading.recording import CHANGE, work
from ..reading.result import columns_of
from .columns import column_of
from .job import SHARD, Load, Loaded, no_shard

_SAFE = re.compile(
    r"U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|BOOLEAN|VARCHAR|BLOB|UUID|DATE|TIME"
    r"|TIMESTAMP(?:_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE|INTERVAL|ENUM\(.*\)",
    re.DOTALL,
)


def must_be_staged(table: Table) -> bool:
    """Whether the table has a column whose values Arrow might change, or cannot move."""
    return not all(_SAFE.fullmatch(column.type) for column in table.columns)


def load_staged(connections: SessionConnections, writers: dict[int, ShardWriter], job: Load) -> Loaded:
    """Run the job. writers: by shard number of the table. Raises errors.Error."""
    reader = connections.gateway
    stage = f"memory.duckraft.{quote_identifier(f'load {uuid.uuid4().hex}')}"
    strategy = job.table.strategy
    sql = _dealt_query(job, strategy) if isinstance(strategy, SpreadStrategy) else job.numbered_query()
    try:
        made = f"CREATE OR REPLACE TABLE {stage} AS {sql}"
        connections.transactions.at_once(
            lambda: duck.execute(reader, made, parameters_in(sql, job.parameters))
        )
        _check_placed(reader, stage, job)
        count = 0
        returned: list[Row] = []
        columns: tuple[Column, ...] = ()
        for shard, writer in writers.items():
            number = job.table.placements[shard]
            with work(CHANGE, number) as done:
                for chunk in _chunks(reader, stage, shard, job):
                    connection = writer.connection
                    with bound(connection, chunk):
                        sql = job.insert_sql(shard, f"SELECT * FROM {ROWS_NAME}")
                        duck.execute(connection, sql, parameters_in(job.tail, job.parameters))
                        if job.returning:
                            columns = columns_of(connection)
                        given = duck.guarded(connection.fetchall)
                    writer.record(job.operation(shard, chunk))
                    done.rows += len(given) if job.returning else given[0][0]
                    returned += given if job.returning else []
            count += done.rows
        return Loaded(count, returned, columns)
    finally:
        duck.clean_up(reader, f"DROP TABLE IF EXISTS {stage}")


def _chunks(reader: duck.Connection, stage: str, shard: int, job: Load) -> Iterator[Rows]:
    """The rows of one shard, as they are written to the log."""
    rows = f"SELECT * EXCLUDE ({SHARD}) FROM {stage} WHERE {SHARD} = {shard}"
    types = [column_of(job.table, name).type for name in job.columns]
    return rows_of(reader, rows, types, whole=job.keeps_first)


def _dealt_query(job: Load, strategy: SpreadStrategy) -> str:
    """The query with its rows dealt to the shards in turn."""
    number = f"(row_number() OVER () - 1 + {job.dealt}) % {strategy.shard_count}"
    return f"SELECT *, CAST({number} AS USMALLINT) AS {SHARD} FROM ({job.query}\n)"


def _check_placed(reader: duck.Connection, stage: str, job: Load) -> None:
    """Raise NoShardError if a row has no shard."""
    if not job.table.shard_key:
        return
    keys = ", ".join(quote_identifier(name) for name in job.table.shard_key)
    lost = duck.rows(reader, f"SELECT {keys} FROM {stage} WHERE {SHARD} IS NULL LIMIT 1")
    if lost:
        raise no_shard(job.table, lost[0])
