"""Random changes whose outcome may depend on anything: the clock, random numbers, the order of rows, settings.

No plain database could say what they should leave. What counts is that the log tells it: the copy made of the log must
have the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from duckraft.engine.types import Parameters

BEFORE = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'Happy')"

_POOLS: dict[str, tuple[str, ...]] = {
    "INTEGER": ("0", "1", "7", "-1", "2147483647"),
    "HUGEINT": ("170141183460469231731687303715884105727", "0", "-5"),
    "DOUBLE": ("0.0", "-0.0", "'nan'", "'inf'", "1e300", "0.1"),
    "FLOAT": ("0.0", "-0.0::FLOAT", "'-inf'", "0.1"),
    "DECIMAL(9,2)": ("0", "1.25", "-99.99"),
    "DECIMAL(38,10)": ("0.0000000001", "1", "-12345678901234567890.5"),
    "VARCHAR": ("''", "'a'", "'A'", "'ä'", "'it''s'", "'N'", "'1:2'", "chr(0)"),
    "VARCHAR COLLATE NOCASE": ("'a'", "'A'", "'b'", "''"),
    "BOOLEAN": ("true", "false"),
    "BLOB": (r"'\x00\xff'", "''::BLOB", "'ab'::BLOB"),
    "BIT": ("'0101'", "'1'"),
    "UUID": ("'12345678-1234-1234-1234-123456789abc'", "'00000000-0000-0000-0000-000000000000'"),
    "DATE": ("'2020-02-29'", "'infinity'", "'0044-03-15 (BC)'"),
    "TIME": ("'00:00:00'", "'23:59:59.999999'"),
    "TIMETZ": ("'12:00:00+01'", "'11:00:00+00'"),
    "TIMESTAMP": ("'2020-01-01 12:00:00'", "'-infinity'"),
    "TIMESTAMP_NS": ("'2020-01-01 12:00:00.123456789'",),
    "TIMESTAMPTZ": ("'2020-06-01 12:00:00'", "'2020-06-01 12:00:00+00'", "'infinity'"),
    "INTERVAL": ("INTERVAL '1 month'", "INTERVAL '30 days'", "INTERVAL '720 hours'"),
    "mood": ("'sad'", "'Happy'"),
    "INTEGER[]": ("[]", "[1, NULL]", "[1]"),
    "DOUBLE[2]": ("[0.0, -0.0]", "[0.0, 0.0]"),
    "mood[]": ("[]", "['ok']"),
    "STRUCT(a INTEGER, b VARCHAR)": ("{'a': 1, 'b': 'x'}", "{'a': NULL, 'b': NULL}"),
    "MAP(VARCHAR, INTEGER)": ("MAP {}", "MAP {'k': 1}"),
    "UNION(n INTEGER, s VARCHAR)": ("union_value(n := 1)", "union_value(s := '1')"),
    "JSON": ("""'{"a": 1}'""", """'{"a":1}'""", "'null'"),
}
_VALUES: dict[str, tuple[Any, ...]] = {
    "INTEGER": (3, None, True),
    "HUGEINT": (1 << 100, -1),
    "DOUBLE": (-0.0, float("nan"), 0.1, 1),
    "DECIMAL(9,2)": (Decimal("1.50"), 2, 0.5),
    "VARCHAR": ("x", "ü\0", 5, ""),
    "BOOLEAN": (True, None),
    "BLOB": (b"\0\xff", bytearray(b"a")),
    "UUID": (UUID(int=7),),
    "DATE": (date(2021, 1, 1), "2021-01-02"),
    "TIME": (time(1, 2, 3),),
    "TIMESTAMP": (datetime(2021, 1, 1, 1), datetime(2021, 1, 1, tzinfo=UTC)),
    "TIMESTAMPTZ": (datetime(2021, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, 5), "2021-06-01 00:00"),
    "INTERVAL": (timedelta(days=30), timedelta(microseconds=5)),
    "INTEGER[]": ([1, 2], (), [None]),
    "STRUCT(a INTEGER, b VARCHAR)": ({"a": 1, "b": None},),
}
_ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu")


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns with their types. keyed: whether `k` is its primary key. unsteady: by its defaults."""

    name: str
    columns: tuple[tuple[str, str], ...]
    keyed: bool
    unsteady: bool
    clause: str

    @property
    def create(self) -> str:
        """CREATE TABLE as duckraft takes it."""
        key = " PRIMARY KEY" if self.keyed else ""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns)
        made, chance = ("now()", "random()") if self.unsteady else ("'2020-01-01 12:00:00+00'", "0.5")
        return (
            f"CREATE TABLE {self.name} (k INTEGER{key}, n INTEGER DEFAULT 5, {columns},"
            f" made TIMESTAMPTZ DEFAULT {made}, chance DOUBLE DEFAULT {chance}) {self.clause}"
        )


Change = tuple[str, Parameters]


