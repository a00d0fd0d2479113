"""What a CREATE TABLE makes: its columns and keys as DuckDB finds them, and the strategy that its clauses mean."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ...catalog.definition import ForeignKey, Shape, strategy_for
from ...catalog.model import REFERENCE_SHARD
from ...errors import NotSupportedError, ProgrammingError
from ...sharding import Strategy
from ...sql.clauses import CreateTable
from ...sql.lexer import Kind, Lexeme, matching_parenthesis, significant
from ...sql.sequences import on_shards
from ...storage import duck, shard
from ...types import Column, Parameters, quote_identifier
from ..changes.unsteady import unsteady_call
from ..composed import Composed, at_position, execute, shown_as
from ..connections import SessionConnections
from ..gateway import Gateway
from ..names import full_type_names
from .foreign_keys import parents_of

_SCRATCH = "__duckraft_scratch"


def shape_of(
    gateway: Gateway, connections: SessionConnections, create: CreateTable, parameters: Parameters
) -> Shape:
    """The columns and keys of the new table, found by letting DuckDB make it, empty, where nobody sees it.

    Raises ProgrammingError or NotSupportedError.
    """
    connection = connections.gateway
    _check_draws(create)
    _check_steady(create)
    if any(lexeme.upper == "REFERENCES" for lexeme in significant(create.columns_sql)):
        return _shape_on_shard(gateway, connections, create)
    columns = (create.columns_sql, create.columns_start)
    pieces: tuple[tuple[str, int | None], ...]
    if create.query is not None:
        query = (create.query, create.query_start)
        pieces = (columns, (" AS SELECT * FROM (", None), query, ("\n) LIMIT 0", None))
    elif create.columns_sql:
        pieces = (columns,)
    else:
        raise ProgrammingError(
            f'table "{".".join(create.name)}" needs columns or AS and a query',
            sqlstate="42601",
            hint="CREATE TABLE t (a INTEGER, …) or CREATE TABLE t AS SELECT …",
        )
    with shown_as(_SCRATCH, create.name[-1]):
        execute(
            connection, Composed(((f"CREATE OR REPLACE TEMP TABLE {_SCRATCH} ", None), *pieces)), parameters
        )
    try:
        return read_shape(connection, "temp", "main", _SCRATCH)
    finally:
        duck.clean_up(connection, f"DROP TABLE temp.{_SCRATCH}")


def _shape_on_shard(gateway: Gateway, connections: SessionConnections, create: CreateTable) -> Shape:
    """The same for a table with foreign keys: it is made, and not committed, on a shard that has those it refers to."""
    parents = parents_of(gateway, create)
    gateway.ensure_shards([])
    home = parents[0].placements[0] if parents else REFERENCE_SHARD
    connection = connections.shard(home)
    schema, name = gateway.schema_and_name(create.name)
    columns = full_type_names(gateway, on_shards(create.columns_sql))
    text = (columns, create.columns_start if columns == create.columns_sql else None)
    duck.execute(connection, "BEGIN")
    try:
        duck.execute(
            connection, f"CREATE SCHEMA IF NOT EXISTS {shard.alias(home)}.{quote_identifier(schema)}"
        )
        duck.execute(connection, f"DROP TABLE IF EXISTS {shard.qualified(home, schema, name)}")
        execute(connection, Composed(((f"CREATE TABLE {shard.qualified(home, schema, name)} ", None), text)))
        return read_shape(connection, shard.alias(home), schema, name)
    finally:
        duck.clean_up(connection, "ROLLBACK")


def strategy_of(gateway: Gateway, connection: duck.Connection, create: CreateTable, shape: Shape) -> Strategy:
    """The strategy that the clauses of a CREATE TABLE mean. Raises ProgrammingError or NotSupportedError."""
    clause = create.clause
    other = None
    if clause.colocate_with is not None:
        other = gateway.find_table(clause.colocate_with)
        if other is None:
            raise ProgrammingError(
                f'table "{".".join(clause.colocate_with)}" does not exist',
                sqlstate="42P01",
                position=clause.position,
            )

    def evaluate(expression: str, kind: str) -> Any:
        with at_position(clause.position):
            return duck.rows(connection, f"SELECT CAST(({expression}) AS {kind})")[0][0]

    strategy = strategy_for(clause, shape, gateway.catalog.default_shards, other, evaluate)
    _check_stored(shape, strategy, clause.position)
    _check_collations(create, [column.name for column in strategy.key])
    return strategy


def read_shape(connection: duck.Connection, database: str, schema: str, name: str) -> Shape:
    """The columns and keys that a table has in DuckDB."""
    table = ".".join(map(quote_identifier, (database, schema, name)))
    described = duck.rows(connection, f"DESCRIBE {table}")
    constraints = duck.rows(
        connection,
        "SELECT constraint_type, constraint_column_names, referenced_table, referenced_column_names"
        " FROM system.main.duckdb_constraints()"
        " WHERE database_name = ? AND schema_name = ? AND table_name = ?",
        [database, schema, name],
    )
    primary = next((tuple(names) for kind, names, _, _ in constraints if kind == "PRIMARY KEY"), ())
    keys = tuple(tuple(names) for kind, names, _, _ in constraints if kind in ("PRIMARY KEY", "UNIQUE"))
    foreign = tuple(
        ForeignKey(tuple(names), parent, tuple(parent_names))
        for kind, names, parent, parent_names in constraints
        if kind == "FOREIGN KEY"
    )
    # DuckDB lists the expression of a generated column as its default in one place and not in the other.
    defaults = duck.rows(
        connection,
        "SELECT column_name FROM system.main.duckdb_columns() WHERE column_default IS NOT NULL"
        " AND database_name = ? AND schema_name = ? AND table_name = ?",
        [database, schema, name],
    )
    without = {row[0] for row in described if row[4] is None}
    generated = tuple(column for (column,) in defaults if column in without)
    columns = tuple(Column(str(row[0]), str(row[1])) for row in described)
    return Shape(columns, primary, keys, foreign, generated)


def _check_draws(create: CreateTable) -> None:
    """Refuse a generated column or a CHECK that draws from a sequence: only a default is worked out at the gateway."""
    within = ""
    lexemes = significant(create.columns_sql)
    for lexeme, behind in pairwise(lexemes):
        if lexeme.upper in ("DEFAULT", "CHECK") or (lexeme.upper == "AS" and behind.text == "("):
            within = lexeme.upper
        elif lexeme.identifier.lower() == "nextval" and within != "DEFAULT":
            raise NotSupportedError(
                "only the DEFAULT of a column can draw from a sequence",
                hint="Make it an ordinary column with DEFAULT nextval(…).",
                position=create.columns_start + lexeme.start + 1,
            )


def _check_steady(create: CreateTable) -> None:
    """Refuse a CHECK of the clock or of chance: rows that have passed it might not pass when a log is read."""
    lexemes = significant(create.columns_sql)
    for index, lexeme in enumerate(lexemes):
        if lexeme.upper != "CHECK":
            continue
        closing = matching_parenthesis(lexemes, index + 1)
        call = unsteady_call(lexemes[index + 1 : closing])
        if call is not None:
            raise NotSupportedError(
                f"a CHECK cannot call {call.text}: its rows must pass at any time, not only when they come",
                hint="Put the value into a column with a DEFAULT, and check that.",
                position=create.columns_start + call.start + 1,
            )


def _check_stored(shape: Shape, strategy: Strategy, position: int) -> None:
    """Refuse a shard key that is worked out at each reading."""
    generated = {name.lower() for name in shape.generated}
    for column in strategy.key:
        if column.name.lower() in generated:
            raise NotSupportedError(
                f'the generated column "{column.name}" cannot be the shard key: it is not stored, and may have another '
                "value each time it is read",
                hint="Shard by the columns it is made of, or make it an ordinary column with a DEFAULT.",
                position=position,
            )


def _check_collations(create: CreateTable, key: list[str]) -> None:
    """Refuse a shard key whose values can be equal without having the same bytes."""
    folded = {name.lower() for name in key}
    for item in items_of(significant(create.columns_sql)):
        if item and item[0].identifier.lower() in folded:
            for lexeme in item:
                if lexeme.upper == "COLLATE":
                    raise NotSupportedError(
                        f'shard key column "{item[0].identifier}" cannot have a collation: '
                        "rows are placed by the bytes of their keys",
                        hint="Shard by another column, or put lower(…) of the text into a column of its own.",
                        position=create.columns_start + lexeme.start + 1,
                    )


def items_of(lexemes: list[Lexeme]) -> list[list[Lexeme]]:
    """The parts of a parenthesis, cut at its own commas."""
    items: list[list[Lexeme]] = [[]]
    depth = 0
    for lexeme in lexemes:
        symbol = lexeme.text if lexeme.kind is Kind.SYMBOL else ""
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(symbol, 0)
        if symbol == "," and depth == 1:
            items.append([])
        elif not (symbol == "(" and depth == 1):
            items[-1].append(lexeme)
    return items
