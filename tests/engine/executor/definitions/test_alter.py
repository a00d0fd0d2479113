"""ALTER TABLE and ALTER VIEW: each form as on one DuckDB, on all shards or none, and still so after opening again."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from duckraft.engine.database import Database
from duckraft.engine.errors import Error, OperationalError
from duckraft.engine.session import Session
from tests.engine.executor.support import contents, error_of, rows

COLUMNS = "(k INT, v INT, s STRUCT(a INT, b STRUCT(c INT)), l STRUCT(x INT)[])"
FILL = "INSERT INTO t SELECT range, range, {'a': range, 'b': {'c': 1}}, [{'x': range}] FROM range(10)"

FORMS = [
    "ADD COLUMN w INT",
    "ADD w INT DEFAULT 3",
    "ADD COLUMN w INT NOT NULL DEFAULT 3",
    "ADD COLUMN w INT NOT NULL",
    "ADD COLUMN IF NOT EXISTS v INT",
    "ADD COLUMN v INT",
    "ADD COLUMN s.z INT",
    "ADD COLUMN s.b.d VARCHAR DEFAULT 'q'",
    "ADD COLUMN l.element.y INT",
    "ADD COLUMN IF NOT EXISTS s.a INT",
    "ADD COLUMN nosuch.z INT",
    "DROP COLUMN v",
    "DROP v",
    "DROP COLUMN IF EXISTS nosuch",
    "DROP COLUMN nosuch",
    "DROP COLUMN s.a",
    "DROP COLUMN s.b.c",
    "RENAME COLUMN v TO w",
    "RENAME v TO V",
    "RENAME v TO s",
    "RENAME COLUMN k TO key",
    "RENAME s.a TO aa",
    "RENAME COLUMN s.b.c TO cc",
    "ALTER v TYPE VARCHAR",
    "ALTER COLUMN v SET DATA TYPE VARCHAR USING 'x' || v",
    "ALTER v TYPE DATE",
    "ALTER s TYPE STRUCT(a BIGINT, b STRUCT(c INT))",
    "ALTER v SET DEFAULT 7",
    "ALTER v SET DEFAULT 'x'",
    "ALTER v DROP DEFAULT",
    "ALTER v SET NOT NULL",
    "ALTER k DROP NOT NULL",
    "ADD PRIMARY KEY (k)",
    "ADD CONSTRAINT pk PRIMARY KEY (k, v)",
    "ADD UNIQUE (k, v)",
    "ADD CHECK (v > 0)",
    "ADD FOREIGN KEY (v) REFERENCES t (k)",
    "DROP CONSTRAINT pk",
    "SET PARTITIONED BY (k)",
    "SET SORTED BY (k)",
    "SET (x = 1)",
    "ADD a INT, ADD b INT",
    "FROBNICATE",
]


def outcome(run: object) -> object:
    """DESCRIBE and the rows of t, as one value that can be compared."""
    described, found = run("DESCRIBE t"), run("FROM t")  # type: ignore[operator]
    return described, sorted(map(repr, found))


@pytest.mark.parametrize("form", FORMS)
def test_a_form_does_what_it_does_on_one_duckdb(tmp_path: Path, form: str) -> None:
    plain = duckdb.connect()
    plain.execute(f"CREATE TABLE t {COLUMNS}")
    plain.execute(FILL)
    try:
        plain.execute(f"ALTER TABLE t {form}")
        fails = False
    except duckdb.Error:
        fails = True
    wanted = outcome(lambda sql: plain.execute(sql).fetchall())
    with Database.open(tmp_path / "db", shards=3) as database:
        session = database.session()
        session.execute(f"CREATE TABLE t {COLUMNS} SHARD BY HASH (k)")
        session.execute(FILL)
        before = contents(database)
        if fails:
            error_of(session, f"ALTER TABLE t {form}")
            assert contents(database) == before
        else:
            assert session.execute(f"ALTER TABLE t {form}").tag == "ALTER TABLE"
        assert outcome(lambda sql: rows(session, sql)) == wanted
        assert database.catalog.pending is None
    with Database.open(tmp_path / "db") as database:
        session = database.session()
        assert outcome(lambda sql: rows(session, sql)) == wanted
        key = rows(session, "DESCRIBE t")[0][0]
        assert len(rows(session, f"FROM t WHERE {key} = 3")) == 1
        assert "hash" in rows(session, f"EXPLAIN ROUTE FROM t WHERE {key} = 3")[0][2]


@pytest.fixture
def table(session: Session) -> None:
    """t: ten rows by hash."""
    session.execute("CREATE TABLE t (k INT, v INT) SHARD BY HASH (k)")
    session.execute("INSERT INTO t SELECT range, range FROM range(10)")


@pytest.mark.usefixtures("table")
def test_a_new_primary_key_is_kept(database: Database, session: Session) -> None:
    session.execute("ALTER TABLE IF EXISTS memory.main.t ADD PRIMARY KEY (k)")
    assert error_of(session, "INSERT INTO t VALUES (3, 1), (77, 1)").sqlstate == "23505"
    table = database.catalog.table("main", "t")
    assert table is not None
    assert table.primary_key == ("k",)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("ALTER TABLE t DROP COLUMN k", "0A000"),
        ("ALTER TABLE t ALTER k TYPE BIGINT", "0A000"),
        ("ALTER TABLE t ALTER COLUMN k TYPE VARCHAR COLLATE nocase", "0A000"),
        ("ALTER TABLE t ADD PRIMARY KEY (v)", "0A000"),
        ("ALTER TABLE t ADD COLUMN u INT UNIQUE", "0A000"),
        ("ALTER TABLE t RENAME TO other", "42P07"),
        ("ALTER TABLE t RENAME TO seen", "42P07"),
        ("ALTER VIEW t RENAME TO x", "42809"),
        ("ALTER VIEW seen RENAME TO t", "42P07"),
        ("ALTER VIEW nosuch RENAME TO x", "42P01"),
        ("ALTER TABLE t ADD COLUMN v INT", "42701"),
        ("ALTER TABLE t ALTER v TYPE DATE", "22P02"),
        ("ALTER TABLE nosuch ADD COLUMN v INT", "42P01"),
        ("ALTER TABLE duckraft_s0.main.t ADD COLUMN w INT", "42501"),
        ("ALTER", "42601"),
    ],
)
def test_an_error_changes_no_shard(database: Database, session: Session, sql: str, sqlstate: str) -> None:
    session.execute("CREATE TABLE other (a INT)")
    session.execute("CREATE VIEW seen AS FROM t")
    before, catalog = contents(database), database.catalog
    error = error_of(session, sql)
    assert (error.sqlstate, error.message) == (sqlstate, error.message)
    assert (contents(database), database.catalog) == (before, catalog)
    assert rows(session, "SELECT count(*), sum(v) FROM seen") == [(10, 45)]


@pytest.mark.usefixtures("table")
def test_a_table_gets_another_name(database: Database, session: Session) -> None:
    session.execute("COMMENT ON TABLE t IS 'numbers'")
    session.execute("ALTER TABLE t RENAME TO u")
    assert rows(database.session(), "SELECT count(*) FROM u") == [(10,)]
    assert error_of(session, "FROM t").sqlstate == "42P01"
    assert rows(session, "SELECT table_name, comment FROM duckdb_tables()") == [("u", "numbers")]
    session.execute("CREATE TABLE t AS SELECT 1 AS one")
    assert rows(session, "FROM t") == [(1,)]


@pytest.mark.usefixtures("table")
def test_a_renamed_key_still_leads_to_the_shard(session: Session) -> None:
    session.execute("CREATE TABLE other (k INT, w INT) SHARD BY HASH (k) COLOCATE WITH t")
    session.execute("ALTER TABLE t RENAME COLUMN k TO id")
    session.execute("INSERT INTO t VALUES (77, 1)")
    assert len(rows(session, "EXPLAIN ROUTE FROM t WHERE id = 77")) == 1
    assert rows(session, "SELECT v FROM t WHERE id = 77") == [(1,)]
    assert rows(session, "SELECT colocated_with FROM duckraft.tables WHERE table_name = 't'") == [
        (["other"],)
    ]


def test_a_view_gets_another_name(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", shards=2) as database:
        session = database.session()
        session.execute("CREATE TABLE t AS SELECT range AS k FROM range(3)")
        session.execute('CREATE VIEW v AS SELECT k AS "the key" FROM t WHERE k > 0')
        session.execute("COMMENT ON VIEW v IS 'some'")
        session.execute('ALTER VIEW v RENAME TO "W w"')
        assert error_of(session, "FROM v").sqlstate == "42P01"
        session.execute("ALTER VIEW IF EXISTS nosuch RENAME TO x")
    with Database.open(tmp_path / "db") as database:
        session = database.session()
        assert sorted(rows(session, 'FROM "w w"')) == [(1,), (2,)]
        assert rows(session, "SELECT comment FROM duckdb_views() WHERE view_name = 'W w'") == [("some",)]
        session.execute('DROP VIEW "W w"')
        assert (database.catalog.definitions, database.catalog.comments) == ((), ())


@pytest.mark.usefixtures("table")
def test_what_cannot_be_saved_is_not_done(
    database: Database, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, catalog = contents(database), database.catalog

    def failing(_: object) -> None:
        raise OperationalError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(database.gateway, "note", failing)
        for sql in ("ALTER TABLE t ADD COLUMN w INT", "ALTER TABLE t RENAME TO u", "CREATE INDEX i ON t (v)"):
            with pytest.raises(Error, match="disk full"):
                session.execute(sql)
    assert (contents(database), database.catalog) == (before, catalog)
    session.execute("ALTER TABLE t ADD COLUMN w INT")
    assert rows(session, "SELECT count(w) FROM t") == [(0,)]
