"""What a shard key's column can be: per DuckDB type, how its values compare and hash, in Python and in SQL.

A value's *canonical form* is a Python object that compares, hashes and sorts as DuckDB compares and sorts the value:
an int for numbers, moments and spans, a Decimal for decimals, the UTF-8 bytes for text. Strategies work on canonical
forms only, so a strategy knows no types.

Promises: `hash_sql` gives for every value, extreme ones and NULL too, the number `hash` gives. `coerce` never guesses:
what a literal means when DuckDB compares it with the column is either certain, or CANNOT_TELL.
Leaves to others: dates, times and intervals (`temporal_types.py`), which type has which name (`keys.py`), what is
done with the hashes (the strategies).
"""

from __future__ import annotations

import re
import struct
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from ..errors import DataError
from . import stable_hash
from .strategy import Value
from .values import sql_literal


class _Unknown(Enum):
    """The class of CANNOT_TELL."""

    CANNOT_TELL = "cannot tell"


CANNOT_TELL: Final = _Unknown.CANNOT_TELL
"""What `coerce` returns for a value whose meaning for the column is not certain: the predicate must not prune."""


class KeyType:
    """One type of key column. The methods take values that are not NULL, except for `hash_sql`.

    name: the DuckDB type. ordered: canonical forms sort as the values do. discrete: they are integers, so that an
    interval between two of them can be counted out.
    """

    ordered = True
    discrete = False

    def __init__(self, name: str) -> None:
        self.name = name

    def canonical(self, value: Value) -> Any:
        """The canonical form of a value of this type. Raises DataError 42804 for a value of another one."""
        raise NotImplementedError

    def is_shared(self, canonical: Any) -> bool:  # noqa: ARG002
        """Whether different values have this canonical form, because Python cannot hold them apart."""
        return False

    def hash(self, canonical: Any) -> int:
        """The stable hash of a canonical form."""
        raise NotImplementedError

    def hash_sql(self, column: str) -> str:
        """The stable hash of an expression of this type, as a UBIGINT; NULL gives NULL_HASH."""
        raise NotImplementedError

    def comparable_sql(self, column: str) -> str:
        """An expression of this type as one that can be compared with `literal`."""
        return column

    def literal(self, value: Value) -> str:
        """A value as an SQL expression that can be compared with `comparable_sql`."""
        return f"CAST({sql_literal(value)} AS {self.name})"

    def coerce(self, value: Value) -> Value:
        """The value of this type that equals a literal or parameter when DuckDB compares both; or CANNOT_TELL."""
        raise NotImplementedError

    def mismatch(self, value: Value) -> DataError:
        """The error for a value that is none of this type."""
        return DataError(f"{value!r} is no {self.name} value for a shard key", sqlstate="42804")


class IntegerType(KeyType):
    """TINYINT to HUGEINT, signed or not, and BOOLEAN as 0 and 1."""

    discrete = True
    _TEXT = re.compile(r"-?[0-9]{1,18}")
    # A FLOAT holds every integer up to 2^24. Above it, several integers may equal one floating-point literal.
    _EXACT_IN_FLOAT = 1 << 24

    def canonical(self, value: Value) -> int:
        if isinstance(value, int):
            return value if type(value) is int else int(value)
        raise self.mismatch(value)

    def hash(self, canonical: int) -> int:
        return stable_hash.hash_integer(canonical)

    def hash_sql(self, column: str) -> str:
        if self.name in ("HUGEINT", "UHUGEINT"):
            return stable_hash.hash_wide_sql(column, self.name)
        if self.name == "UBIGINT":
            return stable_hash.hash_unsigned_sql(column)
        return stable_hash.hash_integer_sql(column if self.name == "BIGINT" else f"{column}::BIGINT")

    def coerce(self, value: Value) -> Value:
        if isinstance(value, bool):
            return value if self.name == "BOOLEAN" else CANNOT_TELL
        if self.name == "BOOLEAN":
            return CANNOT_TELL
        if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 39 and value == int(value):
            value = int(value)
        if isinstance(value, int):
            return value if -(1 << 127) <= value < 1 << 128 else CANNOT_TELL
        if isinstance(value, float) and abs(value) < self._EXACT_IN_FLOAT and value.is_integer():
            return int(value)
        if isinstance(value, str) and self._TEXT.fullmatch(value):
            return int(value)
        return CANNOT_TELL


