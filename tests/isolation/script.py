"""Scripts of several sessions at once: who waits, who gets what, who fails.

    # Each of two transactions reads a row and then updates it.
    T1: BEGIN
    T2: BEGIN
    T1: SELECT * FROM item WHERE id = 1
    T2: SELECT * FROM item WHERE id = 1
    T1: UPDATE item SET value = 11 WHERE id = 1
    T2: UPDATE item SET value = 12 WHERE id = 1
    T1: COMMIT
    T2: COMMIT
    anomaly: T1 COMMIT then T2 COMMIT

A statement runs until it is done or waits for a lock; then the next line has its turn. Lines of a session that waits
are kept until it has what it waits for. That a session waits is not guessed from the time it takes: the table of locks
says so, and it must say it of all statements that are not done. `anomaly` lines say what must not be seen, one after
the other; any of them is enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from duckraft.engine.errors import Error
from duckraft.engine.executor.reading.result import Result
from duckraft.engine.transactions.locks import LockInfo

from .history import Level

WAITS = "waits"

_LOOK_AGAIN_S = 0.002
_GIVE_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of one session."""

    session: str
    sql: str


@dataclass(frozen=True, slots=True)
class Event:
    """What a session got for a statement: rows, a command tag, `ERROR` with an SQLSTATE, or that it waits."""

    session: str
    sql: str
    outcome: str


Sight = tuple[tuple[str, str], ...]
"""Sessions and what their statements gave, one after the other."""


@dataclass(frozen=True, slots=True)
class Script:
    """steps: in the order in which they are sent. anomalies: what must not be seen."""

    steps: tuple[Step, ...]
    anomalies: tuple[Sight, ...]

    @classmethod
    def parse(cls, text: str) -> Script:
        """Raises ValueError for a line that is neither a step nor an anomaly."""
        steps: list[Step] = []
        anomalies: list[Sight] = []
        for line in text.splitlines():
            name, colon, rest = line.partition(": ")
            if not colon:
                raise ValueError(f"not a line of a script: {line!r}")
            if name == "anomaly":
                parts = (part.partition(" ") for part in rest.split(" then "))
                anomalies.append(tuple((session, outcome) for session, _, outcome in parts))
            else:
                steps.append(Step(name, rest))
        return cls(tuple(steps), tuple(anomalies))

    def happened(self, events: Sequence[Event]) -> bool:
        """Whether one of the anomalies was seen."""
        return any(_was_seen(anomaly, events) for anomaly in self.anomalies)


def _was_seen(sight: Sight, events: Sequence[Event]) -> bool:
    left = iter(events)
    return all(
        any(event.session == session and outcome in event.outcome for event in left)
        for session, outcome in sight
    )


def transcript(events: Sequence[Event]) -> str:
    """A line for each event, the outcomes in one column."""
    width = max(len(event.sql) for event in events)
    return "\n".join(f"{event.session}: {event.sql:<{width}}  -> {event.outcome}" for event in events)


class Speaker(Protocol):
    """What a script needs of a session."""

    def execute(self, sql: str) -> Result:
        """Run one statement."""
        ...

    def cancel(self) -> None:
        """Stop the statement that is running."""
        ...

    def close(self) -> None:
        """End the session."""
        ...


def play(
    script: Script, level: Level, connect: Callable[[], Speaker], locks: Callable[[], list[LockInfo]]
) -> list[Event]:
    """Run a script with transactions of this level.

    connect: makes a session. locks: tells who holds and who waits for what now. Raises TimeoutError if a session waits
    for ever.
    """
    with _actors(script, connect) as actors:
        return _Stage(actors, locks).play(script.steps, level)


