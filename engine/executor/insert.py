"""INSERT and COPY … FROM: rows to the shards they belong to.

Three roads, each giving what the next would give:
- a VALUES list whose keys all belong to one shard: that shard gets the user's own text;
- another VALUES list: DuckDB fills a temporary table of the same columns and defaults, whose rows are then dealt out;
- a query or a file: its rows are dealt out as they stream, once over the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sqlglot import exp

from ..catalog.model import Table
from ..errors import NotSupportedError, ProgrammingError
from ..planner.analysis import analyse
from ..planner.comparison import constant_of
from ..sharding import CANNOT_TELL, SpreadStrategy, coerce
from ..sql.fingerprint import number_parameters
from ..sql.insert import InsertParts, parse_copy, parse_insert
from ..storage import duck
from ..types import Column, Parameters, quote_identifier, quote_string
from .binding import shard_table
from .connections import SessionConnections
from .gateway import Gateway
from .load import Load, load
from .result import Result, columns_of


def run_insert(
    gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters
) -> Result:
    """Run an INSERT. Raises errors.Error; then no shard has changed."""
    sql = number_parameters(sql)
    parts = parse_insert(sql)
    table = find_table(gateway, parts.name) if parts is not None else None
    if parts is None or table is None:
        # Not one of our tables: a temporary one, or DuckDB's own error.
        duck.execute(connections.gateway, sql, parameters)
        return changed(connections.gateway, "INSERT 0", parts is not None and parts.returning)
    shard = values_shard(gateway, table, parts, sql, parameters)
    if shard is not None:
        connection = connections.shard(shard)
        duck.execute(connection, sql, parameters)
        return changed(connection, "INSERT 0", parts.returning)
    with _staging(connections.gateway, gateway, table, parts) as staging:
        target = parts.prefix + f"INSERT INTO {staging} "
        if parts.is_values or not _has_key(table, parts):
            duck.execute(connections.gateway, target + parts.body, parameters)
            columns = _insertable(gateway, table)
            names = ", ".join(quote_identifier(column.name) for column in columns)
            job = _job(table, parts, columns, f"SELECT {names} FROM {staging}", None)
            return _load(gateway, connections, job)
        # DuckDB checks names, types and the number of columns before a row moves.
        duck.execute(connections.gateway, f"EXPLAIN {target}{parts.body}", parameters)
        source = [
            Column(str(row[0]), str(row[1]))
            for row in duck.rows(connections.gateway, f"DESCRIBE {parts.query}", parameters)
        ]
    query, columns = _cast_query(gateway, table, parts, source)
    return _load(gateway, connections, _job(table, parts, columns, query, parameters))


def run_copy(gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters) -> Result:
    """Run a COPY … FROM. Raises errors.Error; then no shard has changed."""
    sql = number_parameters(sql)
    parts = parse_copy(sql)
    table = find_table(gateway, parts.name) if parts is not None else None
    if parts is None or table is None:
        duck.execute(connections.gateway, sql, parameters)
        return changed(connections.gateway, "COPY", False)
    columns = _insertable(gateway, table)
    if parts.columns is not None:
        columns = [_column(table, name) for name in parts.columns]
    if table.shard_key and not {name.lower() for name in table.shard_key} <= {c.name.lower() for c in columns}:
        raise NotSupportedError(
            f"COPY without the shard key ({', '.join(table.shard_key)}) cannot place its rows",
            hint="Name the key among the columns, or use INSERT … SELECT.",
        )
    query = _file_query(parts.file, dict(parts.options), columns)
    job = Load(table, tuple(column.name for column in columns), query, parameters)
    result = _load(gateway, connections, job)
    result.tag = f"COPY {result.rowcount}"
    return result


def find_table(gateway: Gateway, name: tuple[str, ...]) -> Table | None:
    """The table of the catalog that a name of one or two parts means."""
    if len(name) > 2:
        return None
    schema = name[0] if len(name) == 2 else "main"
    return gateway.catalog.table(schema, name[-1])


def changed(connection: duck.Connection, verb: str, returning: bool) -> Result:
    """The result of a statement that DuckDB ran as a whole."""
    if returning:
        columns = columns_of(connection)
        rows = duck.guarded(connection.fetchall)
        return Result(columns, f"{verb} {len(rows)}", rows=rows, rowcount=len(rows))
    row = duck.guarded(connection.fetchone)
    count = row[0] if row is not None and isinstance(row[0], int) else 0
    return Result((), f"{verb} {count}", rowcount=count)


def values_shard(
    gateway: Gateway, table: Table, parts: InsertParts, sql: str, parameters: Parameters
) -> int | None:
    """The database's shard that all rows of a VALUES list belong to; None if there is no one such, or none certain."""
    if not parts.is_values or not table.shard_key and not table.is_reference:
        return None
    analysis = analyse(sql, gateway.catalog)
    if analysis is None or len(analysis.refs) != 1 or analysis.others:
        return None
    if table.is_reference:
        return table.placements[0]
    values = analysis.root.args.get("expression")
    if not isinstance(values, exp.Values):
        return None
    names = parts.columns or tuple(column.name for column in _insertable(gateway, table))
    folded = [name.lower() for name in names]
    if not all(name.lower() in folded for name in table.shard_key):
        return None
    shards: set[int] = set()
    for row in values.expressions:
        if not isinstance(row, exp.Tuple) or len(row.expressions) != len(names):
            return None
        key = []
        for column in table.strategy.key:
            constant = constant_of(row.expressions[folded.index(column.name.lower())])
            value = CANNOT_TELL if constant is None else constant.value(parameters, None)
            value = value if value is CANNOT_TELL else coerce(value, column.type)
            if value is CANNOT_TELL:
                return None
            key.append(value)
        shards.add(table.strategy.shard_of(key))
        if len(shards) > 1:
            return None
    return table.placements[shards.pop()] if shards else None


