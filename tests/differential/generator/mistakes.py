"""Statements with a mistake in them: they must fail as they do on plain DuckDB, or be what they are there.

A mistake is one that is found before any row is read, or one that no row escapes.
"""

from __future__ import annotations

from .conditions import condition, table
from .scope import Maker


def mistaken(maker: Maker) -> str:
    """One statement."""
    relation = table(maker)
    one, other = maker.choose(relation.columns).name, maker.choose(relation.columns).name
    alias = one.split(".", maxsplit=1)[0]
    source = relation.sql
    where = condition(maker, relation.columns)
    forms = (
        f"SELECT {alias}.nothing FROM {source} WHERE {where}",
        f"SELECT {one} FROM {source} WHERE {where} AND nothing = 1",
        f"SELECT {one} FROM nowhere AS {alias}",
        f"SELECT {one} FROM {source}, nowhere",
        f"SELECT {one}, count(*) FROM {source}",
        f"SELECT {one}, count(*) FROM {source} GROUP BY {other}",
        f"SELECT {one} FROM {source} WHERE count(*) > 1",
        f"SELECT {one} FROM {source} GROUP BY count(*)",
        f"SELECT sum(max({one})) FROM {source}",
        f"SELECT no_such_function({one}) FROM {source}",
        f"SELECT no_such_function({one}) FROM {source} WHERE {where}",
        f"SELECT sum({one}) FROM {source}",
        f"SELECT {one} + {other} IS NULL FROM {source} WHERE false",
        f"SELECT {one} FROM {source} WHERE",
        f"SELECT {one} FORM {source}",
        f"SELECT ({one} FROM {source}",
        f"SELECT 1 x CROSS JOIN {source}",
        f"SELECT {one}, FROM {source} WHERE {where} GROUP BY",
        f"SELECT 'open FROM {source}",
        f"SELECT {one} FROM {source} UNION SELECT {one}, {one} FROM {source}",
        f"SELECT {one} FROM {source} ORDER BY 7",
        f"SELECT {one} FROM {source} GROUP BY 9",
        f"SELECT {one} FROM {source} LIMIT -1",
        f"SELECT {one} FROM {source} LIMIT 'many'",
        f"SELECT (SELECT {one}, {other} FROM {source})",
        f"SELECT {one} FROM {source} WHERE ({one}, {other}) IN (SELECT {one} FROM {source})",
        f"SELECT 'x'::INTEGER, {one} FROM {source}",
        f"SELECT 300::TINYINT FROM {source}",
        f"SELECT {one} FROM {source} WHERE {one} = 'neither this nor that'",
        f"SELECT error('no') FROM {source}",
        f"SELECT k FROM {source}, {source.removesuffix(alias)}{alias}b",
        f"SELECT row_number() OVER (ORDER BY {one}) AS n FROM {source} WHERE n = 1",
        f"SELECT {one} FROM {source} WHERE row_number() OVER () = 1",
        f"SELECT sum(1) OVER (ORDER BY {one} ROWS BETWEEN 1 FOLLOWING AND 1 PRECEDING) FROM {source}",
        f"SELECT {one} FROM {source} JOIN {source} ON true",
        f"SELECT * EXCLUDE (nothing) FROM {source}",
        f"SELECT COLUMNS('nothing') FROM {source}",
        f"SELECT {one} FROM {source} WHERE {one} = $1",
        f"SELECT DISTINCT ON (nothing) {one} FROM {source}",
        f"WITH q AS (SELECT 1 AS c) SELECT q.d FROM q, {source}",
        f"SELECT twice({one}, {other}) FROM {source}",
        f"SELECT {one} FROM {source} QUALIFY {one} = 1 OR nothing",
        f"SELECT list_transform({one}, lambda v: v + nothing) FROM {source}",
        f"SELECT of_a({one}) FROM {source}",
        "FROM of_a()",
        f"PIVOT {source.split(maxsplit=1)[0]} ON nothing USING sum(a)",
    )
    return maker.choose(forms)
