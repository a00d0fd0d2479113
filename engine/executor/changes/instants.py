"""Values put for `now()` and its like, which are the same throughout a transaction and others in the next one.

Promises: a text with the values in it does what the user's text would have done just now, whenever it runs; messages
have their positions in the user's text.
"""

from __future__ import annotations

from ...sql.determinism import instants
from ...storage import duck
from ...types import quote_string
from ..composed import Composed


def with_values(connection: duck.Connection, text: str) -> Composed:
    """The text with the values that these calls have in the connection's transaction. Raises errors.Error."""
    found = instants(text)
    if not found:
        return Composed(((text, 0),))
    calls = sorted({one.sql for one in found})
    listed = ", ".join(f"CAST({call} AS VARCHAR), typeof({call})" for call in calls)
    values = duck.rows(connection, f"SELECT {listed}")[0]
    literals = {
        call: f"CAST({quote_string(value)} AS {kind})"
        for call, value, kind in zip(calls, values[::2], values[1::2], strict=True)
    }
    pieces: list[tuple[str, int | None]] = []
    position = 0
    for one in found:
        pieces += [(text[position : one.start], position), (literals[one.sql], None)]
        position = one.end
    return Composed((*pieces, (text[position:], position)))
