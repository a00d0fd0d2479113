"""Columns that an ALTER fills with values that it would not fill in again: those of `random()`, or of `now()`.

The statement runs as it stands; behind it, the log gets the values that it gave, as an UPDATE of every row.
Leaves to others: running and recording it (`shard_changes.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...catalog.model import Table
from ...errors import NotSupportedError
from ...sql.lexer import Lexeme
from ...storage import duck
from ...storage.operations import Operation
from ...storage.rows import ROWS_NAME, rows_of
from ...storage.settings import Settings
from ...types import quote_identifier
from ..changes.columns import insertable_columns
from ..changes.identity import ROW, Identity, identity_of, located, old_name
from ..changes.unsteady import unsteady_call
from ..gateway import Gateway
from ..reading.binding import shard_table

_VALUE = '"duckraft value"'
_BEFORE_NAME = frozenset({"COLUMN", "IF", "NOT", "EXISTS"})


@dataclass(frozen=True, slots=True)
class FilledColumn:
    """A column of a table that is filled so. identity: of the rows, without this column."""

    table: Table
    name: str
    identity: Identity

    def operation(self, connection: duck.Connection, shard: int, settings: Settings) -> Operation | None:
        """The UPDATE that gives the rows of a shard the values that they have; None if there are no rows.

        connection: inside the transaction that has filled the column. Raises errors.Error.
        """
        target, column = shard_table(self.table, shard), quote_identifier(self.name)
        given = [f"{quote_identifier(name)} AS {old_name(name)}" for name in self.identity.names]
        query = f"SELECT {', '.join([*given, f'{column} AS {_VALUE}'])} FROM {target}"
        types = [row[1] for row in duck.rows(connection, f"DESCRIBE {query}")]
        rows = next(rows_of(connection, query, types, whole=True), None)
        if rows is None:
            return None
        found = located(self.identity, ROWS_NAME, target, "true")
        sql = f"UPDATE {target} AS t SET {column} = s.{_VALUE} FROM ({found}) AS s WHERE s.{ROW} = t.rowid"
        return Operation(sql, None, rows, settings)


def filled_column(gateway: Gateway, table: Table, rest: Sequence[Lexeme]) -> FilledColumn | None:
    """What an ALTER TABLE fills so, if anything. rest: behind the name of the table. Raises NotSupportedError."""
    words = [lexeme.upper for lexeme in rest]
    fills = words[:1] == ["ADD"] or (words[:1] == ["ALTER"] and "TYPE" in words)
    call = unsteady_call(rest) if fills else None
    if call is None:
        return None
    at = next(index for index in range(1, len(rest)) if words[index] not in _BEFORE_NAME)
    name = rest[at].identifier
    if at + 1 < len(rest) and rest[at + 1].text == ".":
        raise NotSupportedError(
            f"a field inside a column cannot be filled by {call.text}",
            hint="Add the field without a DEFAULT, then UPDATE the column.",
            position=call.start + 1,
        )
    others = [
        one.column for one in insertable_columns(gateway, table) if one.column.name.lower() != name.lower()
    ]
    return FilledColumn(table, name, identity_of(gateway, table, others))
