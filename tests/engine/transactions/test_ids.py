"""Ids of transactions: unique, sorted by age, whatever the clock does."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from duckraft.engine.transactions.ids import TransactionIds


def test_an_id_says_when_and_where_it_was_made() -> None:
    assert re.fullmatch(r"0000000000000fff-00a7-[0-9a-f]{8}", TransactionIds(0xA7, lambda: 0xFFF).next())


def test_the_younger_is_the_greater_though_the_clock_stands_or_goes_back() -> None:
    times = iter([1000, 1000, 5, 1001, 2**63, 7])
    ids = TransactionIds(1, lambda: next(times))
    made = [ids.next() for _ in range(6)]
    assert all(older < younger for older, younger in pairwise(made))


def test_two_processes_whose_clocks_say_the_same_make_different_ids() -> None:
    assert TransactionIds(1, lambda: 1).next() != TransactionIds(1, lambda: 1).next()


def test_threads_get_different_ids() -> None:
    ids = TransactionIds()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: [ids.next() for _ in range(500)], range(4)))
    assert all(mine == sorted(mine) for mine in made)
    assert len({one for mine in made for one in mine}) == 2000
