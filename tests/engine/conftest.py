"""A database in memory with three shards, and a session on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session


@pytest.fixture
def database() -> Iterator[Database]:
    """A new database in memory."""
    with Database.open(shards=3, threads=2) as database:
        yield database


@pytest.fixture
def session(database: Database) -> Session:
    """A session on it."""
    return database.session()
