"""The hash itself: the published vectors, and how well it spreads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from duckraft.engine.sharding import stable_hash
from duckraft.engine.sharding.keys import find_key_type

PAGE = Path(__file__).parents[3] / "docs/reference/stable-hash.md"
VECTOR = re.compile(r"^\| `([^|]+)` \| `([^|]+)` \| `0x([0-9a-f]{8})` \|$", re.MULTILINE)
COUNT = 20_000


def published() -> list[tuple[list[str], list[str], int]]:
    """(types, SQL values, hash) of each row of the page's table; composite keys have several types."""
    return [
        (types.split("; "), values.split("; "), int(number, 16))
        for types, values, number in VECTOR.findall(PAGE.read_text())
    ]


def test_the_page_has_vectors_for_every_family_of_types() -> None:
    types = {name for names, _, _ in published() for name in names}
    assert {"BIGINT", "HUGEINT", "DECIMAL(15,2)", "DOUBLE", "VARCHAR", "BLOB", "UUID", "BOOLEAN"} <= types
    assert {
        "DATE",
        "TIMESTAMP",
        "TIMESTAMP WITH TIME ZONE",
        "TIME",
        "TIME WITH TIME ZONE",
        "INTERVAL",
    } <= types


@pytest.mark.parametrize(("types", "values", "number"), published())
def test_a_published_vector_holds_in_duckdb_and_in_python(
    duck: duckdb.DuckDBPyConnection, types: list[str], values: list[str], number: int
) -> None:
    in_sql: list[str] = []
    in_python: list[int] = []
    for type_name, value in zip(types, values, strict=True):
        key_type = find_key_type(type_name)
        assert key_type is not None
        typed = f"CAST({value} AS {type_name})"
        in_sql.append(key_type.hash_sql(typed))
        # The client needs another package to return a TIMESTAMP WITH TIME ZONE, so this one is read as text.
        zoned = type_name == "TIMESTAMP WITH TIME ZONE"
        found: Any = _one(duck, f"SELECT {typed}{'::VARCHAR' if zoned else ''}")
        found = key_type.coerce(found) if zoned and found is not None else found
        in_python.append(stable_hash.NULL_HASH if found is None else key_type.hash(key_type.canonical(found)))
    assert stable_hash.combine(in_python) == number
    assert _one(duck, f"SELECT {stable_hash.combine_sql(in_sql)}") == number


def _one(duck: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = duck.execute(sql).fetchone()
    assert row is not None
    return row[0]


def test_the_order_of_the_parts_of_a_key_matters() -> None:
    assert stable_hash.combine((1, 2)) != stable_hash.combine((2, 1))


KEYS: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {
    "sequential": np.arange(COUNT),
    "negative": -np.arange(COUNT),
    "order keys of TPC-H": np.arange(COUNT) // 8 * 32 + np.arange(COUNT) % 8,
    "days in microseconds": np.arange(COUNT) * 86_400_000_000,
    "random": np.random.default_rng(1).integers(-(2**63), 2**63 - 1, COUNT),
    **{f"every {stride}": np.arange(COUNT) * stride for stride in (2, 3, 7, 10, 64, 1000, 4096, 10**6)},
    **{f"every 2^{bits}": np.arange(COUNT) << bits for bits in (16, 31, 32, 45)},
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_with_a_pattern_spread_as_evenly_as_random_numbers_would(name: str) -> None:
    hashes = np.array([stable_hash.hash_integer(int(key)) for key in KEYS[name]])
    for shards in range(2, 65):
        counts = np.bincount(hashes * shards >> 32, minlength=shards)
        chi_square = float(((counts - COUNT / shards) ** 2).sum() * shards / COUNT)
        deviations = (chi_square - (shards - 1)) / (2 * (shards - 1)) ** 0.5
        # Over all of these keys and shard counts, random numbers stay below 6.
        assert -5 < deviations < 7, f"{shards} shards"


def test_each_bit_of_a_key_changes_each_bit_of_its_hash_half_of_the_time() -> None:
    keys = [int(key) for key in np.random.default_rng(2).integers(0, 2**62, 2000)]
    for bit in range(64):
        flips = [stable_hash.hash_integer(key) ^ stable_hash.hash_integer(key ^ 1 << bit) for key in keys]
        for place in range(20, 32):
            assert 0.4 < sum(flip >> place & 1 for flip in flips) / len(flips) < 0.6
