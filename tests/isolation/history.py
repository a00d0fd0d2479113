"""What clients saw of a database: transactions that append values to lists and read whole lists.

A list shows in which order its values were appended, so one read tells the history of its key. That holds only if no
value is appended to one key twice, which whoever makes a history sees to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum

Key = int | str

_SHOWN = 6
"""How many values of a list reports show: the last ones, which tell how far it went."""


class Level(IntEnum):
    """Isolation levels, weakest first. Repeatable read is snapshot isolation, as in PostgreSQL."""

    READ_UNCOMMITTED = 0
    READ_COMMITTED = 1
    REPEATABLE_READ = 2
    SERIALIZABLE = 3

    @property
    def sql(self) -> str:
        """As `BEGIN ISOLATION LEVEL …` takes it."""
        return self.name.replace("_", " ")

    def __str__(self) -> str:
        return self.sql.lower()


class Outcome(Enum):
    """What the client knows of a transaction's end."""

    OK = "committed"
    FAILED = "failed"
    UNKNOWN = "outcome unknown"


@dataclass(frozen=True, slots=True)
class Append:
    """A value was put at the end of the list of `key`."""

    key: Key
    value: int

    def __str__(self) -> str:
        return f"append {self.value} to {self.key}"


@dataclass(frozen=True, slots=True)
class Read:
    """The list of `key` was read; a key without a row has the empty list."""

    key: Key
    values: tuple[int, ...]

    def __str__(self) -> str:
        shown = [str(value) for value in self.values[-_SHOWN:]]
        if len(shown) < len(self.values):
            shown.insert(0, f"({len(self.values) - len(shown)} values)")
        return f"read {self.key} = [{' '.join(shown)}]"


Operation = Append | Read


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as its client saw it.

    number: names it in reports. begin_ns: a moment before it began, on one clock for the whole history. end_ns: a
    moment after its end was known. atomic: it was one statement, without BEGIN.
    """

    number: int
    operations: tuple[Operation, ...]
    outcome: Outcome = Outcome.OK
    begin_ns: int = 0
    end_ns: int = 0
    atomic: bool = False

    def appends(self) -> Iterator[Append]:
        """Its appends, in their order."""
        return (each for each in self.operations if isinstance(each, Append))

    def reads(self) -> Iterator[Read]:
        """Its reads, in their order."""
        return (each for each in self.operations if isinstance(each, Read))

    def __str__(self) -> str:
        return f"T{self.number} ({self.outcome.value}): {', '.join(map(str, self.operations))}"
