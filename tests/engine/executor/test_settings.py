"""Settings hold on all connections of a session; those that would change what statements mean are refused."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows

ON_A_SHARD = "SELECT {} FROM t WHERE k = 1"


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: ten rows by hash."""
    session.execute("CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k FROM range(10)")


@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize(
    ("sql", "expression", "value"),
    [
        ("SET VARIABLE x = 5", "getvariable('x')", 5),
        ("SET VARIABLE x = (SELECT count(*) FROM t)", "getvariable('x')", 10),
        ("SET VARIABLE x = NULL", "getvariable('x')", None),
        ("SET VARIABLE x = [1, 2]::UTINYINT[]", "typeof(getvariable('x'))", "UTINYINT[]"),
        ("SET memory_limit = '1GB'", "current_setting('memory_limit')", "953.6 MiB"),
        ("SET enable_progress_bar = false", "current_setting('enable_progress_bar')", False),
        ("SET SESSION errors_as_json_not_there = 1", "1", 1),
        ("PRAGMA disable_progress_bar", "current_setting('enable_progress_bar')", False),
    ],
)
def test_a_setting_holds_at_the_gateway_and_on_shards(
    session: Session, sql: str, expression: str, value: object, used_before: bool
) -> None:
    if "not_there" in sql:
        assert error_of(session, sql)
        return
    if used_before:
        rows(session, ON_A_SHARD.format("1"))
    session.execute(sql)
    assert rows(session, ON_A_SHARD.format(expression)) == [(value,)]
    assert rows(session, f"SELECT {expression}") == [(value,)]


def test_reset_undoes_a_setting_everywhere(session: Session) -> None:
    session.execute("SET VARIABLE x = 5")
    assert rows(session, ON_A_SHARD.format("getvariable('x')")) == [(5,)]
    session.execute("RESET VARIABLE x")
    assert rows(session, ON_A_SHARD.format("getvariable('x')")) == [(None,)]


def test_a_setting_that_fails_is_not_remembered(session: Session) -> None:
    for sql in ("SET nosuch = 1", "RESET nosuch", "SET threads = 'many'", "PRAGMA nosuch", "USE"):
        assert error_of(session, sql)
    assert rows(session, ON_A_SHARD.format("k")) == [(1,)]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("USE other", "0A000"),
        ("SET search_path = 'other'", "0A000"),
        ("SET schema TO 'other.main'", "0A000"),
        ("PRAGMA search_path = 'other'", "0A000"),
        ("USE duckraft_s0", "42501"),
        ("SET default_collation = 'nocase'", "0A000"),
        ("PRAGMA default_collation = nocase", "0A000"),
        ("SET GLOBAL arrow_lossless_conversion = false", "55P02"),
        ("RESET errors_as_json", "55P02"),
    ],
)
def test_settings_that_would_change_what_statements_mean_are_refused(
    session: Session, sql: str, sqlstate: str
) -> None:
    session.execute("ATTACH ':memory:' AS other")
    assert error_of(session, sql).sqlstate == sqlstate
    assert rows(session, "SELECT count(*) FROM t") == [(10,)]


def test_naming_the_search_path_in_force_changes_nothing(session: Session) -> None:
    rows(session, ON_A_SHARD.format("1"))
    for sql in (
        "USE memory",
        "SET search_path = 'main'",
        "SET schema = 'memory.main'",
        "RESET search_path",
        "SET default_collation = ''",
    ):
        session.execute(sql)
        assert rows(session, ON_A_SHARD.format("k")) == [(1,)]
        assert rows(session, "SELECT count(*) FROM t") == [(10,)]


def test_a_session_does_not_see_the_variables_of_another(database: Database, session: Session) -> None:
    session.execute("SET VARIABLE x = 5")
    assert rows(database.session(), "SELECT getvariable('x')") == [(None,)]
