"""All 22 queries of TPC-H give plain DuckDB's answers, however many shards there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from tests.bench.answers import difference, ordering
from tests.bench.tpch import data
from tests.bench.tpch.run import plain_answer, sharded_answer

SCALE = 0.01

pytestmark = pytest.mark.skipif(
    data.generator() is None, reason="tpchgen-cli, which makes the data, is not installed"
)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data.generate(SCALE, tmp_path_factory.mktemp("tpch") / "files")


@pytest.fixture(scope="session")
def plain(files: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    data.load(connection.execute, data.plain_schema(), files)
    yield connection
    connection.close()


@pytest.fixture(scope="session", params=[1, 3], ids=["1 shard", "3 shards"])
def session(request: pytest.FixtureRequest, files: Path) -> Iterator[Session]:
    with Database.open(shards=request.param) as database:
        session = database.session()
        data.load(session.execute, data.schema(), files)
        yield session


@pytest.mark.parametrize("number", data.QUERY_NUMBERS)
def test_the_sharded_database_answers_as_plain_duckdb(
    number: int, plain: duckdb.DuckDBPyConnection, session: Session
) -> None:
    sql = data.query(number)
    expected = plain_answer(plain, sql)
    assert difference(expected, sharded_answer(session, sql), ordering(sql, expected.names)) is None
