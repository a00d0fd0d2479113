"""Every setting and every PRAGMA that DuckDB knows: applied wherever statements run, or refused with a reason."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error
from duckraft.engine.executor.own_settings import OWN
from duckraft.engine.executor.settings import REFUSED
from duckraft.engine.session import Session
from tests.engine.executor.support import error_of, rows

VALUES = {
    "Calendar": "'japanese'",
    "TimeZone": "'Asia/Tokyo'",
    "default_block_size": "16384",
    "default_null_order": "'nulls_first'",
    "default_order": "'desc'",
    "disabled_compression_methods": "'rle'",
    "disabled_filesystems": "'LocalFileSystem'",
    "disabled_optimizers": "'join_order'",
    "enable_logging": "false",
    "enable_profiling": "'json'",
    "explain_output": "'all'",
    "external_file_cache_local_max_block_size": "8192",
    "external_file_cache_remote_max_block_size": "1048576",
    "external_file_cache_remote_min_block_size": "8192",
    "initial_column_segment_size": "4096",
    "max_execution_time": "60000",
    "null_order": "'nulls_first'",
    "operator_memory_limit": "'1GB'",
    "preserve_identifier_case": "'lowercase'",
    "regex_match_operator_semantics": "'full'",
    "schema": "'main'",
    "search_path": "'main'",
}
"""What to set where the value before and its type do not say."""

RELIED_ON = dict.fromkeys(
    (
        "allowed_configs",
        "arrow_large_buffer_size",
        "arrow_lossless_conversion",
        "arrow_output_list_view",
        "arrow_output_version",
        "errors_as_json",
        "python_enable_replacements",
        "python_scan_all_frames",
    ),
    "55P02",
)
IRREVERSIBLE = {"enable_external_access"}
"""Settings with tests of their own."""

PRAGMAS_WITH_ARGUMENTS = {
    "add_parquet_key": "('key', '0123456789012345')",
    "copy_database": "(memory, other)",
    "import_database": "('nowhere')",
    "json_execute_serialized_sql": "(json_serialize_sql('SELECT 1'))",
    "metadata_info": "",
    "storage_info": "('t')",
    "table_info": "('t')",
}
REFUSED_PRAGMAS = {"enable_profile": "0A000", "enable_profiling": "0A000", "import_database": "58P01"}


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: ten rows by hash."""
    session.execute("CREATE TABLE t SHARD BY HASH (k) AS SELECT range AS k FROM range(10)")


def another_value(name: str, before: object, kind: str) -> str:
    """A value that the setting does not have."""
    if name in VALUES:
        return VALUES[name]
    if kind == "BOOLEAN":
        return str(not before).lower()
    if kind in ("BIGINT", "UBIGINT"):
        return str(int(str(before or 0)) + 1)
    if kind == "DOUBLE":
        return "0.25"
    return f"'{before or 'x'}'"


def test_every_setting_is_applied_everywhere_or_refused(session: Session) -> None:
    plain = duckdb.connect()
    known = plain.execute("SELECT name, input_type FROM duckdb_settings() ORDER BY name").fetchall()
    assert len(known) > 150
    wrong: list[str] = []
    for name, kind in known:
        if name in IRREVERSIBLE:
            continue
        before = plain.execute(f"SELECT current_setting('{name}')").fetchone()
        sql = f"SET {name} = {another_value(name, before[0] if before else None, kind)}"
        expected = "0A000" if name in REFUSED else RELIED_ON.get(name)
        try:
            if expected is None:
                plain.execute(sql)
            duckdb_takes_it = True
        except duckdb.Error:
            duckdb_takes_it = False
        try:
            session.execute(sql)
        except Error as error:
            if error.sqlstate != expected and (expected is not None or duckdb_takes_it):
                wrong.append(f"{sql}: {error.sqlstate} {error.message}")
            continue
        if expected is not None or not duckdb_takes_it:
            wrong.append(f"{sql}: accepted")
        elif name not in ("schema", "search_path"):
            here = rows(session, f"SELECT current_setting('{name}')")
            on_shard = rows(session, f"SELECT current_setting('{name}') FROM t WHERE k = 1")
            in_duckdb = plain.execute(f"SELECT current_setting('{name}')").fetchall()
            if here != on_shard or (here != in_duckdb and "memory" not in name):
                wrong.append(f"{sql}: {here} at the gateway, {on_shard} on a shard, {in_duckdb} in DuckDB")
        try:
            plain.execute(f"RESET {name}")
        except duckdb.Error:
            assert error_of(session, f"RESET {name}")
            continue
        session.execute(f"RESET {name}")
        if name not in ("schema", "search_path"):
            here = rows(session, f"SELECT current_setting('{name}')")
            on_shard = rows(session, f"SELECT current_setting('{name}') FROM t WHERE k = 1")
            if here != on_shard:
                wrong.append(f"RESET {name}: {here} at the gateway, {on_shard} on a shard")
    assert wrong == []
    assert rows(session, "SELECT count(*) FROM t") == [(10,)]


def test_every_pragma_runs_or_is_refused(session: Session) -> None:
    plain = duckdb.connect()
    plain.execute("CREATE TABLE t AS SELECT range AS k FROM range(10)")
    session.execute("ATTACH ':memory:' AS other")
    plain.execute("ATTACH ':memory:' AS other")
    known = plain.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'pragma' ORDER BY 1"
    ).fetchall()
    assert len(known) > 30
    wrong: list[str] = []
    for (name,) in known:
        sql = f"PRAGMA {name}{PRAGMAS_WITH_ARGUMENTS.get(name, '')}"
        expected = REFUSED_PRAGMAS.get(name)
        if expected is None:
            try:
                plain.execute(sql).fetchall()
            except duckdb.Error:
                expected = "an error of DuckDB's"
        try:
            rows(session, sql)
            found = None
        except Error as error:
            found = error.sqlstate
        if found != expected and (found is None or expected != "an error of DuckDB's"):
            wrong.append(f"{sql}: {found}, expected {expected}")
    assert wrong == []
    assert rows(session, "SELECT count(*) FROM t") == [(10,)]


