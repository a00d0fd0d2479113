"""What goes on in a database, as system tables: `duckraft.transactions`, `duckraft.locks`, `duckraft.deadlocks`.

Leaves to others: filling the tables (`system.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ..transactions.deadlock import Deadlock
from ..transactions.locks import LockInfo, Resource
from ..transactions.transaction import State, Transaction
from ..transactions.waiting import mode_text, resource_text
from ..types import Row
from .gateway import Gateway
from .sessions import Member

NAMES = frozenset({"transactions", "locks", "deadlocks"})

_TRANSACTIONS = """
    CREATE OR REPLACE TABLE memory.duckraft.transactions (
        transaction VARCHAR, session VARCHAR, state VARCHAR, isolation VARCHAR, read_only BOOLEAN,
        begun_at TIMESTAMPTZ, shards INTEGER[], waits_for VARCHAR, blocked_by VARCHAR[], statement VARCHAR)
"""
_LOCKS = """
    CREATE OR REPLACE TABLE memory.duckraft.locks (
        owner VARCHAR, session VARCHAR, kind VARCHAR, table_schema VARCHAR, table_name VARCHAR, shard INTEGER,
        key VARCHAR, mode VARCHAR, granted BOOLEAN, since TIMESTAMPTZ, blocked_by VARCHAR[])
"""
_DEADLOCKS = """
    CREATE OR REPLACE TABLE memory.duckraft.deadlocks (
        happened_at TIMESTAMPTZ, transaction VARCHAR, victim BOOLEAN, waited_for VARCHAR, mode VARCHAR,
        blocked_by VARCHAR, statement VARCHAR)
"""


Content = tuple[str, str, Sequence[Row]]
"""The statement that makes a table, its name, and its rows."""


def contents(gateway: Gateway) -> tuple[Content, ...]:
    """The tables as they are at this moment."""
    locks = gateway.transactions.locks
    lines = locks.snapshot()
    deadlocks = [row for deadlock in reversed(locks.deadlocks()) for row in _deadlock_rows(deadlock)]
    return (
        (_TRANSACTIONS, "transactions", _transaction_rows(gateway, lines)),
        (_LOCKS, "locks", [_lock_row(line) for line in lines]),
        (_DEADLOCKS, "deadlocks", deadlocks),
    )


def _transaction_rows(gateway: Gateway, lines: list[LockInfo]) -> list[Row]:
    """Open transactions, the oldest first, then sessions that only read and have begun none."""
    waits = {line.session: line for line in lines if not line.granted}
    members = {member.name: member for member in gateway.sessions.members()}
    known = sorted(gateway.transactions.active.values(), key=lambda one: one.id)
    rows = [_transaction_row(one, members.get(one.session), waits.get(one.session)) for one in known]
    busy = {one.session for one in known}
    reading = [member for member in members.values() if member.is_running and member.name not in busy]
    return rows + [_session_row(member, waits.get(member.name)) for member in reading]


def _transaction_row(one: Transaction, member: Member | None, wait: LockInfo | None) -> Row:
    shards = sorted(number for number, writer in list(one.writers.items()) if writer.changed)
    statement = member.statement if member is not None else one.statement
    return (
        one.id,
        one.session,
        _state(one, member, wait),
        one.isolation,
        one.read_only,
        _time(one.started_at),
        shards,
        *_wait(wait),
        statement,
    )


def _session_row(member: Member, wait: LockInfo | None) -> Row:
    state = _state(None, member, wait)
    return (None, member.name, state, None, None, _time(member.since), [], *_wait(wait), member.statement)


def _state(one: Transaction | None, member: Member | None, wait: LockInfo | None) -> str:
    if one is not None and one.state is not State.ACTIVE:
        return one.state
    if wait is not None:
        return "waiting"
    return "active" if member is not None and member.is_running else "idle"


def _wait(line: LockInfo | None) -> tuple[str | None, list[str]]:
    return (None, []) if line is None else (resource_text(line.resource), list(line.blockers))


def _lock_row(line: LockInfo) -> Row:
    return (
        line.owner,
        line.session,
        *_parts(line.resource),
        mode_text(line.mode),
        line.granted,
        _time(line.since),
        list(line.blockers),
    )


def _parts(resource: Resource) -> tuple[str, str | None, str | None, int | None, str | None]:
    """What is locked: its kind, the table's schema and name, the shard, the key."""
    match resource:
        case ("rows", str(schema), str(table), int(shard)):
            return "rows", schema, table, shard, None
        case (("rows", str(schema), str(table), int(shard)), key):
            return "key", schema, table, shard, _key_text(key)
        case ("advisory", *key):
            return "advisory", None, None, None, ", ".join(map(str, key))
        case (kind, *rest):
            return str(kind), None, None, None, ", ".join(map(str, rest)) or None
        case _:
            return "", None, None, None, None


def _key_text(key: object) -> str:
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _deadlock_rows(deadlock: Deadlock) -> list[Row]:
    return [
        (
            _time(deadlock.at),
            wait.transaction,
            wait.transaction == deadlock.victim,
            resource_text(wait.resource),
            mode_text(wait.mode),
            wait.blocker,
            wait.statement,
        )
        for wait in deadlock.waits
    ]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
