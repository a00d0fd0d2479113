"""Settings of DuckDB that decide on what a statement means, and so on whether it gives the same when it runs again.

Promises: a connection on which `settle` was called has the values of `SETTLED`, wherever and whenever it was opened.
Leaves to others: which statements depend on them (`sql/determinism.py`). Two settings that order rows cannot be those
of one connection: functions that sort are never run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..types import quote_string
from . import duck

SETTLED = {
    "TimeZone": "UTC",
    "Calendar": "gregorian",
    "integer_division": "false",
    "ieee_floating_point_ops": "true",
    "error_on_division_by_zero": "true",
    "regex_match_operator_semantics": "partial",
    "disable_timestamptz_casts": "false",
    "legacy_disable_null_type": "false",
    "json_geometry_format": "wkt",
    "ignore_unknown_crs": "false",
    "max_expression_depth": "1000",
}
"""The values that operations without settings of their own are run with."""

_TIME = frozenset({"TimeZone", "Calendar"})
_SAME_AS_UTC = frozenset({"UTC", "Etc/UTC"})

Settings = tuple[tuple[str, str], ...]
"""(name, value) of some of DuckDB's settings, as texts."""


def settle(connection: duck.Connection) -> None:
    """Give a connection the values of `SETTLED`. Raises errors.Error."""
    _set(connection, SETTLED.items())


def deviating(connection: duck.Connection) -> Settings:
    """Those settings of a connection that are not as in `SETTLED`. It asks DuckDB: 0.4 ms. Raises errors.Error."""
    listed = ", ".join(f"CAST(current_setting({quote_string(name)}) AS VARCHAR)" for name in SETTLED)
    values = duck.rows(connection, f"SELECT {listed}")[0]
    return tuple(
        (name, value)
        for (name, settled), value in zip(SETTLED.items(), values, strict=True)
        if value != settled and not (name == "TimeZone" and value in _SAME_AS_UTC)
    )


def without_time(settings: Settings) -> Settings:
    """The settings that matter to a statement in which no time with a time zone occurs."""
    return tuple((name, value) for name, value in settings if name not in _TIME)


@contextmanager
def in_force(connection: duck.Connection, settings: Settings, before: Settings = ()) -> Iterator[None]:
    """While the block runs, a connection has the values of `SETTLED` but for these. before: those it deviates by.

    If it raises they stay, because DuckDB changes none in a transaction that failed: the caller sets them again.
    """
    if settings in (before, without_time(before)):
        yield
        return
    wanted, found = dict(settings), dict(before)
    names = [name for name in SETTLED if wanted.get(name) != found.get(name)]
    _set(connection, [(name, wanted.get(name, SETTLED[name])) for name in names])
    yield
    _set(connection, [(name, found.get(name, SETTLED[name])) for name in names])


def _set(connection: duck.Connection, settings: Iterable[tuple[str, str]]) -> None:
    for name, value in settings:
        duck.execute(connection, f"SET {name} = {quote_string(value)}")
