"""The tour as a program."""

from __future__ import annotations

from pathlib import Path

import pytest

from duckraft.shell import cli, exit_codes
from duckraft.shell.tour import run
from duckraft.shell.tour.chapters import Chapter, Stop
from duckraft.shell.tour.flights import FlightsMissingError

from ..support import run_process

SMALL = (
    Chapter(
        "First",
        "The beginning.",
        (
            Stop("A table.", "CREATE TABLE t (a INTEGER) SHARD BY HASH (a) SHARDS 2"),
            Stop("Its rows.", "SELECT a FROM t", plan=True),
            Stop("Twenty rows.", "SELECT * FROM range(20)"),
        ),
    ),
)


@pytest.fixture
def small_tour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "find_flights", lambda scratch: None)
    monkeypatch.setattr(run, "chapters", lambda files, shards: SMALL)


def test_the_whole_tour_is_plain_text_without_a_terminal(tmp_path: Path) -> None:
    done = run_process(["tour"], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "336,776 flights" in done.stdout
    assert "EXPLAIN ROUTE" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_tour")
def test_plans_first_rows_and_times_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["tour"]) == 0
    out = capsys.readouterr().out
    assert "\n1. First\n========\nThe beginning.\n" in out
    assert "  | Gather" in out or "  | Split" in out
    assert "(0 rows, " in out
    assert "   ...\n  (20 rows, " in out


@pytest.mark.usefixtures("small_tour")
def test_the_database_can_be_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "kept"
    assert cli.run(["tour", "--path", str(path), "--shards", "2"]) == 0
    assert f"stays in {path}" in capsys.readouterr().out.replace("\n  ", " ")
    assert cli.run([str(path), "--format", "csv", "-c", "select count(*) as n from t"]) == 0
    assert capsys.readouterr().out == "n\n0\n"


@pytest.mark.usefixtures("small_tour")
def test_a_directory_with_something_in_it_is_left_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "mine").touch()
    assert cli.run(["tour", "--path", str(tmp_path)]) == exit_codes.USAGE
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_without_the_flights_it_tells_how_to_get_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(scratch: Path) -> None:
        raise FlightsMissingError("install it")

    monkeypatch.setattr(run, "find_flights", missing)
    assert cli.run(["tour"]) == exit_codes.USAGE
    assert capsys.readouterr() == ("", "ERROR: install it\n")


@pytest.mark.usefixtures("small_tour")
def test_a_statement_that_fails_is_told_like_any_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = (Chapter("Bad", "It fails.", (Stop("Wrong.", "SELECT * FROM missing"),)),)
    monkeypatch.setattr(run, "chapters", lambda files, shards: bad)
    assert cli.run(["tour"]) == exit_codes.SQL_ERROR
    assert capsys.readouterr().err.startswith("ERROR 42P01: ")
