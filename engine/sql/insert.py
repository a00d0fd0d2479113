"""INSERT and COPY … FROM taken apart, by their lexemes.

Promises: the parts are the user's own text. What is not one of the known forms gives None, and DuckDB judges the text.
"""

from __future__ import annotations

from dataclasses import dataclass

from .lexer import Kind, Lexeme, matching_parenthesis, significant
from .names import name_at
from .reader import Reader, assignments


@dataclass(frozen=True, slots=True)
class InsertParts:
    """An INSERT in pieces.

    verb: `INSERT INTO`, `INSERT OR REPLACE INTO` or `INSERT OR IGNORE INTO`. prefix: a leading WITH.
    columns: as listed, or None. by_name: BY NAME. query: what gives the rows, with any leading WITH; is_values: it is a
    VALUES list or DEFAULT VALUES. tail: ON CONFLICT and RETURNING; returning: whether there is one.
    body: from behind the target's name to the tail, for an INSERT into a table of another name; body_start: its offset.
    """

    verb: str
    prefix: str
    name: tuple[str, ...]
    alias: str | None
    columns: tuple[str, ...] | None
    by_name: bool
    query: str
    is_values: bool
    body: str
    body_start: int
    tail: str
    returning: bool


@dataclass(frozen=True, slots=True)
class CopyParts:
    """A COPY … FROM in pieces. file: the SQL expression of the file. options: (name, SQL text of the value) pairs.

    name_end, file_start: the offsets where the table's name ends and the file begins.
    """

    name: tuple[str, ...]
    columns: tuple[str, ...] | None
    file: str
    options: tuple[tuple[str, str], ...]
    name_end: int
    file_start: int


@dataclass(frozen=True, slots=True)
class ConflictUpdate:
    """ON CONFLICT DO UPDATE in pieces. target: the columns of the conflict, or None. columns: those that it sets.

    sets: the text behind SET. condition: that behind its WHERE; returning: that behind RETURNING.
    """

    target: tuple[str, ...] | None
    columns: tuple[str, ...]
    sets: str
    condition: str | None
    returning: str | None


def parse_conflict(tail: str) -> ConflictUpdate | None:
    """Take the tail of an INSERT apart, if it is an ON CONFLICT DO UPDATE."""
    reader = Reader(tail)
    do = reader.find(0, "DO")
    if do is None or reader.word(do + 1) != "UPDATE" or reader.word(do + 2) != "SET":
        return None
    target = reader.names(3, do - 1) if reader.symbol(2) == "(" else None
    returning = reader.find(do, "RETURNING")
    end = reader.end if returning is None else returning
    where = reader.find(do, "WHERE", end=end)
    set_end = end if where is None else where
    assigned = assignments(reader, do + 3, set_end)
    if assigned is None:
        return None

    def text_of(start: int, stop: int) -> str | None:
        piece = reader.piece(start, stop)
        return None if piece is None else piece.text

    return ConflictUpdate(
        target,
        assigned[0],
        text_of(do + 3, set_end) or "",
        None if where is None else text_of(where + 1, end),
        None if returning is None else text_of(returning + 1, reader.end),
    )


def parse_insert(text: str) -> InsertParts | None:
    """Take apart an INSERT."""
    lexemes = significant(text)
    index = _first_at_top(lexemes, 0, "INSERT")
    if index is None:
        return None
    prefix = text[: lexemes[index].start] if index else ""
    verb = "INSERT"
    index += 1
    words = [lexeme.upper for lexeme in lexemes[index : index + 2]]
    if words in (["OR", "REPLACE"], ["OR", "IGNORE"]):
        verb, index = f"INSERT {' '.join(words)}", index + 2
    if _upper(lexemes, index) != "INTO":
        return None
    found = name_at(lexemes, index + 1)
    if found is None:
        return None
    name, index = found
    alias = None
    if _upper(lexemes, index) == "AS" and index + 1 < len(lexemes):
        alias, index = lexemes[index + 1].identifier, index + 2
    body_start = index
    by_name = False
    if _upper(lexemes, index) == "BY" and _upper(lexemes, index + 1) in ("NAME", "POSITION"):
        by_name, index = _upper(lexemes, index + 1) == "NAME", index + 2
    columns, index = _column_list(lexemes, index)
    if index >= len(lexemes):
        return None
    end = _tail(lexemes, index)
    tail = text[lexemes[end].start : lexemes[-1].end] if end < len(lexemes) else ""
    query = text[lexemes[index].start : lexemes[end - 1].end]
    return InsertParts(
        verb=f"{verb} INTO",
        prefix=prefix,
        name=name,
        alias=alias,
        columns=columns,
        by_name=by_name,
        # A query with a WITH of its own may stand behind the other one only in parentheses.
        query=f"{prefix}SELECT * FROM ({query}\n)" if prefix else query,
        is_values=_upper(lexemes, index) in ("VALUES", "DEFAULT"),
        body=text[lexemes[body_start].start : lexemes[end - 1].end],
        body_start=lexemes[body_start].start,
        tail=tail,
        returning=_first_at_top(lexemes, end, "RETURNING") is not None,
    )


