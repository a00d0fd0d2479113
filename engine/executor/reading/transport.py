"""Types that Arrow changes: how a column leaves its shard, and how it becomes at the gateway what it was.

Tried with every type of DuckDB 2.0, with its setting `arrow_lossless_conversion`: all but these come back as they were.
- An ENUM comes back as VARCHAR, wherever it stands in a type, and a list of enums may not be empty.
- A TUPLE comes back as a STRUCT.
- A state of an aggregate comes back as the values it consists of; most can be made states again.
- A UNION whose member is NULL comes back as NULL (see `unions.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...types import Column, quote_identifier
from . import unions

_QUOTED = re.compile(r""""(?:[^"]|"")*"|'(?:[^']|'')*'""")
_CHANGED = re.compile(r"\b(?:ENUM|TUPLE|UNION)\(")
_NOT_CARRIED = re.compile(r"\bAGGREGATE_STATE\b|\bUNION\(.*\bTUPLE\(|\bTUPLE\(.*\bUNION\(", re.DOTALL)

States = Mapping[str, str]
"""By the name of a column that is a state: a template that makes it of the value as which it arrived."""


def can_be_carried(columns: Sequence[Column], states: States) -> bool:
    """Whether Arrow carries values of all these types, with a cast at both ends where it needs one.

    A state that keeps enums may have a list of them in it, which may not be empty.
    """
    return all(
        "ENUM(" not in states[column.name]
        if column.name in states
        else not _NOT_CARRIED.search(_QUOTED.sub("", column.type))
        for column in columns
    )


def leaving(columns: Sequence[Column]) -> str:
    """A select list of these columns as they leave their shard."""
    return ", ".join(_leaving(column) for column in columns)


def arrived(columns: Sequence[Column], states: States) -> str:
    """A select list that makes the columns, as Arrow brought them, what they were."""
    return ", ".join(_arrived(column, states.get(column.name)) for column in columns)


def _leaving(column: Column) -> str:
    name = quote_identifier(column.name)
    carried = unions.leaving(name, column.type)
    return name if carried == name else f"{carried} AS {name}"


def _arrived(column: Column, state: str | None) -> str:
    name = quote_identifier(column.name)
    if state is not None:
        return f"{state.format(name)} AS {name}"
    changed = _CHANGED.search(_QUOTED.sub("", column.type))
    return f"{unions.arriving(name, column.type)} AS {name}" if changed else name
