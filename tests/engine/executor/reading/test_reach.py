"""A text reaches the tables that it names, by itself or by way of views and macros, and not too few."""

from __future__ import annotations

import pytest

from duckraft.engine.executor.reading.reach import reached
from duckraft.engine.session import Session

MADE = (
    "CREATE TABLE t (k INTEGER) SHARD BY HASH (k) SHARDS 2",
    "CREATE TABLE t2 (k INTEGER) SHARD BY HASH (k) SHARDS 2",
    'CREATE TABLE "it\'s ""odd""" (k INTEGER) SHARD BY HASH (k) SHARDS 2',
    "CREATE VIEW v AS FROM t",
    "CREATE VIEW w AS FROM v",
    "CREATE MACRO m(x) AS (SELECT count(*) FROM w WHERE k = x)",
    "CREATE MACRO listed() AS TABLE FROM query('FROM ' || 't2')",
)
ODD = 'it\'s "odd"'


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT 1", {ODD}),
        ("SELECT * FROM T2", {ODD, "t2"}),
        ("SELECT t2x, xt FROM range(3)", {ODD}),
        ('SELECT*FROM"t"', {ODD, "t"}),
        ("FROM w", {ODD, "t"}),
        ("SELECT m(3)", {ODD, "t"}),
        ("FROM query_table('t')", {ODD, "t", "t2"}),
        ("FROM listed()", {ODD, "t", "t2"}),
    ],
)
def test_a_text_reaches_what_it_names(text: str, names: set[str], session: Session) -> None:
    for sql in MADE:
        session.execute(sql)
    catalog = session.database.catalog
    assert {table.name for table in reached(text, catalog, catalog.ready_tables())} == names
