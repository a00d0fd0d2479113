"""Whether a change may be written to the log as the user's own text, with what only the catalog and the shards know.

Leaves to others: reading the text (`sql/determinism.py`), the values of `now()` and its like (`instants.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from ...catalog.model import Table
from ...sql.determinism import is_replayable, is_replayable_expression, mentions_time_zone, without_instants
from ...sql.lexer import significant
from ...storage.settings import Settings, without_time
from ...types import Parameters
from ..connections import SessionConnections
from ..gateway import Gateway
from .columns import Insertable, insertable_columns


def own_names(gateway: Gateway) -> frozenset[str]:
    """The names, folded, of the user's macros and types: they may mean something else when a log is read."""
    kinds = ("MACRO", "TYPE")
    return frozenset(known.name.lower() for known in gateway.catalog.definitions if known.kind in kinds)


def may_run_again(gateway: Gateway, table: Table, text: str) -> bool:
    """Whether a change of a table, with values in place of `now()`, gives the same on the same rows, ever."""
    steady, own = without_instants(text), own_names(gateway)
    if not is_replayable(steady, own=own):
        return False
    words = {lexeme.upper for lexeme in significant(text)}
    uses_defaults = "INSERT" in words or "DEFAULT" in words
    return not uses_defaults or not unsteady_defaults(gateway, insertable_columns(gateway, table))


def unsteady_defaults(gateway: Gateway, columns: Iterable[Insertable]) -> frozenset[str]:
    """The names of the columns whose defaults may have another value another time."""
    own = own_names(gateway)
    return frozenset(
        one.column.name
        for one in columns
        if one.default is not None and not is_replayable_expression(one.default, own)
    )


def settings_for(
    gateway: Gateway,
    connections: SessionConnections,
    table: Table,
    text: str = "",
    parameters: Parameters = None,
) -> Settings:
    """The settings with which an operation on a table is to run again. text: what of the user's is in it."""
    found = connections.deviating(gateway.settings_version)
    if found and not mentions_time_zone(text, (column.type for column in table.columns), parameters):
        return without_time(found)
    return found
