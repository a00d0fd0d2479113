"""Settings of our own, beside DuckDB's: what they are called, which values they take.

Their names begin with `duckraft_`, or are PostgreSQL's where its users look for the same. A session keeps their values;
SQL reads them as it reads DuckDB's: `SHOW`, `current_setting()`, `duckdb_settings()`.
Leaves to others: what a value does (`statements/settings.py` tells the session).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ProgrammingError
from ..sql.lexer import Kind, Lexeme, significant
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


_DURATION = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(us|ms|s|min|h|d)?\s*")
_UNIT_MS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST_MS = 2**31 - 1


def milliseconds(value: str) -> int:
    """What a duration means, written as PostgreSQL's: a number of milliseconds, or with us, ms, s, min, h or d behind.

    Raises ProgrammingError.
    """
    found = _DURATION.fullmatch(value)
    if found is not None:
        amount = round(float(found.group(1)) * _UNIT_MS[found.group(2) or "ms"])
        if amount <= _LONGEST_MS:
            return amount
    raise ProgrammingError(
        f'invalid value for "statement_timeout": "{value}"',
        sqlstate="22023",
        hint="It is a number of milliseconds up to 2147483647, or has one of the units us, ms, s, min, h, d.",
    )


def _duration(value: str) -> str:
    amount = milliseconds(value)
    unit = next(
        (name for name in ("d", "h", "min", "s") if amount and amount % _UNIT_MS[name] == 0),
        "ms",
    )
    return f"{amount // int(_UNIT_MS[unit])}{unit}" if amount else "0"


_ALL = (
    OwnSetting(
        "duckraft_binding",
        "attached",
        "How the parts of a query that shards answer reach the gateway: attached or streamed",
        _binding,
    ),
    OwnSetting(
        "statement_timeout",
        "0",
        "How long a statement may run, in milliseconds or with a unit (us, ms, s, min, h, d); 0 for any time",
        _duration,
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
