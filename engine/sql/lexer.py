"""The lexemes of DuckDB's SQL, with their places in the text.

Promises: it never fails and never changes anything: the lexemes, and the blanks between them, add up to the text. It
knows quotes, dollar quotes, escape strings and nested comments, so a semicolon or a keyword inside one of those is not
taken for a real one. It costs about half a microsecond a lexeme, so it can run before the plan cache.
Leaves to others: grammar (sqlglot and DuckDB), meaning (`classify.py`, `clauses.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache


class Kind(IntEnum):
    """What a lexeme is. UNFINISHED is a quote or comment that the text ends inside of."""

    WORD = 1
    QUOTED = 2
    STRING = 3
    NUMBER = 4
    PARAMETER = 5
    SYMBOL = 6
    COMMENT = 7
    UNFINISHED = 8


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One lexeme: its kind, its text, and where it starts (0-based, in characters)."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset just behind it."""
        return self.start + len(self.text)

    @property
    def upper(self) -> str:
        """A bare word in upper case; an empty string for every other kind, so that comparing is enough."""
        return self.text.upper() if self.kind is Kind.WORD else ""

    @property
    def identifier(self) -> str:
        """The name that a word or a quoted identifier stands for."""
        return self.text[1:-1].replace('""', '"') if self.kind is Kind.QUOTED else self.text


# The order of the groups is that of Kind: `lastindex` of a match is its kind. Strings with a prefix come before words.
PATTERN = re.compile(
    r"""
      ((?!(?:[eExX]|[uU]&)')[^\W\d][\w$]*)
    | ("[^"]*(?:""[^"]*)*")
    | ((?:[uU]&|[xX])?'[^']*(?:''[^']*)*' | [eE]'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'
        | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
    | ((?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?))
    | (\$\w+|\?\d*)
    | (--[^\n]*)
    | (/\*)
    | ((?:[eExX]|[uU]&)?'|"|\$[^\W\d]*\$)
    | ([-+*/<>=~!@\#%^&|`:]+?(?=--|/\*|[^-+*/<>=~!@\#%^&|`:]|$)|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_GROUP_KINDS = {
    1: Kind.WORD,
    2: Kind.QUOTED,
    3: Kind.STRING,
    5: Kind.NUMBER,
    6: Kind.PARAMETER,
    7: Kind.COMMENT,
    10: Kind.SYMBOL,
}
_COMMENT_MARK = re.compile(r"/\*|\*/")
_BLANK = re.compile(r"\s*")


_REMEMBERED_TEXTS = 32
_REMEMBERED_LONG_TEXTS = 2
_LONG = 16_384


def scan(text: str) -> list[Lexeme]:
    """All lexemes of `text` in order, comments among them, blanks left out."""
    return list(_remembered(text) if len(text) <= _LONG else _remembered_long(text))


@lru_cache(maxsize=_REMEMBERED_TEXTS)
def _remembered(text: str) -> tuple[Lexeme, ...]:
    """The lexemes of one of the last texts: several parts of the planner look at the same statement."""
    return tuple(_scan(text))


@lru_cache(maxsize=_REMEMBERED_LONG_TEXTS)
def _remembered_long(text: str) -> tuple[Lexeme, ...]:
    """The same of long texts, of which few are kept: a lexeme takes more memory than its text."""
    return tuple(_scan(text))


def _scan(text: str) -> list[Lexeme]:
    lexemes: list[Lexeme] = []
    position = 0
    length = len(text)
    while True:
        blank = _BLANK.match(text, position)
        position = blank.end() if blank else position
        if position >= length:
            return lexemes
        found = PATTERN.match(text, position)
        group = found.lastindex if found else None
        if found is None or group is None:
            end, kind = position + 1, Kind.SYMBOL
        elif group == 8:
            end, kind = _end_of_comment(text, position)
        elif group == 9:
            end, kind = length, Kind.UNFINISHED
        else:
            end, kind = found.end(), _GROUP_KINDS.get(group, Kind.STRING)
        lexemes.append(Lexeme(kind, text[position:end], position))
        position = end


def significant(text: str) -> list[Lexeme]:
    """The lexemes of `text` without its comments."""
    return [lexeme for lexeme in scan(text) if lexeme.kind is not Kind.COMMENT]


def _end_of_comment(text: str, start: int) -> tuple[int, Kind]:
    """Where the block comment at `start` ends; DuckDB's nest, as PostgreSQL's do."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(text, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end(), Kind.COMMENT
    return len(text), Kind.UNFINISHED


def matching_parenthesis(lexemes: list[Lexeme], opening: int) -> int | None:
    """The index of the lexeme that closes the parenthesis at index `opening`, or None if none does."""
    depth = 0
    for index in range(opening, len(lexemes)):
        symbol = lexemes[index].text if lexemes[index].kind is Kind.SYMBOL else ""
        if symbol == "(":
            depth += 1
        elif symbol == ")":
            depth -= 1
            if depth == 0:
                return index
    return None
