"""Statements of a session that DuckDB has parsed before.

A text with parameters comes again as it is, and so does the SQL of a plan. Parsing costs DuckDB a quarter of the time
that selecting one row takes, and some milliseconds for a query of many branches.
Promises: bounded; a statement from here runs as its text would: what is kept is only what the parser made of it, names
are looked up each time. A setting that the parser heeds, such as `integer_division`, makes everything kept stale.
Leaves to others: which statements are worth keeping (`statements/queries.py`).
"""

from __future__ import annotations

from collections import OrderedDict

from ..storage import duck
from .gateway import Gateway

CAPACITY = 262_144
"""Characters of all texts together: what the parser makes of a text is many times as large."""


class ParsedTexts:
    """Parsed statements by text, the least recently used leaving first. Used by the thread of its session."""

    def __init__(self, gateway: Gateway, capacity: int = CAPACITY) -> None:
        self._gateway = gateway
        self._capacity = capacity
        self._version = gateway.settings_version
        self._characters = 0
        self._statements: OrderedDict[str, duck.Statement | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._statements)

    def statement(self, connection: duck.Connection, text: str) -> duck.Statement | None:
        """What DuckDB's parser makes of a text; None if that is more than one statement. Raises errors.Error."""
        version = self._gateway.settings_version
        if version != self._version:
            self._statements.clear()
            self._characters = 0
            self._version = version
        if text in self._statements:
            self._statements.move_to_end(text)
            return self._statements[text]
        statement = duck.parse(connection, text)
        if len(text) <= self._capacity:
            self._statements[text] = statement
            self._characters += len(text)
            while self._characters > self._capacity:
                self._characters -= len(self._statements.popitem(last=False)[0])
        return statement
