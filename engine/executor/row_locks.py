"""SELECT … FOR UPDATE and FOR SHARE: which rows such a query may lock, and its text with their keys as more columns.

What is locked is the shard key of each row, as changes of single rows lock it; of a table without a shard key, and of
a key that cannot be told exactly in Python, all rows on the shards. So nothing that changes a locked row gets past.
Promises: what the user sees of the query, its order and its LIMIT are those of the text without the clause.
Leaves to others: the clause itself (`sql/locking.py`), running the query and locking (`statements/row_locks.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..catalog.model import Table
from ..errors import NoShardError, NotSupportedError, ProgrammingError
from ..sharding import CANNOT_TELL
from ..sharding.keys import types_of
from ..sql.fingerprint import number_parameters
from ..sql.lexer import Kind, Lexeme
from ..sql.locking import LockingSelect, RowLock, Wait
from ..sql.parameters import parameters_in
from ..sql.reader import Reader
from ..types import Parameters, quote_identifier
from .composed import Composed
from .gateway import Gateway

if TYPE_CHECKING:
    from sqlglot import exp

    from ..planner.analysis import Analysis, TableRef

_EXACT = frozenset(
    {
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
        "VARCHAR",
        "UUID",
        "DATE",
        "TIMESTAMP",
    }
)
"""Types whose values DuckDB's client gives as they are."""


@dataclass(frozen=True, slots=True)
class LockTarget:
    """One table of the FROM whose rows are locked. first: the index of its first key column in the query's rows."""

    table: Table
    lock: RowLock
    first: int

    def places(self, row: Sequence[Any]) -> list[tuple[int, tuple[Any, ...] | None]]:
        """What to lock for a row: shards of the database, each with a key or, for None, all that it has."""
        key = self._key(row)
        if key is not None:
            try:
                return [
                    (self.table.placements[self.table.strategy.shard_of(key)], _canonical(self.table, key))
                ]
            except NoShardError:
                pass
        return [(shard, None) for shard in sorted(set(self.table.placements))]

    def _key(self, row: Sequence[Any]) -> tuple[Any, ...] | None:
        """The values of the shard key, of its types; None where they are not certain."""
        columns = self.table.strategy.key
        if not columns or any(column.type not in _EXACT for column in columns):
            return None
        values: list[Any] = []
        for key_type, value in zip(types_of(columns), row[self.first :], strict=False):
            known = None if value is None else key_type.coerce(value)
            if known is CANNOT_TELL:
                return None
            values.append(known)
        return tuple(values)


@dataclass(frozen=True, slots=True)
class LockingQuery:
    """A query that locks rows, ready to run.

    text: with the keys as more columns, `hidden` of them, at the end of each row. wanted: how many rows LIMIT and
    OFFSET leave together, where rows may be skipped so that they must be counted here and not by DuckDB; None for
    all. dropped: how many of these OFFSET drops.
    """

    text: Composed
    targets: tuple[LockTarget, ...]
    hidden: int
    wanted: int | None
    dropped: int


def locking_query(gateway: Gateway, locking: LockingSelect, parameters: Parameters) -> LockingQuery:
    """Raises NotSupportedError for a query whose rows are not rows of tables, ProgrammingError for a wrong OF."""
    from ..planner.analysis import analyse

    text = number_parameters(locking.sql)
    analysis = analyse(text, gateway.catalog)
    first = locking.locks[0]
    if analysis is None:
        raise _refused("a statement that cannot be taken apart", first)
    _check_shape(analysis.root, first)
    reader = Reader(text)
    at = _behind_list(reader, first)
    columns: list[str] = []
    targets: list[LockTarget] = []
    for ref, lock in _locked(gateway, analysis, locking.locks):
        targets.append(LockTarget(ref.table, lock, len(columns)))
        columns += [
            f"{quote_identifier(ref.name)}.{quote_identifier(key.name)}" for key in ref.table.strategy.key
        ]
    limits = _Limits(None, 0, ())
    if any(lock.wait is Wait.SKIP for lock in locking.locks):
        limits = _limits(reader, parameters, first)
    composed = _composed(text, reader, at, columns, limits.spans)
    return LockingQuery(composed, tuple(targets), len(columns), limits.wanted, limits.dropped)


