"""The rows that a transaction has itself written and not committed, put over what the gateway sees.

The gateway's connection sees committed rows only; the rows of a shard as the transaction has left them are seen by the
one connection that wrote them, its writer. So each fragment's rows on such a shard are fetched from the writer into a
temporary table at the gateway, and the other shards are read where they are attached. A text that runs over the
gateway's views needs the tables themselves: a temporary view takes the place of what the view of a table reads.
Promises: nothing is copied that the fragment does not give, and no table that was not changed. What was made is gone
after `close`. No statement that a writer might refuse runs there: its transaction would be lost.
Leaves to others: when the snapshots were taken, who may read (`transactions`), how rows are copied (`carrying.py`).

How to call it, with a connection to the gateway that has no open result, inside whatever transaction it is in:

    overlay = Overlay(gateway, connection, writers, changed, has_own_names=…, is_collated=…)
    try:
        sql, parameters = overlay.bind(plan, text, parameters)   # or: overlay.show_reached(text), and then the text
        duck.execute(connection, sql, parameters)
    except BaseException:
        overlay.close()
        raise
    Result(…, source=connection, on_close=overlay.close)
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from ...catalog.model import REFERENCE_SHARD, Table
from ...errors import Error, NotSupportedError
from ...planner.plan import Fragment, Move, Plan, TableSlot
from ...sql.parameters import check_parameters, parameters_in
from ...storage import duck
from ...types import Parameters, quote_identifier
from .binding import attached_sql, attached_text, moved_rows, rows_name, shard_table, union_of
from .carrying import Source, bring, described, make_like
from .reach import reached
from .transport import can_be_carried

if TYPE_CHECKING:
    from ..gateway import Gateway

ROW = "duckraft row"
"""The column of a copied table with DuckDB's number of the row on its shard: `rowid`, valid for the writer."""

_numbers = itertools.count(1)


