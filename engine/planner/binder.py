"""What the planner asks DuckDB, without opening a connection of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..types import Column


@dataclass(frozen=True, slots=True)
class Function:
    """What is known of a function name. kind: `scalar`, `aggregate`, `macro`, `table`, `table_macro` or `pragma`.

    consistent: two calls with the same arguments give the same value.
    """

    kind: str
    consistent: bool


class Binder(Protocol):
    """DuckDB as the gateway has it: every table of the catalog is there under its own name."""

    def describe(self, sql: str) -> tuple[Column, ...] | None:
        """Names and types of a query's result; None for a query that does not bind."""
        ...

    def functions(self) -> Mapping[str, Function]:
        """All functions by name in lower case."""
        ...

    def same_meaning(self, one: str, other: str) -> bool:
        """Whether DuckDB's own parser reads two texts as the same statement. False if it cannot say."""
        ...

    def estimated_rows(self, sql: str) -> int | None:
        """About how many rows a query gives; None if DuckDB cannot say."""
        ...
