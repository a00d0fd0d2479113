"""What Tab offers: tables, columns, keywords, and the commands of the shell with their words.

Promises: the database is asked only when Tab is pressed after something may have changed, and never while it is busy;
if it cannot answer, Tab offers less and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from duckraft.engine.errors import Error

from .commands import BY_NAME, COMMANDS
from .formats import FORMATS

if TYPE_CHECKING:
    from .interpreter import Interpreter

_WORD = re.compile(r"[\w$.]+$")
_BEFORE_A_TABLE = re.compile(
    r"\b(?:from|join|into|update|table|describe|with)\s+(?:[\w.]+\s*,\s*)*[\w$.]*$", re.IGNORECASE
)
_SYSTEM_TABLES = ("duckraft.tables", "duckraft.shards", "duckraft.nodes", "duckraft.statistics")
_OUR_WORDS = (
    "SHARD BY", "SHARDS", "HASH", "CONSISTENT HASH", "DIRECTORY", "REFERENCE", "COLOCATE WITH", "VALUES LESS THAN",
    "MAXVALUE", "SHOW TABLES", "SHOW SHARDS", "SHOW NODES", "EXPLAIN ROUTE",
)  # fmt: skip


@dataclass(slots=True)
class Schema:
    """Names for completion. columns: those of each table. changes: the interpreter's count when they were read."""

    changes: int = -1
    keywords: list[str] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)


class ShellCompleter(Completer):
    """Completion over one interpreter's database."""

    def __init__(self, shell: Interpreter) -> None:
        self._shell = shell
        self._schema = Schema()
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What could stand at the cursor."""
        text = document.text_before_cursor
        line = text.lstrip()
        if line.startswith(("\\", ".")) and "\n" not in line:
            yield from self._command_completions(line, complete_event)
            return
        match = _WORD.search(text)
        word = match[0] if match else ""
        self._refresh()
        offered: set[str] = set()
        for name, kind in self._names(document.text, text, word):
            # A column may be called like a keyword; it is offered once, as what it is here.
            if name.lower() not in offered:
                offered.add(name.lower())
                yield Completion(name, start_position=-len(word), display_meta=kind)

    def _command_completions(self, line: str, event: CompleteEvent) -> Iterator[Completion]:
        name, blank, rest = line.partition(" ")
        if not blank:
            for command in COMMANDS:
                for spelling in command.names:
                    if spelling.startswith(name):
                        yield Completion(spelling, -len(name), display_meta=command.help)
            return
        completes = BY_NAME[name].completes if name in BY_NAME else ""
        if completes == "files":
            yield from self._paths.get_completions(Document(rest), event)
            return
        words: Iterable[str] = ()
        if completes == "tables":
            self._refresh()
            words = self._schema.columns
        elif completes == "switch":
            words = ("on", "off")
        elif completes == "formats" or rest.startswith("format "):
            words, rest = FORMATS, rest.rpartition(" ")[2]
        elif completes == "options":
            words = ("format", "null", "expanded", "header")
        yield from (Completion(word, -len(rest)) for word in words if word.startswith(rest))

    def _names(self, statement: str, before: str, word: str) -> Iterator[tuple[str, str]]:
        """Names that begin with `word`, each with its kind, the likeliest first."""
        prefix = word.lower()
        known = (*self._schema.columns, *_SYSTEM_TABLES)
        tables = [(name, "table") for name in known if name.lower().startswith(prefix)]
        if _BEFORE_A_TABLE.search(before):
            yield from tables
            return
        qualifier, dot, column_prefix = word.rpartition(".")
        for column, table in self._columns_in(statement).items():
            if column.lower().startswith(column_prefix.lower()):
                yield f"{qualifier}{dot}{column}", f"column of {table}"
        yield from tables
        if prefix:
            for keyword in (*_OUR_WORDS, *self._schema.keywords):
                if keyword.lower().startswith(prefix):
                    yield (keyword.lower() if word.islower() else keyword), ""

    def _columns_in(self, statement: str) -> dict[str, str]:
        """The columns of the tables that `statement` mentions, each with the first table that has it."""
        mentioned = set(re.findall(r"[\w$]+", statement.lower()))
        found: dict[str, str] = {}
        for table, columns in self._schema.columns.items():
            if table.lower() in mentioned:
                for column in columns:
                    found.setdefault(column, table)
        return found

    def _refresh(self) -> None:
        """Read the names anew if a statement may have changed them."""
        schema, shell = self._schema, self._shell
        if schema.changes == shell.changes:
            return
        schema.changes = shell.changes
        try:
            if not schema.keywords:
                schema.keywords = [
                    str(row[0]).upper() for row in shell.query("SELECT keyword_name FROM duckdb_keywords()")
                ]
            schema.columns = {}
            for table, column in shell.query(
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE table_schema <> 'duckraft' ORDER BY table_name, ordinal_position"
            ):
                schema.columns.setdefault(str(table), []).append(str(column))
        except Error:
            # Completion is a help; the statement that the user is typing will tell what is wrong.
            return
