"""Commands that show what is in the database, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duckraft.engine.types import quote_identifier, quote_string

from .command import Command

if TYPE_CHECKING:
    from ..interpreter import Interpreter


_TABLES = (
    "SELECT table_schema AS schema, table_name AS table, strategy, shard_key, shards, rows "
    "FROM duckraft.tables ORDER BY ALL"
)
_SHARDS = (
    "SELECT table_schema AS schema, table_name AS table, shard, holds, node, rows, file_bytes "
    "FROM duckraft.shards ORDER BY table_schema, table_name, shard"
)


def _tables(shell: Interpreter, _: list[str]) -> None:
    shell.execute(_TABLES)


def _describe(shell: Interpreter, words: list[str]) -> None:
    if not words:
        shell.execute(_TABLES)
        return
    parts = [part.strip('"') for part in words[0].split(".")]
    shell.execute(f"DESCRIBE {'.'.join(map(quote_identifier, parts))}")
    schema, name = ("main", *parts)[-2:]
    found = shell.query(
        "SELECT clause, primary_key, colocated_with FROM duckraft.tables "
        f"WHERE lower(table_schema) = lower({quote_string(schema)}) AND lower(table_name) = lower({quote_string(name)})"
    )
    for clause, primary_key, colocated_with in found:
        shell.output.notice(clause)
        if primary_key:
            shell.output.notice(f"PRIMARY KEY ({', '.join(primary_key)})")
        if colocated_with:
            shell.output.notice(f"Rows of one key lie beside those of: {', '.join(colocated_with)}")


def _shards(shell: Interpreter, _: list[str]) -> None:
    shell.execute(_SHARDS)


def _nodes(shell: Interpreter, _: list[str]) -> None:
    shell.execute("SHOW NODES")


COMMANDS = (
    Command(("\\dt", ".tables"), "", "List the tables and how each is sharded.", "\\dt", _tables),
    Command(
        ("\\d", ".describe"),
        "[TABLE]",
        "Show a table's columns and how it is sharded; without one, list the tables.",
        "\\d flights",
        _describe,
        0,
        1,
        "tables",
    ),
    Command(("\\shards", ".shards"), "", "List the shards: what each holds, and where.", "\\shards", _shards),
    Command(("\\nodes", ".nodes"), "", "List the nodes.", "\\nodes", _nodes),
)
