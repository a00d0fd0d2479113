"""Statements of a session that DuckDB has parsed before.

A text with parameters comes again as it is, and parsing it costs DuckDB about as much as a fifth of selecting one row.
Promises: bounded; a statement from here runs as its text would: what is kept is only what the parser made of it, names
are looked up each time. A setting that the parser heeds, such as `integer_division`, makes everything kept stale.
Leaves to others: which statements are worth keeping (`statements/queries.py`).
"""

from __future__ import annotations

from collections import OrderedDict

from ..storage import duck
from .gateway import Gateway

CAPACITY = 256


class ParsedTexts:
    """Parsed statements by text, the least recently used leaving first. Used by the thread of its session."""

    def __init__(self, gateway: Gateway, capacity: int = CAPACITY) -> None:
        self._gateway = gateway
        self._capacity = capacity
        self._version = gateway.settings_version
        self._statements: OrderedDict[str, duck.Statement | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._statements)

    def statement(self, connection: duck.Connection, text: str) -> duck.Statement | None:
        """What DuckDB's parser makes of a text; None if that is more than one statement. Raises errors.Error."""
        version = self._gateway.settings_version
        if version != self._version:
            self._statements.clear()
            self._version = version
        if text in self._statements:
            self._statements.move_to_end(text)
            return self._statements[text]
        statement = self._statements[text] = duck.parse(connection, text)
        if len(self._statements) > self._capacity:
            self._statements.popitem(last=False)
        return statement
