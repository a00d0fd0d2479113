"""Statements and commands done in order, and what happens when one fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from duckraft.shell import exit_codes
from duckraft.shell.interpreter import CommandError, Interpreter, Quit, StopScript

from .tutorial import PAGE, examples


def test_rows_go_to_standard_output_and_tags_to_standard_error(
    shell: Interpreter, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.settings.format = "csv"
    shell.run_text(
        "create table t (a int primary key, b varchar); insert into t values (1, 'x'), (2, null); from t order by a"
    )
    out, err = capsys.readouterr()
    assert out == "a,b\n1,x\n2,\n"
    assert err == "CREATE TABLE\nINSERT 0 2\n"


def test_quiet_means_no_tags(shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    shell.settings.quiet = True
    shell.run_text("create table t (a int)")
    assert capsys.readouterr().err == ""


def test_an_error_ends_a_script_and_tells_its_place(
    shell: Interpreter, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StopScript):
        shell.run_text("select 1;\nselect * from missing;\nselect 2;", "load.sql")
    out, err = capsys.readouterr()
    assert "2" not in out
    assert err.startswith("load.sql:2: ERROR 42P01: Table with name missing does not exist!")
    assert "LINE 1: select * from missing\n                      ^\n" in err
    assert "Traceback" not in err
    assert shell.exit_code == exit_codes.SQL_ERROR


def test_errors_can_be_passed_over_and_are_remembered(
    shell: Interpreter, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.settings.stop_on_error = False
    shell.settings.header = False
    shell.run_text("selec;\n\\nonsense\nselect 'after'")
    out, err = capsys.readouterr()
    assert out == " after\n"
    assert err.count("ERROR") == 2
    assert shell.exit_code == exit_codes.SQL_ERROR


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("selec 1", "42601"),
        ("select nothing", "42703"),
        ("select 'x'::int", "22P02"),
        ("select 300::tinyint", "22003"),
        ("select no_such_function(1)", "42883"),
        ("select 1 +", "42601"),
        ("select 'unfinished", "42601"),
    ],
)
def test_bad_sql_gives_its_sqlstate(
    shell: Interpreter, capsys: pytest.CaptureFixture[str], sql: str, sqlstate: str
) -> None:
    with pytest.raises(StopScript):
        shell.run_text(sql)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"ERROR {sqlstate}: ")


def test_an_error_after_some_rows_is_told_and_stops(
    shell: Interpreter, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.settings.format = "jsonl"
    with pytest.raises(StopScript):
        shell.run_text(
            "select case when i < 100000 then i else error('late') end as i from range(100001) t(i)"
        )
    assert "late" in capsys.readouterr().err


def test_echo_and_timing_are_not_data(shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    shell.settings.echo = shell.settings.timing = True
    shell.settings.format = "tsv"
    shell.run_text("select 1 as a;")
    out, err = capsys.readouterr()
    assert out == "a\n1\n"
    assert err.startswith("select 1 as a\nTime: ")


def test_a_script_runs_scripts_and_errors_name_the_inner_one(
    shell: Interpreter, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    inner = tmp_path / "inner one.sql"
    inner.write_text("\ufeffselect 'inner' as i;\n\nselect * from missing")
    with pytest.raises(StopScript):
        shell.run_text(f"\\i '{inner}'\nselect 'never'", "outer.sql")
    out, err = capsys.readouterr()
    assert "inner" in out
    assert "never" not in out
    assert err.startswith(f"{inner}:3: ERROR 42P01")


def test_a_script_that_runs_itself_ends(
    shell: Interpreter, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script = tmp_path / "loop.sql"
    script.write_text(f"\\i {script}")
    with pytest.raises(StopScript):
        shell.run_file(script)
    assert "deep" in capsys.readouterr().err
    assert shell.exit_code == exit_codes.USAGE


def test_a_missing_script_is_a_problem_with_a_file(
    shell: Interpreter, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(StopScript):
        shell.run_text(f"\\i {tmp_path}/missing.sql")
    assert capsys.readouterr().err == f"ERROR: {tmp_path}/missing.sql: No such file or directory\n"
    assert shell.exit_code == exit_codes.USAGE


def test_a_script_that_is_no_text_is_refused(shell: Interpreter, tmp_path: Path) -> None:
    script = tmp_path / "latin1.sql"
    script.write_bytes(b"select '\xe9'")
    with pytest.raises(CommandError, match="not UTF-8"):
        shell.run_file(script)


def test_quit_leaves_what_follows_undone(shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Quit):
        shell.run_text("\\q\nselect 1;")
    assert capsys.readouterr().out == ""


def test_an_exception_that_nobody_foresaw_is_an_error_like_others(
    shell: Interpreter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(sql: str) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(shell.session, "execute", fail)
    with pytest.raises(StopScript):
        shell.run_text("select 1")
    err = capsys.readouterr().err
    assert err.startswith("ERROR XX000: KeyError: 'lost'\nHINT: This is a bug")
    assert "Traceback" not in err


def test_the_tutorial_shows_what_happens(shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    shell.settings.quiet = True
    found = examples(PAGE.read_text())
    assert len(found) > 8
    for sql, shown in found:
        try:
            shell.run_text(sql)
        except StopScript:
            assert shown is not None, sql
        out, err = capsys.readouterr()
        if shown is not None:
            # A terminal shows both streams; in these examples one line of each kind stands where it was written.
            assert sorted((out + err).splitlines()) == sorted(shown.splitlines())
