"""Spreading evenly: no value tells where a row is."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import NotSupportedError, ProgrammingError
from duckraft.engine.sharding import OneOf, SpreadStrategy


def test_every_shard_can_hold_every_row() -> None:
    assert SpreadStrategy(3).shards_for({"k": [OneOf((1,))]}) == {0, 1, 2}


def test_no_value_and_no_expression_tells_the_shard() -> None:
    with pytest.raises(NotSupportedError) as caught:
        SpreadStrategy(3).shard_of((1,))
    assert caught.value.hint is not None
    with pytest.raises(NotSupportedError):
        SpreadStrategy(3).shard_sql(["k"])


def test_a_number_of_shards_that_cannot_be_is_refused() -> None:
    with pytest.raises(ProgrammingError, match="must be 1 to 4096"):
        SpreadStrategy(0)
