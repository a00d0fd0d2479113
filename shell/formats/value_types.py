"""DuckDB's type names taken apart, as far as printing needs it: lists, structs, maps and what they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_LIST_SUFFIX = re.compile(r"\[\d*\]$")
_NESTED = re.compile(r"(STRUCT|MAP|TUPLE)\((.*)\)$", re.DOTALL)
_FIELD_NAME = re.compile(r'"((?:[^"]|"")*)"|[^\s"]+')

NUMERIC_TYPES = frozenset(
    {
        "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
        "UHUGEINT", "BIGNUM", "FLOAT", "DOUBLE", "DECIMAL",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type: its bare name (`DECIMAL` for DECIMAL(9,2)), and the types inside it.

    LIST has one child, MAP two (key, value), STRUCT one for each of `fields`, TUPLE one a place; others none.
    """

    name: str
    children: tuple[ValueType, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether values are numbers, which line up at their right ends."""
        return self.name in NUMERIC_TYPES


@lru_cache(maxsize=512)
def parse_type(text: str) -> ValueType:
    """The type that DuckDB prints as `text`. A name it does not know gives a ValueType without children."""
    text = text.strip()
    if suffix := _LIST_SUFFIX.search(text):
        return ValueType("LIST", (parse_type(text[: suffix.start()]),))
    nested = _NESTED.match(text)
    if nested is None:
        return ValueType(text.partition("(")[0])
    name, parts = nested[1], _split_arguments(nested[2])
    if name != "STRUCT":
        return ValueType(name, tuple(parse_type(part) for part in parts))
    fields: list[str] = []
    children: list[ValueType] = []
    for part in parts:
        field = _FIELD_NAME.match(part)
        if field is None:
            continue
        fields.append(field[0] if field[1] is None else field[1].replace('""', '"'))
        children.append(parse_type(part[field.end() :]))
    return ValueType(name, tuple(children), tuple(fields))


def _split_arguments(text: str) -> list[str]:
    """`text` cut at the commas that are outside brackets and quotes."""
    parts: list[str] = []
    depth, start, quote = 0, 0, ""
    for index, char in enumerate(text):
        if quote:
            # A doubled quote closes and opens again, which comes to the same.
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return parts
