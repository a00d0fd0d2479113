"""Calls of sequences in texts."""

from __future__ import annotations

import duckdb
import pytest

from duckraft.engine.sql.sequences import at_gateway, at_gateway_sql, draws, on_shards, sequence_names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT nextval('s')", True),
        ("select \"nextval\"('s')", True),
        ("SELECT setval('s', 1)", True),
        ("SELECT currval('s')", False),
        ("SELECT nextvalue", False),
    ],
)
def test_draws(text: str, expected: bool) -> None:
    assert draws(text) is expected


def test_names_of_sequences() -> None:
    text = """nextval('s') + NextVal ( 'a.b' ) + nextval('"it''s"."x y"') + nextval(?) + 'nextval(''no'')'"""
    assert sequence_names(text) == [("s",), ("a", "b"), ("it's", "x y")]


@pytest.mark.parametrize(
    "default",
    ["nextval('s')", "(nextval('a.b') * 10)", "nextval('\"it''s\".s')", "nextval('s') + nextval('t')", "7"],
)
def test_a_default_comes_back_from_the_shard_as_it_was(default: str) -> None:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t (k INT, v INT DEFAULT ({on_shards(default)}))")
    kept = connection.execute(
        "SELECT column_default FROM duckdb_columns() WHERE column_name = 'v'"
    ).fetchall()
    plain = duckdb.connect()
    plain.execute(
        'CREATE SEQUENCE s; CREATE SEQUENCE t; CREATE SCHEMA a; CREATE SEQUENCE a.b; CREATE SCHEMA "it\'s"'
    )
    plain.execute('CREATE SEQUENCE "it\'s".s')
    plain.execute(f"CREATE TABLE t (k INT, v INT DEFAULT ({default}))")
    wanted = plain.execute("SELECT column_default FROM duckdb_columns() WHERE column_name = 'v'").fetchall()
    assert at_gateway(kept[0][0]) == wanted[0][0]
    in_sql = f"SELECT {at_gateway_sql('column_default')} FROM duckdb_columns() WHERE column_name = 'v'"
    assert connection.execute(in_sql).fetchall() == wanted


def test_a_shard_cannot_use_such_a_default() -> None:
    connection = duckdb.connect()
    default = on_shards("nextval('s')")
    connection.execute(f"CREATE TABLE t (k INT, v INT DEFAULT {default})")
    with pytest.raises(duckdb.InvalidInputException, match="only the gateway"):
        connection.execute("INSERT INTO t (k) VALUES (1)")
