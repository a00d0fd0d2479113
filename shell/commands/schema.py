"""Commands that show what is in the database, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duckraft.engine.types import quote_identifier

from .command import Command

if TYPE_CHECKING:
    from ..interpreter import Interpreter


def _tables(shell: Interpreter, _: list[str]) -> None:
    shell.execute("SHOW TABLES")


def _describe(shell: Interpreter, words: list[str]) -> None:
    if words:
        shell.execute(f"DESCRIBE {_table_name(words[0])}")
    else:
        shell.execute("SHOW TABLES")


def _shards(shell: Interpreter, _: list[str]) -> None:
    shell.execute("SHOW SHARDS")


def _nodes(shell: Interpreter, _: list[str]) -> None:
    shell.execute("SHOW NODES")


def _table_name(word: str) -> str:
    """A table's name as the user wrote it, `schema.table` too; quoted, so that it cannot be anything else."""
    return ".".join(quote_identifier(part.strip('"')) for part in word.split("."))


COMMANDS = (
    Command(("\\dt", ".tables"), "", "List the tables and how each is sharded.", "\\dt", _tables),
    Command(
        ("\\d", ".describe"),
        "[TABLE]",
        "Show the columns of a table; without one, list the tables.",
        "\\d flights",
        _describe,
        0,
        1,
        "tables",
    ),
    Command(("\\shards", ".shards"), "", "List the shards: what each holds, and where.", "\\shards", _shards),
    Command(("\\nodes", ".nodes"), "", "List the nodes.", "\\nodes", _nodes),
)
