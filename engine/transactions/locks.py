"""Who holds which lock and who waits for it: a state machine without threads and without a clock.

A resource is any tuple, such as `("shard", schema, table, number)` or `("key", schema, table, number, key)`. An owner
is who a lock is given back by: a transaction, or a session for what outlives its transactions. The owners of one
session never conflict with each other (`enlist`).

Promises:
- Two locks whose modes conflict are never held by two sessions at the same time.
- Queues are fair: nobody is granted a lock before one who has waited longer and conflicts with it. The exceptions: who
  holds the resource already goes before those who wait for what it holds, since they cannot go first in any case;
  and `overtake`, which ends a deadlock that is nothing but the order of a queue.
- Every call that may let somebody go on returns the requests that it has granted, and it grants all it can.
- Nothing waited for costs a few dictionary look-ups.

Leaves to others: threads and timeouts (`waiting.py`), who waits for whom in a circle (`deadlock.py`). Not safe for
threads by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import reduce

from ..errors import Error, invariant

Resource = tuple[Hashable, ...]


class Mode(IntEnum):
    """How a lock is held. Intention: parts of the resource are locked one by one, in the mode that is named.

    A later mode is not always stronger than an earlier one: SHARED and INTENTION_EXCLUSIVE together make
    SHARED_INTENTION_EXCLUSIVE.
    """

    INTENTION_SHARED = 0
    INTENTION_EXCLUSIVE = 1
    SHARED = 2
    SHARED_INTENTION_EXCLUSIVE = 3
    EXCLUSIVE = 4


_IS, _IX, _S, _SIX, _X = Mode


_ONE = tuple(1 << 32 * mode for mode in Mode)
"""By mode: one lock of it, in an integer that counts locks by mode, each in 32 bits of its own."""


_ANY = tuple((one << 32) - one for one in _ONE)
"""By mode: all bits of its count."""

_CONFLICTS = tuple(
    sum(_ANY[mode] for mode in modes)
    for modes in ((_X,), (_S, _SIX, _X), (_IX, _SIX, _X), (_IX, _S, _SIX, _X), tuple(Mode))
)
"""By mode: the bits of the modes that another session must not hold."""

_TOGETHER = (
    (_IS, _IX, _S, _SIX, _X),
    (_IX, _IX, _SIX, _SIX, _X),
    (_S, _SIX, _S, _SIX, _X),
    (_SIX, _SIX, _SIX, _SIX, _X),
    (_X, _X, _X, _X, _X),
)
"""By two modes: the weakest one that allows what both do."""


def compatible(one: Mode, other: Mode) -> bool:
    """Whether two sessions may hold a resource in these modes at the same time."""
    return not _CONFLICTS[one] & _ONE[other]


def together(one: Mode, other: Mode) -> Mode:
    """The weakest mode that allows what both do."""
    return _TOGETHER[one][other]


@dataclass(slots=True, eq=False)
class Holding:
    """One owner's lock on one resource.

    mode: all that was acquired, together. counts: how often each mode was (`_ONE`). since: seconds since 1970.
    """

    owner: str
    session: str
    mode: Mode
    counts: int
    since: float


@dataclass(slots=True, eq=False)
class Request:
    """One who waits, or has waited, for a lock.

    transaction: what is lost if it gives up: its owner, or the transaction that the session is in. mode: what is
    asked for, beyond what it may hold already. since: seconds since 1970. error: why it must give up, if it must.
    """

    owner: str
    session: str
    transaction: str
    resource: Resource
    mode: Mode
    since: float
    granted: bool = False
    error: Error | None = None


@dataclass(slots=True, eq=False)
class _Entry:
    """What is known of one resource. held: how many hold it in each mode (`_ONE`)."""

    holders: dict[str, Holding] = field(default_factory=dict)
    queue: tuple[Request, ...] = ()
    held: int = 0

    def held_by(self, session: str) -> int:
        """How much of `held` is a session's own."""
        return sum(_ONE[holding.mode] for holding in self.holders.values() if holding.session == session)

    def enqueue(self, request: Request) -> None:
        """Let it wait in its place."""
        place = _place(self, request.session)
        self.queue = (*self.queue[:place], request, *self.queue[place:])

    def dequeue(self, request: Request) -> None:
        """Let it wait no more."""
        self.queue = tuple(other for other in self.queue if other is not request)


