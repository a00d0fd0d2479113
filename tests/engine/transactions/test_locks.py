"""The lock table: recorded scripts, modes by definition, and random histories against a model of what must hold."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duckraft.engine.transactions.locks import LockTable, Mode, Request, compatible, together
from tests.engine.transactions.lock_scripts import LockScript
from tests.golden import check_file

FILES = sorted((Path(__file__).parent / "locks").glob("*.test"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_locks_are_as_recorded(path: Path, rewrite: bool) -> None:
    check_file(path, LockScript().run, rewrite)


def _allows(mode: Mode) -> tuple[bool, bool, bool, bool]:
    """What a mode allows: to lock parts for reading, to lock parts for writing, to read all, to write all."""
    return {
        Mode.INTENTION_SHARED: (True, False, False, False),
        Mode.INTENTION_EXCLUSIVE: (True, True, False, False),
        Mode.SHARED: (True, False, True, False),
        Mode.SHARED_INTENTION_EXCLUSIVE: (True, True, True, False),
        Mode.EXCLUSIVE: (True, True, True, True),
    }[mode]


@pytest.mark.parametrize(("one", "other"), list(product(Mode, Mode)))
def test_modes_conflict_where_one_may_write_what_the_other_may_touch(one: Mode, other: Mode) -> None:
    def harms(writer: Mode, reader: Mode) -> bool:
        _, writes_parts, _, writes_all = _allows(writer)
        _, _, reads_all, _ = _allows(reader)
        return writes_all or (writes_parts and reads_all)

    assert compatible(one, other) is not (harms(one, other) or harms(other, one))


@pytest.mark.parametrize(("one", "other"), list(product(Mode, Mode)))
def test_two_modes_together_allow_what_both_do_and_no_more(one: Mode, other: Mode) -> None:
    both = tuple(a or b for a, b in zip(_allows(one), _allows(other), strict=True))
    assert _allows(together(one, other)) == both


_OWNERS = ("t1", "t2", "t3", "t4", "s1")
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("lock", "lock", "lock", "try", "unlock", "drop", "end", "withdraw", "overtake")),
        st.sampled_from(_OWNERS),
        st.sampled_from(("x", "y")),
        st.sampled_from(Mode),
    ),
    max_size=60,
)


class _Model:
    """A lock table together with what must hold of it, checked after every step. t1 and s1 are of one session."""

    def __init__(self) -> None:
        self.table = LockTable()
        self.table.enlist("t1", "s1")
        self.waiting: list[Request] = []
        self.counts: dict[tuple[str, str, Mode], int] = {}

    def step(self, action: str, owner: str, name: str, mode: Mode) -> None:
        """Do something and check that all is well. Somebody who waits asks for nothing more."""
        waits = next((request for request in self.waiting if request.owner == owner), None)
        resource = (name,)
        match action:
            case "lock" | "try" if waits is None:
                self._ask(action, owner, name, mode)
            case "unlock":
                held = self.counts.get((owner, name, mode), 0)
                assert self.table.holds(owner, resource, mode) == (held > 0)
                self._count(owner, name, mode, -min(held, 1))
                self._went_on(self.table.release(owner, resource, mode))
            case "drop":
                for each in Mode:
                    self.counts.pop((owner, name, each), None)
                self._went_on(self.table.release(owner, resource))
            case "end" if owner != "t1" and waits is None:
                for key in [key for key in self.counts if key[0] == owner]:
                    del self.counts[key]
                self._went_on(self.table.release_all(owner))
            case "withdraw" if waits is not None:
                self.waiting.remove(waits)
                self._went_on(self.table.withdraw(waits))
            case "overtake" if waits is not None:
                if self.table.overtake(waits):
                    self._went_on([waits])
        self._check()

    def _ask(self, action: str, owner: str, name: str, mode: Mode) -> None:
        free = not self._in_the_way(owner, name, mode)
        if action == "try":
            assert self.table.try_acquire(owner, (name,), mode) is free
            if free:
                self._count(owner, name, mode, 1)
            return
        request = self.table.request(owner, (name,), mode)
        assert (request is None) is free
        if request is None:
            self._count(owner, name, mode, 1)
        else:
            self.waiting.append(request)

    def _in_the_way(self, owner: str, name: str, mode: Mode) -> bool:
        """Whether a new request must wait: by the definition of fairness, from what SHOW LOCKS shows."""
        session = "s1" if owner == "t1" else owner
        lines = [line for line in self.table.snapshot() if line.resource == (name,)]
        own = [line.mode for line in lines if line.granted and line.session == session]
        for line in lines:
            if line.session == session:
                continue
            if not line.granted and not all(compatible(line.mode, mine) for mine in own):
                return False  # It waits for us in any case: we go before it, and before all behind it.
            if not compatible(line.mode, mode):
                return True
        return False

    def _went_on(self, granted: list[Request]) -> None:
        for request in granted:
            assert request.granted
            assert request in self.waiting, "somebody was granted twice, or had given up"
            self.waiting.remove(request)
            self._count(request.owner, str(request.resource[0]), request.mode, 1)

    def _count(self, owner: str, name: str, mode: Mode, change: int) -> None:
        self.counts[owner, name, mode] = self.counts.get((owner, name, mode), 0) + change

    def _check(self) -> None:
        lines = self.table.snapshot()
        held = [line for line in lines if line.granted]
        for one, other in product(held, held):
            if one.resource == other.resource and one.session != other.session:
                assert compatible(one.mode, other.mode)
        counted: dict[tuple[str, str], Mode] = {}
        for (owner, name, mode), count in self.counts.items():
            if count:
                counted[owner, name] = together(counted.get((owner, name), mode), mode)
        assert {(line.owner, str(line.resource[0])): line.mode for line in held} == counted
        assert sorted(line.owner for line in lines if not line.granted) == sorted(
            request.owner for request in self.waiting
        )
        for line in lines:
            assert line.granted is not bool(line.blockers), "who waits for nobody must have the lock"
        for request in self.waiting:
            assert self.table.is_waiting(request)


@given(_STEPS)
@settings(max_examples=300)
def test_random_histories_keep_all_promises(steps: list[tuple[str, str, str, Mode]]) -> None:
    model = _Model()
    for step in steps:
        model.step(*step)
    for owner in _OWNERS:
        for request in [one for one in model.waiting if one.owner == owner]:
            model.step("withdraw", owner, str(request.resource[0]), request.mode)
    for owner in _OWNERS:
        model.table.release_all(owner)
    assert model.table.snapshot() == []
    assert vars(model.table) == vars(LockTable()), "something was forgotten in the table"


@given(st.lists(st.sampled_from(Mode), min_size=2, max_size=12))
def test_a_queue_is_served_in_its_order(modes: list[Mode]) -> None:
    table = LockTable()
    assert table.try_acquire("first", ("x",), Mode.EXCLUSIVE)
    for number, mode in enumerate(modes):
        assert table.request(f"t{number}", ("x",), mode) is not None
    served: list[Mode] = []
    granted = table.release_all("first")
    while granted:
        batch = [request.mode for request in granted]
        assert all(compatible(one, other) for i, one in enumerate(batch) for other in batch[:i])
        served += batch
        granted = [request for done in granted for request in table.release_all(done.owner)]
    assert sorted(served) == sorted(modes)
    assert table.snapshot() == []


def test_giving_up_what_was_granted_meanwhile_takes_back_that_and_no_more() -> None:
    table = LockTable()
    table.try_acquire("t1", ("x",), Mode.EXCLUSIVE)
    request = table.request("t2", ("x",), Mode.SHARED)
    assert request is not None
    assert table.release_all("t1") == [request]
    assert table.try_acquire("t2", ("x",), Mode.SHARED)
    behind = table.request("t3", ("x",), Mode.EXCLUSIVE)
    assert table.withdraw(request) == []
    assert table.held("t2") == {("x",): Mode.SHARED}
    assert table.release("t2", ("x",), Mode.SHARED) == [behind]


def test_a_request_is_given_up_only_once() -> None:
    table = LockTable()
    table.try_acquire("t1", ("x",), Mode.EXCLUSIVE)
    request = table.request("t2", ("x",), Mode.SHARED)
    assert request is not None
    assert table.withdraw(request) == table.withdraw(request) == []
    assert not table.is_waiting(request)
    table.release_all("t1")
    assert table.withdraw(request) == []
