"""The command line: options, order, exit codes, what goes where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from duckraft.engine.version import __version__
from duckraft.shell import cli, exit_codes

from .support import command_line, environment, run_process

Capture = pytest.CaptureFixture[str]


def test_commands_run_in_order_and_may_hold_several_statements(capsys: Capture) -> None:
    assert (
        cli.run(["-q", "--format", "csv", "--no-header", "-c", "select 1; select 2", "-c", "select 3"]) == 0
    )
    assert capsys.readouterr() == ("1\n2\n3\n", "")


def test_commands_and_files_keep_the_order_of_the_command_line(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("select 'a'")
    (tmp_path / "b.sql").write_text("select 'b'")
    steps = ["-c", "select 1", "-f", f"{tmp_path}/a.sql", "-c", "select 2", "--file", f"{tmp_path}/b.sql"]
    assert cli.run(["--format", "tsv", "--no-header", *steps]) == 0
    assert capsys.readouterr().out == "1\na\n2\nb\n"


def test_version(capsys: Capture) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"duckraft {__version__}\n"


def test_help_names_the_tour_and_the_exit_codes(capsys: Capture) -> None:
    assert cli.run(["--help"]) == 0
    out = capsys.readouterr().out
    assert "duckraft tour" in out
    assert "3 SQL error" in out
    assert cli.run(["tour", "--help"]) == 0
    assert "--no-pause" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["--format", "xml", "-c", "select 1"],
        ["-f", "missing.sql"],
        ["--shards", "0", "-c", "select 1"],
        ["a", "b"],
        ["--shards", "2", "tour"],
        ["-c", "\\nonsense"],
        ["-c", "\\i missing.sql"],
        ["--output", "missing/folder/x.csv", "-c", "select 1"],
        ["tour", "--no-such-option"],
    ],
)
def test_wrong_usage_and_missing_files_exit_with_1(
    arguments: list[str], capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(arguments) == exit_codes.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert "Error" in err or "ERROR" in err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_found_before_anything_runs(capsys: Capture) -> None:
    assert cli.run(["-c", "select 1", "-f", "missing.sql"]) == exit_codes.USAGE
    assert capsys.readouterr().out == ""


def test_an_sql_error_exits_with_3_and_stops(capsys: Capture) -> None:
    assert cli.run(["-c", "select * from missing", "-c", "select 1"]) == exit_codes.SQL_ERROR
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ERROR 42P01: ")


def test_an_sql_error_that_is_passed_over_still_exits_with_3(capsys: Capture) -> None:
    steps = ["-c", "selec", "-c", "select 1"]
    assert cli.run(["--on-error", "continue", "--format", "csv", *steps]) == exit_codes.SQL_ERROR
    assert capsys.readouterr().out == "1\n1\n"


def test_a_database_that_cannot_be_opened_exits_with_2(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database")
    assert cli.run([str(tmp_path / "file"), "-c", "select 1"]) == exit_codes.NO_DATABASE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ERROR")


def test_a_database_in_a_directory_is_kept(capsys: Capture, tmp_path: Path) -> None:
    path = str(tmp_path / "flights")
    create = "create table t (a int primary key); insert into t select * from range(10)"
    assert cli.run([path, "--shards", "3", "-c", create]) == 0
    assert cli.run([path, "--format", "jsonl", "-c", "select count(*)::int as n from t"]) == 0
    assert capsys.readouterr().out == '{"n": 10}\n'


def test_a_directory_called_tour_is_reached_by_its_path(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["./tour", "-c", "select 1"]) == exit_codes.FINE
    assert (tmp_path / "tour").is_dir()


def test_rows_can_go_to_a_file(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    assert cli.run(["-o", str(file), "--format", "json", "-c", "select 1 as a"]) == 0
    assert json.loads(file.read_text()) == [{"a": 1}]
    assert capsys.readouterr().out == ""


def test_standard_input_is_a_script() -> None:
    done = run_process(["--format", "csv"], stdin="select 1 as a;\nselect\n  * from missing;\nselect 2;")
    assert done.returncode == exit_codes.SQL_ERROR
    assert done.stdout == "a\n1\n"
    assert done.stderr.startswith("<stdin>:2: ERROR 42P01")


def test_a_dash_is_standard_input() -> None:
    done = run_process(["--format", "csv", "-c", "select 1 as a", "-f", "-"], stdin="select 'ü' as b")
    assert (done.returncode, done.stdout) == (0, "a\n1\nb\nü\n")


def test_input_that_is_no_text_is_refused() -> None:
    done = run_process([], stdin=b"select '\xff';\n")
    assert (done.returncode, done.stdout) == (exit_codes.USAGE, "")
    assert done.stderr == "ERROR: standard input is not UTF-8 text\n"


def test_a_statement_on_standard_input_runs_before_the_next_is_written() -> None:
    with subprocess.Popen(
        command_line("--format", "csv", "--no-header"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("select 41;\n")
        assert process.stdout.readline() == "41\n"
        process.stdin.write("select 42;\n")
        assert process.stdout.readline() == "42\n"
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.parametrize("arguments", [["-c", "select 1"], ["-f", "-"], []])
def test_what_only_a_prompt_needs_is_not_loaded(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from duckraft.shell import cli\n"
        f"assert cli.run({arguments!r}) == 0\n"
        "loaded = {'prompt_toolkit', 'rich', 'pygments', 'pandas', 'wcwidth'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        input=b"select 1;",
        check=True,
        env=environment(),
        capture_output=True,
    )


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    with subprocess.Popen(
        command_line("--format", "csv", "-c", "from range(10_000_000)", "-c", "select 'never'"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"range\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == exit_codes.BROKEN_PIPE


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, exit_codes.INTERRUPTED), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_signal_cancels_a_script(number: signal.Signals, exit_code: int, tmp_path: Path) -> None:
    endless = "select count(*) from range(10_000_000_000) a(x), range(1000) b(y) where hash(x, y) = 42"
    with subprocess.Popen(
        command_line(str(tmp_path / "db"), "--echo", "-c", "select 1", "-c", endless, "-c", "select 'never'"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # The echo of the endless statement comes just before it runs.
        while "range" not in process.stderr.readline():
            assert process.poll() is None
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == exit_code
    assert "never" not in out + err
    assert "Traceback" not in err
    assert run_process([str(tmp_path / "db"), "-c", "select 1"]).returncode == 0


def test_an_exception_that_nobody_foresaw_leaves_no_traceback(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(arguments: list[str]) -> int:
        raise KeyError("lost")

    monkeypatch.setattr(cli, "run", fail)
    with pytest.raises(SystemExit) as raised:
        cli.main()
    assert raised.value.code == exit_codes.BUG
    err = capsys.readouterr().err
    assert err.startswith("ERROR XX000: KeyError: 'lost'")
    assert "Traceback" not in err
