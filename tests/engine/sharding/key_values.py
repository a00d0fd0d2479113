"""Key types and values of each, for property tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Values = st.SearchStrategy[Any]


def integers(bits: int, *, signed: bool) -> Values:
    """Integers of that width, among them its ends and small ones."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high) | st.sampled_from((low, high, 0, 1)) | st.integers(max(low, -20), 20)


def decimals(width: int, scale: int) -> Values:
    """Decimals of exactly that scale."""
    most = 10**width - 1
    scaled = st.integers(-most, most) | st.sampled_from((0, most, -most, 10**scale if scale < width else 1))
    return scaled.map(lambda number: Decimal((number < 0, tuple(map(int, str(abs(number)))), -scale)))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
OFFSETS = st.integers(-57_599, 57_599).map(lambda seconds: timezone(timedelta(seconds=seconds)))

KEY_VALUES: dict[str, Values] = {
    "BOOLEAN": st.booleans(),
    "TINYINT": integers(8, signed=True),
    "SMALLINT": integers(16, signed=True),
    "INTEGER": integers(32, signed=True),
    "BIGINT": integers(64, signed=True),
    "HUGEINT": integers(128, signed=True) | integers(65, signed=True),
    "UTINYINT": integers(8, signed=False),
    "USMALLINT": integers(16, signed=False),
    "UINTEGER": integers(32, signed=False),
    "UBIGINT": integers(64, signed=False),
    "UHUGEINT": integers(128, signed=False) | integers(65, signed=False),
    "DECIMAL(4,0)": decimals(4, 0),
    "DECIMAL(4,4)": decimals(4, 4),
    "DECIMAL(15,2)": decimals(15, 2),
    "DECIMAL(38,0)": decimals(38, 0),
    "DECIMAL(38,10)": decimals(38, 10),
    "DECIMAL(38,38)": decimals(38, 38),
    "FLOAT": st.floats(width=32) | st.sampled_from((0.0, -0.0)),
    "DOUBLE": st.floats() | st.sampled_from((0.0, -0.0)),
    "VARCHAR": TEXT,
    "ENUM('b', 'a', 'it''s')": st.sampled_from(("b", "a", "it's")),
    "BIT": st.text("01", min_size=1, max_size=20),
    "BLOB": st.binary(max_size=12),
    "UUID": st.uuids(),
    "DATE": st.dates(),
    "TIMESTAMP": st.datetimes(),
    "TIMESTAMP_S": st.datetimes().map(lambda moment: moment.replace(microsecond=0)),
    "TIMESTAMP_MS": st.datetimes().map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    ),
    "TIMESTAMP_NS": st.datetimes(datetime(1678, 1, 1), datetime(2262, 1, 1)),
    "TIMESTAMP WITH TIME ZONE": st.datetimes(
        datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC) | OFFSETS
    ),
    "TIME": st.times(),
    "TIME_NS": st.times(),
    "TIME WITH TIME ZONE": st.times(timezones=OFFSETS),
    "INTERVAL": st.timedeltas(timedelta(days=-90_000_000), timedelta(days=90_000_000)),
}
"""Values of every type that can be a key, as DuckDB's client returns them."""

UNORDERED = {"ENUM('b', 'a', 'it''s')", "BIT", "TIME WITH TIME ZONE"}
"""Types that DuckDB sorts in ways that ranges do not follow."""

EXTREMES: dict[str, tuple[str, ...]] = {
    "FLOAT": ("nan", "-nan", "inf", "-inf", "-0.0", "1e-45", "3.4e38"),
    "DOUBLE": ("nan", "-nan", "inf", "-inf", "-0.0", "5e-324", "1.7976931348623157e308"),
    "DATE": (
        "infinity",
        "-infinity",
        "5877642-06-25 (BC)",
        "5881580-07-10",
        "9999-12-31",
        "0001-01-01",
        "10000-01-01",
    ),
    "TIMESTAMP": (
        "infinity",
        "-infinity",
        "290309-12-22 (BC) 00:00:00",
        "294247-01-10 04:00:54.775806",
        "0001-01-01",
    ),
    "TIMESTAMP_S": ("infinity", "-infinity", "1960-01-01 00:00:01"),
    "TIMESTAMP_MS": ("infinity", "-infinity", "12000-01-01"),
    "TIMESTAMP_NS": (
        "infinity",
        "-infinity",
        "1969-12-31 23:59:59.999999999",
        "2020-01-01 00:00:00.123456789",
    ),
    "TIME": ("24:00:00", "00:00:00"),
    "TIME_NS": ("24:00:00", "12:00:00.123456789"),
    "TIME WITH TIME ZONE": ("24:00:00+15:59:59", "24:00:00-15:59:59", "12:00:00-02:30:15"),
    "INTERVAL": (
        "-14 months 3 days -05:00:00.000001",
        "30000000 months",
        "999999999 days",
        "29 days 24 hours",
    ),
    "BLOB": ("", "\\xFF\\x00a"),
}
"""Texts of values at the ends of their types, some of which Python cannot hold."""
