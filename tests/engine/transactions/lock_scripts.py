"""The language of the golden scripts of locks. A table of locks lives through a file; a line is a command:

in S: T            transaction T is the one that session S is in
T lock r MODE      ask, and wait if need be. Modes: IS, IX, S, SIX, X
T try r MODE       ask, and do without if it is not to be had
T unlock r [MODE]  give one acquisition back, or all
T end              give all back
T gives up         what it waits for
T overtakes        in the queue where it waits
circle T           a circle of waits that T's request is part of
show               all locks; those who wait after those who hold, with whom they wait for
"""

from __future__ import annotations

from collections.abc import Iterable

from duckraft.engine.transactions import deadlock
from duckraft.engine.transactions.locks import LockTable, Mode, Request

_SHORT: dict[str, Mode] = dict(zip(("IS", "IX", "S", "SIX", "X"), Mode, strict=True))
_NAMES = {mode: name for name, mode in _SHORT.items()}


class LockScript:
    """Runs commands and says what comes of them."""

    def __init__(self) -> None:
        self._table = LockTable()

    def run(self, command: str) -> str:
        """The output of some lines."""
        return "\n".join(self._line(line) for line in command.splitlines())

    def _line(self, line: str) -> str:
        table = self._table
        match line.replace(":", "").split():
            case ["in", session, transaction]:
                table.enlist(transaction, session)
                return "enlisted"
            case [owner, "lock", resource, mode]:
                request = table.request(owner, (resource,), _SHORT[mode])
                return "granted" if request is None else self._waits(request)
            case [owner, "try", resource, mode]:
                return "granted" if table.try_acquire(owner, (resource,), _SHORT[mode]) else "refused"
            case [owner, "unlock", resource]:
                return _go_on(table.release(owner, (resource,)))
            case [owner, "unlock", resource, mode]:
                if not table.holds(owner, (resource,), _SHORT[mode]):
                    return "not held"
                return _go_on(table.release(owner, (resource,), _SHORT[mode]))
            case [owner, "end"]:
                return _go_on(table.release_all(owner))
            case [owner, "gives", "up"]:
                return _go_on(table.withdraw(self._request(owner)))
            case [owner, "overtakes"]:
                request = self._request(owner)
                return "granted" if table.overtake(request) else self._waits(request)
            case ["circle", owner]:
                return self._circle(self._request(owner))
            case ["show"]:
                return self._show()
        raise AssertionError(f"no such command: {line}")

    def _request(self, owner: str) -> Request:
        return next(request for request in self._table.waits_of(owner) if request.owner == owner)

    def _waits(self, request: Request) -> str:
        others = dict.fromkeys(other.owner for other in self._table.blockers(request))
        return f"waits for {', '.join(others)}"

    def _circle(self, request: Request) -> str:
        circle = deadlock.find_circle(self._table, request)
        if circle is None:
            return "none"
        names = [one.transaction for one in [*circle, circle[0]]]
        return f"{' -> '.join(names)}; the youngest is {deadlock.youngest(circle).transaction}"

    def _show(self) -> str:
        lines = []
        for info in self._table.snapshot():
            how = "has" if info.granted else "wants"
            tail = "" if info.granted else f", after {', '.join(info.blockers)}"
            lines.append(f"{info.owner} {how} {_NAMES[info.mode]} on {info.resource[0]}{tail}")
        return "\n".join(lines) or "nothing"


def _go_on(granted: Iterable[Request]) -> str:
    names = [f"{request.owner} has {_NAMES[request.mode]} on {request.resource[0]}" for request in granted]
    return "; ".join(names) or "nobody goes on"
