"""Settings of our own, beside DuckDB's: what they are called, which values they take.

Their names begin with `duckraft_`, or are PostgreSQL's where its users look for the same. A session keeps their values;
SQL reads them as it reads DuckDB's: `SHOW`, `current_setting()`, `duckdb_settings()`.
Leaves to others: what a value does (`statements/settings.py` tells the session).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ProgrammingError
from ..sql.durations import milliseconds, shown
from ..sql.lexer import Kind, Lexeme, significant
from ..sql.transaction import Isolation, isolation_level
from ..types import quote_string

VARIABLE = "duckraft_settings"
"""The variable of the session's connection to the gateway that has the values that are not the defaults."""

READER = "duckraft_option"
"""The macro that reads one setting. Its name is as long as `current_setting`, whose place it takes."""


@dataclass(frozen=True, slots=True)
class OwnSetting:
    """A setting. default: its value as text. checked: the text of a value as it is kept; raises ProgrammingError."""

    name: str
    default: str
    description: str
    checked: Callable[[str], str]


def _binding(value: str) -> str:
    folded = value.lower()
    if folded not in ("attached", "streamed"):
        raise ProgrammingError(
            f'invalid value for "duckraft_binding": "{value}"',
            sqlstate="22023",
            hint="It is attached or streamed.",
        )
    return folded


def _timeout(name: str, meaning: str) -> OwnSetting:
    described = f"{meaning}, in milliseconds or with a unit (us, ms, s, min, h, d); 0 for any time"
    return OwnSetting(name, "0", described, lambda value: shown(milliseconds(value, name)))


def _isolation(value: str) -> str:
    level = isolation_level(value)
    if level is None:
        raise ProgrammingError(
            f'invalid value for "default_transaction_isolation": "{value}"',
            sqlstate="22023",
            hint=f"It is one of {', '.join(Isolation)}.",
        )
    return level.value


def _read_only(value: str) -> str:
    folded = value.lower()
    if folded in ("on", "true", "yes", "1"):
        return "on"
    if folded in ("off", "false", "no", "0"):
        return "off"
    raise ProgrammingError(
        f'parameter "default_transaction_read_only" requires a Boolean value: "{value}"',
        sqlstate="22023",
        hint="It is on or off.",
    )


_ALL = (
    OwnSetting(
        "duckraft_binding",
        "attached",
        "How the parts of a query that shards answer reach the gateway: attached or streamed",
        _binding,
    ),
    _timeout("statement_timeout", "How long a statement may run"),
    _timeout("lock_timeout", "How long a statement may wait for each lock"),
    _timeout("transaction_timeout", "How long a transaction may take"),
    _timeout("idle_in_transaction_session_timeout", "How long a transaction may wait for its next statement"),
    OwnSetting(
        "default_transaction_isolation",
        Isolation.READ_COMMITTED.value,
        f"The isolation level of new transactions: {', '.join(Isolation)}",
        _isolation,
    ),
    OwnSetting(
        "default_transaction_read_only",
        "off",
        "Whether new transactions may only read: on or off",
        _read_only,
    ),
)
OWN = {setting.name: setting for setting in _ALL}
"""By name, in lower case."""


def rows_sql() -> str:
    """A query for the settings as rows of `duckdb_settings()`, with the values of the session that runs it."""
    listed = ", ".join(
        f"({quote_string(setting.name)}, {quote_string(setting.default)}, {quote_string(setting.description)})"
        for setting in _ALL
    )
    return (
        f"SELECT n AS name, coalesce(getvariable('{VARIABLE}')[n], d) AS value, t AS description,"
        f" 'VARCHAR' AS input_type, 'LOCAL' AS scope, CAST([] AS VARCHAR[]) AS aliases"
        f" FROM (VALUES {listed}) AS own(n, d, t)"
    )


def reading_own(sql: str) -> str:
    """The statement with `current_setting('x')` reading a setting of ours where x is one; positions in it stay."""
    if "current_setting" not in sql.lower():
        return sql
    lexemes = significant(sql)
    pieces: list[str] = []
    position = 0
    for lexeme, opening, name in zip(lexemes, lexemes[1:], lexemes[2:], strict=False):
        if lexeme.upper == "CURRENT_SETTING" and opening.text == "(" and _reads_own(name):
            pieces += [sql[position : lexeme.start], READER]
            position = lexeme.end
    return "".join(pieces) + sql[position:] if pieces else sql


def as_written(name: str) -> str:
    """The name that a column of such a statement has in the user's."""
    return name.replace(READER, "current_setting")


def _reads_own(name: Lexeme) -> bool:
    return name.kind is Kind.STRING and name.text.strip("'").lower() in OWN
