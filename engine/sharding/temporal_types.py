"""Dates, times, timestamps and intervals as key columns.

DuckDB's are wider than Python's: years to 294,246, `infinity`, nanoseconds, a time of 24:00:00. DuckDB's client gives
`infinity` as the last moment of year 9999, and what Python cannot hold as text. So
- every date or timestamp before year 2 has the canonical form of the first moment of year 2, every one after year 9998
  that of the last moment of year 9998 (one year is left at each end, because a time zone shifts what is returned);
- nanoseconds are cut off, towards 1970, as the client does it.
Such values are placed together, and predicates about them prune less; no row is lost.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from ..errors import DataError
from . import stable_hash
from .key_types import CANNOT_TELL, KeyType
from .strategy import Value
from .values import MICROSECOND, sql_literal

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000
_FIRST_DAY = (date(2, 1, 1) - date(1970, 1, 1)).days
_LAST_DAY = (date(9998, 12, 31) - date(1970, 1, 1)).days


class _Calendar(KeyType):
    """What dates and timestamps share: the ends between which they are held apart."""

    discrete = True
    first = 0
    last = 0

    def within(self, canonical: int) -> int:
        """`canonical`, or the end that it is beyond."""
        return min(max(canonical, self.first), self.last)

    def beyond(self, text: str) -> int:
        """The end that a text stands for: the client returns text for years that Python does not have."""
        if "(BC)" in text or text == "-infinity":
            return self.first
        if re.match(r"[0-9]{5,}-", text) or text == "infinity":
            return self.last
        raise self.mismatch(text)

    def is_shared(self, canonical: int) -> bool:
        return canonical in (self.first, self.last)

    def hash(self, canonical: int) -> int:
        return stable_hash.hash_integer(canonical)

    def literal(self, value: Value) -> str:
        if self.is_shared(self.canonical(value)):
            raise DataError(
                f"{value} cannot be named in a shard clause",
                sqlstate="22008",
                hint="Use a value in the years 2 to 9998, or MAXVALUE, or a default shard.",
            )
        return super().literal(value)


class DateType(_Calendar):
    """DATE: days since 1970-01-01."""

    first = _FIRST_DAY
    last = _LAST_DAY
    _TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

    def canonical(self, value: Value) -> int:
        if isinstance(value, date) and not isinstance(value, datetime):
            return self.within(value.toordinal() - 719_163)
        if isinstance(value, str):
            return self.beyond(value)
        raise self.mismatch(value)

    def hash_sql(self, column: str) -> str:
        held = f"greatest(least({column}, DATE '9998-12-31'), DATE '0002-01-01') - DATE '1970-01-01'"
        return stable_hash.hash_integer_sql(f"CASE WHEN {column} IS NOT NULL THEN {held} END")

    def coerce(self, value: Value) -> Value:
        if isinstance(value, str) and self._TEXT.fullmatch(value):
            return _parsed(date, value)
        if isinstance(value, datetime):
            midnight = value.tzinfo is None and value == datetime(value.year, value.month, value.day)
            return value.date() if midnight else CANNOT_TELL
        return value if isinstance(value, date) else CANNOT_TELL


class TimestampType(_Calendar):
    """TIMESTAMP of every precision, with and without time zone: microseconds since 1970-01-01."""

    first = _FIRST_DAY * _DAY_US
    last = (_LAST_DAY + 1) * _DAY_US - 1
    _TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?)?")
    _ZONED_TEXT = re.compile(_TEXT.pattern.removesuffix("?") + r"(Z|[+-][0-9]{2}(:[0-9]{2})?)")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.zoned = name == "TIMESTAMP WITH TIME ZONE"
        self.comparable_name = name if self.zoned else "TIMESTAMP"
        self.step_us = {"TIMESTAMP_S": 1_000_000, "TIMESTAMP_MS": 1000}.get(name, 1)

    def canonical(self, value: Value) -> int:
        if isinstance(value, datetime):
            if value.tzinfo is None and self.zoned and value not in (datetime.min, datetime.max):
                raise self.mismatch(value)
            return self.within((value - (_EPOCH_UTC if value.tzinfo else _EPOCH)) // MICROSECOND)
        if isinstance(value, str):
            return self.beyond(value)
        raise self.mismatch(value)

    def is_shared(self, canonical: int) -> bool:
        return self.name == "TIMESTAMP_NS" or super().is_shared(canonical)

    def comparable_sql(self, column: str) -> str:
        if self.name == "TIMESTAMP_NS":
            cut = f"make_timestamp(epoch_ns({column}) // 1000)"
            return f"CASE WHEN isfinite({column}) THEN {cut} ELSE {column}::TIMESTAMP END"
        return column if self.name == self.comparable_name else f"{column}::TIMESTAMP"

    def hash_sql(self, column: str) -> str:
        maker = "make_timestamptz" if self.zoned else "make_timestamp"
        ends = f"{maker}({self.last})), {maker}({self.first})"
        held = f"epoch_us(greatest(least({self.comparable_sql(column)}, {ends}))"
        return stable_hash.hash_integer_sql(f"CASE WHEN {column} IS NOT NULL THEN {held} END")

    def literal(self, value: Value) -> str:
        if _Calendar.is_shared(self, self.canonical(value)):
            return super().literal(value)
        return f"CAST({sql_literal(value)} AS {self.comparable_name})"

    def coerce(self, value: Value) -> Value:
        if isinstance(value, str):
            if not (self._ZONED_TEXT if self.zoned else self._TEXT).fullmatch(value):
                return CANNOT_TELL
            value = _parsed(datetime, value)
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if not isinstance(value, datetime) or (value.tzinfo is not None) != self.zoned:
            return CANNOT_TELL
        # A text is rounded to the precision of the column, so one that is finer could equal a neighbour.
        return value if value.microsecond % self.step_us == 0 else CANNOT_TELL


class TimeType(KeyType):
    """TIME and TIME_NS: microseconds since midnight. The client returns 24:00:00 as text."""

    discrete = True
    _TEXT = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")

    def canonical(self, value: Value) -> int:
        if isinstance(value, time) and value.tzinfo is None:
            return _since_midnight_us(value)
        if value == "24:00:00":
            return _DAY_US
        raise self.mismatch(value)

    def is_shared(self, canonical: int) -> bool:  # noqa: ARG002
        return self.name == "TIME_NS"

    def hash(self, canonical: int) -> int:
        return stable_hash.hash_integer(canonical)

    def hash_sql(self, column: str) -> str:
        return stable_hash.hash_integer_sql(self.comparable_sql(column))

    def comparable_sql(self, column: str) -> str:
        return f"epoch_us({column})"

    def literal(self, value: Value) -> str:
        return str(self.canonical(value))

    def coerce(self, value: Value) -> Value:
        if isinstance(value, str) and self._TEXT.fullmatch(value):
            return _parsed(time, value)
        return value if isinstance(value, time) and value.tzinfo is None else CANNOT_TELL


class ZonedTimeType(KeyType):
    """TIME WITH TIME ZONE: local microseconds since midnight and the offset in seconds, both in one integer."""

    ordered = False  # DuckDB sorts by the moment in UTC first.
    _OFFSETS = 1 << 17
    _TEXT = re.compile(r"24:00:00([+-])([0-9]{2})(?::([0-9]{2}))?(?::([0-9]{2}))?")

    def canonical(self, value: Value) -> int:
        if isinstance(value, time) and (offset := value.utcoffset()) is not None:
            return self._packed(_since_midnight_us(value), offset // timedelta(seconds=1))
        if isinstance(value, str) and (parts := self._TEXT.fullmatch(value)):
            hours, minutes, seconds = (int(part or 0) for part in parts.groups()[1:])
            offset_s = hours * 3600 + minutes * 60 + seconds
            return self._packed(_DAY_US, -offset_s if parts[1] == "-" else offset_s)
        raise self.mismatch(value)

    def _packed(self, local_us: int, offset_s: int) -> int:
        return local_us * self._OFFSETS + offset_s + self._OFFSETS // 2

    def hash(self, canonical: int) -> int:
        return stable_hash.hash_integer(canonical)

    def hash_sql(self, column: str) -> str:
        return stable_hash.hash_integer_sql(self.comparable_sql(column))

    def comparable_sql(self, column: str) -> str:
        offset = f"date_part('timezone', {column})"
        return f"(epoch_us({column}) * {self._OFFSETS} + {offset} + {self._OFFSETS // 2})"

    def literal(self, value: Value) -> str:
        return str(self.canonical(value))

    def coerce(self, value: Value) -> Value:
        return value if isinstance(value, time) and value.tzinfo is not None else CANNOT_TELL


class IntervalType(KeyType):
    """INTERVAL: microseconds, with DuckDB's months of 30 days and days of 24 hours."""

    discrete = True

    def canonical(self, value: Value) -> int:
        if isinstance(value, timedelta):
            return value // MICROSECOND
        raise self.mismatch(value)

    def hash(self, canonical: int) -> int:
        return stable_hash.hash_integer(canonical)

    def hash_sql(self, column: str) -> str:
        return stable_hash.hash_wide_sql(self.comparable_sql(column), "HUGEINT")

    def comparable_sql(self, column: str) -> str:
        def part(name: str) -> str:
            return f"date_part('{name}', {column})"

        days = f"(({part('year')} * 12 + {part('month')}) * 30 + {part('day')})"
        rest = f"({part('hour')} * 60 + {part('minute')}) * 60000000 + {part('microsecond')}"
        return f"({days}::HUGEINT * {_DAY_US} + {rest})"

    def literal(self, value: Value) -> str:
        return f"{self.canonical(value)}::HUGEINT"

    def coerce(self, value: Value) -> Value:
        return value if isinstance(value, timedelta) else CANNOT_TELL


def _since_midnight_us(value: time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


def _parsed(kind: type[date] | type[time], text: str) -> Value:
    """`text` in ISO 8601 as a `kind`; CANNOT_TELL if there is no such day or hour."""
    try:
        return kind.fromisoformat(text)
    except ValueError:
        return CANNOT_TELL


TEMPORAL_TYPES: dict[str, type[KeyType]] = {
    "DATE": DateType,
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), TimestampType),
    "TIMESTAMP WITH TIME ZONE": TimestampType,
    **dict.fromkeys(("TIME", "TIME_NS"), TimeType),
    "TIME WITH TIME ZONE": ZonedTimeType,
    "INTERVAL": IntervalType,
}
