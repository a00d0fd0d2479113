"""Calls of advisory locks, taken apart."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import NotSupportedError, ProgrammingError
from duckraft.engine.sql.advisory import AdvisoryAction, Scope, parse_advisory

LOCK, TRY, UNLOCK = AdvisoryAction.LOCK, AdvisoryAction.TRY, AdvisoryAction.UNLOCK
SESSION, TRANSACTION = Scope.SESSION, Scope.TRANSACTION


@pytest.mark.parametrize(
    ("name", "action", "scope", "shared"),
    [
        ("pg_advisory_lock", LOCK, SESSION, False),
        ("pg_advisory_lock_shared", LOCK, SESSION, True),
        ("pg_advisory_xact_lock", LOCK, TRANSACTION, False),
        ("pg_advisory_xact_lock_shared", LOCK, TRANSACTION, True),
        ("pg_try_advisory_lock", TRY, SESSION, False),
        ("pg_try_advisory_lock_shared", TRY, SESSION, True),
        ("pg_try_advisory_xact_lock", TRY, TRANSACTION, False),
        ("pg_try_advisory_xact_lock_shared", TRY, TRANSACTION, True),
        ("pg_advisory_unlock", UNLOCK, SESSION, False),
        ("PG_Advisory_Unlock_Shared", UNLOCK, SESSION, True),
    ],
)
def test_every_function_is_known(name: str, action: AdvisoryAction, scope: Scope, shared: bool) -> None:
    call = parse_advisory(f"SELECT {name}(42);")
    assert call is not None
    assert (call.action, call.scope, call.shared, call.column) == (action, scope, shared, name)


def test_unlocking_all_takes_no_argument() -> None:
    call = parse_advisory("select pg_catalog.pg_advisory_unlock_all()")
    assert call is not None
    assert (call.action, call.arguments) == (AdvisoryAction.UNLOCK_ALL, ())


def test_arguments_are_expressions_with_their_places() -> None:
    text = "SELECT pg_advisory_lock(abs(-1, 2)::INT, $1) AS held"
    call = parse_advisory(text)
    assert call is not None
    assert [piece.text for piece in call.arguments] == ["abs(-1, 2)::INT", "$1"]
    for piece in call.arguments:
        assert piece.offset is not None
        assert text[piece.offset :].startswith(piece.text)
    assert call.column == "held"


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "SELECT 'pg_advisory_lock(1)'", "SELECT pg_advisory_lock", "SELECT 1 AS pg_advisory_lock"],
)
def test_other_statements_are_left_alone(text: str) -> None:
    assert parse_advisory(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT pg_advisory_lock(id) FROM t",
        "SELECT pg_advisory_lock(1), pg_advisory_lock(2)",
        "SELECT 1 + pg_advisory_lock(1)",
        "INSERT INTO t SELECT pg_try_advisory_lock(1)",
    ],
)
def test_a_call_inside_a_larger_statement_is_refused(text: str) -> None:
    with pytest.raises(NotSupportedError, match="inside a larger statement") as caught:
        parse_advisory(text)
    assert caught.value.position == text.index("pg_") + 1


@pytest.mark.parametrize(
    "text",
    ["SELECT pg_advisory_lock()", "SELECT pg_advisory_lock(1, 2, 3)", "SELECT pg_advisory_unlock_all(1)"],
)
def test_a_wrong_number_of_arguments_is_an_error(text: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        parse_advisory(text)
    assert caught.value.sqlstate == "42883"