@contextmanager
def _staging(
    connection: duck.Connection, gateway: Gateway, table: Table, parts: InsertParts
) -> Iterator[str]:
    """A temporary table with the columns and defaults of `table`, under its name so that messages name it."""
    name = f"temp.{quote_identifier(table.name)}"
    columns = ", ".join(
        f"{quote_identifier(column.name)} {column.type}" + (f" DEFAULT ({default})" if default else "")
        for column, default in _columns_with_defaults(gateway, table)
    )
    duck.execute(connection, f"CREATE TEMP TABLE {quote_identifier(table.name)} ({columns})")
    try:
        yield name + (f" AS {quote_identifier(parts.alias)}" if parts.alias else "")
    finally:
        duck.execute(connection, f"DROP TABLE {name}")


def _columns_with_defaults(gateway: Gateway, table: Table) -> list[tuple[Column, str | None]]:
    """The columns that can be inserted into, with the SQL of their defaults: generated ones are left out.

    DuckDB lists the expression of a generated column as its default in one place and not in the other.
    """
    described = duck.rows(gateway.instance, f"DESCRIBE {shard_table(table, 0)}")
    defaults = {row[0]: row[4] for row in described}
    listed = duck.rows(
        gateway.instance,
        "SELECT column_name, column_default FROM duckdb_columns()"
        " WHERE database_name = ? AND schema_name = ? AND table_name = ?",
        [shard_table(table, 0).split(".", 1)[0], table.schema, table.name],
    )
    generated = {name for name, default in listed if default is not None and defaults.get(name) is None}
    return [(column, defaults[column.name]) for column in table.columns if column.name not in generated]


def _insertable(gateway: Gateway, table: Table) -> list[Column]:
    return [column for column, _ in _columns_with_defaults(gateway, table)]


def _has_key(table: Table, parts: InsertParts) -> bool:
    """Whether the statement itself gives every column of the shard key, so that no default decides on the shard."""
    if parts.by_name:
        return False
    if parts.columns is None:
        return True
    given = {name.lower() for name in parts.columns}
    return all(name.lower() in given for name in table.shard_key)


def _column(table: Table, name: str) -> Column:
    for column in table.columns:
        if column.name.lower() == name.lower():
            return column
    raise ProgrammingError(
        f'column "{name}" of table "{table.name}" does not exist',
        sqlstate="42703",
        hint=f"It has {', '.join(column.name for column in table.columns)}.",
    )


