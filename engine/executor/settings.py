"""SET, RESET, USE and PRAGMA of DuckDB's settings: which a session may change, and on which of its connections.

Promises: a setting of the session holds wherever its statements run, one of the instance for all sessions, as in
DuckDB. What unqualified names mean, how strings compare and how rows travel inside duckraft stay as they are: settings
that would change these are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import NotSupportedError, ProgrammingError
from ..sql.lexer import Kind, Lexeme, significant
from ..storage import duck
from ..types import quote_identifier, quote_string
from .connections import SessionConnections
from .gateway import Gateway
from .reading.result import Result, columns_of

_SEARCH_PATHS = frozenset({"search_path", "schema", "current_schema"})
_HOME = frozenset({"", "default", "main", "memory", "memory.main"})
_SCOPES = frozenset({"SESSION", "GLOBAL", "LOCAL", "VARIABLE"})
_OURS = ("arrow_", "produce_arrow_", "errors_as_json", "python_", "allowed_configs")
"""How these names begin: DuckDB's settings that duckraft itself relies on."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a setting keeps its value. allowed: the values, folded, that leave it as it is."""

    allowed: frozenset[str]
    reason: str
    hint: str


_OFF = frozenset({"", "false", "0", "off", "default"})
_PROFILING = Refusal(
    frozenset({"no_output"}),
    "a profile would mix the statement with those that duckraft itself runs for it",
    "Use EXPLAIN ANALYZE.",
)
_CHECKPOINTS = Refusal(
    frozenset(),
    "DuckDB writes no checkpoints by itself: one may hold only what the shard's log has on the disk",
    "They are written when they are due. CHECKPOINT writes them now.",
)
REFUSED = {
    "default_collation": Refusal(
        frozenset({"", "binary", "default"}),
        "the default collation cannot be changed: rows are placed by the bytes of their keys",
        "Give single columns or expressions a COLLATE.",
    ),
    "lock_configuration": Refusal(
        _OFF,
        "the configuration cannot be locked: each session has connections that are configured when they are made",
        "Let the program that opens the database decide which statements it passes on.",
    ),
    "disabled_filesystems": Refusal(
        frozenset({"", "default"}),
        "file systems cannot be disabled: the shards are files",
        "SET enable_external_access = false leaves only the files of this database.",
    ),
    "enable_view_dependencies": Refusal(
        _OFF,
        "views cannot depend on tables: the gateway makes its views of the tables anew when tables change",
        "A view whose table is gone fails when it is read, as in DuckDB without this setting.",
    ),
    "enable_macro_dependencies": Refusal(
        _OFF,
        "macros cannot depend on tables: the gateway makes its views of the tables anew when tables change",
        "A macro whose table is gone fails when it is called, as in DuckDB without this setting.",
    ),
    "preserve_identifier_case": Refusal(
        frozenset({"preserve_case", "default"}),
        "names keep the case in which they are written, at the gateway as on the shards",
        "Names are found whatever their case.",
    ),
    "checkpoint_threshold": _CHECKPOINTS,
    "wal_autocheckpoint": _CHECKPOINTS,
    "wal_autocheckpoint_entries": _CHECKPOINTS,
    "enable_profiling": _PROFILING,
    "enable_profile": _PROFILING,
}
"""By name: the settings whose other values are refused with 0A000."""


def apply_setting(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run a SET, RESET, USE or PRAGMA of a setting that is DuckDB's. Raises errors.Error."""
    verb, scope, name, value = parts_of(significant(sql))
    if verb == "USE" or name in _SEARCH_PATHS:
        # The path in force is the only one: with another, shards and gateway would not find their own tables.
        _check_search_path(value)
        if verb == "USE" and not value:
            duck.execute(connections.gateway, sql)  # DuckDB says what is missing.
        return Result((), verb)
    _check_allowed(name, value if verb != "RESET" else "default")
    if name == "enable_external_access" and value in _OFF:
        _keep_access_to_shards(gateway, connections.gateway)
    was_local = _is_local(connections.gateway, name)
    duck.execute(connections.gateway, sql)
    columns = columns_of(connections.gateway)
    if verb == "PRAGMA" and [column.name for column in columns] != ["Success"]:
        return Result(columns, verb, source=connections.gateway)
    if scope == "VARIABLE" and verb == "SET":
        _repeat_variable(connections, name)
    elif (
        scope == "VARIABLE"
        or was_local
        or _is_local(connections.gateway, name)
        or (verb == "PRAGMA" and not value)
    ):
        connections.repeat_on_shards(f"{scope} {name}", sql)
    gateway.settings_version += 1
    return Result((), verb)


def parts_of(lexemes: list[Lexeme]) -> tuple[str, str, str, str]:
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
    if name == "time" and rest and rest[0].upper == "ZONE":
        return verb, scope, "timezone", _bare(rest[1:])
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
    refusal = REFUSED.get(name)
    if refusal is not None and value not in refusal.allowed:
        raise NotSupportedError(refusal.reason, hint=refusal.hint)
    if name.startswith(_OURS):
        raise ProgrammingError(
            f'the setting "{name}" cannot be changed: duckraft itself relies on it',
            sqlstate="55P02",
        )


def _keep_access_to_shards(gateway: Gateway, connection: duck.Connection) -> None:
    """Allow DuckDB the database's own directory, for shards that are still to be made."""
    if gateway.directory is not None:
        allowed = duck.rows(connection, "SELECT current_setting('allowed_directories')")[0][0]
        listed = ", ".join(quote_string(path) for path in [*allowed, str(gateway.directory.path)])
        duck.execute(connection, f"SET GLOBAL allowed_directories = [{listed}]")


def _repeat_variable(connections: SessionConnections, name: str) -> None:
    """Give the shards the value that the gateway found: a query in it would see only one shard's rows there."""
    called = f"getvariable({quote_string(name)})"
    value, kind = duck.rows(connections.gateway, f"SELECT {called}, typeof({called})")[0]
    cast = "$1" if kind in ('"NULL"', "NULL") else f"CAST($1 AS {kind})"
    connections.repeat_on_shards(
        f"VARIABLE {name}", f"SET VARIABLE {quote_identifier(name)} = {cast}", [value]
    )


def _is_local(connection: duck.Connection, name: str) -> bool:
    """Whether a setting has a value of this connection's own, not that of the whole instance."""
    found = duck.rows(
        connection, "SELECT scope FROM system.main.duckdb_settings() WHERE lower(name) = ?", [name]
    )
    return any(scope == "LOCAL" for (scope,) in found)
