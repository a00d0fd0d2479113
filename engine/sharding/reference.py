"""Reference tables: one shard, of which every node has a full copy, so that every join with it is local."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .strategy import KeyColumn, Predicates, Value


@dataclass(frozen=True, slots=True)
class ReferenceStrategy:
    """`REFERENCE`: everything is on shard 0."""

    @property
    def kind(self) -> str:
        """The name of the strategy, as the catalog has it."""
        return "reference"

    @property
    def key(self) -> tuple[KeyColumn, ...]:
        """No column places a row."""
        return ()

    @property
    def shard_count(self) -> int:
        """One."""
        return 1

    def shard_of(self, values: Sequence[Value]) -> int:  # noqa: ARG002
        """Shard 0."""
        return 0

    def shard_sql(self, columns: Sequence[str]) -> str:  # noqa: ARG002
        """Shard 0."""
        return "0::INTEGER"

    def shards_for(self, predicates: Predicates) -> frozenset[int]:  # noqa: ARG002
        """Shard 0."""
        return frozenset({0})

    def clause(self) -> str:
        """The DDL clause that makes this strategy."""
        return "REFERENCE"

    def describe_shard(self, shard: int) -> str:  # noqa: ARG002
        """What the shard holds, for people."""
        return "all rows"

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `sharding.from_json` makes an equal strategy."""
        return {"kind": self.kind}
