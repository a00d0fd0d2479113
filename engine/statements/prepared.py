"""PREPARE, EXECUTE, DEALLOCATE: a session's own statements with parameters.

A prepared statement is kept as its text. EXECUTE runs that text like any other statement, with the values: it is routed
or dealt out by them, and planned anew when tables have changed. DuckDB judges the text when it is prepared, and takes
the arguments of EXECUTE apart and works them out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ..errors import NotSupportedError, ProgrammingError
from ..executor import system
from ..executor.composed import Composed, at_position, execute
from ..executor.reading.result import Result
from ..sql.classify import StatementKind, classify
from ..sql.fingerprint import number_parameters
from ..sql.lexer import Kind, Lexeme, scan, significant
from ..sql.locking import without_row_locks
from ..sql.names import name_at
from ..storage import duck
from ..types import Parameters, quote_string
from .context import Context

VARIABLE = "duckraft_prepared"
"""The variable of the session's connection to the gateway from which `duckdb_prepared_statements()` reads."""

_JUDGED, _ARGUMENTS = "duckraft_judged", "duckraft_arguments"
_QUERIES = frozenset(
    {StatementKind.QUERY, StatementKind.ROW_LOCKS, StatementKind.SHOW_CATALOG, StatementKind.COPY_TO}
)
_CHANGES = frozenset(
    {
        StatementKind.INSERT,
        StatementKind.UPDATE,
        StatementKind.DELETE,
        StatementKind.TRUNCATE,
        StatementKind.COPY_FROM,
    }
)
_PASSED_AS_THEY_ARE = frozenset(
    {
        "BOOLEAN",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "DOUBLE",
        "VARCHAR",
        "BLOB",
        "UUID",
        '"NULL"',
    }
)
"""Types whose values are of that type again when they come back from Python as parameters."""


_INTEGER_DIGITS = 10
"""A number of fewer digits is an INTEGER, as DuckDB takes it from Python too."""


