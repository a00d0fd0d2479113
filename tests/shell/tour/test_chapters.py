"""The statements of the tour, against one plain DuckDB on the same data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.shell.tour.chapters import Stop, chapters
from duckraft.shell.tour.flights import TABLES, FlightFiles, find_flights

SHARDS = 3
NO_FILES = FlightFiles({table: Path(f"{table}.csv") for table in TABLES})


def stops(files: FlightFiles = NO_FILES) -> list[Stop]:
    return [stop for chapter in chapters(files, SHARDS) for stop in chapter.stops]


QUERIES = [stop for stop in stops() if stop.sql.startswith("SELECT") and "duckraft." not in stop.sql]


@pytest.fixture(scope="module")
def sharded_and_plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, Any]]:
    files = find_flights(tmp_path_factory.mktemp("flights"))
    with Database.open(None, shards=SHARDS) as database, duckdb.connect() as plain:
        session = database.session()
        for stop in stops(files):
            if stop.sql.startswith(("CREATE", "COPY")):
                session.execute(stop.sql).close()
                plain.execute(re.sub(r"\) (SHARD BY|REFERENCE).*", ")", stop.sql, flags=re.DOTALL))
        yield session, plain


def test_there_are_a_dozen_queries() -> None:
    assert len(QUERIES) >= 12


@pytest.mark.parametrize("stop", QUERIES, ids=lambda stop: re.sub(r"\W+", "-", stop.why[:40]))
def test_a_query_gives_the_rows_of_plain_duckdb(sharded_and_plain: tuple[Session, Any], stop: Stop) -> None:
    session, plain = sharded_and_plain
    result = session.execute(stop.sql)
    expected = plain.execute(stop.sql)
    assert [(column.name, column.type) for column in result.columns] == [
        (name, str(type_)) for name, type_, *_ in expected.description
    ]
    assert Counter(result.fetchall()) == Counter(expected.fetchall())


def test_the_rows_of_every_table_are_counted_as_the_tour_says(sharded_and_plain: tuple[Session, Any]) -> None:
    session, _ = sharded_and_plain
    for stop in stops():
        if told := re.match(r"([\d,]+) ", stop.why):
            table = stop.sql.split()[1]
            rows = session.execute(f"SELECT count(*) FROM {table}").fetchall()
            assert rows == [(int(told[1].replace(",", "")),)]
