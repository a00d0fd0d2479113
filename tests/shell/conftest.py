"""Fixtures for the tests of the shell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duckraft.engine.database import Database
from duckraft.shell.interpreter import Interpreter
from duckraft.shell.output import Output
from duckraft.shell.settings import Settings


@pytest.fixture
def database() -> Iterator[Database]:
    """A database in memory, on two shards."""
    with Database.open(None, shards=2) as opened:
        yield opened


@pytest.fixture
def shell(database: Database) -> Iterator[Interpreter]:
    """An interpreter on that database. It prints to the standard streams, which capsys catches."""
    settings = Settings()
    interpreter = Interpreter(database, settings, Output(settings), None)
    yield interpreter
    interpreter.close()