def _check_shape(root: exp.Expr, lock: RowLock) -> None:
    """Raise NotSupportedError unless each row of the query is made of one row of each table."""
    from sqlglot import exp

    if not isinstance(root, exp.Select):
        raise _refused("UNION, INTERSECT, EXCEPT or VALUES", lock)
    for name, what in (
        ("group", "GROUP BY"),
        ("distinct", "DISTINCT"),
        ("having", "HAVING"),
        ("qualify", "QUALIFY"),
    ):
        if root.args.get(name) is not None:
            raise _refused(what, lock)
    if root.args.get("sample") is not None:
        raise _refused("USING SAMPLE", lock)
    for item in root.expressions:
        for node in item.walk(prune=lambda one: isinstance(one, exp.Subquery)):
            if isinstance(node, exp.Window):
                raise _refused("window functions", lock)
            if isinstance(node, exp.AggFunc):
                raise _refused("aggregate functions", lock)


def _locked(gateway: Gateway, analysis: Analysis, locks: Sequence[RowLock]) -> list[tuple[TableRef, RowLock]]:
    """The tables of the FROM that are locked, each with the strongest clause that is about it."""
    refs = analysis.refs_of(analysis.root)
    relations = _relations(analysis.root)
    found: dict[int, tuple[TableRef, RowLock]] = {}
    for lock in locks:
        for name in lock.tables:
            if name.lower() not in relations:
                raise ProgrammingError(
                    f'relation "{name}" in FOR UPDATE clause not found in FROM clause',
                    sqlstate="42P01",
                    position=lock.position,
                )
        wanted = {name.lower() for name in lock.tables} or set(relations)
        for name in wanted - {ref.name.lower() for ref in refs}:
            _check_without_rows(gateway, analysis.root, relations[name], lock)
        for ref in refs:
            if ref.name.lower() not in wanted:
                continue
            if _may_be_missing(analysis.root, ref):
                raise _refused("the nullable side of an outer join", lock)
            before = found.get(id(ref))
            if before is None or (before[1].shared and not lock.shared):
                found[id(ref)] = (ref, lock)
    return list(found.values())


def _relations(root: exp.Expr) -> dict[str, exp.Expr]:
    """What the FROM reads, by the folded name that qualifies its columns."""
    from_clause = root.args.get("from_")
    nodes = [from_clause.this] if from_clause is not None else []
    nodes += [join.this for join in root.args.get("joins") or []]
    return {node.alias_or_name.lower(): node for node in nodes}


def _check_without_rows(gateway: Gateway, root: exp.Expr, node: exp.Expr, lock: RowLock) -> None:
    """Raise NotSupportedError unless a relation of the FROM that is not locked has no rows of tables of ours.

    What common table expressions read is not locked, as in PostgreSQL.
    """
    from sqlglot import exp

    if isinstance(node, (exp.Unnest, exp.Values)):
        return
    if not isinstance(node, exp.Table):
        raise _refused("a subquery in FROM", lock)
    if not isinstance(node.this, exp.Identifier):
        return  # A function.
    name = tuple(part.name for part in node.parts)
    with_clause = root.args.get("with_")
    common = {cte.alias.lower() for cte in with_clause.expressions} if with_clause is not None else set()
    if (len(name) == 1 and name[0].lower() in common) or gateway.is_elsewhere(name):
        return
    if gateway.find_table(name) is not None:
        raise _refused("a table that is named with its database", lock)
    key = ("VIEW", *(part.lower() for part in gateway.schema_and_name(name)))
    if any(definition.key == key for definition in gateway.catalog.definitions):
        raise _refused("a view", lock)


