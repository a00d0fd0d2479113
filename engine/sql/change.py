"""UPDATE, DELETE and MERGE taken apart, by their lexemes.

Promises: the pieces are the user's own text with their places in it. An UPDATE or DELETE is told as what it does to
each row that it finds, in the words of a MERGE: one clause for rows that matched. What is not one of the known forms
gives None.
Leaves to others: whether DuckDB would take the statement, what the names in it mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from .lexer import Kind, significant
from .names import name_at
from .reader import Piece, Reader, assignments


class Match(StrEnum):
    """Which rows a clause is for: pairs of rows, rows of the source alone, rows of the target alone."""

    MATCHED = "WHEN MATCHED"
    BY_TARGET = "WHEN NOT MATCHED"
    BY_SOURCE = "WHEN NOT MATCHED BY SOURCE"


class Action(StrEnum):
    """What a clause does to its rows."""

    UPDATE = "UPDATE"
    DELETE = "DELETE"
    INSERT = "INSERT"
    NOTHING = "DO NOTHING"
    ERROR = "ERROR"


class Star(StrEnum):
    """How UPDATE and INSERT without a list take the columns of the source."""

    POSITION = "BY POSITION"
    NAME = "BY NAME"


@dataclass(frozen=True, slots=True)
class Clause:
    """What happens to rows.

    values: of UPDATE and INSERT, None in it for DEFAULT. columns: to which they go; None for all, by position.
    star: the columns of the source are taken instead. message: the expression behind ERROR.
    """

    match: Match
    action: Action
    condition: Piece | None = None
    columns: tuple[str, ...] | None = None
    values: tuple[Piece | None, ...] = ()
    star: Star | None = None
    message: Piece | None = None


@dataclass(frozen=True, slots=True)
class ChangeParts:
    """An UPDATE, DELETE or MERGE in pieces.

    verb: the first word. prefix: a leading WITH. target_start, target_end: the span of the target's name; alias: the
    user's for it, or None. source: what stands behind FROM or USING. condition: behind WHERE or ON; using: the column
    list of `USING (…)` instead, with its parentheses. returning: the list behind RETURNING.
    """

    verb: str
    prefix: Piece
    target: tuple[str, ...]
    target_start: int
    target_end: int
    alias: str | None
    clauses: tuple[Clause, ...]
    source: Piece | None = None
    condition: Piece | None = None
    using: Piece | None = None
    returning: Piece | None = None


def parse_change(text: str) -> ChangeParts | None:
    """Take apart an UPDATE, DELETE or MERGE."""
    reader = Reader(text)
    start = reader.find(0, "UPDATE", "DELETE", "MERGE")
    if start is None:
        return None
    verb = reader.word(start)
    index = start + 1
    if verb != "UPDATE":
        if reader.word(index) not in ("FROM", "INTO"):
            return None
        index += 1
    found = name_at(reader.lexemes, index)
    if found is None:
        return None
    name, behind = found
    alias, rest = _alias(reader, behind)
    lexemes = reader.lexemes
    head = ChangeParts(
        verb,
        Piece(text[: lexemes[start].start], 0),
        name,
        lexemes[index].start,
        lexemes[behind - 1].end,
        alias,
        (),
    )
    parse = {"UPDATE": _update, "DELETE": _delete, "MERGE": _merge}[verb]
    return parse(reader, head, rest)


def changes_within(text: str) -> list[tuple[tuple[str, ...], int]]:
    """The tables that common table expressions of a statement change, each with its 0-based offset."""
    if not _WITHIN.search(text):
        return []
    lexemes = significant(text)
    found = []
    for index in range(1, len(lexemes) - 1):
        if lexemes[index].text != "(" or lexemes[index - 1].upper not in ("AS", "MATERIALIZED"):
            continue
        at = index + 1
        if lexemes[at].upper not in _CHANGING:
            continue
        while at < len(lexemes) and lexemes[at].upper in _BEFORE_TARGET:
            at += 1
        name = name_at(lexemes, at)
        if name is not None:
            found.append((name[0], lexemes[at].start))
    return found


_CHANGING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_BEFORE_TARGET = _CHANGING | {"INTO", "FROM", "OR", "REPLACE", "IGNORE"}
_WITHIN = re.compile(r"\bWITH\b.*\b(?:INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE | re.DOTALL)


def _alias(reader: Reader, index: int) -> tuple[str | None, int]:
    if reader.word(index) == "AS":
        index += 1
    elif reader.word(index) in ("SET", "USING", "WHERE", "RETURNING"):
        return None, index
    if index < reader.end and reader.lexemes[index].kind in (Kind.WORD, Kind.QUOTED):
        return reader.lexemes[index].identifier, index + 1
    return None, index


def _with_tail(
    reader: Reader, head: ChangeParts, clause: Clause, source: int | None, index: int
) -> ChangeParts:
    """An UPDATE or DELETE from its source on. source: the index behind FROM or USING, if there is one."""
    end = reader.end
    returning = reader.find(index, "RETURNING")
    where = reader.find(index, "WHERE", end=returning)
    before_returning = end if returning is None else returning
    source_end = before_returning if where is None else where
    return replace(
        head,
        clauses=(clause,),
        source=None if source is None else reader.piece(source, source_end),
        condition=None if where is None else reader.piece(where + 1, before_returning),
        returning=None if returning is None else reader.piece(returning + 1, end),
    )


def _update(reader: Reader, head: ChangeParts, index: int) -> ChangeParts | None:
    if reader.word(index) != "SET":
        return None
    behind = reader.find(index, "FROM", "WHERE", "RETURNING")
    set_end = reader.end if behind is None else behind
    assigned = assignments(reader, index + 1, set_end)
    if assigned is None:
        return None
    clause = Clause(Match.MATCHED, Action.UPDATE, None, *assigned)
    source = behind + 1 if behind is not None and reader.word(behind) == "FROM" else None
    return _with_tail(reader, head, clause, source, set_end)


def _delete(reader: Reader, head: ChangeParts, index: int) -> ChangeParts | None:
    if index < reader.end and reader.word(index) not in ("USING", "WHERE", "RETURNING"):
        return None
    source = index + 1 if reader.word(index) == "USING" else None
    return _with_tail(reader, head, Clause(Match.MATCHED, Action.DELETE), source, index)


def _merge(reader: Reader, head: ChangeParts, index: int) -> ChangeParts | None:
    first_when = reader.find(index, "WHEN")
    if reader.word(index) != "USING" or first_when is None:
        return None
    returning = reader.find(first_when, "RETURNING")
    end = reader.end if returning is None else returning
    # The last ON or USING is the statement's own; those before it belong to joins of the source.
    join = None
    for at in range(index + 1, first_when):
        is_list = reader.word(at) == "USING" and reader.symbol(at + 1) == "("
        if reader.depths[at] == 0 and (reader.word(at) == "ON" or is_list):
            join = at
    if join is None:
        return None
    clauses = []
    start: int | None = first_when
    while start is not None:
        following = reader.find(start + 1, "WHEN", end=end)
        clause = _clause(reader, start + 1, end if following is None else following)
        if clause is None:
            return None
        clauses.append(clause)
        start = following
    behind = reader.piece(join + 1, first_when)
    is_on = reader.word(join) == "ON"
    return replace(
        head,
        clauses=tuple(clauses),
        source=reader.piece(index + 1, join),
        condition=behind if is_on else None,
        using=None if is_on else behind,
        returning=None if returning is None else reader.piece(returning + 1, reader.end),
    )


def _clause(reader: Reader, index: int, end: int) -> Clause | None:
    """One clause, from behind its WHEN to before `end`."""
    match = Match.MATCHED
    if reader.word(index) == "NOT":
        match, index = Match.BY_TARGET, index + 1
    if reader.word(index) != "MATCHED":
        return None
    index += 1
    if reader.word(index) == "BY":
        match = Match.BY_SOURCE if reader.word(index + 1) == "SOURCE" else Match.BY_TARGET
        index += 2
    then = reader.find(index, "THEN", end=end)
    if then is None:
        return None
    condition = reader.piece(index + 1, then) if reader.word(index) == "AND" else None
    word, index = reader.word(then + 1), then + 2
    match word:
        case "DELETE":
            return Clause(match, Action.DELETE, condition)
        case "DO":
            return Clause(match, Action.NOTHING, condition)
        case "ERROR":
            return Clause(match, Action.ERROR, condition, message=reader.piece(index, end))
        case "UPDATE":
            return _update_clause(reader, match, condition, index, end)
        case "INSERT":
            return _insert_clause(reader, match, condition, index, end)
        case _:
            return None


def relation_name(source: str) -> str | None:
    """What qualifies the columns of a source such as `s`, `main.s AS x` or `(SELECT …) x (a, b)`; None for a join."""
    reader = Reader(source)
    name, index = None, 0
    if reader.symbol(0) != "(":
        found = name_at(reader.lexemes, 0)
        if found is None:
            return None
        name, index = found[0][-1], found[1]
    if reader.symbol(index) == "(":
        closing = reader.closing(index)
        if closing is None:
            return None
        index = closing + 1
    alias, behind = _alias(reader, index)
    if reader.symbol(behind) == "(" and alias is not None:
        closing = reader.closing(behind)
        behind = reader.end if closing is None else closing + 1
    return None if behind < reader.end else alias or name


def unqualified(piece: Piece, schema: str, name: str) -> list[Piece]:
    """The piece without the schema in front of `name.`, so that an alias of that name is meant."""
    lexemes = significant(piece.text)
    kept: list[Piece] = []
    position = 0
    for index, lexeme in enumerate(lexemes):
        parts = [one.identifier.lower() for one in lexemes[index : index + 4]]
        starts = index == 0 or lexemes[index - 1].text != "."
        if not starts or parts != [schema.lower(), ".", name.lower(), "."]:
            continue
        kept.append(_part(piece, position, lexeme.start))
        position = lexemes[index + 2].start
    return [*kept, _part(piece, position, len(piece.text))]


def _part(piece: Piece, start: int, end: int) -> Piece:
    return Piece(piece.text[start:end], None if piece.offset is None else piece.offset + start)


def takes_all_columns(text: str, name: str, columns: Sequence[str]) -> bool:
    """Whether an expression may mean all columns of the relation `name` without naming them.

    That is `name.*`, `COLUMNS(…)`, or `name` alone, which stands for the row unless a column is called so.
    """
    reader = Reader(text)
    is_column = name.lower() in (column.lower() for column in columns)
    for index, lexeme in enumerate(reader.lexemes):
        after = reader.symbol(index + 1)
        if lexeme.upper == "COLUMNS" and after == "(":
            return True
        if lexeme.kind not in (Kind.WORD, Kind.QUOTED) or lexeme.identifier.lower() != name.lower():
            continue
        if after == "." and reader.symbol(index + 2).startswith("*"):
            return True
        qualified = index > 0 and reader.symbol(index - 1) == "."
        if after not in (".", "(") and not (qualified or is_column or _names_relation(reader, index)):
            return True
    return False


def _names_relation(reader: Reader, index: int) -> bool:
    """Whether the name at `index` stands in a FROM, or is an alias."""
    if reader.word(index - 1) == "AS":
        return True
    depth = reader.depths[index]
    for before in range(index - 1, -1, -1):
        if reader.depths[before] < depth:
            return False
        if reader.depths[before] == depth and reader.word(before) in _IN_FROM | _BEHIND_FROM:
            return reader.word(before) in _IN_FROM
    return False


_IN_FROM = frozenset({"FROM", "JOIN", "USING"})
_BEHIND_FROM = frozenset({"SELECT", "ON", "WHERE", "BY", "HAVING", "QUALIFY", "LIMIT", "OFFSET", "VALUES"})


def _star(reader: Reader, index: int) -> Star:
    by_name = reader.word(index) == "BY" and reader.word(index + 1) == "NAME"
    return Star.NAME if by_name else Star.POSITION


def _update_clause(
    reader: Reader, match: Match, condition: Piece | None, index: int, end: int
) -> Clause | None:
    if reader.word(index) != "SET" or reader.symbol(index + 1) == "*":
        return Clause(match, Action.UPDATE, condition, star=_star(reader, index))
    assigned = assignments(reader, index + 1, end)
    return None if assigned is None else Clause(match, Action.UPDATE, condition, *assigned)


def _insert_clause(
    reader: Reader, match: Match, condition: Piece | None, index: int, end: int
) -> Clause | None:
    if index >= end or reader.word(index) == "BY" or reader.symbol(index) == "*":
        return Clause(match, Action.INSERT, condition, star=_star(reader, index))
    if reader.word(index) == "DEFAULT":
        return Clause(match, Action.INSERT, condition, columns=())
    columns = None
    if reader.symbol(index) == "(":
        closing = reader.closing(index)
        columns = None if closing is None else reader.names(index + 1, closing)
        if closing is None or columns is None:
            return None
        index = closing + 1
    if reader.word(index) != "VALUES" or reader.symbol(index + 1) != "(":
        return None
    values = tuple(reader.value(*span) for span in reader.listed(index + 2, end - 1))
    return Clause(match, Action.INSERT, condition, columns, values)
