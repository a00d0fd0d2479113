"""Foreign keys: kept where each shard can keep its own, refused elsewhere."""

from __future__ import annotations

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from tests.engine.executor.support import contents, error_of, rows, tables_on_shards

PARENT = "CREATE TABLE p (id INT PRIMARY KEY, a INT, UNIQUE (a, id)) SHARD BY HASH (id)"
KEPT = [
    (PARENT, "CREATE TABLE c (x INT REFERENCES p (id), y INT) SHARD BY HASH (x)"),
    (PARENT, "CREATE TABLE c (x INT REFERENCES p, y INT) SHARD BY HASH (x) COLOCATE WITH p"),
    (PARENT, "CREATE TABLE c (y INT, x INT, FOREIGN KEY (y, x) REFERENCES p (a, id)) SHARD BY HASH (x)"),
    (
        PARENT.replace("SHARD BY HASH (id)", "REFERENCE"),
        "CREATE TABLE c (x INT REFERENCES main.p (id), y INT) REFERENCE",
    ),
]


@pytest.mark.parametrize(("parent", "child"), KEPT, ids=range(len(KEPT)))
def test_a_key_is_kept(database: Database, session: Session, parent: str, child: str) -> None:
    session.execute(parent)
    session.execute(child)
    session.execute("INSERT INTO p SELECT range, range FROM range(10)")
    session.execute("INSERT INTO c (x, y) SELECT range, range FROM range(10)")
    before = contents(database)
    for sql in (
        "INSERT INTO c (x, y) VALUES (77, 77)",
        "INSERT INTO c (x, y) SELECT range, range FROM range(20)",
        "DELETE FROM p WHERE id = 3",
        "TRUNCATE p",
    ):
        assert error_of(session, sql).sqlstate == "23503"
        assert contents(database) == before
    session.execute("DELETE FROM c WHERE x = 3")
    session.execute("DELETE FROM p WHERE id = 3")
    for sql in ("DROP TABLE p", "CREATE OR REPLACE TABLE p (id INT)"):
        assert error_of(session, sql).sqlstate == "2BP01"
    assert error_of(session, "ALTER TABLE c RENAME TO d").sqlstate == "0A000"
    assert rows(session, "SELECT count(*) FROM c JOIN p ON x = id") == [(9,)]
    session.execute("DROP TABLE c")
    session.execute("DROP TABLE p")
    assert tables_on_shards(database) == set()


def test_a_table_may_refer_to_itself_where_all_of_it_is_in_one_place(session: Session) -> None:
    session.execute("CREATE TABLE e (id INT PRIMARY KEY, boss INT REFERENCES e (id)) REFERENCE")
    session.execute("INSERT INTO e VALUES (1, NULL)")
    session.execute("INSERT INTO e VALUES (2, 1)")
    assert error_of(session, "INSERT INTO e VALUES (3, 9)").sqlstate == "23503"


@pytest.mark.parametrize(
    ("child", "sqlstate"),
    [
        ("(x INT REFERENCES p, y INT) SHARD BY HASH (y)", "0A000"),
        ("(x INT REFERENCES p, y INT) SHARD BY HASH (x, y)", "0A000"),
        ("(x INT REFERENCES p, y INT) SHARD BY EVENLY", "0A000"),
        ("(x INT REFERENCES p, y INT) SHARD BY HASH (x) SHARDS 2", "0A000"),
        ("(x INT REFERENCES p, y INT) SHARD BY CONSISTENT HASH (x)", "0A000"),
        ("(x INT REFERENCES p)", "0A000"),
        ("(x INT REFERENCES p) REFERENCE", "0A000"),
        ("(x INT REFERENCES r) SHARD BY HASH (x)", "0A000"),
        ("(id INT PRIMARY KEY, up INT REFERENCES c (id))", "0A000"),
        ("(y INT, x INT, FOREIGN KEY (x, y) REFERENCES p (a, id)) SHARD BY HASH (x)", "0A000"),
        ("(x BIGINT REFERENCES p) SHARD BY HASH (x)", "42000"),
        ("(x INT REFERENCES nosuch) SHARD BY HASH (x)", "42P01"),
        ("(x INT REFERENCES p (nosuch)) SHARD BY HASH (x)", "42703"),
        ("(x INT REFERENCES p ON DELETE CASCADE) SHARD BY HASH (x)", "42601"),
    ],
)
def test_a_key_that_no_shard_could_keep_is_refused(
    database: Database, session: Session, child: str, sqlstate: str
) -> None:
    session.execute(PARENT)
    session.execute("CREATE TABLE r (id INT PRIMARY KEY) REFERENCE")
    before = database.catalog
    error = error_of(session, f"CREATE TABLE c {child}")
    assert (error.sqlstate, error.message) == (sqlstate, error.message)
    assert (sqlstate != "0A000") or error.hint
    assert database.catalog == before
    assert tables_on_shards(database) == {"p", "r"}


def test_replacing_a_table_by_one_with_a_foreign_key_is_refused(session: Session) -> None:
    session.execute(PARENT)
    session.execute("CREATE TABLE c (x INT) SHARD BY HASH (x)")
    child = "TABLE c (x INT REFERENCES p) SHARD BY HASH (x)"
    assert error_of(session, f"CREATE OR REPLACE {child}").sqlstate == "0A000"
    session.execute("DROP TABLE c")
    session.execute(f"CREATE {child}")
    session.execute("CREATE OR REPLACE TABLE c (x INT) SHARD BY HASH (x)")
    session.execute("DROP TABLE p")


def test_a_schema_goes_with_its_foreign_keys(database: Database, session: Session) -> None:
    session.execute("CREATE SCHEMA s")
    session.execute("CREATE TABLE s.p (id INT PRIMARY KEY) SHARD BY HASH (id)")
    session.execute("CREATE TABLE s.a (id INT REFERENCES s.p) SHARD BY HASH (id)")
    session.execute("CREATE TABLE s.z (id INT REFERENCES p) SHARD BY HASH (id)")
    assert error_of(session, "CREATE TABLE c (id INT REFERENCES s.p) SHARD BY HASH (id)").sqlstate == "42000"
    session.execute("DROP SCHEMA s CASCADE")
    assert tables_on_shards(database) == set()
    assert database.catalog.tables == {}
