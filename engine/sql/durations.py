"""Durations as PostgreSQL writes them in settings: `500`, `'5s'`, `'1.5 min'`."""

from __future__ import annotations

import re

from ..errors import ProgrammingError

_DURATION = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(us|ms|s|min|h|d)?\s*")
_UNIT_MS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST_MS = 2**31 - 1


def milliseconds(value: str, name: str) -> int:
    """What a duration means: a number of milliseconds, or with us, ms, s, min, h or d behind.

    name: what takes the value, for the message. Raises ProgrammingError.
    """
    found = _DURATION.fullmatch(value)
    if found is not None:
        amount = round(float(found.group(1)) * _UNIT_MS[found.group(2) or "ms"])
        if amount <= _LONGEST_MS:
            return amount
    raise ProgrammingError(
        f'invalid value for "{name}": "{value}"',
        sqlstate="22023",
        hint="It is a number of milliseconds up to 2147483647, or has one of the units us, ms, s, min, h, d.",
    )


def shown(amount_ms: int) -> str:
    """A duration in its longest unit that leaves no fraction: `1min`; `0` for none."""
    if not amount_ms:
        return "0"
    unit = next((name for name in ("d", "h", "min", "s") if amount_ms % _UNIT_MS[name] == 0), "ms")
    return f"{amount_ms // int(_UNIT_MS[unit])}{unit}"
