"""SET, RESET, USE, PRAGMA, INSTALL, LOAD and SHOW of a setting: which are the session's, which DuckDB's."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import NotSupportedError, ProgrammingError
from ..executor import listing, system
from ..executor.own_settings import OWN, VARIABLE
from ..executor.reading.result import Result
from ..executor.settings import apply_setting
from ..sql.classify import Classified
from ..sql.durations import milliseconds
from ..sql.lexer import Kind, Lexeme, significant
from ..sql.transaction import Isolation
from ..storage import duck
from ..types import Column, Parameters
from . import exporting
from .context import Context
from .local import write_shards
from .queries import stream


def setting(context: Context, sql: str, parameters: Parameters, _: Classified) -> Result:
    """SET, RESET, USE, PRAGMA, INSTALL, LOAD."""
    if parameters is not None:
        raise ProgrammingError("a setting takes no parameters", sqlstate="42P02")
    lexemes = significant(sql)
    own = _own_name(lexemes)
    if own is not None:
        return _set_own(context, lexemes, own)
    listed = listing.listing_sql(context.gateway, sql)
    if listed is not None:
        return stream(context.connections.gateway, listed, None)
    if [lexeme.upper for lexeme in lexemes[:2]] == ["PRAGMA", "FORCE_CHECKPOINT"]:
        write_shards(context)
        return Result((), "PRAGMA")
    moved = exporting.pragma(context, lexemes)
    if moved is not None:
        return moved
    if system.mentions(sql):
        system.refresh(context.gateway)
    return apply_setting(context.gateway, context.connections, sql)


def shown(context: Context, sql: str) -> Result | None:
    """`SHOW name` of a setting of our own; None for every other statement."""
    lexemes = significant(sql) if sql[:5].lower() == "show " and len(sql) < 100 else []
    name = lexemes[1].identifier.lower() if len(lexemes) == 2 else ""
    if name not in OWN:
        return None
    return Result(
        (Column(name, "VARCHAR"),), "SHOW", rows=[(context.own_settings.get(name, OWN[name].default),)]
    )


def _own_name(lexemes: list[Lexeme]) -> str | None:
    """The name of the setting of ours that a statement sets or resets, if it does."""
    rest = lexemes[1:]
    if rest and rest[0].upper in ("SESSION", "LOCAL", "GLOBAL"):
        rest = rest[1:]
    verb = lexemes[0].upper
    name = rest[0].identifier.lower() if rest and verb in ("SET", "RESET", "PRAGMA") else ""
    if name.startswith("duckraft_") and name not in OWN:
        raise ProgrammingError(
            f'there is no setting "{name}"', sqlstate="42704", hint=f"There are {', '.join(OWN)}."
        )
    return name if name in OWN else None


def _set_own(context: Context, lexemes: list[Lexeme], name: str) -> Result:
    verb = lexemes[0].upper
    at = next(index for index, lexeme in enumerate(lexemes) if lexeme.identifier.lower() == name)
    if any(lexeme.upper in ("GLOBAL", "LOCAL") for lexeme in lexemes[1:at]):
        raise NotSupportedError(f'"{name}" belongs to a session', hint=f"SET {name} = … in each session.")
    keep(context, name, OWN[name].default if verb == "RESET" else _value(lexemes[at + 1 :], name))
    return Result((), verb)


def keep(context: Context, name: str, value: str) -> None:
    """Give a setting of our own a value that was checked."""
    _EFFECTS[name](context, value)
    context.own_settings = {**context.own_settings, name: value}
    repeated = f"SET VARIABLE {VARIABLE} = CAST($1 AS MAP(VARCHAR, VARCHAR))"
    duck.execute(context.connections.gateway, repeated, [context.own_settings])
    context.connections.repeat_on_shards(VARIABLE, repeated, [context.own_settings])


def _value(lexemes: list[Lexeme], name: str) -> str:
    """The value that stands behind the name: a string, a number or a word."""
    if len(lexemes) != 2 or not (lexemes[0].text == "=" or lexemes[0].upper == "TO"):
        raise ProgrammingError(f"SET {name} takes one value", sqlstate="42601", hint=f"SET {name} = 'value'")
    given = lexemes[1]
    if given.upper == "DEFAULT":
        return OWN[name].default
    text = given.text[1:-1].replace("''", "'") if given.kind is Kind.STRING else given.identifier
    return OWN[name].checked(text)


def _set_binding(context: Context, value: str) -> None:
    context.binding = value


def _seconds(name: str, value: str) -> float | None:
    return milliseconds(value, name) / 1000 or None


def _set_statement_timeout(context: Context, value: str) -> None:
    context.statement_timeout_s = _seconds("statement_timeout", value)


def _set_lock_timeout(context: Context, value: str) -> None:
    context.connections.transactions.lock_timeout_s = _seconds("lock_timeout", value)


def _set_transaction_timeout(context: Context, value: str) -> None:
    context.limits.transaction_timeout_s = _seconds("transaction_timeout", value)


def _set_idle_timeout(context: Context, value: str) -> None:
    context.limits.idle_timeout_s = _seconds("idle_in_transaction_session_timeout", value)


def _set_isolation(context: Context, value: str) -> None:
    context.default_isolation = Isolation(value)


def _set_read_only(context: Context, value: str) -> None:
    context.connections.transactions.default_read_only = value == "on"


_EFFECTS: dict[str, Callable[[Context, str], None]] = {
    "duckraft_binding": _set_binding,
    "statement_timeout": _set_statement_timeout,
    "lock_timeout": _set_lock_timeout,
    "transaction_timeout": _set_transaction_timeout,
    "idle_in_transaction_session_timeout": _set_idle_timeout,
    "default_transaction_isolation": _set_isolation,
    "default_transaction_read_only": _set_read_only,
}
