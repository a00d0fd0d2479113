"""Plans as data: each file in `plans/` holds statements and what EXPLAIN says of them (see `tests/golden.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.engine.sql.split import split_script
from tests.golden import check_file

HERE = Path(__file__).parent
FILES = sorted((HERE / "plans").glob("*.test"))


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Database.open() as database, database.session() as session:
        for statement in split_script((HERE / "schema.sql").read_text()).statements:
            session.execute(statement.text)
        yield session


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plans_are_as_recorded(path: Path, session: Session, rewrite: bool) -> None:
    def explain(statement: str) -> str:
        return "\n".join(row[0] for row in session.execute(f"EXPLAIN {statement}").fetchall())

    check_file(path, explain, rewrite)


def test_there_are_recorded_plans() -> None:
    assert FILES
