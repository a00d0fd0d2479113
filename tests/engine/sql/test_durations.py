"""Durations of settings, read and written."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import ProgrammingError
from duckraft.engine.sql.durations import milliseconds, shown


@pytest.mark.parametrize(
    ("text", "amount", "again"),
    [
        ("0", 0, "0"),
        ("1500", 1500, "1500ms"),
        ("2s", 2000, "2s"),
        (" 0.5 min ", 30_000, "30s"),
        ("90min", 5_400_000, "90min"),
        ("24h", 86_400_000, "1d"),
        ("250us", 0, "0"),
    ],
)
def test_a_duration_is_read_and_written(text: str, amount: int, again: str) -> None:
    assert milliseconds(text, "x") == amount
    assert shown(amount) == again


@pytest.mark.parametrize("text", ["", "soon", "-1", "1 week", "100000000d"])
def test_what_is_no_duration_names_its_setting(text: str) -> None:
    with pytest.raises(ProgrammingError, match='invalid value for "lock_timeout"') as caught:
        milliseconds(text, "lock_timeout")
    assert caught.value.sqlstate == "22023"
