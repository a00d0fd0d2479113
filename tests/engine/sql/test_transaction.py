"""Statements of transactions, taken apart."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import NotSupportedError, ProgrammingError
from duckraft.engine.sql.transaction import (
    Begin,
    Commit,
    Isolation,
    Modes,
    Release,
    Rollback,
    RollbackTo,
    Savepoint,
    SetSession,
    SetTransaction,
    TransactionStatement,
    isolation_level,
    parse_transaction,
)


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("BEGIN", Begin(Modes())),
        ("begin work;", Begin(Modes())),
        ("BEGIN TRANSACTION", Begin(Modes())),
        ("START TRANSACTION READ WRITE", Begin(Modes(read_only=False))),
        ("BEGIN ISOLATION LEVEL READ UNCOMMITTED", Begin(Modes(Isolation.READ_UNCOMMITTED))),
        ("BEGIN ISOLATION LEVEL READ COMMITTED", Begin(Modes(Isolation.READ_COMMITTED))),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", Begin(Modes(Isolation.REPEATABLE_READ))),
        ("BEGIN ISOLATION LEVEL SNAPSHOT", Begin(Modes(Isolation.REPEATABLE_READ))),
        (
            "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
            Begin(Modes(Isolation.SERIALIZABLE, read_only=True, deferrable=True)),
        ),
        (
            "START /* now */ TRANSACTION READ ONLY NOT DEFERRABLE ISOLATION LEVEL SERIALIZABLE",
            Begin(Modes(Isolation.SERIALIZABLE, read_only=True, deferrable=False)),
        ),
        ("COMMIT", Commit(chain=False)),
        ("END TRANSACTION", Commit(chain=False)),
        ("COMMIT WORK AND CHAIN", Commit(chain=True)),
        ("COMMIT AND NO CHAIN", Commit(chain=False)),
        ("ROLLBACK", Rollback(chain=False)),
        ("ABORT WORK", Rollback(chain=False)),
        ("ROLLBACK TRANSACTION AND CHAIN", Rollback(chain=True)),
        ("SAVEPOINT Before", Savepoint("before")),
        ('SAVEPOINT "to"', Savepoint("to")),
        ("RELEASE s", Release("s")),
        ("RELEASE SAVEPOINT s", Release("s")),
        ("ROLLBACK TO s", RollbackTo("s")),
        ("ROLLBACK WORK TO SAVEPOINT s", RollbackTo("s")),
        ("SET TRANSACTION READ ONLY", SetTransaction(Modes(read_only=True))),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            SetSession(Modes(Isolation.SERIALIZABLE)),
        ),
    ],
)
def test_a_statement_is_read(text: str, statement: TransactionStatement) -> None:
    assert parse_transaction(text) == statement


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("BEGIN nonsense", 'syntax error at or near "nonsense"', 7),
        ("BEGIN ISOLATION LEVEL", "syntax error at end of input", 17),
        ("BEGIN ISOLATION LEVEL READ ONLY", 'syntax error at or near "READ"', 23),
        ("BEGIN READ ONLY,", "syntax error at end of input", 16),
        ("BEGIN READ ONLY READ WRITE", "conflicting or redundant options", 17),
        ("START", "syntax error at end of input", 1),
        ("COMMIT AND", "syntax error at end of input", 8),
        ("COMMIT now", 'syntax error at or near "now"', 8),
        ("ABORT TO s", 'syntax error at or near "TO"', 7),
        ("SAVEPOINT", "syntax error at end of input", 1),
        ("SAVEPOINT a.b", 'syntax error at or near "."', 12),
        ("ROLLBACK TO SAVEPOINT", "syntax error at end of input", 13),
        ("RELEASE 1", 'syntax error at or near "1"', 9),
        ("SET TRANSACTION", "syntax error at end of input", 5),
        ("SET SESSION CHARACTERISTICS READ ONLY", 'syntax error at or near "READ"', 29),
    ],
)
def test_what_is_misspelt_is_an_error_at_its_place(text: str, message: str, position: int) -> None:
    with pytest.raises(ProgrammingError) as caught:
        parse_transaction(text)
    assert (caught.value.message, caught.value.position) == (message, position)
    assert caught.value.sqlstate == "42601"
    assert caught.value.hint


@pytest.mark.parametrize("text", ["PREPARE TRANSACTION 'x'", "COMMIT PREPARED 'x'", "ROLLBACK PREPARED 'x'"])
def test_transactions_prepared_by_name_are_refused(text: str) -> None:
    with pytest.raises(NotSupportedError):
        parse_transaction(text)


def test_names_of_levels_are_read_in_any_case() -> None:
    assert isolation_level("Repeatable   READ") is Isolation.REPEATABLE_READ
    assert isolation_level("chaos") is None
    assert all(isolation_level(level) is level for level in Isolation)
