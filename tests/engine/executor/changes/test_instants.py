"""Values in place of `now()` and its like."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import ProgrammingError
from duckraft.engine.executor.changes.instants import with_values
from duckraft.engine.executor.composed import execute
from duckraft.engine.sql.determinism import is_replayable
from duckraft.engine.storage import duck

_CALLS = [
    "now()",
    "current_timestamp",
    "transaction_timestamp()",
    "get_current_timestamp()",
    "current_date",
    "today()",
    "current_time",
    "get_current_time()",
    "localtime",
    "localtimestamp",
    "current_localtime()",
    "current_localtimestamp()",
]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
@pytest.mark.parametrize("call", _CALLS)
def test_the_value_is_that_of_the_transaction_and_of_its_type(call: str, zone: str) -> None:
    connection = duck.open_instance()
    duck.execute(connection, f"SET TimeZone = '{zone}'")
    duck.execute(connection, "BEGIN")
    composed = with_values(connection, f"SELECT {call}")
    assert call not in composed.sql
    same = f"SELECT a = b, typeof(a) = typeof(b) FROM ({composed.sql}) x(a), (SELECT {call}) y(b)"
    assert duck.rows(connection, same) == [(True, True)]


def test_with_its_values_a_text_may_run_again() -> None:
    connection = duck.open_instance()
    text = "UPDATE t SET seen = now(), day = current_date - 1 WHERE name = 'now()'"
    assert not is_replayable(text)
    assert is_replayable(with_values(connection, text).sql)
    plain = "UPDATE t SET a = 1"
    assert with_values(connection, plain).sql == plain


def test_an_error_behind_a_value_has_its_position_in_the_users_text() -> None:
    connection = duck.open_instance()
    text = "SELECT now(), nosuch"
    with pytest.raises(ProgrammingError) as raised:
        execute(connection, with_values(connection, text))
    assert raised.value.position == text.index("nosuch") + 1
