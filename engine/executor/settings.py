"""SET, RESET, USE and PRAGMA: which settings a session may change, and on which of its connections.

Promises: a setting of the session holds wherever its statements run. What unqualified names mean, how strings compare
and how rows travel inside duckraft stay as they are: settings that would change these are refused.
"""

from __future__ import annotations

from ..errors import NotSupportedError, ProgrammingError
from ..sql.lexer import Kind, Lexeme, significant
from ..storage import duck
from ..types import quote_identifier, quote_string
from .connections import SessionConnections
from .result import Result, columns_of

_SEARCH_PATHS = frozenset({"search_path", "schema", "current_schema"})
_HOME = frozenset({"", "default", "main", "memory", "memory.main"})
_COLLATIONS = frozenset({"", "binary"})
_SCOPES = frozenset({"SESSION", "GLOBAL", "LOCAL", "VARIABLE"})
_OURS = ("arrow_", "produce_arrow_", "errors_as_json")
"""How these names begin: DuckDB's settings that duckraft itself relies on."""


def apply_setting(connections: SessionConnections, sql: str) -> Result:
    """Run a SET, RESET, USE or PRAGMA. Raises errors.Error."""
    verb, scope, name, value = _parts(significant(sql))
    gateway = connections.gateway
    if verb == "USE" or name in _SEARCH_PATHS:
        _check_search_path(value)
        # The shards' connections keep theirs: with this one they would not find their own tables.
        duck.execute(gateway, sql)
        return Result((), verb)
    _check_allowed(name, value)
    duck.execute(gateway, sql)
    columns = columns_of(gateway)
    if verb == "PRAGMA" and [column.name for column in columns] != ["Success"]:
        return Result(columns, verb, source=gateway)
    if scope == "VARIABLE" and verb == "SET":
        _repeat_variable(connections, name)
    elif scope == "VARIABLE" or _is_local(gateway, name) or (verb == "PRAGMA" and not value):
        connections.repeat_on_shards(f"{scope} {name}", sql)
    return Result((), verb)


def _parts(lexemes: list[Lexeme]) -> tuple[str, str, str, str]:
    """(verb, VARIABLE or nothing, name, value): the name folded, the value as bare as it can be compared."""
    verb = lexemes[0].upper
    index, scope = 1, ""
    if index < len(lexemes) and lexemes[index].upper in _SCOPES and verb != "USE":
        scope = "VARIABLE" if lexemes[index].upper == "VARIABLE" else ""
        index += 1
    if verb == "USE":
        return verb, "", "", _bare(lexemes[index:])
    name = lexemes[index].identifier.lower() if index < len(lexemes) else ""
    rest = lexemes[index + 1 :]
    if rest and (rest[0].text == "=" or rest[0].upper == "TO"):
        return verb, scope, name, _bare(rest[1:])
    return verb, scope, name, ""


def _bare(lexemes: list[Lexeme]) -> str:
    """A name or a string without its quotes, folded."""
    texts = (
        lexeme.text.strip("'") if lexeme.kind is Kind.STRING else lexeme.identifier for lexeme in lexemes
    )
    return "".join(texts).lower()


def _check_search_path(value: str) -> None:
    if value not in _HOME:
        raise NotSupportedError(
            f'names without a schema mean those of the schema "main": "{value}" cannot take its place',
            hint='Write the schema before the name, as in "sales.orders".',
        )


def _check_allowed(name: str, value: str) -> None:
    if name == "default_collation" and value not in _COLLATIONS:
        raise NotSupportedError(
            "the default collation cannot be changed: rows are placed by the bytes of their keys",
            hint="Give single columns or expressions a COLLATE.",
        )
    if name.startswith(_OURS):
        raise ProgrammingError(
            f'the setting "{name}" cannot be changed: duckraft moves rows between shards with it',
            sqlstate="55P02",
        )


def _repeat_variable(connections: SessionConnections, name: str) -> None:
    """Give the shards the value that the gateway found: a query in it would see only one shard's rows there."""
    called = f"getvariable({quote_string(name)})"
    value, kind = duck.rows(connections.gateway, f"SELECT {called}, typeof({called})")[0]
    cast = "$1" if kind in ('"NULL"', "NULL") else f"CAST($1 AS {kind})"
    connections.repeat_on_shards(
        f"VARIABLE {name}", f"SET VARIABLE {quote_identifier(name)} = {cast}", [value]
    )


def _is_local(connection: duck.Connection, name: str) -> bool:
    """Whether a setting belongs to a connection, not to the whole instance."""
    found = duck.rows(connection, "SELECT scope FROM duckdb_settings() WHERE lower(name) = ?", [name])
    return any(scope == "LOCAL" for (scope,) in found)
