"""SQL composed of pieces of the user's statement and of words of our own.

Promises: an error that DuckDB finds in such a text has its position in the user's statement, or none where the fault
lies in a word of ours; a name that only we know does not show in its message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import Error
from ..sql.parameters import parameters_in, position_before_numbering
from ..storage import duck
from ..types import Parameters


@dataclass(frozen=True, slots=True)
class Composed:
    """Pieces in order: each a text, and its 0-based offset in the user's statement, or None for words of ours."""

    pieces: tuple[tuple[str, int | None], ...]

    @property
    def sql(self) -> str:
        """The whole text."""
        return "".join(text for text, _ in self.pieces)

    def user_position(self, position: int) -> int | None:
        """Where in the user's statement a position of the whole text is. Both count from 1."""
        start = 0
        for text, offset in self.pieces:
            if position <= start + len(text):
                return None if offset is None else position - start + offset
            start += len(text)
        return None


def execute(
    connection: duck.Connection, composed: Composed, parameters: Parameters = None
) -> duck.Connection:
    """Run it on `connection` with those of the statement's parameters that it uses. Raises errors.Error."""
    with _positions(composed.user_position):
        return duck.execute(connection, composed.sql, parameters_in(composed.sql, parameters))


def execute_whole(
    connection: duck.Connection, composed: Composed, parameters: Parameters = None
) -> duck.Connection:
    """Run all of a statement, with all of its parameters, numbered or not. Raises errors.Error."""
    with _positions(composed.user_position):
        return duck.execute(connection, composed.sql, parameters)


def check(connection: duck.Connection, composed: Composed, parameters: Parameters = None) -> None:
    """Have DuckDB say what is wrong with it, if anything is, without running it. Raises errors.Error.

    As JSON: DuckDB takes ten times as long to draw a plan of 128 shards as to make it.
    """
    execute(connection, Composed((("EXPLAIN (FORMAT json) ", None), *composed.pieces)), parameters)


@contextmanager
def part_of_statement(offset: int) -> Iterator[None]:
    """Errors inside have positions in a part of the statement that starts at this 0-based offset."""
    with _positions(lambda position: position + offset):
        yield


@contextmanager
def numbered_from(sql: str) -> Iterator[None]:
    """Errors inside have positions in `sql` with its parameters numbered."""
    with _positions(lambda position: position_before_numbering(sql, position)):
        yield


@contextmanager
def at_position(position: int | None) -> Iterator[None]:
    """Errors inside have positions in a text of ours: the user's are here, or nowhere."""
    with _positions(lambda _: position):
        yield


@contextmanager
def shown_as(internal: str, name: str) -> Iterator[None]:
    """Errors inside may name a table that only we know; the user knows it as `name`."""
    try:
        yield
    except Error as error:
        error.message = error.message.replace(internal, name)
        raise


@contextmanager
def _positions(moved: Callable[[int], int | None]) -> Iterator[None]:
    try:
        yield
    except Error as error:
        if error.position is not None:
            error.position = moved(error.position)
        raise
