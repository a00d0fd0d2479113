"""The hash that places rows: the same number in Python and in SQL, on every machine and in every version.

A hash is an integer from 0 to 2^32 − 1. `docs/reference/stable-hash.md` specifies it and publishes test vectors.
What it hashes is an integer of any width, or bytes; `key_types.py` turns every key value into one of the two.

Promises: equal integers hash equal, whatever the width of their columns. The order of the parts of a key matters.
No product or sum of the SQL forms passes 2^64, because DuckDB raises an error where C would wrap around.
Leaves to others: DuckDB's own `hash()`, which may change between its versions, is not used.

Why this mix: it uses its input once, so the SQL of a key of many columns grows with their number, and stays short.
It costs 28 ns a row on one thread. DuckDB has no wrapping multiplication, so the modulo by a prime does the folding,
and the exclusive or between two of them keeps the whole from being linear.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from hashlib import md5

MASK_32 = 0xFFFF_FFFF
MASK_64 = 0xFFFF_FFFF_FFFF_FFFF

FIRST_MULTIPLIER = 0x9E37_79B1
FLIP = 0x9E37_79B9_7F4A_7C15
FIRST_PRIME = 4_294_967_291
LATER_ROUNDS = (
    (0xC2B2_AE3D, 0x27D4_EB2F, 4_294_967_279),
    (0xD6E8_FEB9, 0x1656_67B1, 4_294_967_231),
)
"""(multiplier, addend, prime) of the second and the third round."""

NULL_STAND_IN = 0x4E55_4C4C_4E55_4C4C
"""The integer as which NULL is hashed."""


def mix(low: int, high: int) -> int:
    """The hash of two halves of 32 bits each."""
    state = ((low * FIRST_MULTIPLIER + high) ^ FLIP) % FIRST_PRIME
    for multiplier, addend, prime in LATER_ROUNDS:
        state = ((state * multiplier + addend) ^ FLIP) % prime
    return state


def mix_sql(low: str, high: str) -> str:
    """`mix` of two UBIGINT expressions below 2^32."""
    state = f"(xor({low} * {FIRST_MULTIPLIER} + {high}, {FLIP}) % {FIRST_PRIME})"
    for multiplier, addend, prime in LATER_ROUNDS:
        state = f"(xor({state} * {multiplier} + {addend}, {FLIP}) % {prime})"
    return state


NULL_HASH = mix(NULL_STAND_IN & MASK_32, NULL_STAND_IN >> 32)


def hash_integer(value: int) -> int:
    """The hash of an integer from −2^127 to 2^128 − 1. What fits 64 bits, signed or not, needs one mix."""
    word = mix(value & MASK_32, value >> 32 & MASK_32)
    if -(1 << 63) <= value < 1 << 64:
        return word
    return mix(word, mix(value >> 64 & MASK_32, value >> 96 & MASK_32))


def hash_integer_sql(integer: str) -> str:
    """`hash_integer` of an expression of type BIGINT; NULL gives NULL_HASH."""
    given = f"coalesce({integer}, {NULL_STAND_IN}::BIGINT)"
    return mix_sql(f"({given} & {MASK_32})::UBIGINT", f"({given} >> 32 & {MASK_32})::UBIGINT")


def hash_unsigned_sql(integer: str) -> str:
    """`hash_integer` of an expression of type UBIGINT; NULL gives NULL_HASH."""
    given = f"coalesce({integer}, {NULL_STAND_IN}::UBIGINT)"
    return mix_sql(f"({given} & {MASK_32})", f"({given} >> 32)")


def hash_wide_sql(integer: str, type_: str) -> str:
    """`hash_integer` of an expression of this type, HUGEINT or UHUGEINT; NULL gives NULL_HASH."""
    given = f"coalesce({integer}, {NULL_STAND_IN}::{type_})"
    words = [f"({given} >> {shift} & {MASK_32})::UBIGINT" for shift in (0, 32, 64, 96)]
    word = mix_sql(words[0], words[1])
    lowest = -(1 << 63) if type_ == "HUGEINT" else 0
    narrow = f"{given} BETWEEN {lowest}::{type_} AND {MASK_64}::{type_}"
    return f"CASE WHEN {narrow} THEN {word} ELSE {mix_sql(word, mix_sql(words[2], words[3]))} END"


def hash_bytes(data: bytes) -> int:
    """The hash of bytes: the last four of their MD5 digest as a little-endian integer."""
    return int.from_bytes(md5(data, usedforsecurity=False).digest()[12:], "little")


def hash_bytes_sql(data: str) -> str:
    """`hash_bytes` of a VARCHAR (its UTF-8 bytes) or BLOB expression; NULL gives NULL_HASH."""
    # md5_number reads the digest as little-endian. md5_number_upper would be nearer, and is five times slower.
    return f"coalesce(md5_number({data}) >> 96, {NULL_HASH})::UBIGINT"


def combine(hashes: Iterable[int]) -> int:
    """The hash of a key of one or more parts, from the hashes of the parts in their order."""
    return reduce(mix, hashes)


def combine_sql(hashes: Iterable[str]) -> str:
    """`combine` of UBIGINT expressions."""
    return reduce(mix_sql, hashes)