class Workload:
    """Random changes on tables of its own."""

    def __init__(self, random: Random, shards: int) -> None:
        self.random = random
        kinds = random.sample(list(_POOLS), 4)
        columns = tuple((f"c{number}", kind) for number, kind in enumerate(kinds))
        by_key = f"SHARD BY HASH (k) SHARDS {shards}"
        unsteady = random.random() < 0.4
        self.tables = (
            Table("keyed", columns, True, unsteady, by_key),
            Table("bare", columns, False, unsteady, by_key),
            Table("dealt", columns, False, unsteady, f"SHARD BY EVENLY SHARDS {shards}"),
            Table("every", columns, random.random() < 0.5, unsteady, "REFERENCE"),
        )

    def change(self) -> Change:
        """One statement, which may fail."""
        table = self.random.choice(self.tables)
        forms = (
            (self._insert, 5),
            (self._insert_given, 3),
            (self._insert_select, 4),
            (self._upsert, 3 if table.keyed else 0),
            (self._update, 4),
            (self._update_given, 2),
            (self._update_across, 5),
            (self._move, 3),
            (self._delete, 1),
            (self._delete_some, 4),
            (self._merge, 4),
            (self._setting, 1),
            (self._truncate, 0.1),
            (self._define, 0.7),
        )
        (form,) = self.random.choices([one for one, _ in forms], [weight for _, weight in forms])
        made = form(table)
        return made if isinstance(made, tuple) else (made, None)

    def _literal(self, kind: str) -> str:
        if self.random.random() < 0.15:
            return "NULL"
        return f"{self.random.choice(_POOLS[kind])}"

    def _key(self) -> str:
        return str(self.random.randrange(40))

    def _row(self, table: Table) -> str:
        values = ", ".join(self._literal(kind) for _, kind in table.columns)
        return f"({self._key()}, {self._key()}, {values})"

    def _names(self, table: Table) -> str:
        return ", ".join(["k", "n", *(name for name, _ in table.columns)])

    def _insert(self, table: Table) -> str:
        rows = ", ".join(self._row(table) for _ in range(self.random.choice((1, 1, 1, 4))))
        if self.random.random() < 0.3:
            return f"INSERT INTO {table.name} (n, k) VALUES ({self._key()}, {self._key()}) RETURNING *"
        made = self.random.choice(("", ", '2020-01-01 12:00', 0.5", ", now(), random()"))
        if not made:
            return f"INSERT INTO {table.name} ({self._names(table)}) VALUES {rows}"
        return f"INSERT INTO {table.name} VALUES {self._row(table)[:-1]}{made})"

    def _insert_given(self, table: Table) -> Change:
        values: list[Any] = [self.random.randrange(40), self.random.choice((None, 1, "2"))]
        values += [self.random.choice(_VALUES.get(kind, (None,))) for _, kind in table.columns]
        marks = ", ".join("?" for _ in values)
        return f"INSERT INTO {table.name} ({self._names(table)}) VALUES ({marks})", values

    def _insert_select(self, table: Table) -> str:
        source = self.random.choice(self.tables).name
        names = self._names(table)
        query = self.random.choice(
            (
                f"SELECT {names} FROM {source} ORDER BY random() LIMIT 5",
                f"SELECT k + 40 AS k, n, {', '.join(name for name, _ in table.columns)} FROM {source} LIMIT 9",
                f"SELECT i, i, {', '.join(self._literal(kind) for _, kind in table.columns)} FROM range(100, 130) t(i)",
            )
        )
        return f"INSERT INTO {table.name} ({names}) {query}"

    def _upsert(self, table: Table) -> str:
        tail = self.random.choice(
            (
                "ON CONFLICT DO NOTHING",
                "ON CONFLICT (k) DO UPDATE SET n = excluded.n",
                f"ON CONFLICT (k) DO UPDATE SET n = {table.name}.n + 1, made = now()",
                "ON CONFLICT (k) DO UPDATE SET chance = random()",
                "ON CONFLICT (k) DO UPDATE SET k = excluded.k + 1, n = 2",
            )
        )
        verb = self.random.choice(
            ("INSERT INTO", "INSERT INTO", "INSERT OR REPLACE INTO", "INSERT OR IGNORE INTO")
        )
        tail = tail if verb == "INSERT INTO" else ""
        names = self._names(table)
        if self.random.random() < 0.5:
            rows = ", ".join(self._row(table) for _ in range(self.random.choice((1, 3))))
            return f"{verb} {table.name} ({names}) VALUES {rows} {tail}"
        source = self.random.choice(self.tables).name
        return f"{verb} {table.name} ({names}) SELECT {names} FROM {source} {tail}"

    def _where(self) -> str:
        return self.random.choice(
            (
                f"k = {self._key()}",
                f"k < {self._key()}",
                f"n IN ({self._key()}, {self._key()}, 5)",
                "random() < 0.2",
                "n IS NULL OR made < now() - INTERVAL '1 hour'",
            )
        )

    def _set(self, table: Table) -> str:
        name, kind = self.random.choice(table.columns)
        return self.random.choice(
            (
                "n = n + 1",
                "n = -n, made = now()",
                f"{name} = {self._literal(kind)}",
                f"{name} = {self._literal(kind)}",
                "chance = random()",
                "made = DEFAULT, n = DEFAULT",
                "made = '2020-06-01 12:00'",
            )
        )

    def _update(self, table: Table) -> str:
        return f"UPDATE {table.name} SET {self._set(table)} WHERE {self._where()}"

    def _update_given(self, table: Table) -> Change:
        name, kind = self.random.choice(table.columns)
        value = self.random.choice(_VALUES.get(kind, (None,)))
        sql = f"UPDATE {table.name} SET {name} = $value WHERE k = $key RETURNING k"
        return sql, {"value": value, "key": self.random.randrange(40)}

    def _update_across(self, table: Table) -> str:
        other = self.random.choice(self.tables).name
        name, _ = self.random.choice(table.columns)
        return self.random.choice(
            (
                f"UPDATE {table.name} SET n = n + (SELECT count(*) FROM {other}) WHERE {self._where()}",
                f"UPDATE {table.name} SET {name} = o.{name} FROM {other} o WHERE o.n = {table.name}.n",
                f"UPDATE {table.name} SET n = (random() * 100)::INTEGER",
                f"UPDATE {table.name} SET chance = (SELECT random()) WHERE k IN (SELECT k FROM {other} LIMIT 3)",
            )
        )

    def _move(self, table: Table) -> str:
        value = self.random.choice(("k + 1000", self._key(), "(random() * 100000)::INTEGER", "n"))
        return f"UPDATE {table.name} SET k = {value}, n = 1 WHERE {self._where()}"

    def _delete(self, table: Table) -> str:
        return f"DELETE FROM {table.name} WHERE {self._where()}"

    def _delete_some(self, table: Table) -> str:
        name, _ = self.random.choice(table.columns)
        return self.random.choice(
            (
                f"DELETE FROM {table.name} WHERE k IN (SELECT k FROM {table.name} ORDER BY random() LIMIT 2)",
                f"DELETE FROM {table.name} USING {self.random.choice(self.tables).name} o WHERE o.k = {table.name}.n",
                f"DELETE FROM {table.name} WHERE {name} IS NULL AND random() < 0.5",
                f"DELETE FROM {table.name} WHERE CAST({name} AS VARCHAR) = (SELECT min(CAST({name} AS VARCHAR))"
                f" FROM {table.name}) AND random() < 0.6",
            )
        )

    def _merge(self, table: Table) -> str:
        source = f"(SELECT DISTINCT ON (k) * FROM {self.random.choice(self.tables).name})"
        name, _ = self.random.choice(table.columns)
        matched = self.random.choice(
            (f"UPDATE SET {name} = s.{name}, n = s.n", "DELETE", "UPDATE SET k = s.n + 500", "DO NOTHING")
        )
        other = self.random.choice(
            (
                "WHEN NOT MATCHED THEN INSERT (k, n) VALUES (s.k, s.n)",
                "WHEN NOT MATCHED BY SOURCE AND random() < 0.3 THEN DELETE",
                "WHEN NOT MATCHED BY SOURCE AND n > 5 THEN UPDATE SET made = now()",
                "WHEN NOT MATCHED THEN INSERT",
            )
        )
        return f"MERGE INTO {table.name} AS t USING {source} AS s ON t.k = s.k WHEN MATCHED THEN {matched} {other}"

    def _setting(self, _: Table) -> str:
        return self.random.choice(
            (
                f"SET TimeZone = '{self.random.choice(_ZONES)}'",
                f"SET integer_division = {self.random.choice(('true', 'false'))}",
            )
        )

    def _define(self, table: Table) -> str:
        number = self.random.randrange(4)
        name, _ = self.random.choice(table.columns)
        return self.random.choice(
            (
                f"CREATE INDEX IF NOT EXISTS by_{table.name}_{number} ON {table.name} (n)",
                f"DROP INDEX IF EXISTS by_{table.name}_{number}",
                f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS extra{number} VARCHAR DEFAULT 'x'",
                f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS more{number} DOUBLE DEFAULT random()",
                f"ALTER TABLE {table.name} ALTER more{number} TYPE VARCHAR USING random()::VARCHAR",
                f"ALTER TABLE {table.name} ALTER chance SET DEFAULT {self.random.choice(('random()', '0.25'))}",
                f"ALTER TABLE {table.name} RENAME extra{number} TO extra{number + 1}",
                f"CREATE OR REPLACE TABLE made{number} AS SELECT k, {name}, random() AS r FROM {table.name}",
                f"DROP TABLE IF EXISTS made{number}",
            )
        )

    def _truncate(self, table: Table) -> str:
        return f"TRUNCATE {table.name}"


def definitions(tables: Sequence[Table]) -> list[str]:
    """The statements that make the tables."""
    return [BEFORE, *(table.create for table in tables)]
