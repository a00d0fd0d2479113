"""A statement's shape: its text with literals taken out, so that statements that differ only in values are one.

Promises: two texts of one shape have the same lexemes but for the values of string and number literals, blanks and
comments; a number never meets a string of the same place. Costs a few microseconds.
Leaves to others: what may be concluded from the shape (`planner/cache.py` uses it for routing only).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from .lexer import Kind, scan

# What has no literals is one part, as long as it can be: each part costs a fraction of a microsecond.
_PART = re.compile(
    r"""
      (?P<fixed>(?:
          [^\W\d][\w$]*(?!['\w$])
        | "[^"]*(?:""[^"]*)*"
        | [(),;] | [-=<>*.+%?](?!-) | \$\d+ | \$[^\W\d]\w*+(?!\$)
        | [ ](?!\s)
      )+)
    | (?P<string>'[^'\\]*(?:''[^'\\]*)*')
    | (?P<number>\d+(?:\.\d+)?(?![\w.$]))
    | (?P<blank>\s+)
    """,
    re.VERBOSE,
)
_FIXED, _STRING, _NUMBER = 1, 2, 3
LONGEST_TEXT = 65_536
"""Characters; longer statements are seldom sent twice."""


def fingerprint(text: str) -> tuple[str, tuple[str, ...]] | None:
    """The shape of `text` and its literals in order, quotes included; None for a text too unusual for the fast road."""
    if len(text) > LONGEST_TEXT:
        return None
    shape: list[str] = []
    literals: list[str] = []
    position = 0
    for part in _PART.finditer(text):
        start, end = part.span()
        if start != position:
            return None
        position = end
        group = part.lastindex
        if group == _FIXED:
            shape.append(part.group())
        elif group == _STRING:
            literals.append(part.group())
            shape.append("'?'")
        elif group == _NUMBER:
            literals.append(part.group())
            shape.append("0")
        else:
            shape.append(" ")
    return ("".join(shape), tuple(literals)) if position == len(text) else None


def with_literals(shape: str, literals: Sequence[str]) -> str:
    """A text of this shape. literals: as many as the shape has, each of the kind that it has there."""
    left = iter(literals)
    return "".join(
        next(left) if part.lastindex in (_STRING, _NUMBER) else part.group() for part in _PART.finditer(shape)
    )


def literal_value(literal: str) -> int | Decimal | float | str:
    """The value of a literal as DuckDB reads it: whole numbers, decimals, doubles (with an exponent), strings."""
    if literal[0] == "'":
        return literal[1:-1].replace("''", "'")
    if literal.isdigit():
        return int(literal)
    if "e" in literal or "E" in literal:
        return float(literal)
    return Decimal(literal)


def number_parameters(text: str) -> str:
    """`text` with each bare `?` given its number, `$1`, `$2`, …: the same statement for DuckDB, and each findable."""
    pieces: list[str] = []
    position = count = 0
    for lexeme in scan(text):
        if lexeme.kind is Kind.PARAMETER and lexeme.text == "?":
            count += 1
            pieces += [text[position : lexeme.start], f"${count}"]
            position = lexeme.end
    return "".join(pieces) + text[position:] if pieces else text
