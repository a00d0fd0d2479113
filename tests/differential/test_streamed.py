"""The curated queries where fragments are streamed and rows are moved: every way to join gives plain DuckDB's answers.

Each way runs on a layout and a shard count of its own: all joins, and a share of the other statements.
"""

from __future__ import annotations

from contextlib import closing

import pytest

from duckraft.engine.planner.moving import JoinStrategy

from .corpus import load_plain, load_sharded, statements, themes
from .harness import WAYS, Outcome, Statement, ask_plain, connect_plain

PLACES = {
    "streamed": ("mixed", 3),
    "streamed, gather": ("hash", 3),
    "streamed, broadcast": ("mirrored", 3),
    "streamed, repartition": ("range", 8),
    "streamed, reduction": ("directory", 3),
}
"""By way: the layout and the shard count."""

SHARE = 10
MISMATCHES_SHOWN = 8


@pytest.fixture(scope="module")
def asked() -> list[tuple[bool, Statement, Outcome]]:
    """Every statement, whether it runs in all ways, and plain DuckDB's answer."""
    with closing(connect_plain()) as plain:
        load_plain(plain)
        return [
            (theme == "joins", each, ask_plain(plain, each))
            for theme in themes()
            for each in statements(theme)
        ]


@pytest.mark.parametrize("way", PLACES)
def test_streamed_plans_answer_as_one_duckdb(way: str, asked: list[tuple[bool, Statement, Outcome]]) -> None:
    turn = list(PLACES).index(way)
    with closing(load_sharded(*PLACES[way])) as sharded:
        found = [
            str(mismatch)
            for number, (always, statement, expected) in enumerate(asked)
            if always or number % SHARE == turn
            if (mismatch := sharded.compare(statement, expected, way)) is not None
        ]
    shown = "\n".join(found[:MISMATCHES_SHOWN])
    assert not found, f"{len(found)} mismatches\n{shown}"


def test_every_streamed_way_has_its_place() -> None:
    assert list(PLACES) == [way for way in WAYS if WAYS[way].binding == "streamed"]


@pytest.mark.parametrize(
    "strategy", [JoinStrategy.BROADCAST, JoinStrategy.REPARTITION, JoinStrategy.REDUCTION]
)
def test_each_way_moves_what_its_name_says(strategy: JoinStrategy) -> None:
    """Without moves the comparison would show nothing."""
    with closing(load_sharded("hash", 3)) as sharded:
        context = sharded.session.context
        context.binding, context.allowed_joins = "streamed", frozenset({strategy})
        sql = "SELECT count(*) FROM orders o JOIN items i ON i.order_id = o.order_id"
        kinds = {move.kind for fragment in sharded.session.plan(sql).fragments() for move in fragment.moves()}
    assert {str(kind) for kind in kinds} == {str(strategy)}
