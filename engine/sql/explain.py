"""The options of EXPLAIN, as PostgreSQL writes them: `EXPLAIN ANALYZE …`, `EXPLAIN (ANALYZE, FORMAT json) …`."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ProgrammingError
from .lexer import Kind, Lexeme, matching_parenthesis, significant

_TRUE = frozenset({"TRUE", "ON", "1"})
_FALSE = frozenset({"FALSE", "OFF", "0"})
FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True)
class ExplainParts:
    """An EXPLAIN taken apart. body_start: 0-based offset of the statement that it is about."""

    body_start: int
    analyze: bool = False
    format: str = "text"


def parse_explain(sql: str) -> ExplainParts:
    """The parts of a statement that begins with EXPLAIN. Raises ProgrammingError for an option that is not one."""
    lexemes = significant(sql)
    if len(lexemes) > 1 and lexemes[1].upper == "ANALYZE":
        return ExplainParts(_start(lexemes, 2), analyze=True)
    closing = matching_parenthesis(lexemes, 1) if len(lexemes) > 2 and lexemes[1].text == "(" else None
    if closing is None or _is_query(lexemes[2]):
        return ExplainParts(_start(lexemes, 1))
    analyze, form = False, "text"
    for option in _options(lexemes, 2, closing):
        match option[0].upper:
            case "ANALYZE":
                analyze = _boolean(option)
            case "FORMAT":
                form = _format(option)
            case _:
                raise _refused(f'unrecognized EXPLAIN option "{option[0].text}"', option[0])
    return ExplainParts(_start(lexemes, closing + 1), analyze, form)


def _start(lexemes: list[Lexeme], index: int) -> int:
    return lexemes[index].start if index < len(lexemes) else lexemes[-1].end


def _is_query(lexeme: Lexeme) -> bool:
    """Whether a parenthesis that begins so is one around a query."""
    return lexeme.text == "(" or lexeme.upper in ("SELECT", "WITH", "FROM", "VALUES", "TABLE")


def _options(lexemes: list[Lexeme], first: int, closing: int) -> list[list[Lexeme]]:
    """The lexemes of each option between the parentheses."""
    options: list[list[Lexeme]] = [[]]
    for lexeme in lexemes[first:closing]:
        if lexeme.text == ",":
            options.append([])
        else:
            options[-1].append(lexeme)
    if not all(options):
        raise _refused("an EXPLAIN option is missing", lexemes[closing])
    return options


def _boolean(option: list[Lexeme]) -> bool:
    value = _value(option)
    if value is None or value.upper() in _TRUE:
        return True
    if value.upper() in _FALSE:
        return False
    raise _refused(f"{option[0].text} requires a Boolean value", option[1])


def _format(option: list[Lexeme]) -> str:
    value = _value(option)
    if value is None:
        raise _refused("FORMAT requires a parameter", option[0])
    if value.lower() not in FORMATS:
        raise _refused(f'unrecognized value for EXPLAIN option "format": "{value}"', option[1], "22023")
    return value.lower()


def _value(option: list[Lexeme]) -> str | None:
    """What stands behind an option's name, without quotes; None for nothing."""
    if len(option) > 2:
        raise _refused(f'syntax error at or near "{option[2].text}"', option[2])
    if len(option) == 1:
        return None
    return option[1].text.strip("'") if option[1].kind is Kind.STRING else option[1].identifier


def _refused(message: str, lexeme: Lexeme, sqlstate: str = "42601") -> ProgrammingError:
    return ProgrammingError(
        message,
        sqlstate=sqlstate,
        position=lexeme.start + 1,
        hint="The options are ANALYZE [true|false] and FORMAT text|json.",
    )
