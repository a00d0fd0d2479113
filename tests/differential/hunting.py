"""Rounds of generated statements: one schema, one plain database, a few sharded ones, many statements.

A statement is compared on one of the sharded databases, by turns, on every tier that it qualifies for. One that is
answered otherwise is shrunk. A second plain database, whose rows were inserted the other way round, tells whether the
answer is fixed at all: if the two plain ones disagree, it is the generator's fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import astuple, dataclass, replace
from random import Random

import duckdb

from .generator.between import BetweenMaker
from .generator.schema import BEFORE, Schema, make_schema
from .generator.statements import statements as random_statements
from .harness import (
    ANY_WAY,
    Answer,
    Mismatch,
    Outcome,
    Sharded,
    Statement,
    ask_plain,
    connect_plain,
    difference,
)
from .layouts import LAYOUTS, create_plain, create_statements
from .shrinking import shrink

STATEMENTS_PER_SCHEMA = 1000
PLACES_PER_SCHEMA = 3
THREADS = 1
"""Of each database. The tables are so small that more of them only get in each other's way."""
_SHARD_COUNTS = (1, 2, 3, 3, 3, 8)
STREAMED_SHARE = 0.25
"""Of the places, where fragments are streamed too."""
SHAPES_BETWEEN_CHANGES = 25
CHANGES_OF_A_TRANSACTION = 10
"""With which a transaction begins, so that it has written on several shards."""
MOST_ROWS = 4000
"""A statement with more rows is not compared: that would take the time of many others."""

_OWN_ORDER = re.compile(
    r" ORDER BY (ALL[A-Z ]*?|[0-9][0-9A-Z, ]*?)( (?:LIMIT|OFFSET) [^)]*(?:\(SELECT 2\))?)?$"
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one generated statement.

    failed: plain DuckDB refuses it. compared: answers of duckraft that were compared. mismatch: its shrunk form, if it
    was answered otherwise. undefined: the plain answer is not fixed, so the mismatch says nothing.
    """

    statement: Statement
    failed: bool = False
    compared: int = 0
    mismatch: Mismatch | None = None
    undefined: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of statements.

    statements: generated, and run on plain DuckDB. failed: those of them that plain DuckDB refuses, with an error to be
    compared. too_large: not compared, for the number of rows. answers: of duckraft that were compared, errors too.
    """

    statements: int = 0
    failed: int = 0
    too_large: int = 0
    answers: int = 0
    wrong: int = 0
    undefined: int = 0

    def with_one(self, tried: Tried) -> Tally:
        """These and one more."""
        return self + Tally(
            1,
            int(tried.failed),
            int(tried.compared == 0),
            tried.compared,
            int(tried.mismatch is not None and not tried.undefined),
            int(tried.undefined),
        )

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.statements} statements ({self.failed} fail on plain DuckDB, {self.too_large} have too many rows),"
            f" {self.answers} answers compared, {self.wrong} mismatches, {self.undefined} not fixed"
        )