_VERBS = frozenset({"INSERT", "UPDATE", "DELETE", "TRUNCATE", "COPY"})
_BEHIND_VERBS = frozenset({"OR", "REPLACE", "IGNORE", "INTO", "FROM", "TABLE"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with its parameters numbered or named. result_types: None where it has no result."""

    name: str
    sql: str
    parameters: tuple[str, ...]
    result_types: tuple[str, ...] | None


def prepare(context: Context, sql: str) -> Result:
    """PREPARE name AS statement. Raises errors.Error if the statement could not run."""
    lexemes = significant(sql)
    if len(lexemes) < 4 or lexemes[2].upper != "AS":
        if len(lexemes) > 2 and lexemes[2].text == "(":
            raise NotSupportedError("TypeList for prepared statement has not been implemented.")
        raise ProgrammingError(
            "PREPARE needs a name, AS and a statement", sqlstate="42601", position=len(sql) + 1
        )
    start = lexemes[3].start
    body = sql[start:]
    kind = classify(body).kind
    if kind not in _QUERIES | _CHANGES or lexemes[3].upper == "CALL":
        word = f"{kind.value.upper().replace(' ', '_')}_STATEMENT"
        raise ProgrammingError(f"{word} is not a preparable statement", sqlstate="42601", position=start + 1)
    if system.mentions(body):
        system.refresh(context.gateway)
    numbered = number_parameters(body)
    types = (
        None if kind is StatementKind.SHOW_CATALOG else _judge(context, without_row_locks(body), start, kind)
    )
    found = (lexeme.text[1:] for lexeme in scan(numbered) if lexeme.kind is Kind.PARAMETER)
    name = lexemes[1].identifier
    made = Prepared(name, numbered, tuple(dict.fromkeys(found)), types)
    context.prepared = {**context.prepared, name.lower(): made}
    _list(context)
    return Result((), "PREPARE")


def run_prepared(context: Context, sql: str, parameters: Parameters) -> Result:
    """EXECUTE name [(arguments)]. Raises errors.Error."""
    from .dispatch import run

    lexemes = significant(sql)
    statement, values, arguments = bind(context, sql, lexemes, parameters)
    prepared = context.prepared[lexemes[1].identifier.lower()]
    # Asked first: the rows of the result wait on the same connection.
    names = _names(context, prepared, arguments) if statement != prepared.sql else None
    with at_position(None):
        result = run(context, statement, values)
    if names is not None and len(names) == len(result.columns):
        result.columns = tuple(
            replace(column, name=name) for column, name in zip(result.columns, names, strict=True)
        )
    return result


def _names(context: Context, prepared: Prepared, arguments: Parameters) -> list[str] | None:
    """How the columns are called where no value is written into the text; None if DuckDB cannot tell."""
    with context.binder.given(arguments) as binder:
        described = binder.describe(without_row_locks(prepared.sql))
    return None if described is None else [column.name for column in described]


def bind(
    context: Context, sql: str, lexemes: list[Lexeme], parameters: Parameters
) -> tuple[str, Parameters, Parameters]:
    """The statement that an EXECUTE runs, its values, and all arguments as Python has them. Raises errors.Error."""
    name = lexemes[1].identifier if len(lexemes) > 1 else ""
    prepared = context.prepared.get(name.lower())
    if prepared is None:
        raise ProgrammingError(
            f'Prepared statement "{name}" does not exist',
            sqlstate="26000",
            hint=f"PREPARE {name or 'name'} AS … first, in this session.",
        )
    plain = _plain_values(lexemes[2:]) if parameters is None else None
    if plain is not None and prepared.parameters == tuple(str(number) for number in range(1, len(plain) + 1)):
        return prepared.sql, plain or None, plain or None
    gateway = context.connections.gateway
    asked = [f"${known}, typeof(${known}), CAST(${known} AS VARCHAR)" for known in prepared.parameters]
    duck.execute(gateway, f"PREPARE {_ARGUMENTS} AS SELECT {', '.join(asked) or '1'}")
    try:
        end = lexemes[1].end
        given = Composed(((f"EXECUTE {_ARGUMENTS}", None), (sql[end:], end)))
        row = duck.guarded(execute(gateway, given, parameters).fetchall)[0]
    finally:
        duck.clean_up(gateway, f"DEALLOCATE {_ARGUMENTS}")
    statement = prepared.sql
    arguments: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for index, known in enumerate(prepared.parameters):
        value, kind, text = row[3 * index : 3 * index + 3]
        arguments[known] = value
        if _is_kept_by_python(value, kind, text):
            values[known] = value
        else:
            constant = "NULL" if text is None else quote_string(text)
            statement = _with_literal(statement, known, f"CAST({constant} AS {kind})")
    if not values:
        return statement, None, arguments
    numbers = [str(number) for number in range(1, len(values) + 1)]
    if all(number in values for number in numbers):
        return statement, [values[number] for number in numbers], arguments
    return statement, values, arguments


def _is_kept_by_python(value: Any, kind: str, text: str | None) -> bool:
    """Whether a value that DuckDB gave to Python is the same one when it is sent back."""
    if text is None:
        return kind == '"NULL"'  # Python's None has no type.
    if kind in ("DATE", "TIMESTAMP"):
        # Infinity comes as Python's last or first day, a year that Python does not have as text.
        return isinstance(value, date) and "infinity" not in text
    return kind in _PASSED_AS_THEY_ARE or kind.startswith("DECIMAL")


def _plain_values(lexemes: list[Lexeme]) -> list[Any] | None:
    """The arguments of an EXECUTE, if each is a plain string, a small whole number or NULL; DuckDB need not be asked.

    lexemes: what stands behind the name. Measured: asking takes three times as long as a routed query.
    """
    if not lexemes:
        return []
    if lexemes[0].text != "(" or lexemes[-1].text != ")" or len(lexemes) % 2 == 0:
        return [] if len(lexemes) == 2 and lexemes[0].text == "(" and lexemes[1].text == ")" else None
    if any(lexeme.text != "," for lexeme in lexemes[2:-1:2]):
        return None
    values: list[Any] = []
    for lexeme in lexemes[1:-1:2]:
        if lexeme.kind is Kind.NUMBER and lexeme.text.isdigit() and len(lexeme.text) < _INTEGER_DIGITS:
            values.append(int(lexeme.text))
        elif lexeme.kind is Kind.STRING and lexeme.text[0] == "'":
            values.append(lexeme.text[1:-1].replace("''", "'"))
        elif lexeme.upper == "NULL":
            values.append(None)
        else:
            return None
    return values


def unfolded(context: Context, sql: str, start: int, parameters: Parameters) -> tuple[str, Parameters] | None:
    """An EXPLAIN of an EXECUTE as one of the statement that it runs; None for every other. start: what is explained."""
    if sql[start : start + 7].upper() != "EXECUTE":
        return None
    body = " " * start + sql[start:]
    with at_position(None):
        statement, values, _ = bind(context, body, significant(body), parameters)
    return sql[:start] + statement, values


def deallocate(context: Context, sql: str) -> Result:
    """DEALLOCATE [PREPARE] name; ALL forgets every one. A name that is not there is none to forget, as in DuckDB."""
    lexemes = [lexeme for lexeme in significant(sql)[1:] if lexeme.upper != "PREPARE"]
    if len(lexemes) != 1:
        raise ProgrammingError("DEALLOCATE needs one name", sqlstate="42601", position=len(sql) + 1)
    if lexemes[0].upper == "ALL":
        context.prepared = {}
    else:
        name = lexemes[0].identifier.lower()
        context.prepared = {known: kept for known, kept in context.prepared.items() if known != name}
    _list(context)
    return Result((), "DEALLOCATE")


def _judge(context: Context, body: str, start: int, kind: StatementKind) -> tuple[str, ...] | None:
    """Have DuckDB prepare it, where the table that it changes is a table: the types of its result."""
    connections = context.connections
    shard = _shard_of_target(context, body) if kind in _CHANGES else None
    connection = connections.gateway if shard is None else connections.shard(shard)
    execute(connection, Composed(((f"PREPARE {_JUDGED} AS ", None), (body, start))))
    types = duck.rows(
        connection,
        "SELECT result_types FROM system.main.duckdb_prepared_statements() WHERE name = $1",
        [_JUDGED],
    )[0][0]
    duck.execute(connection, f"DEALLOCATE {_JUDGED}")
    return None if types is None else tuple(types)


def _shard_of_target(context: Context, body: str) -> int | None:
    """The first shard of the table that a change is about; None if it is no table of the catalog."""
    lexemes = significant(body)
    depth = 0
    for index, lexeme in enumerate(lexemes):
        depth += {"(": 1, ")": -1}.get(lexeme.text, 0)
        if depth == 0 and lexeme.upper in _VERBS:
            while index < len(lexemes) and lexemes[index].upper in _VERBS | _BEHIND_VERBS:
                index += 1
            found = name_at(lexemes, index)
            table = context.gateway.find_table(found[0]) if found is not None else None
            return None if table is None else table.placements[0]
    return None


def _with_literal(statement: str, parameter: str, literal: str) -> str:
    """The statement with a parameter's value in its place."""
    pieces: list[str] = []
    position = 0
    for lexeme in scan(statement):
        if lexeme.kind is Kind.PARAMETER and lexeme.text == f"${parameter}":
            pieces += [statement[position : lexeme.start], literal]
            position = lexeme.end
    return "".join(pieces) + statement[position:]


def _list(context: Context) -> None:
    """Tell `duckdb_prepared_statements()` what there is."""
    listed = [
        {
            "name": kept.name,
            "statement": kept.sql,
            "result_types": None if kept.result_types is None else list(kept.result_types),
        }
        for kept in context.prepared.values()
    ]
    shape = "STRUCT(name VARCHAR, statement VARCHAR, result_types VARCHAR[])[]"
    sql = f"SET VARIABLE {VARIABLE} = CAST($1 AS {shape})"
    duck.execute(context.connections.gateway, sql, [listed])
    context.connections.repeat_on_shards(VARIABLE, sql, [listed])
