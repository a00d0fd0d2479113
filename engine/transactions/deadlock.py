"""Deadlocks: circles of sessions that wait for each other, found in a lock table, and who gives way.

The edges are those of the table at this moment: from a waiting request to every session that it waits for. A circle can
only close when somebody begins to wait, so looking for one that leads back to the new request finds all there are.
Promises: a request is named as a victim only while every edge of its circle exists; the victim is the youngest
transaction of the circle, by its globally unique id.
Leaves to others: making the victim raise (`waiting.py`), rolling it back (whoever runs the transaction).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from .locks import LockTable, Mode, Request, Resource


@dataclass(frozen=True, slots=True)
class Wait:
    """One of a circle. statement: what it was running. blocker: the transaction of the circle that it waited for."""

    transaction: str
    statement: str
    resource: Resource
    mode: Mode
    blocker: str


@dataclass(frozen=True, slots=True)
class Deadlock:
    """A deadlock that was resolved. at: seconds since 1970. victim: the transaction that gave way."""

    at: float
    victim: str
    waits: tuple[Wait, ...]


def find_circle(table: LockTable, start: Request) -> list[Request] | None:
    """A shortest circle of waits that leads from a request back to its session: each waits for the next one's session,
    and the last one for the first's. None if there is none.
    """
    came_from: dict[Request, Request] = {}
    seen = {start.session}
    requests = [start]
    for request in requests:
        if not table.is_waiting(request):
            continue
        for other in table.blockers(request):
            if other.session == start.session:
                return _path(came_from, request)
            if other.session not in seen:
                seen.add(other.session)
                for wait in table.waits_of(other.session):
                    came_from[wait] = request
                    requests.append(wait)
    return None


def _path(came_from: dict[Request, Request], last: Request) -> list[Request]:
    path = [last]
    while (before := came_from.get(path[-1])) is not None:
        path.append(before)
    return path[::-1]


def still_exists(table: LockTable, circle: list[Request]) -> bool:
    """Whether each of them still waits for the next one's session."""
    return all(
        table.is_waiting(request) and any(other.session == next_.session for other in table.blockers(request))
        for request, next_ in pairwise([*circle, circle[0]])
    )


def youngest(circle: list[Request]) -> Request:
    """The request whose transaction gives way."""
    return max(circle, key=lambda request: request.transaction)


def record(circle: list[Request], statement: Callable[[str], str], at: float) -> Deadlock:
    """What to remember of it. statement: what a transaction is running, by its id. at: seconds since 1970."""
    waits = tuple(
        Wait(
            request.transaction,
            statement(request.transaction),
            request.resource,
            request.mode,
            next_.transaction,
        )
        for request, next_ in pairwise([*circle, circle[0]])
    )
    return Deadlock(at, youngest(circle).transaction, waits)
