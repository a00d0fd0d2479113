"""Which parameters a piece of a statement uses, and positions before numbering."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import ProgrammingError
from duckraft.engine.sql.fingerprint import number_parameters
from duckraft.engine.sql.parameters import check_parameters, parameters_in, position_before_numbering
from duckraft.engine.types import Parameters


@pytest.mark.parametrize(
    ("piece", "parameters", "used"),
    [
        ("select $2, '$1'", ["a", "b"], {"2": "b"}),
        ("select $x", {"x": 1, "y": 2}, {"x": 1}),
        ("select 1", ["a"], None),
        ("select $1", None, None),
    ],
)
def test_a_piece_gets_the_parameters_it_uses(piece: str, parameters: Parameters, used: Parameters) -> None:
    assert parameters_in(piece, parameters) == used


@pytest.mark.parametrize(
    ("parameters", "message"),
    [([1], r"\$2"), ([1, 2, 3], r"\$3"), (None, r"\$1, \$2"), ({"a": 1}, r"\$1, \$2")],
)
def test_too_few_or_too_many_values_are_refused(parameters: Parameters, message: str) -> None:
    with pytest.raises(ProgrammingError, match=message):
        check_parameters("select $1, $2", parameters)
    check_parameters("select $1, $2", [1, 2])


def test_positions_are_found_again() -> None:
    text = "select ?, a, ?, b" + ", ?" * 10 + ", c"
    numbered = number_parameters(text)
    for name in "abc":
        assert position_before_numbering(text, numbered.index(name) + 1) == text.index(name) + 1
    assert position_before_numbering(text, numbered.index("$1") + 1) == text.index("?") + 1
