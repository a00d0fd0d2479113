"""Statements that are not parsed again: they run as their text would, whatever has changed since."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import DataError, ProgrammingError
from duckraft.engine.executor.parsed import ParsedTexts
from duckraft.engine.session import Session

SELECT = "SELECT k / 2 AS half FROM t WHERE k = ?"


@pytest.fixture
def database() -> Iterator[Database]:
    with Database.open() as database:
        yield database


@pytest.fixture
def session(database: Database) -> Session:
    session = database.session()
    session.execute("CREATE TABLE t (k INTEGER, v VARCHAR) SHARD BY HASH (k) SHARDS 4")
    session.execute("INSERT INTO t SELECT i, 'v' || i FROM range(50) r(i)")
    for key in range(3):
        session.execute(SELECT, [key]).fetchall()
    return session


def halves(session: Session) -> list[float]:
    return [session.execute(SELECT, [key]).fetchall()[0][0] for key in range(1, 4)]


def test_a_text_is_parsed_once(session: Session) -> None:
    parsed, connection = session.context.parsed, session.context.connections.shard(0)
    assert parsed.statement(connection, SELECT) is parsed.statement(connection, SELECT)


def test_a_setting_that_the_parser_heeds_holds_for_known_texts(session: Session) -> None:
    assert halves(session) == [0.5, 1.0, 1.5]
    session.execute("SET integer_division = true")
    assert halves(session) == [0, 1, 1]
    session.execute("RESET integer_division")
    assert halves(session) == [0.5, 1.0, 1.5]


def test_a_setting_of_all_sessions_holds_for_known_texts_of_this_one(
    database: Database, session: Session
) -> None:
    assert halves(session) == [0.5, 1.0, 1.5]
    database.session().execute("SET GLOBAL integer_division = true")
    assert halves(session) == [0, 1, 1]


def test_a_known_text_sees_a_changed_definition(session: Session) -> None:
    text = "SELECT * FROM t WHERE k = ?"
    assert session.execute(text, [7]).fetchall() == [(7, "v7")]
    assert session.execute(text, [8]).fetchall() == [(8, "v8")]
    session.execute("ALTER TABLE t ADD COLUMN w INTEGER DEFAULT 1")
    result = session.execute(text, [7])
    assert [column.name for column in result.columns] == ["k", "v", "w"]
    assert result.fetchall() == [(7, "v7", 1)]
    session.execute("DROP TABLE t")
    with pytest.raises(ProgrammingError, match="t does not exist"):
        session.execute(text, [7])


def test_errors_of_a_known_text_have_their_positions(session: Session) -> None:
    text = "SELECT /* ä */ CAST(v AS INTEGER) FROM t WHERE k = ?"
    found = []
    for key in range(4):
        with pytest.raises(DataError) as caught:
            session.execute(text, [key]).fetchall()
        found.append((caught.value.sqlstate, caught.value.position))
    assert found == [("22P02", text.index("CAST") + 1)] * 4


def test_a_known_text_with_too_few_parameters_is_refused(session: Session) -> None:
    with pytest.raises(ProgrammingError):
        session.execute(SELECT, [])
    assert halves(session) == [0.5, 1.0, 1.5]


def test_what_is_kept_is_bounded(database: Database, session: Session) -> None:
    kept = ParsedTexts(database.gateway, capacity=len("SELECT 1") * 2)
    connection = session.context.connections.gateway
    first = kept.statement(connection, "SELECT 1")
    second = kept.statement(connection, "SELECT 2")
    assert kept.statement(connection, "SELECT 1") is first
    kept.statement(connection, "SELECT 3")
    assert len(kept) == 2
    assert kept.statement(connection, "SELECT 1") is first
    assert kept.statement(connection, "SELECT 2") is not second
    kept.statement(connection, "SELECT 'a text that is longer than all that may be kept'")
    assert len(kept) == 2


def test_a_text_of_several_statements_is_none(database: Database) -> None:
    session = database.session()
    connection = session.context.connections.gateway
    assert session.context.parsed.statement(connection, "SELECT 1; SELECT 2") is None
    with pytest.raises(ProgrammingError, match="syntax error"):
        session.context.parsed.statement(connection, "SELECT FROM WHERE")
