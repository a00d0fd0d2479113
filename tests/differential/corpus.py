"""The curated data set and the curated queries on it.

A file of queries is SQL text; each statement ends with a semicolon at the end of a line. Comments that start with
`-- parameters:` give the values for the statement below them, as a Python literal. Where a statement ends in an ORDER
BY of its own, that order leaves nothing open but the order of equal rows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb

from .harness import Sharded, Statement
from .layouts import TableSpec, create_plain, create_statements

QUERIES = Path(__file__).parent / "queries"
SCRIPTS = Path(__file__).parent / "scripts"

_PARAMETERS = re.compile(r"^-- parameters: (.*)$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)
_END = re.compile(r";[ \t]*\n")

TABLES = (
    TableSpec(
        "customers",
        "id INTEGER, name VARCHAR, city VARCHAR, balance DECIMAL(12,2), since DATE, score DOUBLE, vip BOOLEAN",
        "id",
        ("-5", "4", "9", "13", "20", "27", "33", "40"),
    ),
    TableSpec(
        "orders",
        "customer_id INTEGER, order_id BIGINT, placed TIMESTAMP, amount DECIMAL(10,2), status VARCHAR, note VARCHAR",
        "customer_id",
        ("-5", "4", "9", "13", "20", "27", "33", "40"),
    ),
    TableSpec(
        "items",
        "order_id BIGINT, product VARCHAR, quantity INTEGER, price DOUBLE",
        "order_id",
        ("1010", "1020", "1033", "1050", "1061", "1070", "1090", "1110"),
    ),
    TableSpec(
        "products",
        "product VARCHAR, category VARCHAR, tags VARCHAR[], size STRUCT(w INTEGER, h INTEGER),"
        " prices MAP(VARCHAR, INTEGER)",
        "product",
        ("''", "'Apple'", "'bolt'", "'cog'", "'gear'", "'nut'", "'screw'", "'wheel'"),
    ),
    TableSpec(
        "events",
        "day DATE, moment TIMESTAMP, kind VARCHAR, value INTEGER",
        "day",
        (
            "DATE '2023-06-01'",
            "DATE '2024-01-01'",
            "DATE '2024-01-10'",
            "DATE '2024-02-01'",
            "DATE '2024-02-29'",
            "DATE '2024-03-10'",
            "DATE '2024-04-01'",
        ),
    ),
    TableSpec(
        "pairs",
        "a INTEGER, b VARCHAR, v INTEGER",
        "a, b",
        ("1, 'x'", "2, 'y'", "3, 'x'", "5, 'z'", "6, 'x'", "7, 'y'", "8, 'x'"),
    ),
    TableSpec(
        "cities",
        "city VARCHAR, country VARCHAR, people INTEGER",
        "city",
        ("'Bern'", "'Oslo'", "'Paris'", "'Rome'"),
    ),
    TableSpec("nothing", "k INTEGER, v VARCHAR", "k", ("1", "5", "9")),
    TableSpec("lonely", "k INTEGER, v VARCHAR", "k", ("7", "8", "9")),
    TableSpec('"Mixed Case"', '"Key" INTEGER, "select" VARCHAR, "a.b" INTEGER', '"Key"', ("2", "4", "6")),
    TableSpec("archive.orders", "customer_id INTEGER, amount INTEGER", "customer_id", ("5", "10", "20")),
)

BEFORE = ("CREATE SCHEMA archive",)
"""Statements that come before the tables."""

DATA = (
    "INSERT INTO customers SELECT CASE WHEN i = 38 THEN NULL WHEN i = 39 THEN -7 ELSE i END, "
    "CASE WHEN i % 11 = 7 THEN NULL ELSE 'name ' || (i % 17) END, "
    "['Bern', 'Oslo', 'Paris', 'Rome', NULL, 'Nowhere'][1 + i % 6], ((i * 37) % 101 - 30)::DECIMAL(12,2) / 4, "
    "DATE '2020-01-01' + (i * 40)::INTEGER, "
    "CASE WHEN i % 9 = 4 THEN NULL WHEN i = 20 THEN 'nan'::DOUBLE ELSE i / 7 END, "
    "[true, false, NULL][1 + i % 3] FROM range(1, 41) r(i)",
    "INSERT INTO orders SELECT CASE WHEN i % 23 = 0 THEN NULL WHEN i % 31 = 0 THEN -7 ELSE 1 + (i * 7) % 45 END, "
    "1000 + i, TIMESTAMP '2024-01-01 08:00:00' + INTERVAL (i * 11) HOUR, ((i * 53) % 200)::DECIMAL(10,2) / 8, "
    "['open', 'paid', 'sent', NULL][1 + i % 4], CASE WHEN i % 5 = 0 THEN 'note''s ' || i END FROM range(120) r(i)",
    "INSERT INTO items SELECT CASE WHEN i % 29 = 0 THEN NULL ELSE 1000 + (i * 13) % 125 END, "
    "['bolt', 'nut', 'gear', 'cog', 'Bolt', '', NULL, 'żółw'][1 + (i // 3) % 8], i % 7, "
    "CASE WHEN i % 17 = 3 THEN NULL ELSE (i % 40) * 0.25 END FROM range(160) r(i)",
    "INSERT INTO products VALUES ('bolt', 'metal', ['small', 'hard'], {'w': 1, 'h': 2}, MAP {'eur': 5, 'usd': 6}), "
    "('nut', 'metal', ['small'], {'w': 1, 'h': 1}, MAP {'eur': 3}), "
    "('gear', 'metal', [], {'w': 5, 'h': NULL}, MAP {}), "
    "('cog', 'wood', NULL, NULL, NULL), ('Bolt', 'wood', ['hard', NULL], {'w': NULL, 'h': 7}, MAP {'usd': 1}), "
    "('', 'empty', [''], {'w': 0, 'h': 0}, MAP {'eur': 0}), (NULL, NULL, ['none'], {'w': 9, 'h': 9}, MAP {'chf': 9}), "
    "('żółw', 'toy', ['slow'], {'w': 3, 'h': 4}, MAP {'pln': 44}), ('wheel', 'wood', ['round'], NULL, NULL)",
    "INSERT INTO events SELECT CASE WHEN i % 19 = 5 THEN NULL ELSE DATE '2023-12-20' + ((i * 3) % 110)::INTEGER END, "
    "TIMESTAMP '2023-12-20 00:00:00' + INTERVAL (i * 17) MINUTE, ['in', 'out', 'in', NULL][1 + i % 4], "
    "CASE WHEN i % 8 = 6 THEN NULL ELSE (i * 31) % 50 - 10 END FROM range(90) r(i)",
    "INSERT INTO pairs SELECT CASE WHEN i % 13 = 0 THEN NULL ELSE i % 9 END, ['x', 'y', 'z', NULL][1 + i % 4], i "
    "FROM range(60) r(i)",
    "INSERT INTO cities VALUES ('Bern', 'CH', 134), ('Oslo', 'NO', 700), ('Paris', 'FR', 2100), ('Rome', 'IT', 2800), "
    "('Madrid', 'ES', 3200), (NULL, 'XX', NULL)",
    "INSERT INTO lonely SELECT 7, 'v' || i FROM range(6) r(i)",
    "INSERT INTO \"Mixed Case\" SELECT i, 'v' || i % 3, i * i FROM range(8) r(i)",
    "INSERT INTO archive.orders SELECT i % 30, i * 10 FROM range(45) r(i)",
)

AFTER = (
    "CREATE VIEW big_orders AS SELECT customer_id, order_id, amount FROM orders WHERE amount > 12",
    "CREATE VIEW per_customer AS SELECT customer_id, count(*) AS n, sum(amount) AS total FROM orders GROUP BY 1",
    "CREATE MACRO twice(x) AS x * 2",
    "CREATE MACRO orders_of(c) AS TABLE SELECT order_id, amount FROM orders WHERE customer_id = c",
)


def load_plain(connection: duckdb.DuckDBPyConnection, *, backwards: bool = False) -> None:
    """Make and fill the tables. backwards: with the rows of each table in the opposite order."""
    for sql in (*BEFORE, *map(create_plain, TABLES), *DATA):
        connection.execute(sql)
    if backwards:
        for table in TABLES:
            connection.execute(f"CREATE TEMP TABLE turned AS FROM {table.name} ORDER BY rowid DESC")
            connection.execute(f"DELETE FROM {table.name}")
            connection.execute(f"INSERT INTO {table.name} FROM turned")
            connection.execute("DROP TABLE turned")
    for sql in AFTER:
        connection.execute(sql)


def load_sharded(layout: str, shards: int) -> Sharded:
    """A new sharded database with the tables, for the caller to close."""
    sharded = Sharded(f"{layout}, {shards} shards", shards)
    sharded.run([*BEFORE, *create_statements(TABLES, layout, shards), *DATA, *AFTER])
    return sharded


def statements(theme: str) -> Iterator[Statement]:
    """The statements of one file of queries."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    for part in _END.split((QUERIES / f"{theme}.sql").read_text() + "\n"):
        sql = _COMMENT.sub("", part).strip()
        if not sql:
            continue
        found = _PARAMETERS.search(part)
        try:
            ordered = sqlglot.parse_one(sql, read="duckdb").args.get("order") is not None
        except SqlglotError:
            ordered = False
        yield Statement(sql, ast.literal_eval(found.group(1)) if found else None, ordered)


def script(name: str) -> list[str]:
    """The statements of a script, to be run in this order."""
    parts = _END.split((SCRIPTS / f"{name}.sql").read_text() + "\n")
    return [sql for part in parts if (sql := _COMMENT.sub("", part).strip())]


def themes() -> list[str]:
    """The names of the files of queries."""
    return sorted(path.stem for path in QUERIES.glob("*.sql"))