class Overlay:
    """For one statement of one session. Used by the thread of the session.

    connection: the session's to the gateway. written: the connection of each writer, by number of the database's shard;
    −1 is the reference shard. changed: whether the transaction may have changed a table's rows on a shard of the
    database; None if that is not known. has_own_names: whether the session may have temporary views or macros, which
    may read any table. is_collated: whether a column of a table may have a collation.
    """

    def __init__(
        self,
        gateway: Gateway,
        connection: duck.Connection,
        written: Mapping[int, duck.Connection],
        changed: Callable[[Table, int], bool] | None,
        *,
        has_own_names: bool,
        is_collated: Callable[[Table], bool],
    ) -> None:
        self._gateway = gateway
        self._connection = connection
        self._written = dict(written)
        self._changed = changed
        self._has_own_names = has_own_names
        self._is_collated = is_collated
        self._made: list[str] = []
        self._copies: dict[tuple[tuple[str, str], int, bool], str] = {}
        self._moves: dict[str, str | None] = {}
        self._shown: set[tuple[str, str]] = set()
        self._parameters: Parameters = None

    def is_changed(self, table: Table, shard: int) -> bool:
        """Whether a shard of a table may have rows that only its writer sees. shard: of the table."""
        number = table.placements[shard]
        return number in self._written and (self._changed is None or self._changed(table, number))

    def bind(self, plan: Plan, text: str, parameters: Parameters) -> tuple[str, Parameters]:
        """What runs on the gateway's connection for a plan that is not for one shard, and its parameters.

        text: the user's. Raises errors.Error.
        """
        fragments = plan.fragments()
        if not fragments:
            return self.over_views(text, parameters)
        check_parameters(attached_sql(plan), parameters)
        self._parameters = parameters
        if plan.reads_more or self._has_own_names or self._gateway.calls_macro(text):
            self.show_reached(text)
        bound = {fragment.name: self._union(fragment) for fragment in fragments}
        sql = plan.merge_sql(lambda fragment: f"({bound[fragment.name]})")
        return sql, parameters_in(sql, parameters)

    def over_views(self, text: str, parameters: Parameters) -> tuple[str, Parameters]:
        """As `bind`, for a text that runs as it stands."""
        self.show_reached(text)
        return text, parameters

    def show_reached(self, text: str) -> None:
        """Let a text that runs on the gateway's connection see its tables as the transaction has left them.

        So do views and macros over them, whatever they are called by. Raises errors.Error.
        """
        catalog = self._gateway.catalog
        tables = catalog.ready_tables()
        for table in tables if self._has_own_names else reached(text, catalog, tables):
            shards = range(table.strategy.shard_count)
            if table.key in self._shown or not any(self.is_changed(table, shard) for shard in shards):
                continue
            self._shown.add(table.key)
            columns = _columns_of(table)
            parts = [f"SELECT {columns} FROM {self.relation(table, shard)}" for shard in shards]
            view = f"temp.{quote_identifier(rows_name(table))}"
            self._made.append(f"VIEW IF EXISTS {view}")
            duck.execute(self._connection, f"CREATE TEMP VIEW {view} AS {' UNION ALL '.join(parts)}")

    def relation(self, table: Table, shard: int) -> str:
        """The name under which the gateway's connection reads a shard of a table as the transaction has left it."""
        return self._copied(table, shard) if self.is_changed(table, shard) else shard_table(table, shard)

    def numbered(self, table: Table, shard: int) -> tuple[str, str]:
        """As `relation`, and the name of its column with the number by which the writer knows a row."""
        if self.is_changed(table, shard):
            return self._copied(table, shard, numbered=True), quote_identifier(ROW)
        return shard_table(table, shard), "rowid"

    def close(self) -> None:
        """Drop what was made, unless its transaction or its connection has taken it along. Closing twice is fine."""
        made, self._made = self._made, []
        self._copies.clear()
        self._moves.clear()
        self._shown.clear()
        for what in reversed(made):
            _drop(self._connection, what)

    def _new_table(self) -> str:
        """A name for a temporary table, in full, that is dropped from the gateway's connection in the end."""
        table = f"temp.duckraft_own_{next(_numbers)}"
        self._made.append(f"TABLE IF EXISTS {table}")
        return table

    def _copied(self, table: Table, shard: int, *, numbered: bool = False) -> str:
        """A table of the gateway's connection with the rows of a shard as its writer sees them."""
        key = (table.key, shard, numbered)
        if key not in self._copies:
            number = f", rowid AS {quote_identifier(ROW)}" if numbered else ""
            query = f"SELECT {_columns_of(table)}{number} FROM {shard_table(table, shard)}"
            copy = self._new_table()
            columns = make_like(self._connection, copy, query)
            if not can_be_carried(columns, {}):
                raise _not_carried(table)
            bring(self._connection, copy, [(self._written[table.placements[shard]], query)], columns)
            self._copies[key] = copy
        return self._copies[key]

    def _union(self, fragment: Fragment) -> str:
        """The rows of a fragment on all its shards."""
        own = [shard for shard in fragment.shards if self._is_own(fragment, shard)]
        others = [shard for shard in fragment.shards if shard not in own]
        is_touched = bool(own or self._changed_references(fragment))
        if not is_touched and all(self._moved(move) is None for move in fragment.moves()):
            return union_of(fragment)
        parts = [self._here(fragment, shard) for shard in others]
        return " UNION ALL ".join([*parts, *self._fetched(fragment, own)] if own else parts)

    def _is_own(self, fragment: Fragment, shard: int) -> bool:
        """Whether the fragment's rows on a shard depend on what only the shard's writer sees."""
        place = fragment.place(shard)
        return any(
            self.is_changed(table, 0 if table.is_reference else shard)
            for table in _tables_in(fragment)
            if table.is_reference == (place == REFERENCE_SHARD)
        )

    def _changed_references(self, fragment: Fragment) -> list[Table]:
        """The reference tables that a fragment reads beside sharded ones, and of which only a writer sees all rows."""
        if fragment.place(fragment.shards[0]) == REFERENCE_SHARD:
            return []
        return [table for table in _tables_in(fragment) if table.is_reference and self.is_changed(table, 0)]

    def _here(self, fragment: Fragment, shard: int) -> str:
        """The fragment's text for a shard, to run on the gateway's connection."""
        return fragment.sql(
            lambda table: self.relation(table, 0 if table.is_reference else shard),
            lambda move: f"({self._arrived(move, shard)})",
        )

    def _arrived(self, move: Move, shard: int) -> str:
        """A query on the gateway's connection for what a move brings to a shard."""
        return moved_rows(move, shard, self._moved(move) or f"({union_of(move.source)})")

    def _moved(self, move: Move) -> str | None:
        """A table of the gateway's connection with what moves; None if the attached shards have just that."""
        if move.name not in self._moves:
            union = self._union(move.source)
            table = None
            if union != union_of(move.source):
                table = self._new_table()
                sql = f"CREATE TEMP TABLE {table} AS {union}"
                duck.execute(self._connection, sql, parameters_in(sql, self._parameters))
            self._moves[move.name] = table
        return self._moves[move.name]

    def _fetched(self, fragment: Fragment, own: Sequence[int]) -> list[str]:
        """Queries on the gateway's connection for a fragment's rows on shards that the transaction has changed."""
        states = dict(fragment.states)
        rows = self._new_table()
        # Bound at the gateway first: what is wrong with the text must not end a writer's transaction.
        columns = make_like(self._connection, rows, attached_text(fragment, own[0]), self._parameters)
        is_collated = any(self._is_collated(table) for table in _tables_in(fragment))
        if not can_be_carried(columns, states) or (states and is_collated):
            return [self._here(fragment, shard) for shard in own]
        with ExitStack() as lent:
            sources: list[Source] = []
            for shard in own:
                writer = self._written[fragment.place(shard)]
                names = self._lend(fragment, shard, writer, lent)
                if names is None:
                    return [self._here(fragment, shard) for shard in own]
                sources.append((writer, _there(fragment, shard, names)))
            bring(self._connection, rows, sources, columns, states, self._parameters)
        return [f"SELECT * FROM {rows}"]

    def _lend(
        self, fragment: Fragment, shard: int, writer: duck.Connection, lent: ExitStack
    ) -> dict[str, str] | None:
        """Bring to a writer what it needs and does not see: the names there of moved relations and reference tables.

        lent: gets what drops them again. None if they cannot be brought.
        """
        queries: dict[str, tuple[str, str | None]] = {
            move.name: (self._arrived(move, shard), None) for move in fragment.moves()
        }
        for table in self._changed_references(fragment):
            name = shard_table(table, 0)
            select = f"SELECT {_columns_of(table)} FROM "
            queries[name] = (select + self.relation(table, 0), select + name)
        names: dict[str, str] = {}
        for name, (query, like) in queries.items():
            rows = self._lent_rows(writer, query, like, lent)
            if rows is None:
                return None
            names[name] = rows
        return names

    def _lent_rows(
        self, writer: duck.Connection, query: str, like: str | None, lent: ExitStack
    ) -> str | None:
        """A table of a writer with the rows of a query on the gateway's connection; None if they cannot be brought.

        like: a query that the writer can run and that has the same columns, with their collations, if they have any.
        """
        table = f"temp.duckraft_own_{next(_numbers)}"
        lent.callback(_drop, writer, f"TABLE IF EXISTS {table}")
        if like is not None:
            columns = make_like(writer, table, like)
        else:
            columns = described(self._connection, query, self._parameters)
            listed = ", ".join(f"{quote_identifier(column.name)} {column.type}" for column in columns)
            duck.execute(writer, f"CREATE TEMP TABLE {table} ({listed})")
        if not can_be_carried(columns, {}):
            return None
        bring(writer, table, [(self._connection, query)], columns, None, self._parameters)
        return table


def _drop(connection: duck.Connection, what: str) -> None:
    """Drop what was made on a connection, unless its transaction has taken it along, or the connection is closed."""
    with suppress(Error):
        duck.clean_up(connection, f"DROP {what}")


def _there(fragment: Fragment, shard: int, lent: Mapping[str, str]) -> str:
    """The fragment's text for a shard, to run on the shard's writer.

    lent: the names there of moved relations and reference tables, by the names that these have elsewhere.
    """

    def name_of(table: Table) -> str:
        name = shard_table(table, shard)
        return lent.get(name, name)

    return fragment.sql(name_of, lambda move: lent[move.name])


def _tables_in(fragment: Fragment) -> list[Table]:
    return [piece.table for piece in fragment.pieces if isinstance(piece, TableSlot)]


def _columns_of(table: Table) -> str:
    return ", ".join(quote_identifier(column.name) for column in table.columns)


def _not_carried(table: Table) -> NotSupportedError:
    return NotSupportedError(
        f'"{table.name}" has been changed in this transaction and has values that do not travel between connections',
        hint="Read it before the transaction changes it, or after COMMIT.",
    )
