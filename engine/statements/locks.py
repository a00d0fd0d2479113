"""LOCK and UNLOCK RESOURCE, LOCK TABLE, and `SELECT pg_advisory_lock(…)`.

An advisory lock is a name or a number that programs agree on; it locks no data. It belongs to the session until it is
unlocked or the session ends, or to the transaction (`pg_advisory_xact_lock`) until that ends. LOCK TABLE locks the
rows of a table on all its shards for the transaction, by the locks that changes of rows take.
"""

from __future__ import annotations

from ..errors import ProgrammingError
from ..executor import composed
from ..executor.composed import Composed
from ..executor.reading.binding import shards_of
from ..executor.reading.result import Result
from ..sql.advisory import AdvisoryAction, AdvisoryCall, Scope, parse_advisory
from ..sql.classify import Classified
from ..sql.fingerprint import number_parameters
from ..sql.locking import LockResource, LockTable, TableMode, UnlockResource, parse_lock
from ..sql.reader import Piece
from ..storage import duck
from ..transactions.locks import Mode, Resource
from ..transactions.transactions import rows_of
from ..types import Column, Parameters
from . import queries
from .context import Context

_MODES = {
    TableMode.ACCESS_SHARE: Mode.INTENTION_SHARED,
    TableMode.ROW_SHARE: Mode.INTENTION_SHARED,
    TableMode.ROW_EXCLUSIVE: Mode.INTENTION_EXCLUSIVE,
    TableMode.SHARE_UPDATE_EXCLUSIVE: Mode.SHARED_INTENTION_EXCLUSIVE,
    TableMode.SHARE: Mode.SHARED,
    TableMode.SHARE_ROW_EXCLUSIVE: Mode.SHARED_INTENTION_EXCLUSIVE,
    TableMode.EXCLUSIVE: Mode.EXCLUSIVE,
    TableMode.ACCESS_EXCLUSIVE: Mode.EXCLUSIVE,
}
"""For each mode the weakest of ours that keeps out whatever PostgreSQL's keeps out of the changes of rows."""


def lock(context: Context, sql: str, parameters: Parameters, _: Classified) -> Result:
    """LOCK RESOURCE, UNLOCK RESOURCE, LOCK TABLE. Raises errors.Error."""
    if parameters is not None:
        raise ProgrammingError("a lock takes no parameters", sqlstate="42P02")
    statement = parse_lock(sql)
    match statement:
        case LockResource():
            _lock_resource(context, statement)
        case UnlockResource():
            _unlock_resource(context, statement)
        case LockTable():
            _lock_table(context, statement)
    return Result((), "UNLOCK" if isinstance(statement, UnlockResource) else "LOCK")


def advisory(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result:
    """`SELECT pg_advisory_lock(42)` and its like. Raises errors.Error."""
    call = parse_advisory(number_parameters(sql))
    if call is None:
        return queries.run_query(context, sql, parameters, classified)
    if call.action is AdvisoryAction.UNLOCK_ALL:
        _unlock_all(context)
        return _answer(call, "")
    with composed.numbered_from(sql):
        key = _key(context, call, parameters)
    if None in key:
        return _answer(call, None)  # As all functions of NULL.
    return _answer(call, _ask(context, call, ("advisory", *key)))


def _lock_resource(context: Context, statement: LockResource) -> None:
    transactions = context.connections.transactions
    timeout_s = transactions.lock_timeout_s
    if statement.timeout_ms is not None:
        timeout_s = statement.timeout_ms / 1000 or None
    transactions.shared.locks.acquire(
        transactions.session,
        ("advisory", statement.name),
        Mode.SHARED if statement.shared else Mode.EXCLUSIVE,
        timeout_s=timeout_s,
        wait="nowait" if statement.nowait else "wait",
    )


def _unlock_resource(context: Context, statement: UnlockResource) -> None:
    """Give back what one LOCK RESOURCE took, an exclusive lock first."""
    transactions = context.connections.transactions
    for mode in (Mode.EXCLUSIVE, Mode.SHARED):
        if transactions.shared.locks.release(transactions.session, ("advisory", statement.name), mode):
            return
    raise ProgrammingError(
        f"this session has no lock on resource '{statement.name}'",
        sqlstate="55000",
        hint="A lock is given back by the session that took it, once for each time that it was taken. See SHOW LOCKS.",
    )


def _lock_table(context: Context, statement: LockTable) -> None:
    transactions = context.connections.transactions
    transaction = transactions.explicit
    if transaction is None:
        raise ProgrammingError(
            "LOCK TABLE can only be used in transaction blocks",
            sqlstate="25P01",
            hint="BEGIN first: the lock lasts to the end of the transaction.",
        )
    transactions.lock_catalog()
    for name, position in zip(statement.tables, statement.positions, strict=True):
        table = context.gateway.find_table(name)
        if table is None:
            raise ProgrammingError(
                f'there is no sharded table "{".".join(name)}"', sqlstate="42P01", position=position
            )
        for number in sorted(shards_of(table)):
            transactions.shared.locks.acquire(
                transaction.id,
                rows_of(table, number),
                _MODES[statement.mode],
                timeout_s=transactions.lock_timeout_s,
                wait="nowait" if statement.nowait else "wait",
            )


def _key(context: Context, call: AdvisoryCall, parameters: Parameters) -> tuple[int | None, ...]:
    """The values of a call's arguments: one BIGINT, or two INTEGERs. The two kinds never mean the same lock."""
    kind = "BIGINT" if len(call.arguments) == 1 else "INTEGER"
    pieces: list[tuple[str, int | None]] = [("SELECT ", None)]
    for argument in call.arguments:
        pieces += _cast(argument, kind)
    pieces[-1] = (f" AS {kind})", None)
    connection = composed.execute(context.connections.gateway, Composed(tuple(pieces)), parameters)
    return tuple(duck.guarded(connection.fetchall)[0])


def _cast(argument: Piece, kind: str) -> list[tuple[str, int | None]]:
    return [("CAST(", None), (argument.text, argument.offset), (f" AS {kind}), ", None)]


def _ask(context: Context, call: AdvisoryCall, resource: Resource) -> bool | str:
    """Do what a call asks for; what it answers."""
    transactions = context.connections.transactions
    locks = transactions.shared.locks
    mode = Mode.SHARED if call.shared else Mode.EXCLUSIVE
    if call.action is AdvisoryAction.UNLOCK:
        return locks.release(transactions.session, resource, mode)
    owner, ends_with_statement = transactions.session, False
    if call.scope is Scope.TRANSACTION:
        transaction = transactions.explicit
        ends_with_statement = transaction is None
        owner = transactions.session if transaction is None else transaction.id
    taken = locks.acquire(
        owner,
        resource,
        mode,
        timeout_s=transactions.lock_timeout_s,
        wait="skip" if call.action is AdvisoryAction.TRY else "wait",
    )
    if ends_with_statement and taken:
        locks.release(owner, resource, mode)
    return taken if call.action is AdvisoryAction.TRY else ""


def _unlock_all(context: Context) -> None:
    transactions = context.connections.transactions
    locks = transactions.shared.locks
    for resource in locks.held(transactions.session):
        if resource[0] == "advisory":
            locks.release(transactions.session, resource)


def _answer(call: AdvisoryCall, value: bool | str | None) -> Result:
    answers = call.action in (AdvisoryAction.TRY, AdvisoryAction.UNLOCK)
    column = Column(call.column, "BOOLEAN" if answers else "VARCHAR")
    return Result((column,), "SELECT", rows=[(value,)], rowcount=1)
