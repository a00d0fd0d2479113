"""The data of TPC-H: generated once into a folder, then loaded into one plain DuckDB or into the sharded database.

Promises: both have the same tables with the same types and rows; only the sharding clauses of schema.sql differ.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from duckraft.engine.types import quote_string

_HERE = Path(__file__).parent
_SHARDING = re.compile(r"\)\s*(?:SHARD BY HASH \(\w+\)|REFERENCE)\s*;")
_CREATED = re.compile(r"CREATE TABLE (\w+)")

QUERY_NUMBERS = range(1, 23)


def generator() -> Path | None:
    """The program tpchgen-cli beside this Python or on the search path; None where it is not installed."""
    beside = Path(sys.executable).with_name("tpchgen-cli")
    if beside.exists():
        return beside
    found = shutil.which("tpchgen-cli")
    return Path(found) if found is not None else None


def default_folder(scale: float) -> Path:
    """Where the data of a scale is kept from one run to the next."""
    return Path(tempfile.gettempdir()) / "duckraft-bench" / f"tpch-{scale:g}"


def generate(scale: float, folder: Path) -> Path:
    """Make sure that `folder` holds the eight tables as Parquet files, and return it. Raises FileNotFoundError."""
    if folder.exists():
        missing = [table for table in tables() if not file(table, folder).exists()]
        if missing:
            raise FileNotFoundError(
                f"{folder} lacks {missing[0]}.parquet; delete the folder or name another one"
            )
        return folder
    program = generator()
    if program is None:
        raise FileNotFoundError("tpchgen-cli is not installed: pip install tpchgen-cli")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        made = Path(unfinished) / "tables"
        command = [str(program), "parquet", "--quiet", "-s", f"{scale:g}", f"--output-dir={made}"]
        subprocess.run(command, check=True)
        made.rename(folder)
    return folder


def schema() -> str:
    """The CREATE TABLE statements with the sharding clauses."""
    return (_HERE / "schema.sql").read_text(encoding="utf-8")


def plain_schema() -> str:
    """The CREATE TABLE statements as plain DuckDB takes them."""
    return _SHARDING.sub(");", schema())


def tables() -> list[str]:
    """The names of the eight tables."""
    return _CREATED.findall(schema())


def query(number: int) -> str:
    """The text of query 1–22 with the validation parameters."""
    return (_HERE / f"q{number:02}.sql").read_text(encoding="utf-8")


def load(execute: Callable[[str], object], definitions: str, folder: Path) -> None:
    """Create the tables of `definitions` and fill them from the files in `folder`."""
    for statement in definitions.split(";"):
        if _CREATED.search(statement):
            execute(statement)
    for table in tables():
        execute(copy_sql(table, folder))


def file(table: str, folder: Path) -> Path:
    """The Parquet file of `table`."""
    return folder / f"{table}.parquet"


def copy_sql(table: str, folder: Path) -> str:
    """The statement that fills `table` from its file."""
    return f"COPY {table} FROM {quote_string(str(file(table, folder)))} (FORMAT parquet)"
