"""COPY … FROM a file: its rows are dealt out to the shards as they stream, in one pass over the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...catalog.model import Table
from ...errors import NotSupportedError
from ...sql.fingerprint import number_parameters
from ...sql.insert import CopyParts, parse_copy
from ...sql.lexer import Kind, significant
from ...sql.parameters import check_parameters, parameters_in
from ...storage import duck
from ...types import Column, Parameters, quote_identifier, quote_string
from ..composed import Composed, at_position, check, numbered_from, shown_as
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.result import Result
from .columns import Described, Insertable, column_of, described_columns, stand_in
from .insert import changed, load_all, with_defaults
from .job import Load

_STAND_IN = "__duckraft_copied"
_FORMATS_BY_ENDING = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
_CSV_NAMES = {"delimiter": "delim", "null": "nullstr"}
_CSV_LISTS = frozenset({"force_not_null"})
"""Options whose value is a list of columns, written as one name or in parentheses."""


def run_copy(gateway: Gateway, connections: SessionConnections, sql: str, parameters: Parameters) -> Result:
    """Run a COPY … FROM. Raises errors.Error; then no shard has changed."""
    numbered = number_parameters(sql)
    parts = parse_copy(numbered)
    table = gateway.find_table(parts.name) if parts is not None else None
    if parts is None or table is None:
        duck.execute(connections.gateway, sql, parameters)
        return changed(connections.gateway, "COPY", False)
    check_parameters(numbered, parameters)
    described = described_columns(gateway, table)
    columns = described.insertable
    given, count = _columns(table, columns, parts)
    file = _file(parts.file, parameters)
    kind = _format(file, dict(parts.options))
    with numbered_from(sql):
        _judge(connections, table, described, numbered, parts, file)
    query = _file_query(file, kind, dict(parts.options), given[:count])
    query = with_defaults(given, count, columns, query)
    with at_position(None):
        job = Load(table, tuple(column.name for column in given), query, parameters)
        result = load_all(gateway, connections, job)
    result.tag = f"COPY {result.rowcount}"
    return result


def _judge(
    connections: SessionConnections,
    table: Table,
    described: Described,
    text: str,
    parts: CopyParts,
    file: str,
) -> None:
    """Have DuckDB say whether the file has the columns that the statement fills. Raises errors.Error."""
    between = (text[parts.name_end : parts.file_start], parts.name_end)
    behind = parts.file_start + len(parts.file)
    pieces = ((f"COPY temp.{_STAND_IN}", None), between, (file, None), (text[behind:], behind))
    connection = connections.gateway
    with stand_in(connection, table, described, _STAND_IN), shown_as(_STAND_IN, table.name):
        check(connection, Composed(pieces))


def _file(file: str, parameters: Parameters) -> str:
    """The file as a string literal: its ending, which may tell the format, must be known."""
    given = parameters_in(file, parameters)
    return quote_string(str(next(iter(given.values())))) if isinstance(given, Mapping) else file


def _columns(table: Table, columns: Sequence[Insertable], parts: CopyParts) -> tuple[list[Column], int]:
    """The columns of the rows, those that the file fills first, and how many these are.

    The others are those with a default, and what the file leaves out of the shard key.
    """
    if parts.columns is None:
        return [one.column for one in columns], len(columns)
    named = [column_of(table, name) for name in parts.columns]
    names = {column.name for column in named}
    others = [
        one.column
        for one in columns
        if one.column.name not in names and (one.default is not None or one.column.name in table.shard_key)
    ]
    return named + others, len(named)


def _format(file: str, options: Mapping[str, str]) -> str:
    """The format that a statement names, or else that of the file's ending. Raises NotSupportedError."""
    kind = options.get("format", "").strip("'").lower()
    if not kind:
        bare = file.strip("'").lower().removesuffix(".gz").removesuffix(".zst")
        kind = next((kind for ending, kind in _FORMATS_BY_ENDING.items() if bare.endswith(ending)), "csv")
    if kind not in ("csv", "json", "parquet"):
        raise NotSupportedError(
            f'COPY FROM cannot read the format "{kind}"', hint="Use csv, parquet or json."
        )
    return kind


def _file_query(file: str, kind: str, options: dict[str, str], columns: Sequence[Column]) -> str:
    """The query that reads a file as COPY would: by position for CSV and Parquet, by name for JSON."""
    options.pop("format", None)
    names = ", ".join(quote_identifier(column.name) for column in columns)
    casts = ", ".join(
        f"CAST({quote_identifier(column.name)} AS {column.type}) AS {quote_identifier(column.name)}"
        for column in columns
    )
    if kind == "csv":
        options = {
            _CSV_NAMES.get(name, name): _list(value) if name in _CSV_LISTS else value
            for name, value in options.items()
        }
    settings = "".join(f", {name} = {value}" for name, value in options.items())
    if kind != "parquet":
        types = ", ".join(f"{quote_string(column.name)}: {quote_string(column.type)}" for column in columns)
        settings = f", columns = {{{types}}}{settings}"
    return f"SELECT {casts} FROM read_{kind}({file}{settings}) AS source({names})"


def _list(value: str) -> str:
    """The columns that an option of COPY names, as a list of strings."""
    names = [lexeme for lexeme in significant(value) if lexeme.kind in (Kind.WORD, Kind.QUOTED, Kind.STRING)]
    bare = (
        name.text[1:-1].replace("''", "'") if name.kind is Kind.STRING else name.identifier for name in names
    )
    return f"[{', '.join(map(quote_string, bare))}]"
