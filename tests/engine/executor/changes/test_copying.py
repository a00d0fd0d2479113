"""COPY … FROM: every format, as DuckDB's own COPY would read it; an error changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from tests.engine.executor.support import contents, error_of, rows


@pytest.fixture(autouse=True)
def table(session: Session) -> None:
    """t: two rows; g is made by DuckDB."""
    session.execute(
        "CREATE TABLE t (k INT PRIMARY KEY, v VARCHAR DEFAULT 'd', g INT GENERATED ALWAYS AS (k * 2))"
    )
    session.execute("INSERT INTO t (k) VALUES (1), (2)")


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("k,v\n5,x\n6,y\n", "", [(5, "x"), (6, "y")]),
        ("5,x\n6,y\n", "(HEADER false)", [(5, "x"), (6, "y")]),
        ("5|x\n6|NIX\n", "(FORMAT csv, DELIMITER '|', NULL 'NIX', HEADER false)", [(5, "x"), (6, None)]),
        ("k;v\n5;'a;b'\n", "WITH (DELIM ';', QUOTE '''', HEADER)", [(5, "a;b")]),
    ],
)
def test_csv(session: Session, tmp_path: Path, text: str, options: str, expected: list[object]) -> None:
    file = tmp_path / "it's.csv"
    file.write_text(text)
    quoted = str(file).replace("'", "''")
    result = session.execute(f"COPY t FROM '{quoted}' {options}")
    assert (result.tag, result.rowcount) == (f"COPY {len(expected)}", len(expected))
    assert rows(session, "SELECT k, v FROM t WHERE k > 2 ORDER BY k") == expected


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "csv.gz"])
def test_what_was_copied_out_can_be_copied_in(session: Session, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"t.{ending}"
    assert session.execute(f"COPY (SELECT k, v FROM t) TO '{file}'").tag == "COPY 2"
    session.execute("DELETE FROM t")
    assert session.execute("COPY t FROM ?", [str(file)]).tag == "COPY 2"
    assert rows(session, "FROM t ORDER BY k") == [(1, "d", 2), (2, "d", 4)]


def test_named_columns_leave_the_others_to_their_defaults(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("7\n8\n")
    session.execute(f"COPY t (k) FROM '{file}' (HEADER false)")
    assert rows(session, "FROM t WHERE k > 6 ORDER BY k") == [(7, "d", 14), (8, "d", 16)]
    assert error_of(session, f"COPY t (v) FROM '{file}'").sqlstate == "23502"
    assert error_of(session, f"COPY t (nosuch) FROM '{file}'").sqlstate == "42703"


@pytest.mark.parametrize(
    ("text", "options", "sqlstate"),
    [
        ("k,v\n5,x\nnine,y\n", "", None),
        ("k,v\n5,x\n1,again\n", "", "23505"),
        ("k,v\n5,x\n,y\n", "", "23502"),
        ("k,v\n5,x\n", "(FORMAT avro)", "0A000"),
        ("k,v\n5,x\n", "(NOSUCH 1)", None),
    ],
)
def test_an_error_changes_nothing(
    database: Database, session: Session, tmp_path: Path, text: str, options: str, sqlstate: str | None
) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text)
    before = contents(database)
    error = error_of(session, f"COPY t FROM '{file}' {options}")
    assert sqlstate in (None, error.sqlstate)
    assert contents(database) == before
    assert error_of(session, f"COPY t FROM '{file}.nosuch'").sqlstate == "58030"


def test_other_tables_are_duckdbs_own(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a\n1\n")
    session.execute("CREATE TEMP TABLE mine (a INT)")
    assert session.execute(f"COPY mine FROM '{file}'").tag == "COPY 1"
    assert error_of(session, f"COPY nosuch FROM '{file}'").sqlstate == "42P01"


def test_a_shard_key_that_the_file_leaves_out_gets_its_default(session: Session, tmp_path: Path) -> None:
    session.execute("CREATE TABLE keyed (k INT DEFAULT 4, v VARCHAR) SHARD BY HASH (k)")
    file = tmp_path / "t.csv"
    file.write_text("a\nb\n")
    session.execute(f"COPY keyed (v) FROM '{file}' (HEADER false)")
    assert rows(session, "SELECT v FROM keyed WHERE k = 4 ORDER BY v") == [("a",), ("b",)]


@pytest.mark.parametrize(("ending", "sqlstate"), [("parquet", "22P02"), ("csv", "22P02")])
def test_a_file_must_have_the_columns_that_are_listed(
    session: Session, tmp_path: Path, ending: str, sqlstate: str
) -> None:
    file = tmp_path / f"t.{ending}"
    session.execute(f"COPY (SELECT 'a' AS v, 7 AS k) TO '{file}'")
    assert error_of(session, f"COPY t (k) FROM '{file}'").sqlstate == sqlstate
    assert session.execute(f"COPY t (v, k) FROM '{file}'").rowcount == 1
