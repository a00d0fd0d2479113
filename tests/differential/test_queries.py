"""The curated queries: every layout and shard count answers as one plain DuckDB does, on every tier.

Each statement runs on all layouts, with a shard count that goes round from layout to layout; `python -m
tests.differential --corpus` runs every statement on every layout with every shard count.
"""

from __future__ import annotations

from contextlib import closing

import pytest

from .corpus import load_plain, load_sharded, statements, themes
from .harness import Answer, Outcome, Statement, ask_plain, connect_plain, difference
from .layouts import LAYOUTS, SHARD_COUNTS

MISMATCHES_SHOWN = 8

Asked = list[tuple[Statement, Outcome]]


@pytest.fixture(scope="module")
def asked() -> Asked:
    """Every statement of the corpus with plain DuckDB's answer."""
    with closing(connect_plain()) as plain:
        load_plain(plain)
        return [(each, ask_plain(plain, each)) for theme in themes() for each in statements(theme)]


@pytest.mark.parametrize("shards", SHARD_COUNTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_corpus_is_answered_as_by_one_duckdb(layout: str, shards: int, asked: Asked) -> None:
    turn = LAYOUTS.index(layout) + SHARD_COUNTS.index(shards)
    with closing(load_sharded(layout, shards)) as sharded:
        found = [
            str(mismatch)
            for statement, expected in asked[turn % len(SHARD_COUNTS) :: len(SHARD_COUNTS)]
            for mismatch in sharded.mismatches(statement, expected)
        ]
    more = len(found) - MISMATCHES_SHOWN
    shown = "\n".join(found[:MISMATCHES_SHOWN]) + (f"\n… and {more} more" if more > 0 else "")
    assert not found, f"{len(found)} mismatches\n{shown}"


def test_plain_duckdb_answers_every_statement_the_same_when_asked_again() -> None:
    """A statement whose answer is left open would fail at random."""
    with closing(connect_plain()) as plain, closing(connect_plain()) as other:
        load_plain(plain)
        # Rows that were inserted the other way round come the other way round, where no order is asked for.
        load_plain(other, backwards=True)
        open_answers = [
            statement.sql
            for theme in themes()
            for statement in statements(theme)
            if difference(ask_plain(plain, statement), ask_plain(other, statement), ordered=statement.ordered)
        ]
    assert open_answers == []


def test_most_of_the_corpus_runs(asked: Asked) -> None:
    answered = [outcome for _, outcome in asked if isinstance(outcome, Answer)]
    assert len(answered) > 0.9 * len(asked) > 500