@dataclass(slots=True)
class _Actor:
    """A session, its thread, the statement that is not done yet, and those that are to follow."""

    name: str
    session: Speaker
    thread: ThreadPoolExecutor
    sql: str = ""
    running: Future[str] | None = None
    told_to_wait: bool = False
    held: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Send the next statement."""
        self.sql = self.held.pop(0)
        self.told_to_wait = False
        self.running = self.thread.submit(_outcome, self.session, self.sql)


@contextmanager
def _actors(script: Script, connect: Callable[[], Speaker]) -> Iterator[dict[str, _Actor]]:
    names = dict.fromkeys(step.session for step in script.steps)
    actors = {name: _Actor(name, connect(), ThreadPoolExecutor(1)) for name in names}
    try:
        yield actors
    finally:
        for actor in actors.values():
            actor.session.cancel()
        for actor in actors.values():
            actor.thread.shutdown()
            actor.session.close()


class _Stage:
    """A play while it goes on."""

    def __init__(self, actors: dict[str, _Actor], locks: Callable[[], list[LockInfo]]) -> None:
        self._actors = actors
        self._locks = locks
        self._events: list[Event] = []

    def play(self, steps: Sequence[Step], level: Level) -> list[Event]:
        """All steps, and what was held back because its session waited."""
        for step in steps:
            sql = f"BEGIN ISOLATION LEVEL {level.sql}" if step.sql == "BEGIN" else step.sql
            self._actors[step.session].held.append(sql)
            self._advance()
        waiting = [actor.name for actor in self._actors.values() if actor.running is not None]
        if waiting:
            raise TimeoutError(f"{', '.join(waiting)} wait when all is over:\n{transcript(self._events)}")
        return self._events

    def _advance(self) -> None:
        """Let every session that does not wait go on as far as it can."""
        while ready := [actor for actor in self._actors.values() if actor.running is None and actor.held]:
            ready[0].start()
            self._settle()
            self._tell(ready[0])
            for actor in self._actors.values():
                self._tell(actor)

    def _settle(self) -> None:
        """Return when every statement is done or waits, and nothing will end that but another statement."""
        begun = time.monotonic()
        while running := [
            actor.running
            for actor in self._actors.values()
            if actor.running is not None and not actor.running.done()
        ]:
            if len(_waiting_in_vain(self._locks())) == len(running):
                return
            wait(running, _LOOK_AGAIN_S, FIRST_COMPLETED)
            if time.monotonic() - begun > _GIVE_UP_S:
                names = ", ".join(
                    f"{actor.name}: {actor.sql}" for actor in self._actors.values() if actor.running
                )
                raise TimeoutError(
                    f"neither done nor waiting for a lock: {names}\n{transcript(self._events)}"
                )

    def _tell(self, actor: _Actor) -> None:
        """Note what a session got, if it is news."""
        if actor.running is None:
            return
        if actor.running.done():
            self._events.append(Event(actor.name, actor.sql, actor.running.result()))
            actor.running = None
        elif not actor.told_to_wait:
            self._events.append(Event(actor.name, actor.sql, WAITS))
            actor.told_to_wait = True


def _outcome(session: Speaker, sql: str) -> str:
    try:
        result = session.execute(sql)
        if not result.columns:
            return result.tag
        return " ".join(f"({', '.join(map(str, row))})" for row in result.fetchall()) or "no rows"
    except Error as error:
        return f"ERROR {error.sqlstate}"


def _waiting_in_vain(locks: Sequence[LockInfo]) -> set[str]:
    """The sessions that wait for a lock; none if some wait in a circle, since one of them will be told to give up."""
    session_of = {line.owner: line.session for line in locks}
    waits_for: dict[str, set[str]] = {}
    for line in locks:
        if not line.granted:
            waits_for.setdefault(line.session, set()).update(session_of[owner] for owner in line.blockers)
    left = dict(waits_for)
    while ends := [session for session, others in left.items() if others.isdisjoint(left)]:
        for session in ends:
            del left[session]
    return set() if left else set(waits_for)


def read_level(text: str) -> Level | None:
    """The level that a line names; None if it names none."""
    return next((level for level in Level if str(level) == text), None)
