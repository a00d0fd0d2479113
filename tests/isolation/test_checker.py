"""The checker against brute force, and against histories with one planted anomaly each."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from .brute_force import allowed
from .checker import check
from .history import Append, Key, Level, Operation, Outcome, Read, Transaction
from .versions import Kind

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN


def a(key: Key, value: int) -> Append:
    return Append(key, value)


def r(key: Key, *values: int) -> Read:
    return Read(key, values)


def t(*operations: Operation, outcome: Outcome = OK, begin: int = 0, end: int = 1000) -> Transaction:
    return Transaction(0, operations, outcome, begin, end)


def numbered(transactions: Sequence[Transaction]) -> list[Transaction]:
    return [
        Transaction(number, each.operations, each.outcome, each.begin_ns, each.end_ns)
        for number, each in enumerate(transactions, start=1)
    ]


PLANTED: list[tuple[str, list[Transaction], Kind]] = [
    (
        "two appends to each of two keys, in contrary orders",
        [t(a("x", 1), a("y", 1)), t(a("x", 2), a("y", 2)), t(r("x", 1, 2), r("y", 2, 1))],
        Kind.G0,
    ),
    ("a value of a transaction that failed", [t(a("x", 1), outcome=FAILED), t(r("x", 1))], Kind.G1A),
    (
        "a failed value that later reads lack",
        [t(a("x", 1), outcome=FAILED), t(a("x", 2)), t(r("x", 1)), t(r("x", 2))],
        Kind.G1A,
    ),
    (
        "a value that its transaction appended more to",
        [t(a("x", 1), a("x", 2)), t(r("x", 1)), t(r("x", 1, 2))],
        Kind.G1B,
    ),
    ("two that read from each other", [t(a("x", 1), r("y", 1)), t(a("y", 1), r("x", 1))], Kind.G1C),
    (
        "a list that is not the beginning of another",
        [t(a("x", 1)), t(a("x", 2)), t(r("x", 1)), t(r("x", 2, 1))],
        Kind.INCOMPATIBLE,
    ),
    ("an append that its own transaction does not see", [t(a("x", 1), r("x"))], Kind.INTERNAL),
    ("an append that is seen before it is made", [t(r("x", 1), a("x", 1))], Kind.INTERNAL),
    ("a value that nobody appended", [t(r("x", 9))], Kind.GARBAGE),
    ("a value that is there twice", [t(a("x", 1)), t(r("x", 1, 1))], Kind.DUPLICATE),
    (
        "two appends of one transaction in the wrong order",
        [t(a("x", 1), a("x", 2)), t(r("x", 2, 1))],
        Kind.INCOMPATIBLE,
    ),
    ("the second of two appends alone", [t(a("x", 1), a("x", 2)), t(r("x", 2))], Kind.INCOMPATIBLE),
    (
        "two that read the same list and append to it",
        [t(r("x"), a("x", 1)), t(r("x"), a("x", 2)), t(r("x", 1, 2))],
        Kind.LOST_UPDATE,
    ),
    (
        "two such whose appends nobody saw afterwards",
        [t(r("x"), a("x", 1)), t(r("x"), a("x", 2))],
        Kind.LOST_UPDATE,
    ),
    ("half of a transaction", [t(a("x", 1), a("y", 1)), t(r("x", 1), r("y"))], Kind.G_SINGLE),
    ("a read that does not repeat", [t(a("x", 1)), t(r("x"), r("x", 1))], Kind.G_SINGLE),
    (
        "two readers that see two appends in contrary orders",
        [t(a("x", 1)), t(a("y", 1)), t(r("x", 1), r("y")), t(r("x"), r("y", 1))],
        Kind.G_NONADJACENT,
    ),
    (
        "two that each miss what the other appends",
        [t(r("x"), r("y"), a("x", 1)), t(r("x"), r("y"), a("y", 1)), t(r("x", 1), r("y", 1))],
        Kind.G2_ITEM,
    ),
]


@pytest.mark.parametrize(("history", "kind"), [pytest.param(*rest, id=name) for name, *rest in PLANTED])
def test_a_planted_anomaly_is_found_and_nothing_that_weighs_more(
    history: list[Transaction], kind: Kind
) -> None:
    report = check(numbered(history))
    assert kind in {each.kind for each in report.anomalies}
    assert min(each.kind.level for each in report.anomalies) is kind.level
    assert all(each.kind.label in str(each) and each.text for each in report.anomalies)


@pytest.mark.parametrize("history", [pytest.param(history, id=name) for name, history, _ in PLANTED])
def test_a_planted_anomaly_is_found_among_many_good_transactions(history: list[Transaction]) -> None:
    good: list[Transaction] = []
    for number in range(200):
        key = f"good {number % 7}"
        before = tuple(range(number % 7, number, 7))
        good.append(t(r(key, *before), a(key, number), r(key, *before, number)))
    report = check(numbered([*good[:100], *history, *good[100:]]))
    alone = check(numbered(history))
    assert [each.kind for each in report.anomalies] == [each.kind for each in alone.anomalies]


TIMED: list[tuple[str, list[Transaction], Kind]] = [
    (
        "a read that lacks an old commit",
        [t(a("x", 1), end=10), t(r("x"), begin=20), t(r("x", 1))],
        Kind.STALE,
    ),
    ("a commit that is lost", [t(a("x", 1), end=10), t(r("x"), begin=20)], Kind.STALE),
    (
        "a list that gets shorter in one transaction",
        [t(a("x", 1)), t(r("x", 1), r("x"))],
        Kind.STALE,
    ),
    (
        "an append in front of an older one",
        [t(a("x", 1), end=10), t(a("x", 2), begin=20), t(r("x", 2, 1))],
        Kind.G0,
    ),
    (
        "a value read before its transaction began",
        [t(a("x", 1), begin=20), t(r("x", 1), end=10)],
        Kind.G1C,
    ),
    (
        "a snapshot that is older than another transaction",
        [
            t(a("x", 1), end=10),
            t(a("x", 2), r("y"), begin=20),
            t(r("x"), a("y", 1), begin=20),
            t(r("x", 1, 2)),
        ],
        Kind.G_SINGLE,
    ),
]


@pytest.mark.parametrize(("history", "kind"), [pytest.param(*rest, id=name) for name, *rest in TIMED])
def test_what_contradicts_the_clock_is_found_with_real_time(history: list[Transaction], kind: Kind) -> None:
    report = check(numbered(history), real_time=True)
    assert kind in {each.kind for each in report.anomalies if each.real_time}
    assert not any(each.real_time for each in check(numbered(history)).anomalies)


def test_what_is_in_keeping_with_the_clock_is_no_anomaly() -> None:
    history = [
        t(a("x", 1), begin=0, end=10),
        t(r("x"), begin=5, end=15),
        t(r("x", 1), begin=5, end=25),
        t(r("x", 1), a("x", 2), begin=11, end=20),
        t(r("x", 1, 2), begin=21, end=30),
    ]
    assert check(numbered(history), real_time=True).anomalies == ()


def test_an_unknown_outcome_counts_as_a_commit_if_its_value_was_read_and_else_as_nothing() -> None:
    seen = [t(a("x", 1), a("y", 1), outcome=UNKNOWN), t(r("x", 1), r("y"))]
    assert Kind.G_SINGLE in {each.kind for each in check(numbered(seen)).anomalies}
    unseen = [t(a("x", 1), a("y", 1), outcome=UNKNOWN, end=10), t(r("x"), r("y"), begin=20)]
    assert check(numbered(unseen), real_time=True).anomalies == ()


def test_an_unknown_outcome_that_only_another_unknown_one_read_is_a_commit_too() -> None:
    history = [
        t(a("x", 1), outcome=UNKNOWN),
        t(r("x", 1), a("y", 1), outcome=UNKNOWN),
        t(r("y", 1), r("x")),
    ]
    assert Kind.G_SINGLE in {each.kind for each in check(numbered(history)).anomalies}


def test_a_cycle_is_printed_with_the_reason_of_each_edge() -> None:
    (anomaly,) = check(numbered([t(a("x", 1), a("y", 2)), t(r("x", 1), r("y"))])).anomalies
    assert str(anomaly).splitlines() == [
        "G-single (excluded by repeatable read and above)",
        "  rw  T2 read y without 2, which T1 appended",
        "  wr  T2 read x up to 1, which T1 appended",
        "  T2 (committed): read x = [1], read y = []",
        "  T1 (committed): append 1 to x, append 2 to y",
    ]


def test_a_report_tells_the_levels_that_are_violated() -> None:
    report = check(numbered([t(a("x", 1), a("y", 2)), t(r("x", 1), r("y"))]))
    assert report.violated == {Level.REPEATABLE_READ, Level.SERIALIZABLE}
    assert report.against(Level.READ_COMMITTED) == ()
    assert len(report.against(Level.SERIALIZABLE)) == 1
    assert str(report) == "2 committed transactions violate repeatable read, serializable: 1 × G-single"


def test_a_value_appended_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="1 is appended to x twice"):
        check(numbered([t(a("x", 1)), t(a("x", 1))]))


def random_history(rng: random.Random, seen_at_the_end: bool) -> list[Transaction]:
    """A few transactions on a store that keeps every state, with reads from any of them, and some lists damaged."""
    keys = "xyz"[: rng.randint(1, 3)]
    states: list[dict[str, tuple[int, ...]]] = [dict.fromkeys(keys, ())]
    history: list[Transaction] = []
    value = 0
    strictness = rng.random()
    for _ in range(rng.randint(2, 5)):
        snapshot = states[-1] if rng.random() < strictness else rng.choice(states)
        state = dict(states[-1])
        written: set[str] = set()
        operations: list[Operation] = []
        for _ in range(rng.randint(1, 4)):
            key = rng.choice(keys)
            if rng.random() < 0.5:
                value += 1
                written.add(key)
                state[key] = (*state[key], value)
                operations.append(Append(key, value))
            else:
                if rng.random() > strictness:
                    snapshot = rng.choice(states)
                operations.append(Read(key, (state if key in written else snapshot)[key]))
        failed = rng.random() < 0.1
        history.append(t(*operations, outcome=FAILED if failed else OK))
        if not failed or rng.random() < 0.2:
            states.append(state)
    if seen_at_the_end:
        history.append(t(*(Read(key, values) for key, values in states[-1].items())))
    if rng.random() < 0.3:
        history = damaged(rng, history)
    rng.shuffle(history)
    return numbered(history)


def damaged(rng: random.Random, history: list[Transaction]) -> list[Transaction]:
    """The history with one list that has two values swapped or one left out."""
    index = rng.randrange(len(history))
    operations = list(history[index].operations)
    lists = [(place, each) for place, each in enumerate(operations) if isinstance(each, Read) and each.values]
    if not lists:
        return history
    place, read = rng.choice(lists)
    values = list(read.values)
    if rng.random() < 0.5:
        rng.shuffle(values)
    else:
        values.pop(rng.randrange(len(values)))
    operations[place] = Read(read.key, tuple(values))
    return [*history[:index], t(*operations, outcome=history[index].outcome), *history[index + 1 :]]


LEVELS = (Level.READ_COMMITTED, Level.REPEATABLE_READ, Level.SERIALIZABLE)


@pytest.mark.parametrize("block", range(8))
def test_the_checker_agrees_with_brute_force_where_every_append_was_read(block: int) -> None:
    verdicts = {level: {True: 0, False: 0} for level in LEVELS}
    for seed in range(block * 100, block * 100 + 100):
        history = random_history(random.Random(seed), seen_at_the_end=True)
        report = check(history)
        for level in LEVELS:
            right = allowed(history, level)
            verdicts[level][right] += 1
            assert (level not in report.violated) == right, f"seed {seed}, {level}\n" + "\n".join(
                map(str, (*history, *report.anomalies))
            )
    assert all(min(counts.values()) > 5 for counts in verdicts.values()), verdicts


@pytest.mark.parametrize("block", range(4))
def test_the_checker_never_blames_what_brute_force_allows(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        history = random_history(random.Random(seed), seen_at_the_end=False)
        report = check(history)
        for level in report.violated - {Level.READ_UNCOMMITTED}:
            assert not allowed(history, level), f"seed {seed}, {level}\n" + "\n".join(
                map(str, (*history, *report.anomalies))
            )


def test_serializability_is_judged_right_even_where_appends_were_never_read() -> None:
    for seed in range(400):
        history = random_history(random.Random(seed), seen_at_the_end=False)
        right = allowed(history, Level.SERIALIZABLE)
        assert (Level.SERIALIZABLE not in check(history).violated) == right, f"seed {seed}"
