"""What a statement in the making can name, and its random choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from .schema import Column, Schema
from .values import TYPES, literal, parameter_value

_T = TypeVar("_T")
MOST_PARAMETERS = 6


@dataclass(frozen=True, slots=True)
class Relation:
    """Something that FROM can name.

    sql: its text, with alias. columns: as the statement names them. order: names that put its rows in an order, in
    which only equal rows are tied.
    """

    sql: str
    columns: tuple[Column, ...]
    order: tuple[str, ...]


@dataclass(slots=True)
class Maker:
    """A statement in the making.

    depth: how many subqueries deep the text is now. named: common table expressions that FROM may name,
    with their columns. parameters: the kinds of the parameters so far, by name; None if constants are written out.
    only_sent: parameters are only of kinds that can be sent to the database.
    """

    schema: Schema
    random: Random
    depth: int = 0
    aliases: int = 0
    products: int = 0
    named: list[tuple[str, tuple[Column, ...]]] = field(default_factory=list)
    parameters: dict[str, str] | None = None
    only_sent: bool = True

    def chance(self, share: float) -> bool:
        """True in this share of the cases."""
        return self.random.random() < share

    def choose(self, values: Sequence[_T]) -> _T:
        """One of them."""
        return self.random.choice(values)

    def alias(self) -> str:
        """A new name for a relation."""
        self.aliases += 1
        return f"r{self.aliases}"

    def constant(self, kind: str) -> str:
        """A constant of a kind, now and then as a parameter; NULL for what is none of the kinds."""
        if kind not in TYPES:
            return "NULL"
        text = literal(self.random, kind)
        if (
            self.parameters is not None
            and len(self.parameters) < MOST_PARAMETERS
            and (not self.only_sent or parameter_value(text, kind) is not None)
        ):
            name = f"p{len(self.parameters) + 1}"
            self.parameters[name] = kind
            return f"${name}"
        return text


def of_kind(columns: Sequence[Column], kind: str) -> list[str]:
    """The names of the columns of a kind; an `id` is an `int` too."""
    if kind == "int":
        return [column.name for column in columns if column.kind in ("int", "id")]
    return [column.name for column in columns if column.kind == kind]
