"""Calls of sequences in a text: `nextval('name')` and `setval('name', …)`, found by their lexemes.

A shard cannot draw from a sequence, which is the gateway's. So a default that does is kept there as a call that fails
and says which one it stands for: `on_shards` writes it so, `at_gateway` reads it back.
"""

from __future__ import annotations

import re

from ..types import quote_string
from .lexer import significant
from .names import name_at

_DRAWS = re.compile(r"\b(?:next|set)val\b", re.IGNORECASE)
_REASON = "only the gateway can draw from it"
_STAND_IN = re.compile(rf"\"?error\"?\('nextval\(((?:[^']|'')*)\): {_REASON}'\)")


def draws(text: str) -> bool:
    """Whether a text may move a sequence on. True too often rather than too seldom."""
    return _DRAWS.search(text) is not None


def sequence_names(text: str) -> list[tuple[str, ...]]:
    """The parts of the names of the sequences from which a text draws, as far as it names them by literals."""
    names: list[tuple[str, ...]] = []
    for _, _, literal in _calls(text):
        found = name_at(significant(_unquoted(literal)), 0)
        if found is not None:
            names.append(found[0])
    return names


def on_shards(text: str) -> str:
    """The text with each `nextval('name')` replaced by the call that stands for it on a shard."""
    pieces: list[str] = []
    end = 0
    for start, behind, literal in _calls(text):
        message = quote_string(f"nextval({_unquoted(literal)}): {_REASON}")
        pieces += [text[end:start], f"error({message})"]
        end = behind
    return "".join([*pieces, text[end:]])


def at_gateway(default: str) -> str:
    """The default of a column as its user knows it, from the one that a shard has."""
    return _STAND_IN.sub(lambda found: f"nextval('{found.group(1)}')", default)


def at_gateway_sql(column: str) -> str:
    """The same as an SQL expression over a column of text."""
    return f"regexp_replace({column}, {quote_string(_STAND_IN.pattern)}, 'nextval(''\\1'')', 'g')"


def _calls(text: str) -> list[tuple[int, int, str]]:
    """(start, end, literal) of each `nextval('…')`."""
    lexemes = significant(text)
    calls: list[tuple[int, int, str]] = []
    for index, lexeme in enumerate(lexemes[:-3]):
        opening, literal, closing = lexemes[index + 1 : index + 4]
        if (
            lexeme.identifier.lower() == "nextval"
            and opening.text == "("
            and literal.text.startswith("'")
            and closing.text == ")"
        ):
            calls.append((lexeme.start, closing.end, literal.text))
    return calls


def _unquoted(literal: str) -> str:
    return literal[1:-1].replace("''", "'")
