"""BEGIN, COMMIT, ROLLBACK, savepoints, SET TRANSACTION, and what SHOW tells of them.

Leaves to others: how a statement is written (`sql/transaction.py`), what a transaction sees and how it ends
(`executor/session_transactions.py`), that a transaction in which a statement has failed takes nothing but its end
(`dispatch.py`).
"""

from __future__ import annotations

from ..errors import ProgrammingError, QueryCanceledError
from ..executor.reading.result import Result
from ..sql.classify import Classified
from ..sql.lexer import significant
from ..sql.locking import parse_kill
from ..sql.transaction import (
    Begin,
    Commit,
    Modes,
    Release,
    Rollback,
    RollbackTo,
    Savepoint,
    SetSession,
    SetTransaction,
    parse_transaction,
)
from ..transactions.transaction import Transaction
from ..types import Column, Parameters
from . import settings
from .context import Context

_VERBS = {Savepoint: "SAVEPOINT", Release: "RELEASE", RollbackTo: "ROLLBACK TO"}


def transact(context: Context, sql: str, parameters: Parameters, _: Classified) -> Result:
    """A statement whose kind is TRANSACTION. Raises errors.Error."""
    if parameters is not None:
        raise ProgrammingError("a statement about transactions takes no parameters", sqlstate="42P02")
    statement = parse_transaction(sql)
    match statement:
        case Begin(modes):
            return _begin(context, modes)
        case Commit(chain):
            return _end(context, chain, "COMMIT")
        case Rollback(chain):
            return _end(context, chain, "ROLLBACK")
        case Savepoint() | Release() | RollbackTo():
            return _savepoint(context, statement)
        case SetTransaction(modes):
            return _set_transaction(context, modes)
        case SetSession(modes):
            return _set_session(context, modes)


def shown(context: Context, sql: str) -> Result | None:
    """`SHOW transaction_isolation` and the like: of the open transaction, else of the next; None for all else."""
    lexemes = significant(sql) if sql[:5].lower() == "show " and len(sql) < 100 else []
    words = [lexeme.identifier.lower() for lexeme in lexemes[1:] if lexeme.text != ";"]
    transaction = context.connections.transactions.explicit
    if words in (["transaction_isolation"], ["transaction", "isolation", "level"]):
        level = context.default_isolation if transaction is None else transaction.isolation
        return _shown("transaction_isolation", level)
    if words == ["transaction_read_only"]:
        read_only = (
            context.connections.transactions.default_read_only
            if transaction is None
            else transaction.read_only
        )
        return _shown("transaction_read_only", _on_or_off(read_only))
    return None


def _begin(context: Context, modes: Modes) -> Result:
    transactions = context.connections.transactions
    if transactions.explicit is not None:
        raise ProgrammingError(
            "there is already a transaction in progress",
            sqlstate="25001",
            hint="COMMIT or ROLLBACK it first.",
        )
    isolation = modes.isolation or context.default_isolation
    read_only = transactions.default_read_only if modes.read_only is None else modes.read_only
    transactions.begin(isolation, read_only=read_only)
    return Result((), "BEGIN")


def _end(context: Context, chain: bool, verb: str) -> Result:
    """COMMIT or ROLLBACK. A COMMIT of a transaction that has failed is a ROLLBACK, and says so.

    Where it was ended from outside, nobody has seen an error yet perhaps: COMMIT raises it.
    """
    transactions = context.connections.transactions
    transaction = _open_transaction(context, verb)
    if verb == "ROLLBACK" or transaction.failure is not None:
        transactions.roll_back()
        if verb == "COMMIT" and transaction.failure is not None:
            raise transaction.failure
        tag = verb
    else:
        tag = "COMMIT" if transactions.commit() else "ROLLBACK"
    if chain:
        transactions.begin(transaction.isolation, read_only=transaction.read_only)
    return Result((), tag)


def _savepoint(context: Context, statement: Savepoint | Release | RollbackTo) -> Result:
    transactions = context.connections.transactions
    transaction = _open_transaction(context, _VERBS[type(statement)])
    if not transaction.is_open:
        transactions.check_usable()
    match statement:
        case RollbackTo(name):
            transactions.roll_back_to(name)
            return Result((), "ROLLBACK")
        case Savepoint(name):
            transactions.check_usable()
            transactions.savepoint(name)
            return Result((), "SAVEPOINT")
        case Release(name):
            transactions.check_usable()
            transactions.release_savepoint(name)
            return Result((), "RELEASE")


def _set_transaction(context: Context, modes: Modes) -> Result:
    """SET TRANSACTION: only before the transaction has looked at anything, but for READ ONLY."""
    transaction = _open_transaction(context, "SET TRANSACTION")
    weaker = modes.isolation not in (None, transaction.isolation) or modes.read_only is False
    if weaker and context.connections.transactions.has_looked:
        raise ProgrammingError(
            "SET TRANSACTION must be called before any query",
            sqlstate="25001",
            hint="Say it in BEGIN.",
        )
    if modes.isolation is not None:
        transaction.isolation = modes.isolation
    if modes.read_only is not None:
        transaction.read_only = modes.read_only
    return Result((), "SET")


def _set_session(context: Context, modes: Modes) -> Result:
    if modes.isolation is not None:
        settings.keep(context, "default_transaction_isolation", modes.isolation.value)
    if modes.read_only is not None:
        settings.keep(context, "default_transaction_read_only", _on_or_off(modes.read_only))
    return Result((), "SET")


def _open_transaction(context: Context, verb: str) -> Transaction:
    transaction = context.connections.transactions.explicit
    if transaction is None:
        raise ProgrammingError(
            f"{verb}: there is no transaction in progress",
            sqlstate="25P01",
            hint="Without BEGIN each statement is a transaction of its own.",
        )
    return transaction


def _on_or_off(value: bool) -> str:
    return "on" if value else "off"


def _shown(name: str, value: str) -> Result:
    return Result((Column(name, "VARCHAR"),), "SHOW", rows=[(str(value),)], rowcount=1)


def kill(context: Context, sql: str, parameters: Parameters, _: Classified) -> Result:
    """KILL QUERY, KILL TRANSACTION. It does not wait until the other has stopped. Raises errors.Error."""
    if parameters is not None:
        raise ProgrammingError("KILL takes no parameters", sqlstate="42P02")
    statement = parse_kill(sql)
    member = context.gateway.sessions.find(statement.identifier)
    transaction = None if member is None else member.transaction
    if member is None or (statement.transaction and transaction is None):
        raise ProgrammingError(
            f'there is no transaction "{statement.identifier}"',
            sqlstate="42704",
            hint="SHOW TRANSACTIONS lists transactions and sessions with their ids.",
        )
    if member.name == context.connections.transactions.session:
        raise ProgrammingError(
            "a session cannot kill what it runs itself", sqlstate="42809", hint="ROLLBACK ends a transaction."
        )
    if statement.transaction:
        member.end_transaction(
            QueryCanceledError(
                "the transaction was ended by KILL TRANSACTION",
                sqlstate="57014",
                hint="It was rolled back. Send ROLLBACK, then begin again.",
            )
        )
    else:
        member.cancel()
    return Result((), "KILL")
