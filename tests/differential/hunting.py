"""Rounds of generated queries: one schema, one plain database, a few sharded ones, many queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from random import Random

from .generate import BEFORE, Query, QueryMaker, make_schema, shrink
from .harness import Mismatch, Sharded, ask_plain, connect_plain
from .layouts import LAYOUTS, SHARD_COUNTS, create_plain, create_statements

QUERIES_PER_SCHEMA = 40


def hunt(
    seed: int,
    *,
    queries: int = QUERIES_PER_SCHEMA,
    places: Sequence[tuple[str, int]] | None = None,
) -> Iterator[Mismatch | None]:
    """For each query of a seed: a mismatch of its shrunk form, or None if all answers are the same.

    places: layouts with their shard counts; by default two that the seed chooses.
    """
    random = Random(seed)
    schema = make_schema(random)
    places = places or [(random.choice(LAYOUTS), random.choice(SHARD_COUNTS)) for _ in range(2)]
    with ExitStack() as stack:
        plain = stack.enter_context(closing(connect_plain()))
        for sql in (BEFORE, *map(create_plain, schema.tables), *schema.inserts):
            plain.execute(sql)
        sharded: list[Sharded] = []
        for layout, shards in places:
            place = Sharded(f"{layout}, {shards} shards, seed {seed}", shards)
            stack.callback(place.close)
            place.run([BEFORE, *create_statements(schema.tables, layout, shards), *schema.inserts])
            sharded.append(place)

        def mismatch(query: Query) -> Mismatch | None:
            statement = query.statement()
            expected = ask_plain(plain, statement)
            return next((found for one in sharded for found in one.mismatches(statement, expected)), None)

        maker = QueryMaker(schema, random)
        for _ in range(queries):
            query = maker.query()
            found = mismatch(query)
            if found is not None:
                found = mismatch(shrink(query, lambda smaller: mismatch(smaller) is not None)) or found
            yield found