def _may_be_missing(root: exp.Expr, ref: TableRef) -> bool:
    """Whether a join may make rows without a row of this table, or show none of its columns."""
    joined = False
    from_clause = root.args.get("from_")
    if from_clause is not None and from_clause.this is ref.node:
        joined = True
    for join in root.args.get("joins") or []:
        side, kind = (join.side or "").upper(), (join.kind or "").upper()
        if join.this is ref.node:
            joined = True
            if side in ("LEFT", "FULL") or kind in ("SEMI", "ANTI"):
                return True
        elif joined and (side in ("RIGHT", "FULL")):
            return True
    return False


def _behind_list(reader: Reader, lock: RowLock) -> int:
    """The index of the FROM that ends the list of columns."""
    start = reader.find(0, "SELECT", "FROM")
    at = None if start is None or reader.word(start) == "FROM" else reader.find(start, "FROM")
    if at is None:
        raise _refused("a query that does not begin with SELECT … FROM", lock)
    return at


@dataclass(frozen=True, slots=True)
class _Limits:
    """LIMIT and OFFSET as `LockingQuery` has them. spans: where they stand in the text."""

    wanted: int | None
    dropped: int
    spans: tuple[tuple[int, int], ...]


def _limits(reader: Reader, parameters: Parameters, lock: RowLock) -> _Limits:
    numbers: dict[str, int] = {}
    spans: list[tuple[int, int]] = []
    for word in ("LIMIT", "OFFSET"):
        at = reader.find(0, word)
        if at is None:
            continue
        last = at + 1
        if last >= reader.end or not _ends_clause(reader, last + 1):
            raise _refused(f"SKIP LOCKED with a {word} that is not a plain number", lock)
        numbers[word] = _number(reader.lexemes[last], parameters, word, lock)
        spans.append((reader.lexemes[at].start, reader.lexemes[last].end))
    dropped = numbers.get("OFFSET", 0)
    wanted = numbers["LIMIT"] + dropped if "LIMIT" in numbers else None
    return _Limits(wanted, dropped, tuple(sorted(spans)))


def _ends_clause(reader: Reader, index: int) -> bool:
    return index >= reader.end or reader.word(index) in ("LIMIT", "OFFSET")


def _number(lexeme: Lexeme, parameters: Parameters, word: str, lock: RowLock) -> int:
    value: object = None
    if lexeme.kind is Kind.NUMBER and lexeme.text.isdigit():
        value = int(lexeme.text)
    elif lexeme.kind is Kind.PARAMETER:
        named = parameters_in(lexeme.text, parameters)
        value = next(iter(named.values()), None) if isinstance(named, Mapping) else None
    if not isinstance(value, int) or value < 0:
        raise _refused(f"SKIP LOCKED with a {word} that is not a plain number", lock)
    return value


def _composed(
    text: str, reader: Reader, at: int, columns: Sequence[str], spans: Sequence[tuple[int, int]]
) -> Composed:
    """The text with more columns before the lexeme at `at`, without these spans."""
    cut = reader.lexemes[at].start
    separator = "" if reader.symbol(at - 1) == "," else ", "
    named = [f"{column} AS duckraft_lock_{number}" for number, column in enumerate(columns)]
    end = reader.lexemes[reader.end - 1].end
    pieces: list[tuple[str, int | None]] = [(text[:cut], 0)]
    if named:
        pieces.append((f"{separator}{', '.join(named)} ", None))
    for start, stop in spans:
        pieces.append((text[cut:start], cut))
        cut = stop
    return Composed((*pieces, (text[cut:end], cut)))


def _canonical(table: Table, key: tuple[Any, ...]) -> tuple[Any, ...]:
    types = types_of(table.strategy.key)
    return tuple(
        [None if value is None else one.canonical(value) for one, value in zip(types, key, strict=True)]
    )


def _refused(what: str, lock: RowLock) -> NotSupportedError:
    return NotSupportedError(
        f"FOR {'SHARE' if lock.shared else 'UPDATE'} is not supported with {what}",
        hint="Lock the rows by a plain query of the tables, then send this one.",
        position=lock.position,
    )