def test_each_refusal_has_a_reason_and_a_way(session: Session) -> None:
    for name in REFUSED:
        error = error_of(session, f"SET {name} = 'true'")
        assert error.sqlstate == "0A000"
        assert error.hint


def test_without_external_access_tables_are_still_made(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    with Database.open(tmp_path / "data", shards=2, threads=2) as database:
        session = database.session()
        session.execute("CREATE TABLE t (k INTEGER)")
        session.execute("SET enable_external_access = false")
        session.execute("CREATE TABLE u (k INTEGER) SHARD BY HASH (k) SHARDS 8")
        session.execute("INSERT INTO u SELECT range FROM range(100)")
        session.execute("CHECKPOINT")
        assert rows(session, "SELECT count(*) FROM u") == [(100,)]
        assert error_of(session, f"FROM read_text('{tmp_path}/outside')").sqlstate == "42501"


@pytest.mark.parametrize("name", sorted(OWN))
def test_settings_of_our_own_are_read_like_others(database: Database, session: Session, name: str) -> None:
    value = {
        "duckraft_binding": "streamed",
        "default_transaction_isolation": "repeatable read",
        "default_transaction_read_only": "on",
    }.get(name, "1min")
    assert rows(session, f"SHOW {name}") == [(OWN[name].default,)]
    session.execute(f"SET {name} = '{value}'")
    for sql in (
        f"SHOW {name}",
        f"SELECT current_setting('{name}')",
        f"SELECT value FROM duckdb_settings() WHERE name = '{name}'",
        f"SELECT setting FROM pg_settings WHERE name = '{name}'",
    ):
        assert rows(session, sql) == [(value,)], sql
        assert rows(database.session(), sql) == [(OWN[name].default,)], sql
    assert (
        session.execute(f"SELECT current_setting('{name}')").columns[0].name == f"current_setting('{name}')"
    )
    session.execute(f"RESET {name}")
    assert rows(session, f"SHOW {name}") == [(OWN[name].default,)]


@pytest.mark.parametrize(
    ("value", "timeout_s", "shown"),
    [
        ("1500", 1.5, "1500ms"),
        ("'1500'", 1.5, "1500ms"),
        ("'2s'", 2, "2s"),
        ("'0.5 min'", 30, "30s"),
        ("'90min'", 5400, "90min"),
        ("'1d'", 86400, "1d"),
        ("'250us'", None, "0"),
        ("0", None, "0"),
        ("DEFAULT", None, "0"),
    ],
)
def test_a_timeout_is_written_as_postgresql_does(
    session: Session, value: str, timeout_s: float | None, shown: str
) -> None:
    session.execute("SET statement_timeout = '7h'")
    session.execute(f"SET statement_timeout TO {value}")
    assert session.context.statement_timeout_s == timeout_s
    assert rows(session, "SHOW statement_timeout") == [(shown,)]


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("statement_timeout", "statement_timeout_s"),
        ("lock_timeout", "connections.transactions.lock_timeout_s"),
        ("transaction_timeout", "limits.transaction_timeout_s"),
        ("idle_in_transaction_session_timeout", "limits.idle_timeout_s"),
    ],
)
def test_each_timeout_reaches_the_session(session: Session, name: str, attribute: str) -> None:
    value = attrgetter(attribute)
    session.execute(f"SET {name} = '2s'")
    assert value(session.context) == 2
    session.execute(f"RESET {name}")
    assert value(session.context) is None


@pytest.mark.parametrize(("given", "shown"), [("true", "on"), ("ON", "on"), ("1", "on"), ("off", "off")])
def test_whether_transactions_only_read_is_a_boolean(session: Session, given: str, shown: str) -> None:
    session.execute(f"SET default_transaction_read_only = {given}")
    assert rows(session, "SHOW default_transaction_read_only") == [(shown,)]
    assert session.context.connections.transactions.default_read_only is (shown == "on")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("'SERIALIZABLE'", "serializable"),
        ("'repeatable  read'", "repeatable read"),
        ("snapshot", "repeatable read"),
    ],
)
def test_the_level_of_new_transactions(session: Session, given: str, shown: str) -> None:
    session.execute(f"SET default_transaction_isolation TO {given}")
    assert rows(session, "SHOW default_transaction_isolation") == [(shown,)]
    assert session.context.default_isolation == shown


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SET statement_timeout = 'soon'", "22023"),
        ("SET statement_timeout = '-1'", "22023"),
        ("SET statement_timeout = '100000000d'", "22023"),
        ("SET statement_timeout", "42601"),
        ("SET lock_timeout = 'soon'", "22023"),
        ("SET default_transaction_isolation = 'chaos'", "22023"),
        ("SET default_transaction_read_only = 'perhaps'", "22023"),
        ("SET duckraft_binding = 'loose'", "22023"),
        ("SET GLOBAL duckraft_binding = 'streamed'", "0A000"),
        ("SET duckraft_nosuch = 1", "42501"),
        ("SET VARIABLE duckraft_settings = 1", "42501"),
    ],
)
def test_what_cannot_be_set_changes_nothing(session: Session, sql: str, sqlstate: str) -> None:
    assert error_of(session, sql).sqlstate == sqlstate
    assert rows(session, "SHOW statement_timeout") == [("0",)]
    assert session.context.binding == "attached"
