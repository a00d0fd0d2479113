"""Random changes of data on a generated schema: by key and not, on one table and across several.

Promises: which rows a change leaves is fixed, whatever order rows are read in: where a row may be found twice, both
would leave the same, or the statement is an error.
"""

from __future__ import annotations

from random import Random

from .conditions import condition
from .schema import Schema, random_row
from .scope import Maker
from .values import literal

_SETTABLE = (("a", "INTEGER"), ("b", "VARCHAR"), ("x", "DECIMAL(9,2)"))
_LISTED = "id, k, j, a, b, x"


class ChangeMaker:
    """Random changes on one schema. keyed: whether `id` is the tables' primary key."""

    def __init__(self, schema: Schema, random: Random, *, keyed: bool = False) -> None:
        self.schema = schema
        self.random = random
        self.keyed = keyed

    def change(self) -> str:
        """One statement."""
        name = self._table()
        forms = [
            (self._insert, 0.2),
            (self._insert_select, 0.1),
            (self._update, 0.15),
            (self._delete, 0.05),
            (self._update_from, 0.12),
            (self._update_by_others, 0.08),
            (self._move, 0.08),
            (self._delete_by_others, 0.07),
            (self._merge, 0.14),
        ]
        if self.keyed:
            forms.append((self._on_conflict, 0.2))
        (form,) = self.random.choices([form for form, _ in forms], [weight for _, weight in forms])
        return form(name)

    def _table(self) -> str:
        return self.random.choice([table.name for table in self.schema.tables])

    def _insert(self, name: str) -> str:
        columns = self.schema.columns[name]
        rows = [random_row(self.random, columns) for _ in range(self.random.choice((1, 1, 2, 5, 30)))]
        return f"INSERT INTO {name} VALUES {', '.join(rows)}{self._returning()}"

    def _insert_select(self, name: str) -> str:
        source = self._like(name)
        where = self._where(source)
        form = self.random.random()
        if form < 0.4:
            return f"INSERT INTO {name} SELECT * FROM {source} WHERE {where} LIMIT ALL"
        if form < 0.7:
            return f"INSERT INTO {name} ({_LISTED}) SELECT {_LISTED} FROM {source} WHERE {where}{self._returning()}"
        if form < 0.9:
            return f"INSERT INTO {name} BY NAME SELECT b, k, id FROM {source} WHERE {where}"
        return f"INSERT INTO {name} (a, b) FROM (SELECT a, b FROM {source} WHERE {where}){self._returning()}"

    def _update(self, name: str) -> str:
        column, kind = self.random.choice(_SETTABLE)
        value = {
            "INTEGER": self.random.choice(
                ("a + 1", "3", "NULL", "-a", "coalesce(a, 0)", "length(b)", "DEFAULT")
            ),
            "VARCHAR": self.random.choice(("b || '.'", "'new'", "NULL", "k::VARCHAR", "upper(b)")),
            "DECIMAL(9,2)": self.random.choice(("x / 2", "1.25", "NULL", "a", "-x")),
        }[kind]
        return f"UPDATE {name} SET {column} = {value} WHERE {self._where(name)}{self._returning()}"

    def _delete(self, name: str) -> str:
        return f"DELETE FROM {name} WHERE {self._where(name)}{self._returning()}"

    def _update_from(self, name: str) -> str:
        """A join of the target with rows that are unique by what they are joined by."""
        source, by = self._unique_source(name)
        sets = self.random.choice(
            ("a = s.a", "b = t.b || s.b", "a = t.a + s.a, x = s.x", "b = s.b, a = DEFAULT")
        )
        kept = self.random.choice(("", f" AND {self._where(name)}", " AND s.a > 2"))
        equal = self.random.choice(("=", "=", "IS NOT DISTINCT FROM"))
        returning = self.random.choice(("", "", " RETURNING *", " RETURNING t.k, a"))
        return (
            f"UPDATE {name} AS t SET {sets} FROM {source} AS s WHERE t.{by} {equal} s.{by}{kept}{returning}"
        )

    def _update_by_others(self, name: str) -> str:
        other = self._like(name)
        where = self.random.choice(
            (
                f"k IN (SELECT k FROM {other} WHERE {self._where(other)})",
                f"a > (SELECT avg(a) FROM {other})",
                f"EXISTS (SELECT 1 FROM {other} o WHERE o.j IS NOT DISTINCT FROM {name}.k AND o.a < {name}.a)",
                f"b NOT IN (SELECT b FROM {other} WHERE b IS NOT NULL)",
            )
        )
        value = self.random.choice(
            (
                "a + 1",
                f"(SELECT max(a) FROM {other})",
                f"(SELECT count(*) FROM {other} o WHERE o.k = {name}.k)",
            )
        )
        with_clause = self.random.choice(("", "WITH unused AS (SELECT 1) "))
        return f"{with_clause}UPDATE {name} SET a = {value} WHERE {where}{self._returning()}"

    def _move(self, name: str) -> str:
        """Another shard key, for those tables of which it is one."""
        kind = self.schema.columns[name][1].kind
        value = self.random.choice(("j", literal(self.random, kind), "k", "NULL", "DEFAULT"))
        if value == "j" and self.schema.columns[name][2].kind != kind:
            value = "NULL"
        more = self.random.choice(("", ", b = k::VARCHAR", ", a = 1, b = DEFAULT"))
        return f"UPDATE {name} SET k = {value}{more} WHERE {self._where(name)}{self._returning()}"

    def _delete_by_others(self, name: str) -> str:
        other = self._like(name)
        if self.random.random() < 0.5:
            return (
                f"DELETE FROM {name} AS t USING {other} AS o WHERE t.k = o.j AND o.a > t.a{self._returning()}"
            )
        return f"DELETE FROM {name} WHERE a = (SELECT max(a) FROM {other} o WHERE o.k = {name}.k){self._returning()}"

    def _merge(self, name: str) -> str:
        source, by = self._unique_source(name)
        if self.random.random() < 0.1:
            source = self._like(name)  # May hit a row twice, which is an error.
        on = f"ON t.{by} = s.{by}" if self.random.random() < 0.7 else f"USING ({by})"
        clauses = []
        if self.random.random() < 0.8:
            if self.random.random() < 0.5:
                action = self.random.choice(("DELETE", "DO NOTHING", "UPDATE SET b = 'first'"))
                clauses.append(
                    f"WHEN MATCHED AND {self.random.choice(('t.a > s.a', 's.b IS NULL', 't.x > 1'))} THEN {action}"
                )
            updates = (
                "UPDATE SET a = s.a, b = t.b || s.b",
                "UPDATE BY NAME",
                "UPDATE SET k = s.k, x = s.x",
                "DELETE",
            )
            clauses.append(f"WHEN MATCHED THEN {self.random.choice(updates)}")
        if self.random.random() < 0.6:
            inserts = ("INSERT BY NAME", f"INSERT (id, {by}, b) VALUES (99, s.{by}, s.b)", "DO NOTHING")
            clauses.append(f"WHEN NOT MATCHED THEN {self.random.choice(inserts)}")
        if self.random.random() < 0.4 or not clauses:
            actions = ("UPDATE SET b = 'gone'", "DELETE", "UPDATE SET a = t.a + 1, x = DEFAULT")
            clauses.append(f"WHEN NOT MATCHED BY SOURCE AND t.a > 2 THEN {self.random.choice(actions)}")
        self.random.shuffle(clauses)
        clauses.sort(key=lambda clause: " AND " not in clause)
        returning = self.random.choice(
            ("", "", " RETURNING merge_action, *", " RETURNING t.k, merge_action AS what")
        )
        return f"MERGE INTO {name} AS t USING {source} AS s {on} {' '.join(clauses)}{returning}"

    def _on_conflict(self, name: str) -> str:
        what = self.random.choice(
            (
                "ON CONFLICT DO NOTHING",
                "ON CONFLICT (id) DO UPDATE SET a = excluded.a, b = b || excluded.b",
                f"ON CONFLICT (id) DO UPDATE SET id = {name}.id + 50, b = excluded.b",
                f"ON CONFLICT DO UPDATE SET x = excluded.x WHERE {name}.a > 3",
            )
        )
        verb = self.random.choice(("INSERT OR REPLACE INTO", "INSERT OR IGNORE INTO", "", ""))
        tail = f"{'' if verb else f' {what}'}{self._returning()}"
        if self.random.random() < 0.5:
            columns = self.schema.columns[name]
            rows = [random_row(self.random, columns) for _ in range(self.random.choice((1, 2, 9)))]
            return f"{verb or 'INSERT INTO'} {name} VALUES {', '.join(rows)}{tail}"
        source = self._like(name)
        listed = self.random.choice((_LISTED, "id, k, a, b, x"))
        query = f"SELECT {listed} FROM {source} WHERE {self._where(source)}"
        return f"{verb or 'INSERT INTO'} {name} ({listed}) {query}{tail}"

    def _unique_source(self, name: str) -> tuple[str, str]:
        """A subquery of one row for each value of a column that `name` has too, and this column."""
        source = self._like(name)
        by = self.random.choice(("k", "k", "id", "a"))
        others = [column for column in ("k", "a", "b", "x") if column != by]
        values = ", ".join(f"max({column}) AS {column}" for column in others)
        return f"(SELECT {by}, {values} FROM {source} GROUP BY {by})", by

    def _like(self, name: str) -> str:
        """A table whose shard key has the same kind."""
        return self.random.choice(
            [
                table.name
                for table in self.schema.tables
                if self.schema.columns[table.name][1].kind == self.schema.columns[name][1].kind
            ]
        )

    def _where(self, name: str) -> str:
        return condition(Maker(self.schema, self.random), self.schema.columns[name], nested=False)

    def _returning(self) -> str:
        return self.random.choice(("", "", "", " RETURNING *", " RETURNING k, a AS first"))