def _cast_query(
    gateway: Gateway, table: Table, parts: InsertParts, source: Sequence[Column]
) -> tuple[str, list[Column]]:
    """The rows of the user's query with the target's names and types, and the columns they fill."""
    if parts.columns is not None:
        targets = [_column(table, name) for name in parts.columns]
    else:
        targets = _insertable(gateway, table)[: len(source)]
    inner = ", ".join(f"c{number}" for number in range(len(source)))
    casts = ", ".join(
        f"CAST(c{number} AS {target.type}) AS {quote_identifier(target.name)}"
        for number, target in enumerate(targets)
    )
    return f"SELECT {casts} FROM ({parts.query}\n) AS source({inner})", targets


def _job(
    table: Table, parts: InsertParts, columns: Sequence[Column], query: str, parameters: Parameters
) -> Load:
    alias = f" AS {quote_identifier(parts.alias)}" if parts.alias else ""
    return Load(
        table,
        tuple(column.name for column in columns),
        query,
        parameters,
        verb=parts.verb,
        target_alias=alias,
        tail=parts.tail,
        returning=parts.returning,
    )


def _load(gateway: Gateway, connections: SessionConnections, job: Load) -> Result:
    """Deal the rows out, all or none."""
    if isinstance(job.table.strategy, SpreadStrategy):
        job = replace(job, dealt=row_count(gateway, job.table))
    with connections.atomic(sorted(set(job.table.placements))) as writers:
        by_shard = {shard: writers[number] for shard, number in enumerate(job.table.placements)}
        loaded = load(connections.gateway, by_shard, job)
    tag = f"INSERT 0 {loaded.count}"
    if not job.returning:
        return Result((), tag, rowcount=loaded.count)
    columns = [Column(str(item[0]), str(item[1])) for item in loaded.description or ()]
    return Result(columns, tag, rows=loaded.returned, rowcount=loaded.count)


def row_count(gateway: Gateway, table: Table) -> int:
    """How many rows a table has; DuckDB knows without reading them."""
    parts = [f"SELECT count(*) AS n FROM {shard_table(table, shard)}" for shard in range(table.strategy.shard_count)]
    count: int = duck.rows(gateway.instance, f"SELECT sum(n) FROM ({' UNION ALL '.join(parts)})")[0][0]
    return count


_FORMATS_BY_ENDING = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
_CSV_NAMES = {"delimiter": "delim", "null": "nullstr", "force_quote": "force_quote"}


def _file_query(file: str, options: dict[str, str], columns: Sequence[Column]) -> str:
    """The query that reads a file as COPY would: by position for CSV and Parquet, by name for JSON."""
    kind = options.pop("format", "").strip("'").lower()
    if not kind:
        bare = file.strip("'").lower().removesuffix(".gz").removesuffix(".zst")
        kind = next((kind for ending, kind in _FORMATS_BY_ENDING.items() if bare.endswith(ending)), "csv")
    names = ", ".join(f"c{number}" for number in range(len(columns)))
    casts = ", ".join(
        f"CAST(c{number} AS {column.type}) AS {quote_identifier(column.name)}"
        for number, column in enumerate(columns)
    )
    if kind == "parquet":
        settings = "".join(f", {name} = {value}" for name, value in options.items())
        return f"SELECT {casts} FROM read_parquet({file}{settings}) AS source({names})"
    if kind not in ("csv", "json"):
        raise NotSupportedError(f'COPY FROM cannot read the format "{kind}"', hint="Use csv, parquet or json.")
    types = ", ".join(f"{quote_string(column.name)}: {quote_string(column.type)}" for column in columns)
    renamed = {_CSV_NAMES.get(name, name): value for name, value in options.items()}
    settings = "".join(f", {name} = {value}" for name, value in renamed.items())
    reader = "read_csv" if kind == "csv" else "read_json"
    return f"SELECT {casts} FROM {reader}({file}, columns = {{{types}}}{settings}) AS source({names})"