def parse_copy(text: str) -> CopyParts | None:
    """Take apart a COPY … FROM."""
    lexemes = significant(text)
    found = name_at(lexemes, 1)
    if found is None:
        return None
    name, index = found
    name_end = lexemes[index - 1].end
    columns, index = _column_list(lexemes, index)
    if _upper(lexemes, index) != "FROM" or index + 1 >= len(lexemes):
        return None
    source = lexemes[index + 1]
    index += 2
    if source.kind is not Kind.STRING and source.kind is not Kind.PARAMETER:
        return None
    if _upper(lexemes, index) == "WITH":
        index += 1
    options = () if index == len(lexemes) else _options(text, lexemes, index)
    if options is None:
        return None
    return CopyParts(name, columns, source.text, options, name_end, source.start)


def _options(text: str, lexemes: list[Lexeme], index: int) -> tuple[tuple[str, str], ...] | None:
    """`(FORMAT csv, HEADER, DELIMITER '|')` as pairs; an option without a value is true."""
    closing = matching_parenthesis(lexemes, index) if lexemes[index].text == "(" else None
    if closing is None or closing != len(lexemes) - 1:
        return None
    options: list[tuple[str, str]] = []
    start, depth = index + 1, 0
    for at in range(index, closing + 1):
        symbol = lexemes[at].text if lexemes[at].kind is Kind.SYMBOL else ""
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(symbol, 0)
        if (symbol == "," and depth == 1) or at == closing:
            part = lexemes[start:at]
            if not part:
                return None
            value = text[part[1].start : part[-1].end] if len(part) > 1 else "true"
            options.append((part[0].identifier.lower(), value.removeprefix("=").strip()))
            start = at + 1
    return tuple(options)


def _upper(lexemes: list[Lexeme], index: int) -> str:
    return lexemes[index].upper if index < len(lexemes) else ""


def _column_list(lexemes: list[Lexeme], index: int) -> tuple[tuple[str, ...] | None, int]:
    """A parenthesis that holds nothing but names, if one comes next."""
    if index >= len(lexemes) or lexemes[index].text != "(":
        return None, index
    closing = matching_parenthesis(lexemes, index)
    inside = lexemes[index + 1 : closing] if closing is not None else []
    names, commas = inside[::2], inside[1::2]
    if closing is None or not inside or any(comma.text != "," for comma in commas):
        return None, index
    if _upper(inside, 0) in ("SELECT", "FROM"):
        return None, index
    if any(name.kind not in (Kind.WORD, Kind.QUOTED) for name in names):
        return None, index
    return tuple(name.identifier for name in names), closing + 1


def _first_at_top(lexemes: list[Lexeme], index: int, word: str) -> int | None:
    """The index of the first such word outside every parenthesis."""
    depth = 0
    for at in range(index, len(lexemes)):
        if lexemes[at].kind is Kind.SYMBOL:
            depth += {"(": 1, ")": -1}.get(lexemes[at].text, 0)
        if depth == 0 and lexemes[at].upper == word:
            return at
    return None


def _tail(lexemes: list[Lexeme], index: int) -> int:
    """Where ON CONFLICT or RETURNING begins, or the end."""
    conflict = index
    while (at := _first_at_top(lexemes, conflict, "ON")) is not None:
        if _upper(lexemes, at + 1) == "CONFLICT":
            return at
        conflict = at + 1
    returning = _first_at_top(lexemes, index, "RETURNING")
    return len(lexemes) if returning is None else returning
