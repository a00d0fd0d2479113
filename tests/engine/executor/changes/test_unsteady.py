"""Functions that shards must not call each for itself."""

from __future__ import annotations

import pytest

from duckraft.engine.executor.changes.unsteady import calls_unsteady_function
from duckraft.engine.session import Session
from tests.engine.executor.support import rows


def test_every_function_that_is_not_consistent_is_known(session: Session) -> None:
    found = rows(
        session,
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
        " AND function_type IN ('scalar', 'aggregate')",
    )
    assert found
    assert [name for (name,) in found if not calls_unsteady_function(f"SELECT {name}()")] == []


@pytest.mark.parametrize(
    ("sql", "calls"),
    [
        ("UPDATE t SET a = Current_Timestamp", True),
        ("UPDATE t SET a = ago(INTERVAL 1 DAY)", True),
        ("UPDATE t SET a = 'now()' -- random()", False),
        ("UPDATE t SET a = upper(b)", False),
    ],
)
def test_calls_are_found_in_any_case_and_not_in_strings_and_comments(sql: str, calls: bool) -> None:
    assert calls_unsteady_function(sql) == calls