@dataclass(frozen=True, slots=True)
class LockInfo:
    """A line of SHOW LOCKS. since: seconds since 1970. blockers: the owners that it waits for, if not granted."""

    owner: str
    session: str
    resource: Resource
    mode: Mode
    granted: bool
    since: float
    blockers: tuple[str, ...] = ()


class LockTable:
    """All locks of one process."""

    def __init__(self) -> None:
        self._entries: dict[Resource, _Entry] = {}
        self._held: dict[str, dict[Resource, Holding]] = {}
        self._waiting: dict[str, list[Request]] = {}
        self._sessions: dict[str, str] = {}
        self._transactions: dict[str, str] = {}

    def enlist(self, transaction: str, session: str) -> None:
        """The transaction is the one that the session is in, until `release_all(transaction)`."""
        self._sessions[transaction] = session
        self._transactions[session] = transaction

    def is_enlisted(self, transaction: str) -> bool:
        """Whether a session is in this transaction."""
        return transaction in self._sessions

    def transaction_of(self, owner: str) -> str:
        """The transaction that the session of an owner is in; without one, the owner itself."""
        return self._transactions.get(self._sessions.get(owner, owner), owner)

    def try_acquire(self, owner: str, resource: Resource, mode: Mode, now: float = 0.0) -> bool:
        """Take the lock if it is to be had at once, without overtaking anybody. now: seconds since 1970."""
        entry = self._entries.get(resource)
        if entry is None:
            entry = self._entries[resource] = _Entry()
        elif entry.queue or entry.held & _CONFLICTS[mode]:
            session = self._sessions.get(owner, owner)
            place = _place(entry, session)
            if not _may_have(entry, session, mode, entry.queue[:place]):
                return False
        self._grant(entry, owner, resource, mode, now)
        return True

    def request(self, owner: str, resource: Resource, mode: Mode, now: float = 0.0) -> Request | None:
        """Take the lock and return None; or wait for it with the request that is returned."""
        if self.try_acquire(owner, resource, mode, now):
            return None
        session = self._sessions.get(owner, owner)
        request = Request(owner, session, self.transaction_of(owner), resource, mode, now)
        self._entries[resource].enqueue(request)
        self._waiting.setdefault(session, []).append(request)
        return request

    def withdraw(self, request: Request, now: float = 0.0) -> list[Request]:
        """The request is given up; if it was granted meanwhile, that is taken back. Returns who can go on."""
        if request.granted:
            return self.release(request.owner, request.resource, request.mode, now)
        if not self.is_waiting(request):
            return []
        entry = self._entries[request.resource]
        entry.dequeue(request)
        self._waits_no_more(request)
        return self._serve(request.resource, entry, now)

    def overtake(self, request: Request, now: float = 0.0) -> bool:
        """Grant a waiting request although others were first, if no holder is in its way. Says whether it was."""
        if not self.is_waiting(request):
            return False
        entry = self._entries[request.resource]
        if not _may_have(entry, request.session, request.mode, ()):
            return False
        entry.dequeue(request)
        self._admit(entry, request, now)
        return True

    def release(
        self, owner: str, resource: Resource, mode: Mode | None = None, now: float = 0.0
    ) -> list[Request]:
        """Give one acquisition of this mode back; without a mode, all of the resource. Returns who can go on.

        Nothing happens if the owner does not hold that.
        """
        if not self.holds(owner, resource, mode):
            return []
        holding = self._held[owner][resource]
        entry = self._entries[resource]
        entry.held -= _ONE[holding.mode]
        holding.counts -= holding.counts if mode is None else _ONE[mode]
        if holding.counts:
            left = (each for each in Mode if holding.counts & _ANY[each])
            holding.mode = reduce(together, left)
            entry.held += _ONE[holding.mode]
        else:
            del entry.holders[owner]
            del self._held[owner][resource]
            if not self._held[owner]:
                del self._held[owner]
        return self._serve(resource, entry, now)

    def release_all(self, owner: str, now: float = 0.0) -> list[Request]:
        """Give everything back that the owner holds; if it is a transaction, it is over. Returns who can go on."""
        granted: list[Request] = []
        for resource, holding in self._held.pop(owner, {}).items():
            entry = self._entries[resource]
            entry.held -= _ONE[holding.mode]
            del entry.holders[owner]
            if entry.queue:
                granted += self._serve(resource, entry, now)
            elif not entry.holders:
                del self._entries[resource]
        session = self._sessions.pop(owner, None)
        if session is not None and self._transactions.get(session) == owner:
            del self._transactions[session]
        return granted

    def held(self, owner: str) -> dict[Resource, Mode]:
        """What an owner holds."""
        return {resource: holding.mode for resource, holding in self._held.get(owner, {}).items()}

    def holds(self, owner: str, resource: Resource, mode: Mode | None = None) -> bool:
        """Whether an owner has acquired the resource in this mode; without a mode, in any."""
        holding = self._held.get(owner, {}).get(resource)
        return holding is not None and (mode is None or holding.counts & _ANY[mode] > 0)

    def waits_of(self, owner: str) -> list[Request]:
        """What the session of an owner waits for."""
        return list(self._waiting.get(self._sessions.get(owner, owner), ()))

    def is_waiting(self, request: Request) -> bool:
        """Whether it is still in its queue."""
        return request in self._waiting.get(request.session, ())

    def is_waited_for(self, session: str) -> bool:
        """Whether another session waits where this one holds something, or waits twice. Cheap."""
        owners = {session, self._transactions.get(session, session)}
        return len(self._waiting.get(session, ())) > 1 or any(
            not owners.isdisjoint(self._entries[request.resource].holders)
            for waits in self._waiting.values()
            for request in waits
            if request.session != session
        )

    def blockers(self, request: Request) -> Iterator[Holding | Request]:
        """Whom a waiting request waits for: holders in other sessions, and who came before it."""
        entry = self._entries[request.resource]
        ahead = entry.queue[: entry.queue.index(request)]
        others: list[Holding | Request] = [*entry.holders.values(), *ahead]
        for other in others:
            if other.session != request.session and not compatible(request.mode, other.mode):
                yield other

    def snapshot(self) -> list[LockInfo]:
        """Every lock that is held or waited for: by resource, holders first, then the queue in its order."""
        lines = []
        for resource, entry in self._entries.items():
            lines += [
                LockInfo(held.owner, held.session, resource, held.mode, True, held.since)
                for held in entry.holders.values()
            ]
            for request in entry.queue:
                blockers = tuple(dict.fromkeys(other.owner for other in self.blockers(request)))
                line = LockInfo(
                    request.owner, request.session, resource, request.mode, False, request.since, blockers
                )
                lines.append(line)
        return lines

    def _grant(self, entry: _Entry, owner: str, resource: Resource, mode: Mode, now: float) -> None:
        holding = entry.holders.get(owner)
        if holding is None:
            holding = Holding(owner, self._sessions.get(owner, owner), mode, 0, now)
            entry.holders[owner] = holding
            held = self._held.get(owner)
            if held is None:
                self._held[owner] = {resource: holding}
            else:
                held[resource] = holding
            entry.held += _ONE[mode]
        elif (both := _TOGETHER[holding.mode][mode]) is not holding.mode:
            entry.held += _ONE[both] - _ONE[holding.mode]
            holding.mode = both
        holding.counts += _ONE[mode]

    def _serve(self, resource: Resource, entry: _Entry, now: float) -> list[Request]:
        """Grant all that can be granted now, in the order of the queue."""
        granted: list[Request] = []
        ahead: list[Request] = []
        for request in entry.queue:
            if _may_have(entry, request.session, request.mode, ahead):
                self._admit(entry, request, now)
                granted.append(request)
            else:
                ahead.append(request)
        entry.queue = tuple(ahead)
        if not entry.holders:
            invariant(not ahead, f"nobody holds {resource}, and somebody waits for it")
            del self._entries[resource]
        return granted

    def _admit(self, entry: _Entry, request: Request, now: float) -> None:
        self._grant(entry, request.owner, request.resource, request.mode, now)
        request.granted = True
        self._waits_no_more(request)

    def _waits_no_more(self, request: Request) -> None:
        waits = self._waiting[request.session]
        waits.remove(request)
        if not waits:
            del self._waiting[request.session]


def _may_have(entry: _Entry, session: str, mode: Mode, ahead: Sequence[Request]) -> bool:
    """Whether a lock can be granted while those ahead wait."""
    conflicts = _CONFLICTS[mode]
    if entry.held & conflicts and (entry.held - entry.held_by(session)) & conflicts:
        return False
    return not any(conflicts & _ONE[other.mode] and other.session != session for other in ahead)


def _place(entry: _Entry, session: str) -> int:
    """Where in the queue a request belongs: at its end, or before the first that waits for what the session holds."""
    held = entry.held_by(session)
    if held:
        for place, other in enumerate(entry.queue):
            if other.session != session and _CONFLICTS[other.mode] & held:
                return place
    return len(entry.queue)
