"""The table of the benchmarks of single rows: accounts, by number."""

from __future__ import annotations

from collections.abc import Callable

DEFINITION = (
    "CREATE TABLE account (id BIGINT PRIMARY KEY, owner VARCHAR NOT NULL, balance DECIMAL(15, 2) NOT NULL)"
)
SELECT = "SELECT id, owner, balance FROM account WHERE id = ?"


def fill(execute: Callable[[str], object], definition: str, rows: int) -> None:
    """Create the table and put accounts 0 to `rows` − 1 into it."""
    execute(definition)
    execute(f"INSERT INTO account SELECT i, 'owner ' || i, i % 1000 FROM range({rows}) AS numbers (i)")
