"""Which texts may run again: what passes gives the same each time, and what could give something else does not pass."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pytest

from duckraft.engine.sql.determinism import (
    FUNCTIONS,
    TYPES,
    instants,
    is_replayable,
    is_replayable_expression,
    mentions_time_zone,
)

_GRAMMAR = frozenset({"coalesce", "extract", "ifnull"})


def test_every_function_on_the_list_is_decided_by_its_arguments() -> None:
    connection = duckdb.connect()
    found = connection.execute(
        "SELECT function_name, function_type, stability, macro_definition FROM duckdb_functions()"
    ).fetchall()
    for name in FUNCTIONS - _GRAMMAR:
        known = [row[1:] for row in found if row[0] == name and row[1] not in ("table", "table_macro")]
        assert known, name
        for kind, stability, definition in known:
            if kind == "macro":
                assert is_replayable_expression(definition.replace('"if"(', "if(")), (name, definition)
            else:
                assert (kind, stability) == ("scalar", "CONSISTENT"), name


def test_every_type_on_the_list_is_duckdbs_own() -> None:
    connection = duckdb.connect()
    known = {row[0].upper() for row in connection.execute("SELECT type_name FROM duckdb_types()").fetchall()}
    assert not TYPES - known


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1, 'x', ?, DATE '2020-01-01', [1, 2], {'a': 1})",
        "insert into s.t (a, b) values ($1, lower($2)), (3, default) on conflict (a) do update set b = excluded.b",
        'INSERT OR REPLACE INTO "t" AS n ("a", b) VALUES (1, 2) RETURNING a, n.b AS "double" ;',
        "INSERT INTO t DEFAULT VALUES",
        "UPDATE t SET balance = balance - 10, at = at + INTERVAL '1 day' WHERE id = 7 AND name LIKE 'x%'",
        "UPDATE t AS x SET v = CASE WHEN a IN (1, 2) THEN upper(v) ELSE v || '!' END WHERE x.a IS DISTINCT FROM 3",
        "UPDATE t SET n = CAST(v AS DECIMAL(10, 2)), m = v::TIMESTAMP WITH TIME ZONE, j = doc -> '$.a' WHERE b[1] = 2",
        "UPDATE t SET y = extract(year FROM at), part = substring(v FROM 2), s = t.s.field",
        "DELETE FROM t WHERE a BETWEEN 1 AND 5 OR NOT (b AND c) OR d NOT IN (SELECTED, 'now')",
        "DELETE FROM t -- now()\n",
        "DELETE FROM t WHERE v = 'now()' AND now = today AND a = ANY_VALUE",
    ],
)
def test_plain_changes_of_one_table_may_run_again(sql: str) -> None:
    assert is_replayable(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "",
        "INSERT INTO t SELECT 1",
        "INSERT INTO t FROM s",
        "INSERT INTO t TABLE s",
        "INSERT INTO t VALUES (random())",
        "INSERT INTO t VALUES (now())",
        "INSERT INTO t VALUES (current_timestamp)",
        "INSERT INTO t VALUES ('x'.random())",
        "INSERT INTO t VALUES (uuid(), 1)",
        "INSERT INTO t VALUES (nextval('s'))",
        "INSERT INTO t VALUES (getvariable('x'))",
        "INSERT INTO t VALUES (current_setting('TimeZone'))",
        "INSERT INTO t VALUES ((SELECT max(a) FROM t))",
        "INSERT INTO t VALUES ('happy'::mood)",
        "INSERT INTO t VALUES (CAST('happy' AS mood))",
        "INSERT INTO t VALUES (TRY_CAST('happy' AS \"mood\"))",
        "INSERT INTO t VALUES (mood 'happy')",
        "INSERT INTO t VALUES (1::STRUCT(a mood))",
        "INSERT INTO t VALUES (own_macro(1))",
        'INSERT INTO t VALUES ("random"())',
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = random()",
        "INSERT INTO t VALUES (1) RETURNING own_macro(a)",
        "INSERT INTO t BY NAME VALUES (1)",
        "UPDATE t SET a = 1 FROM s WHERE s.b = t.b",
        "UPDATE t SET a = 1 WHERE b IN (FROM s)",
        "UPDATE t SET a = 1 WHERE b IN s",
        "UPDATE t SET a = exp(b)",
        "UPDATE t SET a = list_sort(b)",
        "UPDATE t SET a = age(b)",
        "UPDATE t SET a = hash(b)",
        "UPDATE t SET a = row_number() OVER ()",
        "UPDATE t SET a = list_transform(b, x -> random())",
        "UPDATE t SET v = COLUMNS(*)",
        "UPDATE t SET v = 1 WHERE rowid = 1",
        'UPDATE t SET v = 1 WHERE "RowId" = 1',
        "DELETE FROM t USING s WHERE s.b = t.b",
        "DELETE FROM t WHERE EXISTS (SELECT 1)",
        "DELETE FROM t WHERE a = 'unfinished",
        "WITH x AS (SELECT 1) DELETE FROM t",
        "MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE",
        "COPY t FROM 'x.csv'",
    ],
)
def test_what_could_give_something_else_may_not(sql: str) -> None:
    assert not is_replayable(sql)


def test_defaults_count_where_they_may_be_used() -> None:
    assert is_replayable("INSERT INTO t (a) VALUES (1)", ["7", "'x' || 'y'"])
    assert not is_replayable("INSERT INTO t (a) VALUES (1)", ["7", "now()"])
    assert is_replayable("UPDATE t SET a = 1", ["now()"])
    assert not is_replayable("UPDATE t SET a = DEFAULT", ["random()"])


def test_what_the_user_has_defined_hides_what_is_duckdbs() -> None:
    assert not is_replayable("UPDATE t SET a = abs(a)", own=["abs"])
    assert not is_replayable("UPDATE t SET a = a + 1", own=["+"])
    assert not is_replayable("UPDATE t SET a = v::json", own=["json"])
    assert is_replayable("UPDATE t SET a = upper(v)", own=["abs"])


@pytest.mark.parametrize(
    ("sql", "calls"),
    [
        ("UPDATE t SET a = now(), b = Current_Date, c = today ( )", ["now()", "current_date", "today()"]),
        ("UPDATE t SET a = localtimestamp - current_timestamp()", ["localtimestamp", "current_timestamp()"]),
        ("UPDATE t SET now = x.now(), b = now, c = 'now()', d = \"now\"() -- now()", []),
        ("UPDATE t SET a = current_date.b, c = now(1)", []),
    ],
)
def test_calls_that_have_one_value_for_a_transaction_are_found(sql: str, calls: list[str]) -> None:
    found = instants(sql)
    assert [one.sql for one in found] == calls
    without = [sql[one.start : one.end].lower().replace(" ", "") for one in found]
    assert without == calls


def test_where_the_time_zone_may_matter() -> None:
    assert not mentions_time_zone("UPDATE t SET a = 1", ["INTEGER"], [1, "x", None])
    assert mentions_time_zone("UPDATE t SET a = 1", ["TIMESTAMP WITH TIME ZONE[]"], None)
    assert mentions_time_zone("UPDATE t SET a = v::TIMESTAMPTZ", ["INTEGER"], None)
    assert mentions_time_zone("UPDATE t SET a = v AT TIME ZONE 'UTC'", ["INTEGER"], None)
    assert mentions_time_zone("UPDATE t SET a = ?", ["VARCHAR"], [datetime(2020, 1, 1, tzinfo=UTC)])
    assert mentions_time_zone("UPDATE t SET a = $x", ["VARCHAR"], {"x": [datetime(2020, 1, 1, tzinfo=UTC)]})
    assert not mentions_time_zone("UPDATE t SET a = $x", ["VARCHAR"], {"x": datetime(2020, 1, 1)})
