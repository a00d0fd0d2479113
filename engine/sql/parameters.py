"""The parameters of a statement: which of them a piece of it uses, and where it was before they were numbered.

Leaves to others: numbering them (`fingerprint.py`), binding their values (DuckDB).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ProgrammingError
from ..types import Parameters
from .lexer import Kind, scan


def parameters_in(piece: str, parameters: Parameters) -> Parameters:
    """Those of a statement's parameters that a piece of its numbered text uses; DuckDB takes no more than these."""
    if parameters is None:
        return None
    used = _names(piece)
    if not used:
        return None
    return {name: value for name, value in _named(parameters).items() if name in used}


def check_parameters(text: str, parameters: Parameters) -> None:
    """Raise ProgrammingError unless the values given are those that the numbered text asks for."""
    wanted, given = _names(text), set(_named(parameters))
    if wanted - given:
        listed = ", ".join(f"${name}" for name in sorted(wanted - given))
        raise ProgrammingError(f"no value is given for the parameter {listed}", sqlstate="08P01")
    if given - wanted:
        listed = ", ".join(f"${name}" for name in sorted(given - wanted))
        raise ProgrammingError(f"the statement has no parameter {listed}", sqlstate="08P01")


def position_before_numbering(text: str, position: int) -> int:
    """The position in `text` of what is at `position` after its `?` became `$1`, `$2`, … Both count from 1."""
    count = shift = 0
    for lexeme in scan(text):
        if lexeme.kind is Kind.PARAMETER and lexeme.text == "?":
            if lexeme.start + shift + 1 >= position:
                break
            count += 1
            shift += len(str(count))
    return position - shift


def _names(text: str) -> set[str]:
    return {lexeme.text[1:] for lexeme in scan(text) if lexeme.kind is Kind.PARAMETER}


def _named(parameters: Parameters) -> Mapping[str, Any]:
    if parameters is None:
        return {}
    if isinstance(parameters, Mapping):
        return parameters
    return {str(number): value for number, value in enumerate(parameters, start=1)}
