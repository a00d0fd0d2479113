"""Which columns cannot be in a key, and what the user is told."""

from __future__ import annotations

import pytest

from duckraft.engine.errors import NotSupportedError, ProgrammingError
from duckraft.engine.sharding import HashStrategy, KeyColumn


@pytest.mark.parametrize(
    "type_name",
    [
        "INTEGER[]",
        "INTEGER[3]",
        "STRUCT(a INTEGER)",
        "MAP(INTEGER, INTEGER)",
        "UNION(a INTEGER)",
        "JSON",
        "VARIANT",
        "BIGNUM",
        "GEOMETRY",
    ],
)
def test_a_type_that_cannot_be_a_key_is_refused_with_its_column_and_what_to_do(type_name: str) -> None:
    with pytest.raises(NotSupportedError) as caught:
        HashStrategy((KeyColumn("id", "BIGINT"), KeyColumn("tags", type_name)), 4)
    assert caught.value.sqlstate == "0A000"
    assert 'column "tags"' in caught.value.message
    assert type_name in caught.value.message
    assert caught.value.hint is not None


def test_a_key_without_columns_is_refused() -> None:
    with pytest.raises(ProgrammingError, match="needs a column"):
        HashStrategy((), 4)


def test_a_column_cannot_be_in_the_key_twice() -> None:
    with pytest.raises(ProgrammingError) as caught:
        HashStrategy((KeyColumn("k", "BIGINT"), KeyColumn("K", "BIGINT")), 4)
    assert caught.value.sqlstate == "42701"