class Round:
    """The databases of one seed. places: the sharded ones."""

    def __init__(
        self,
        seed: int,
        places: Sequence[tuple[str, int]] | None = None,
        *,
        in_transaction: bool = False,
    ) -> None:
        """places: layouts with their shard counts; by default some that the seed chooses.

        in_transaction: the tables are changed, and then read, in one transaction that never ends.
        """
        self.seed = seed
        self.random = Random(seed)
        self.schema = make_schema(self.random)
        self._closing = ExitStack()
        chosen = places or [
            (self.random.choice(LAYOUTS), self.random.choice(_SHARD_COUNTS)) for _ in range(PLACES_PER_SCHEMA)
        ]
        self._plain = self._closing.enter_context(closing(load_plain(self.schema)))
        self._turned: duckdb.DuckDBPyConnection | None = None
        self._changes = BetweenMaker(self.schema, self.random)
        self._done: list[str] = []
        self.places: list[Sharded] = []
        for layout, shards in chosen:
            streams = self.random.random() < STREAMED_SHARE
            told = f"{layout}, {shards} shards, seed {seed}"
            place = Sharded(told, shards, threads=THREADS, streams=streams)
            self._closing.callback(place.close)
            place.run([BEFORE, *create_statements(self.schema.tables, layout, shards), *self.schema.inserts])
            place.run(self.schema.definitions)
            if in_transaction:
                place.begin()
            self.places.append(place)
        self._first_changes = CHANGES_OF_A_TRANSACTION if in_transaction else 0

    def close(self) -> None:
        """Give up the databases."""
        self._closing.close()

    def statements(self, count: int) -> Iterator[Tried]:
        """As many random statements, each of them compared, and a change now and then; fewer if a change goes wrong."""
        made = turn = 0
        while made < count:
            if made < self._first_changes or turn % SHAPES_BETWEEN_CHANGES == SHAPES_BETWEEN_CHANGES - 1:
                made += 1
                tried = self._change()
                yield tried
                if tried.mismatch is not None:
                    return
                if made < self._first_changes:
                    continue
            place = self.places[turn % len(self.places)]
            for number, statement in enumerate(random_statements(self.schema, self.random)):
                made += 1
                yield self.attempt(statement, place, again=number > 0)
            turn += 1

    def _change(self) -> Tried:
        """Change all databases. Only whether the change is possible is compared: queries will show what it did."""
        statement = Statement(self._changes.change())
        expected = ask_plain(self._plain, statement)
        failed = not isinstance(expected, Answer)
        if not failed:
            self._done.append(statement.sql)
            if self._turned is not None:
                self._turned.execute(statement.sql)
        for place in self.places:
            place.answers += 1
            got = place.change(statement)
            if isinstance(got, Answer) is failed:
                found = Mismatch(
                    statement, place.place, ANY_WAY, "a change", expected, got, "an error on one side only"
                )
                return Tried(statement, failed, len(self.places), found)
        return Tried(statement, failed, len(self.places))

    def attempt(self, statement: Statement, place: Sharded, *, again: bool = False) -> Tried:
        """Compare one statement in one place. again: its shape was there before, so it is run in one way only."""
        expected = ask_plain(self._plain, statement)
        if isinstance(expected, Answer) and len(expected.rows) > MOST_ROWS:
            return Tried(statement)
        before = place.answers
        found = _first_mismatch(place, statement, expected, again=again)
        compared = place.answers - before
        failed = not isinstance(expected, Answer)
        if found is None:
            return Tried(statement, failed, compared)
        if not self._is_fixed(statement, expected):
            return Tried(statement, failed, compared, found, undefined=True)
        shrunk = shrink(statement, lambda smaller: self._also_wrong(smaller, place, found) is not None)
        return Tried(statement, failed, compared, self._also_wrong(shrunk, place, found) or found)

    def _also_wrong(self, statement: Statement, place: Sharded, like: Mismatch) -> Mismatch | None:
        """Where a statement is answered wrongly in the same way as another one."""
        expected = ask_plain(self._plain, statement)
        found = _first_mismatch(place, statement, expected)
        if found is None or _way(found) != _way(like) or not self._is_fixed(statement, expected):
            return None
        return found

    def _is_fixed(self, statement: Statement, expected: Outcome) -> bool:
        """Whether plain DuckDB gives the same answer if it has the rows in another order."""
        if self._turned is None:
            self._turned = self._closing.enter_context(closing(load_plain(self.schema, backwards=True)))
            for sql in self._done:
                self._turned.execute(sql)
        again = ask_plain(self._turned, statement)
        return difference(expected, again, ordered=is_ordered(statement, expected)) is None


def load_plain(schema: Schema, *, backwards: bool = False) -> duckdb.DuckDBPyConnection:
    """A plain database with a schema. backwards: with the rows of each table in the opposite order."""
    plain = connect_plain(threads=THREADS)
    for sql in (BEFORE, *map(create_plain, schema.tables), *schema.inserts):
        plain.execute(sql)
    if backwards:
        for table in schema.tables:
            plain.execute(f"CREATE TEMP TABLE turned AS FROM {table.name} ORDER BY rowid DESC")
            plain.execute(f"DELETE FROM {table.name}")
            plain.execute(f"INSERT INTO {table.name} FROM turned")
            plain.execute("DROP TABLE turned")
    for sql in schema.definitions:
        plain.execute(sql)
    return plain


def is_ordered(statement: Statement, expected: Outcome) -> bool:
    """Whether a statement ends in an order by all columns of its answer."""
    found = _OWN_ORDER.search(statement.sql)
    if found is None or not isinstance(expected, Answer):
        return False
    listed = found.group(1)
    return listed.startswith("ALL") or len(re.findall(r"[0-9]+", listed)) == len(expected.columns)


def _way(mismatch: Mismatch) -> tuple[str, bool]:
    """In which way an answer is wrong, without its values."""
    difference = mismatch.difference
    rows = " instead of " in difference and not difference.startswith("error ")
    return "other rows" if rows else difference, isinstance(mismatch.expected, Answer)


def _first_mismatch(
    place: Sharded, statement: Statement, expected: Outcome, *, again: bool = False
) -> Mismatch | None:
    statement = replace(statement, ordered=is_ordered(statement, expected))
    if again:
        return place.compare(statement, expected, ANY_WAY)
    return next(place.mismatches(statement, expected), None)


def hunt(
    seed: int,
    *,
    statements: int = STATEMENTS_PER_SCHEMA,
    places: Sequence[tuple[str, int]] | None = None,
    in_transaction: bool = False,
) -> tuple[Tally, list[str]]:
    """Compare the statements of one seed; each finding as text. places, in_transaction: as `Round` has them.

    A schema that cannot be loaded is a finding too.
    """
    tally, texts = Tally(), []
    try:
        databases = Round(seed, places, in_transaction=in_transaction)
    except Exception as error:  # The other seeds shall still run.
        return Tally(wrong=1), [f"seed {seed}: loading fails with {type(error).__name__}: {error}"]
    with closing(databases):
        for tried in databases.statements(statements):
            tally = tally.with_one(tried)
            if tried.mismatch is not None:
                texts.append(f"{'NOT FIXED: ' if tried.undefined else ''}{tried.mismatch}")
    return tally, texts