class DecimalType(KeyType):
    """DECIMAL(width, scale). Integral values hash as integers do, others by their digits, whatever the scale."""

    _TEXT = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?")

    def __init__(self, name: str, width: int, scale: int) -> None:
        super().__init__(name)
        self.width = width
        self.scale = scale

    def canonical(self, value: Value) -> Decimal:
        if isinstance(value, Decimal) and value.is_finite():
            return value
        if isinstance(value, int):
            return Decimal(value)
        raise self.mismatch(value)

    def hash(self, canonical: Decimal) -> int:
        integer = int(canonical)
        if integer == canonical:
            return stable_hash.hash_integer(integer)
        return stable_hash.hash_bytes(f"{canonical.copy_abs():f}".strip("0").encode())

    def hash_sql(self, column: str) -> str:
        if self.width - self.scale <= 18:
            integral = stable_hash.hash_integer_sql(f"{column}::BIGINT")
        else:
            integral = stable_hash.hash_wide_sql(f"{column}::HUGEINT", "HUGEINT")
        if self.scale == 0:
            return integral
        # DuckDB writes a zero before the point for some widths only, so leading zeros are stripped, and the sign too.
        digits = f"rtrim(ltrim({column}::VARCHAR, '-0'), '0')"
        return f"CASE WHEN {column} <> trunc({column}) THEN {stable_hash.hash_bytes_sql(digits)} ELSE {integral} END"

    def coerce(self, value: Value) -> Value:
        if isinstance(value, str) and self._TEXT.fullmatch(value):
            value = Decimal(value)
        if isinstance(value, float):
            return self._coerce_float(value)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            return CANNOT_TELL
        exact = Decimal(value)
        return exact if exact.is_finite() and self._fits(exact) else CANNOT_TELL

    def _fits(self, value: Decimal) -> bool:
        """Whether no digit of `value` is outside of this width and scale."""
        _, digits, exponent = value.as_tuple()
        last = len(digits)
        while last > 1 and digits[last - 1] == 0:
            last -= 1
        lowest = int(exponent) + len(digits) - last
        return value == 0 or (lowest >= -self.scale and value.adjusted() < self.width - self.scale)

    def _coerce_float(self, value: float) -> Value:
        """DuckDB casts the column to the literal's type. Even FLOAT keeps apart decimals of 6 digits, and no more."""
        if self.width > 6 or value - value != 0.0:
            return CANNOT_TELL
        exact = Decimal(repr(value))
        return exact if self._fits(exact) else CANNOT_TELL


class FloatType(KeyType):
    """FLOAT and DOUBLE. −0.0 equals 0.0, all NaN are equal and above infinity."""

    discrete = True
    _SIGN = 1 << 63
    _NAN = 0x7FF8_0000_0000_0000

    def canonical(self, value: Value) -> int:
        """The bits of the double as a number that rises with the value."""
        if not isinstance(value, float):
            raise self.mismatch(value)
        if value != value:
            return self._NAN
        (bits,) = struct.unpack("<Q", struct.pack("<d", value))
        return int(bits if bits < self._SIGN else self._SIGN - bits)

    def hash(self, canonical: int) -> int:
        return stable_hash.hash_integer(canonical if canonical >= 0 else self._SIGN - canonical)

    def hash_sql(self, column: str) -> str:
        # Adding zero turns −0.0 into 0.0.
        double = f"CASE WHEN isnan({column}) THEN 'nan'::DOUBLE ELSE {column}::DOUBLE + 0 END"
        return stable_hash.hash_unsigned_sql(f"({double})::BIT::UBIGINT")

    def coerce(self, value: Value) -> Value:
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            return CANNOT_TELL
        try:
            double = float(value)
        except OverflowError:
            return CANNOT_TELL
        if isinstance(value, Decimal) and self.name == "DOUBLE":
            # Such a literal becomes the nearest double in DuckDB too: both sides of its division are exact.
            _, digits, exponent = value.as_tuple()
            return (
                double
                if value.is_finite() and len(digits) <= 15 and -22 <= int(exponent) <= 0
                else CANNOT_TELL
            )
        if double != double:
            return CANNOT_TELL if isinstance(value, Decimal) else double
        return double if double == value and self._is_exact(double) else CANNOT_TELL

    def _is_exact(self, value: float) -> bool:
        if self.name == "DOUBLE":
            return True
        try:
            return bool(struct.unpack("<f", struct.pack("<f", value))[0] == value)
        except OverflowError:
            return False


class TextType(KeyType):
    """VARCHAR, and ENUM and BIT by their text. DuckDB sorts VARCHAR by UTF-8 bytes, the others in ways of their own."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ordered = name == "VARCHAR"

    def canonical(self, value: Value) -> bytes:
        if not isinstance(value, str):
            raise self.mismatch(value)
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise self.mismatch(value) from None

    def hash(self, canonical: bytes) -> int:
        return stable_hash.hash_bytes(canonical)

    def hash_sql(self, column: str) -> str:
        return stable_hash.hash_bytes_sql(self.comparable_sql(column))

    def comparable_sql(self, column: str) -> str:
        return column if self.name == "VARCHAR" else f"{column}::VARCHAR"

    def literal(self, value: Value) -> str:
        return f"({sql_literal(value)})"

    def coerce(self, value: Value) -> Value:
        if not isinstance(value, str) or (self.name == "BIT" and not re.fullmatch("[01]+", value)):
            return CANNOT_TELL
        try:
            value.encode()
        except UnicodeEncodeError:
            return CANNOT_TELL
        return value


class BlobType(KeyType):
    """BLOB, sorted by its bytes. It hashes as a VARCHAR of the same bytes does."""

    def canonical(self, value: Value) -> bytes:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        raise self.mismatch(value)

    def hash(self, canonical: bytes) -> int:
        return stable_hash.hash_bytes(canonical)

    def hash_sql(self, column: str) -> str:
        return stable_hash.hash_bytes_sql(column)

    def coerce(self, value: Value) -> Value:
        if isinstance(value, str) and value.isascii() and "\\" not in value:
            return value.encode()
        return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else CANNOT_TELL


class UuidType(KeyType):
    """UUID, which sorts and hashes as the unsigned integer of 128 bits that it is."""

    discrete = True
    _TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

    def canonical(self, value: Value) -> int:
        if isinstance(value, UUID):
            return value.int
        raise self.mismatch(value)

    def hash(self, canonical: int) -> int:
        return stable_hash.hash_integer(canonical)

    def hash_sql(self, column: str) -> str:
        return stable_hash.hash_wide_sql(f"{column}::UHUGEINT", "UHUGEINT")

    def coerce(self, value: Value) -> Value:
        if isinstance(value, str) and self._TEXT.fullmatch(value):
            return UUID(value)
        return value if isinstance(value, UUID) else CANNOT_TELL
