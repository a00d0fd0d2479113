"""DB-API 2.0, as PEP 249 has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import duckraft
from duckraft.engine import dbapi


@pytest.fixture
def connection() -> Iterator[dbapi.Connection]:
    """A connection to a database in memory with a table of three rows."""
    connection = dbapi.connect(shards=2)
    connection.execute("CREATE TABLE t (k INT PRIMARY KEY, v VARCHAR)")
    connection.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)")
    yield connection
    connection.close()


def test_the_module_says_what_it_is() -> None:
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 1, "qmark")
    for name in (
        "Warning",
        "Error",
        "InterfaceError",
        "DatabaseError",
        "DataError",
        "OperationalError",
        "IntegrityError",
    ):
        assert issubclass(getattr(dbapi, name), Exception)
        assert getattr(dbapi.Connection, name) is getattr(dbapi, name)
    for name in ("DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError"):
        assert issubclass(getattr(dbapi, name), dbapi.DatabaseError)
    assert issubclass(dbapi.DatabaseError, dbapi.Error)
    assert not issubclass(dbapi.InterfaceError, dbapi.DatabaseError)


def test_description_and_rowcount(connection: dbapi.Connection) -> None:
    assert connection.cursor().description is None
    assert connection.cursor().rowcount == -1
    cursor = connection.cursor()
    cursor.execute("SELECT k, v AS word FROM t")
    assert cursor.description == [
        ("k", "INTEGER", None, None, None, None, None),
        ("word", "VARCHAR", None, None, None, None, None),
    ]
    changed = cursor.execute("UPDATE t SET v = 'x' WHERE k > 1")
    assert (changed.description or []) == []
    assert changed.rowcount == 2


def test_fetching(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT k FROM t ORDER BY k")
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany() == [(2,)]
    assert cursor.fetchmany(9) == [(3,)]
    assert (cursor.fetchone(), cursor.fetchmany(), cursor.fetchall()) == (None, [], [])
    cursor.arraysize = 2
    cursor.execute("SELECT k FROM t ORDER BY k")
    assert cursor.fetchmany() == [(1,), (2,)]
    assert list(cursor) == [(3,)]
    with pytest.raises(dbapi.ProgrammingError):
        connection.execute("DELETE FROM t").fetchall()
    with pytest.raises(dbapi.ProgrammingError):
        connection.cursor().fetchone()


def test_executemany(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO t VALUES (?, ?)", [(10, "x"), (11, "y")])
    assert cursor.rowcount == 2
    cursor.executemany("INSERT INTO t VALUES (?, ?)", [])
    assert cursor.rowcount == 0
    with pytest.raises(dbapi.ProgrammingError):
        cursor.executemany("SELECT ?", [(1,)])
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (5,)


def test_errors_have_the_standard_classes(connection: dbapi.Connection) -> None:
    for sql, kind in (
        ("INSERT INTO t VALUES (1, 'again')", dbapi.IntegrityError),
        ("SELECT nosuch FROM t", dbapi.ProgrammingError),
        ("SELECT CAST('x' AS INT)", dbapi.DataError),
        ("PREPARE TRANSACTION 'x'", dbapi.NotSupportedError),
    ):
        with pytest.raises(kind) as caught:
            connection.execute(sql).fetchall()
        assert isinstance(caught.value, dbapi.DatabaseError)


def test_a_transaction_belongs_to_its_cursor() -> None:
    with duckraft.connect() as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
        cursor = connection.cursor()
        for end, count in (("ROLLBACK", 0), ("COMMIT", 1)):
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO t VALUES (1)")
            assert connection.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
            cursor.execute(end)
            assert connection.execute("SELECT count(*) FROM t").fetchall() == [(count,)]


def test_each_statement_commits_by_itself(tmp_path: Path) -> None:
    with duckraft.connect(tmp_path / "db") as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        connection.commit()
        with pytest.raises(dbapi.NotSupportedError):
            connection.rollback()
    with duckraft.connect(tmp_path / "db") as connection:
        assert connection.execute("FROM t").fetchall() == [(1,)]


def test_closed_objects_are_refused(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.setinputsizes([1])
    cursor.setoutputsize(1)
    cursor.close()
    cursor.close()
    with pytest.raises(dbapi.InterfaceError):
        cursor.execute("SELECT 1")
    with connection.cursor() as other:
        other.execute("SELECT 1")
    connection.close()
    connection.close()
    for call in (connection.cursor, connection.commit, connection.rollback, lambda: connection.database):
        with pytest.raises(dbapi.InterfaceError):
            call()
