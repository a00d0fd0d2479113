"""Moves as data: each file in `moves/` holds queries over streamed shards and what EXPLAIN says of them.

A command is the strategies that may be chosen, with `+` between them, or `any` of them; then the query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from duckraft.engine.catalog.model import Table
from duckraft.engine.database import Database
from duckraft.engine.planner.moving import JoinStrategy, width
from duckraft.engine.session import Session
from duckraft.engine.sql.split import split_script
from tests.golden import check_file

HERE = Path(__file__).parent
FILES = sorted((HERE / "moves").glob("*.test"))


@dataclass
class FixedStatistics:
    """Statistics that say what a test wants. sizes: rows of each shard, by table; for others `default`."""

    sizes: dict[str, int] = field(default_factory=dict)
    default: int = 1000

    def rows(self, table: Table, shard: int) -> int:  # noqa: ARG002
        return self.sizes.get(table.name, self.default)

    def bounds(self, table: Table, columns: Sequence[str]) -> list[None]:  # noqa: ARG002
        return [None] * table.strategy.shard_count

    def bytes(self, table: Table, shard: int) -> int:
        return self.rows(table, shard) * sum(width(column.type) for column in table.columns)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Database.open() as database, database.session() as session:
        for statement in split_script((HERE / "schema.sql").read_text()).statements:
            session.execute(statement.text)
        sizes = {"orders": 100_000, "stations": 10, "tokens": 100_000, "events": 50_000, "countries": 200}
        vars(database.gateway)["statistics"] = FixedStatistics(sizes)
        session.execute("SET duckraft_binding = streamed")
        yield session


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_moves_are_as_recorded(path: Path, session: Session, rewrite: bool) -> None:
    def explain(command: str) -> str:
        strategies, _, query = command.partition(" ")
        allowed = None if strategies == "any" else frozenset(map(JoinStrategy, strategies.split("+")))
        session.context.allowed_joins = allowed
        return "\n".join(row[0] for row in session.execute(f"EXPLAIN {query}").fetchall())

    check_file(path, explain, rewrite)


def test_there_are_recorded_moves() -> None:
    assert FILES
