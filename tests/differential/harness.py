"""One statement on one plain DuckDB and on a sharded database, and what differs.

Promises: names, types and every value of the rows count; the order of the rows counts where the caller says that it is
fixed; floating-point values may differ by 1e-9 of their size, since they depend on the order of summing, and NaN equals
NaN. A statement must fail on both or on neither, with SQLSTATEs of one class; the messages may differ. Each plan that
a statement can have is run, and a routed one twice, so that a remembered shape is run too.
Leaves to others: which statements, on which data (`corpus.py`, `generator`), placed how (`layouts.py`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from duckraft.engine.database import Database
from duckraft.engine.errors import Error, InternalError
from duckraft.engine.planner.moving import JoinStrategy
from duckraft.engine.planner.plan import Plan, Tier
from duckraft.engine.session import Session
from duckraft.engine.storage.duck import translate
from duckraft.engine.types import Parameters

RELATIVE_TOLERANCE = 1e-9
ROWS_SHOWN = 12
MESSAGE_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Way:
    """What a session is allowed when it runs a query. None: everything. binding: "attached" or "streamed"."""

    tiers: frozenset[Tier] | None = None
    joins: frozenset[JoinStrategy] | None = None
    binding: str = "attached"


ANY_WAY = "all tiers"
WAYS: dict[str, Way] = {
    ANY_WAY: Way(),
    "split": Way(frozenset({Tier.GATHER, Tier.SPLIT})),
    "gather": Way(frozenset({Tier.GATHER})),
    "streamed": Way(binding="streamed"),
    "streamed, gather": Way(frozenset({Tier.GATHER}), binding="streamed"),
    **{
        f"streamed, {strategy}": Way(joins=frozenset({strategy}), binding="streamed")
        for strategy in JoinStrategy
        if strategy is not JoinStrategy.GATHER
    },
}

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """What to run. ordered: the rows come in one order only, but for rows that are equal. before: runs before it."""

    sql: str
    parameters: Parameters = None
    ordered: bool = False
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave: (name, type) of each column, and the rows in order."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        head = ", ".join(f"{name} {kind}" for name, kind in self.columns)
        rows = "".join(f"\n    {row!r}" for row in self.rows[:ROWS_SHOWN])
        more = len(self.rows) - ROWS_SHOWN
        return f"{head}{rows}" + (f"\n    … and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class Failure:
    """A statement that raised. sqlstate: "" if not known. crashed: by an exception that no statement should raise."""

    message: str
    sqlstate: str = ""
    crashed: bool = False

    def __str__(self) -> str:
        return f"{'crash' if self.crashed else f'error {self.sqlstate}'}: {self.message}"


Outcome = Answer | Failure


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A statement that a sharded database answered otherwise. place: layout and shard count. way: one of WAYS."""

    statement: Statement
    place: str
    way: str
    plan: str
    expected: Outcome
    got: Outcome
    difference: str

    def __str__(self) -> str:
        parameters = "" if self.statement.parameters is None else f"\n  with {self.statement.parameters!r}"
        before = "".join(f"\n  {sql};" for sql in self.statement.before)
        return (
            f"{self.difference}{before}\n  {self.statement.sql}{parameters}\n"
            f"  on {self.place}, {self.way} ({self.plan})\n"
            f"  plain DuckDB: {self.expected}\n  duckraft:     {self.got}"
        )


def connect_plain(*, threads: int = 2) -> duckdb.DuckDBPyConnection:
    """The oracle: a new plain DuckDB in memory, with as many threads as a sharded database under test."""
    return duckdb.connect(":memory:", config={"threads": threads})


def ask_plain(connection: duckdb.DuckDBPyConnection, statement: Statement) -> Outcome:
    """What plain DuckDB says."""
    try:
        for sql in statement.before:
            connection.execute(sql)
        connection.execute(statement.sql, statement.parameters)
        rows = connection.fetchall()
    except duckdb.Error as error:
        return Failure(
            _first_line(error),
            translate(error).sqlstate,
            isinstance(error, (duckdb.InternalException, duckdb.FatalException)),
        )
    columns = tuple((str(item[0]), str(item[1])) for item in connection.description or ())
    return Answer(columns, tuple(rows))


def ask_sharded(session: Session, statement: Statement) -> Outcome:
    """What duckraft says, with the tiers that the session allows."""
    try:
        for sql in statement.before:
            session.execute(sql).close()
        result = session.execute(statement.sql, statement.parameters)
        rows = result.fetchall()
    except InternalError as error:
        return Failure(_first_line(error), error.sqlstate, crashed=True)
    except Error as error:
        return Failure(str(error), error.sqlstate)
    except (
        Exception
    ) as error:  # Whatever else comes out is a fault, and the other statements shall still run.
        return Failure(f"{type(error).__name__}: {_first_line(error)}", crashed=True)
    return Answer(tuple((column.name, column.type) for column in result.columns), tuple(rows))


def _first_line(error: Exception) -> str:
    """The message without the stack that DuckDB adds to its own faults."""
    return str(error).split("\n", maxsplit=1)[0][:MESSAGE_LENGTH]


