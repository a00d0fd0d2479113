"""Arrow batches cut into pieces: every row once, in its order, whatever the type."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from duckraft.engine.errors import InternalError
from duckraft.engine.executor.changes.scatter import deal, scatter

ARRAYS = {
    "integers with nulls": pa.array([1, None, 3, None, 5, 6], pa.int64()),
    "booleans": pa.array([True, None, False, True, True, None]),
    "strings": pa.array(["a", None, "ccc", "", "ü" * 50, "f"]),
    "string views": pa.array(["a", None, "longer than twelve bytes", "", "ü" * 50, "f"], pa.string_view()),
    "decimals": pa.array([1, 2, None, 4, 5, 6], pa.decimal128(30, 2)),
    "shorter decimals": pa.array([1, 2, None, 4, 5, 6], pa.decimal64(15, 2)),
    "shortest decimals": pa.array([1, 2, None, 4, 5, 6], pa.decimal32(9, 2)),
    "big decimals": pa.array([1, 2, None, 4, 5, 6], pa.decimal256(60, 2)),
    "lists": pa.array([[1], None, [], [None, 2], [3], [4, 5]]),
    "structs": pa.array([{"x": 1}, None, {"x": None}, {"x": 4}, {"x": 5}, {"x": 6}]),
    "enums": pa.array(["a", "b", None, "a", "b", "a"]).dictionary_encode(),
    "dates": pa.array([0, 1, None, 3, 4, 5], pa.date32()),
    "all null": pa.array([None] * 6, pa.int32()),
    "null type": pa.nulls(6),
    "fixed binary": pa.array([b"ab", None, b"cd", b"ef", b"gh", b"ij"], pa.binary(2)),
    "intervals": pa.array(
        [(1, 2, 3), None, (0, 0, 0), (4, 5, 6), (7, 8, 9), (1, 1, 1)], pa.month_day_nano_interval()
    ),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
@pytest.mark.parametrize("offset", [0, 1])
def test_rows_go_to_their_shard_in_their_order(array: pa.Array, offset: int) -> None:
    batch = pa.RecordBatch.from_arrays([array, pa.array(range(6))], names=["value", "row"]).slice(offset)
    numbers = np.array([2, 0, 2, 0, 2, 3], dtype=np.uint16)[offset:]
    pieces = {shard: piece.gathered() for shard, piece in scatter(batch, numbers, 4)}
    values = array.to_pylist()
    expected = {
        shard: [row for row in range(offset, 6) if numbers[row - offset] == shard] for shard in (0, 2, 3)
    }
    assert {shard: piece.column(1).to_pylist() for shard, piece in pieces.items()} == expected
    for piece in pieces.values():
        piece.validate(full=True)
        assert piece.schema == batch.schema
        assert piece.column(0).to_pylist() == [values[row] for row in piece.column(1).to_pylist()]


def test_a_batch_for_one_shard_is_not_copied() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2])], names=["a"])
    [(shard, piece)] = scatter(batch, np.array([3, 3], dtype=np.uint16), 4)
    assert (shard, piece.gathered() is batch) == (3, True)


def test_an_empty_batch_has_no_pieces() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([], pa.int32())], names=["a"])
    assert scatter(batch, np.array([], dtype=np.uint16), 4) == []
    assert deal(batch, 0, 4) == []


def test_a_shard_that_the_table_does_not_have_is_a_bug() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1])], names=["a"])
    with pytest.raises(InternalError):
        scatter(batch, np.array([4], dtype=np.uint16), 4)


@pytest.mark.parametrize("rows", [1, 3, 4, 10])
@pytest.mark.parametrize("dealt", [0, 1, 7])
def test_rows_are_dealt_evenly_from_where_the_last_ones_ended(rows: int, dealt: int) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(range(rows))], names=["a"])
    pieces = [(shard, piece.gathered()) for shard, piece in deal(batch, dealt, 4)]
    assert sorted(value for _, piece in pieces for value in piece.column(0).to_pylist()) == list(range(rows))
    wanted = sorted((dealt + row) % 4 for row in range(rows))
    assert sorted(shard for shard, piece in pieces for _ in range(piece.num_rows)) == wanted
