"""What is parsed: which texts, and what in them."""

from __future__ import annotations

import pytest

from duckraft.engine.catalog.model import Catalog
from duckraft.engine.planner.analysis import analyse

CATALOG = Catalog("test", 1, 2)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("SELECT 1 IN ($1,$2)", "SELECT 1 IN ($1, $2)"),
        ("SELECT $a+$b,$c", "SELECT $a + $b, $c"),
        ("SELECT $1,'$',$2", "SELECT $1, '$', $2"),
        ("SELECT $$it's$$", "SELECT 'it''s'"),
        ("SELECT $q$ $1,$2 $q$, 1", "SELECT ' $1,$2 ', 1"),
    ],
)
def test_dollars_of_parameters_and_of_strings_are_told_apart(text: str, read: str) -> None:
    analysis = analyse(text, CATALOG)
    assert analysis is not None
    assert analysis.root.sql(dialect="duckdb") == read