def difference(expected: Outcome, got: Outcome, *, ordered: bool = False) -> str | None:
    """What differs first, in a line; None if nothing does."""
    if isinstance(expected, Failure) or isinstance(got, Failure):
        if isinstance(expected, Failure) and expected.crashed:
            return None  # A fault of DuckDB's own, which another plan may have or not.
        if isinstance(got, Failure) and got.crashed:
            return "a crash"
        if isinstance(expected, Failure) and isinstance(got, Failure):
            same = not expected.sqlstate or not got.sqlstate or expected.sqlstate[:2] == got.sqlstate[:2]
            return None if same else f"error {got.sqlstate} instead of {expected.sqlstate}"
        return "an error on one side only"
    if expected.columns != got.columns:
        return "other columns"
    if len(expected.rows) != len(got.rows):
        return f"{len(got.rows)} rows instead of {len(expected.rows)}"
    if expected.rows == got.rows and repr(expected.rows) == repr(got.rows):
        return None
    left, right = list(expected.rows), list(got.rows)
    if not ordered:
        if sorted(map(repr, left)) == sorted(map(repr, right)):
            return None
        left.sort(key=_sort_key)
        right.sort(key=_sort_key)
    for number, (one, other) in enumerate(zip(left, right, strict=True), start=1):
        if not _same(one, other):
            place = f"row {number}: " if ordered else ""
            return f"{place}{other!r} instead of {one!r}"
    return None


def _same(left: object, right: object) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return _same(list(left.items()), list(right.items()))
    return left == right


def _sort_key(row: Row) -> tuple[list[str], list[float]]:
    """Floating-point values last: rows that differ in nothing else come in an order that small errors keep."""
    exact: list[str] = []
    floats: list[float] = []
    for value in _flat(row):
        if isinstance(value, float):
            exact.append("float" if math.isfinite(value) else repr(value))
            floats.append(value if math.isfinite(value) else 0.0)
        else:
            exact.append(repr(value))
    return exact, floats


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        value = list(value.items())
    if isinstance(value, (list, tuple)):
        yield type(value).__name__
        for item in value:
            yield from _flat(item)
    else:
        yield value


class Sharded:
    """A sharded database under test.

    place: how its tables are laid out, for messages. answers: those compared. changes: those made in the transaction
    that is open, which is begun again with them when a statement has ended it; None outside of one.
    """

    def __init__(self, place: str, shards: int, *, threads: int = 2, streams: bool = False) -> None:
        """streams: fragments are to be streamed, as from other nodes, with every way of joining by turns."""
        self.place = place
        self.answers = 0
        self.database = Database.open(None, shards=shards, threads=threads)
        self.session = self.database.session()
        self.changes: list[Statement] | None = None
        self._streamed = itertools.cycle([name for name in WAYS if name.startswith("streamed")])
        self._streams = streams

    def close(self) -> None:
        """Give up the database."""
        self.database.close()

    def run(self, statements: Iterable[str]) -> None:
        """Run statements that must succeed."""
        for sql in statements:
            self.session.execute(sql).close()

    def begin(self) -> None:
        """Run all that follows in one transaction."""
        self.changes = []
        self.run(["BEGIN"])

    def change(self, statement: Statement) -> Outcome:
        """Change the data, and what comes of it."""
        got = self._ask(statement)
        if self.changes is not None and isinstance(got, Answer):
            self.changes.append(statement)
        return got

    def mismatches(self, statement: Statement, expected: Outcome) -> Iterator[Mismatch]:
        """Where a query is answered otherwise than `expected`, for every different plan that it can have here."""
        for way in self._ways(statement):
            found = self.compare(statement, expected, way)
            if found is not None:
                yield found
        self._allow(ANY_WAY)

    def compare(self, statement: Statement, expected: Outcome, way: str) -> Mismatch | None:
        """Where a query is answered otherwise than `expected` in one way."""
        self._allow(way)
        self.answers += 1
        got = self._ask(statement)
        found = difference(expected, got, ordered=statement.ordered)
        if found is None:
            return None
        plan = self._plan(statement)
        told = "no plan" if plan is None else f"{plan.tier} plan: {plan.reason}"
        return Mismatch(statement, self.place, way, told, expected, got, found)

    def _ask(self, statement: Statement) -> Outcome:
        """What duckraft says; an error ends the transaction."""
        got = ask_sharded(self.session, statement)
        if self.changes is not None and isinstance(got, Failure):
            self.run(["ROLLBACK", "BEGIN", *(change.sql for change in self.changes)])
        return got

    def _ways(self, statement: Statement) -> Iterator[str]:
        """Ways that lead to different plans; a routed statement is run again as a known shape."""
        self._allow(ANY_WAY)
        plan = self._plan(statement)
        yield ANY_WAY
        if plan is None or plan.tier is Tier.LOCAL:
            return
        if plan.tier is Tier.ROUTE:
            yield ANY_WAY
        if self._streams:
            yield next(self._streamed)
            return
        if plan.tier is Tier.GATHER and "; " not in plan.reason:
            return  # Otherwise the text was rewritten before it was found that nothing of it can be pushed.
        if plan.tier is Tier.ROUTE:
            self._allow("split")
            without_route = self._plan(statement)
            if without_route is not None and without_route.tier is Tier.SPLIT:
                yield "split"
        yield "gather"

    def _allow(self, way: str) -> None:
        context, allowed = self.session.context, WAYS[way]
        context.allowed_tiers, context.allowed_joins = allowed.tiers, allowed.joins
        context.binding = allowed.binding

    def _plan(self, statement: Statement) -> Plan | None:
        """The plan of a statement, or None if planning it fails."""
        try:
            return self.session.plan(statement.sql, statement.parameters)
        except Exception:  # Running it raises the same, and is judged.
            return None
