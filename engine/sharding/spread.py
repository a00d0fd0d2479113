"""Spreading evenly: rows without a key are dealt to the shards in turn.

A row says nothing about where it belongs, so there is no expression for its shard: `row_number() OVER ()` would make
DuckDB scan with one thread, and `random()` gives each run another answer and few rows no even spread. Whoever loads
rows deals out slices of its batches (`executor/scatter.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import NotSupportedError
from .hash import MAX_SHARDS, check_shard_count
from .strategy import KeyColumn, Predicates, Value


@dataclass(frozen=True, slots=True)
class SpreadStrategy:
    """`SHARD BY EVENLY SHARDS n`, n from 1 to 4096. Raises ProgrammingError 22023 for another n."""

    shard_count: int

    def __post_init__(self) -> None:
        check_shard_count(self.shard_count, MAX_SHARDS)

    @property
    def kind(self) -> str:
        """The name of the strategy, as the catalog has it."""
        return "spread"

    @property
    def key(self) -> tuple[KeyColumn, ...]:
        """No column places a row."""
        return ()

    def shard_of(self, values: Sequence[Value]) -> int:  # noqa: ARG002
        """Raise NotSupportedError: no value tells the shard."""
        raise _no_key()

    def shard_sql(self, columns: Sequence[str]) -> str:  # noqa: ARG002
        """Raise NotSupportedError: no expression tells the shard."""
        raise _no_key()

    def shards_for(self, predicates: Predicates) -> frozenset[int]:  # noqa: ARG002
        """All shards, whatever the predicates say."""
        return frozenset(range(self.shard_count))

    def clause(self) -> str:
        """The DDL clause that makes this strategy."""
        return f"SHARD BY EVENLY SHARDS {self.shard_count}"

    def describe_shard(self, shard: int) -> str:  # noqa: ARG002
        """What the shard holds, for people."""
        return f"an even share of {self.shard_count}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `sharding.from_json` makes an equal strategy."""
        return {"kind": self.kind, "shards": self.shard_count}


def _no_key() -> NotSupportedError:
    return NotSupportedError(
        "the rows of an evenly spread table have no shard of their own",
        hint="Shard the table by a key if its rows are to be found by one.",
    )
