"""UPDATE, DELETE and MERGE taken apart."""

from __future__ import annotations

import pytest

from duckraft.engine.sql.change import (
    Action,
    ChangeParts,
    Match,
    Star,
    changes_within,
    parse_change,
    relation_name,
    takes_all_columns,
    unqualified,
)
from duckraft.engine.sql.reader import Piece


def _parsed(text: str) -> ChangeParts:
    parts = parse_change(text)
    assert parts is not None
    for piece in (parts.prefix, parts.source, parts.condition, parts.returning):
        if piece is not None and piece.offset is not None:
            assert text[piece.offset :].startswith(piece.text)
    return parts


def _text(piece: Piece | None) -> str | None:
    return None if piece is None else piece.text


def test_the_parts_of_an_update() -> None:
    text = (
        'WITH w AS (SELECT 1) UPDATE main."T" AS x SET a=-1, (b, "c d") = (x.b, DEFAULT), d = CASE WHEN a IS DISTINCT'
        " FROM b THEN 1 END FROM s, (SELECT 2) u WHERE x.k = u.k AND a IS NOT DISTINCT FROM 3 RETURNING *, x.k;"
    )
    parts = _parsed(text)
    assert (parts.verb, parts.target, parts.alias) == ("UPDATE", ("main", "T"), "x")
    assert text[parts.target_start : parts.target_end] == 'main."T"'
    (clause,) = parts.clauses
    assert (clause.match, clause.action) == (Match.MATCHED, Action.UPDATE)
    assert clause.columns == ("a", "b", "c d", "d")
    assert [_text(value) for value in clause.values] == [
        "-1",
        "x.b",
        None,
        "CASE WHEN a IS DISTINCT FROM b THEN 1 END",
    ]
    assert (_text(parts.source), _text(parts.returning)) == ("s, (SELECT 2) u", "*, x.k")
    assert _text(parts.condition) == "x.k = u.k AND a IS NOT DISTINCT FROM 3"


@pytest.mark.parametrize(
    ("text", "alias", "source", "condition", "returning"),
    [
        ("DELETE FROM t", None, None, None, None),
        ("DELETE FROM t x USING s, u WHERE x.k = s.k RETURNING k", "x", "s, u", "x.k = s.k", "k"),
        ("delete from main.t as x where k in (select k from t where true)", "x", None,
         "k in (select k from t where true)", None),
        ("DELETE FROM t RETURNING *", None, None, None, "*"),
    ],
)  # fmt: skip
def test_the_parts_of_a_delete(
    text: str, alias: str | None, source: str | None, condition: str | None, returning: str | None
) -> None:
    parts = _parsed(text)
    assert [clause.action for clause in parts.clauses] == [Action.DELETE]
    found = (parts.alias, _text(parts.source), _text(parts.condition), _text(parts.returning))
    assert found == (alias, source, condition, returning)


def test_the_parts_of_a_merge() -> None:
    parts = _parsed(
        "MERGE INTO t x USING (SELECT 1 k) s JOIN u ON true ON x.k = s.k AND CASE WHEN 1 = 1 THEN true END"
        " WHEN MATCHED AND x.a IN (1, 2) THEN UPDATE SET a = s.b, (c, d) = ROW(1, 2) WHEN MATCHED THEN DELETE"
        " WHEN NOT MATCHED BY SOURCE THEN DO NOTHING"
        " WHEN NOT MATCHED BY TARGET AND true THEN INSERT (k, v) VALUES (s.k, DEFAULT)"
        " WHEN NOT MATCHED THEN ERROR 'x' || s.k RETURNING merge_action, k"
    )
    assert _text(parts.source) == "(SELECT 1 k) s JOIN u ON true"
    assert _text(parts.condition) == "x.k = s.k AND CASE WHEN 1 = 1 THEN true END"
    assert _text(parts.returning) == "merge_action, k"
    update, delete, nothing, insert, error = parts.clauses
    assert (update.action, _text(update.condition), update.columns) == (
        Action.UPDATE,
        "x.a IN (1, 2)",
        ("a", "c", "d"),
    )
    assert [_text(value) for value in update.values] == ["s.b", "1", "2"]
    assert (delete.action, delete.condition) == (Action.DELETE, None)
    assert (nothing.match, nothing.action) == (Match.BY_SOURCE, Action.NOTHING)
    assert (insert.match, insert.columns, _text(insert.condition)) == (Match.BY_TARGET, ("k", "v"), "true")
    assert [_text(value) for value in insert.values] == ["s.k", None]
    assert (error.match, _text(error.message)) == (Match.BY_TARGET, "'x' || s.k")


@pytest.mark.parametrize(
    ("action", "star", "columns"),
    [
        ("UPDATE", Star.POSITION, None),
        ("UPDATE SET *", Star.POSITION, None),
        ("UPDATE BY POSITION", Star.POSITION, None),
        ("UPDATE BY NAME", Star.NAME, None),
        ("INSERT", Star.POSITION, None),
        ("INSERT *", Star.POSITION, None),
        ("INSERT BY NAME", Star.NAME, None),
        ("INSERT BY NAME *", Star.NAME, None),
        ("INSERT DEFAULT VALUES", None, ()),
        ("INSERT VALUES (1, 2)", None, None),
    ],
)
def test_actions_without_a_list(action: str, star: Star | None, columns: tuple[str, ...] | None) -> None:
    for tail in ("", " RETURNING *", " WHEN NOT MATCHED BY SOURCE THEN DELETE"):
        parts = _parsed(f"MERGE INTO t USING s USING (k) WHEN NOT MATCHED THEN {action}{tail}")
        assert (parts.clauses[0].star, parts.clauses[0].columns) == (star, columns)
        assert _text(parts.using) == "(k)"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "UPDATE t",
        "UPDATE t SET",
        "UPDATE t SET a",
        "UPDATE t SET (a, b) = f(1)",
        "UPDATE t SET (a, b) = (1)",
        "DELETE t",
        "DELETE FROM t, u",
        "MERGE INTO t USING s ON true",
        "MERGE INTO t USING s WHEN MATCHED THEN DELETE",
        "MERGE INTO t USING s ON true WHEN MATCHED DELETE",
        "MERGE INTO t USING s ON true WHEN FOUND THEN DELETE",
        "MERGE INTO t USING s ON true WHEN MATCHED THEN MOVE",
    ],
)
def test_what_is_no_known_form_is_none(text: str) -> None:
    assert parse_change(text) is None


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("s", "s"),
        ("main.s", "s"),
        ("main.s AS x", "x"),
        ('(SELECT 1) "X y"', "X y"),
        ("(SELECT 1) AS x (a, b)", "x"),
        ("range(3) r(k)", "r"),
        ("range(3)", "range"),
        ("(SELECT 1)", None),
        ("a JOIN b ON true", None),
    ],
)
def test_the_name_of_a_source(source: str, name: str | None) -> None:
    assert relation_name(source) == name


def test_the_schema_in_front_of_the_table_is_left_out() -> None:
    text = 'main.t.a + (SELECT 1 FROM main.t) + x.main.t.a + "MAIN".T.b'
    pieces = unqualified(Piece(text, 5), "main", "t")
    assert "".join(piece.text for piece in pieces) == "t.a + (SELECT 1 FROM main.t) + x.main.t.a + T.b"
    assert all(
        piece.offset is not None and text[piece.offset - 5 :].startswith(piece.text) for piece in pieces
    )


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("t.a", False),
        ("count(*) FROM t", False),
        ("x.t", False),
        ("EXISTS (FROM t)", False),
        ("k IN (SELECT k FROM u, t)", False),
        ("k IN (SELECT k FROM u AS t WHERE a = 1)", False),
        ("k IN (SELECT k FROM u WHERE t = 1)", True),
        ("row(1, t)", True),
        ("t", True),
        ("hash(t)", True),
        ("row(t.*)", True),
        ("COLUMNS(*) IS NULL", True),
    ],
)
def test_expressions_that_mean_all_columns(text: str, takes: bool) -> None:
    assert takes_all_columns(text, "T", ["a"]) == takes
    assert takes_all_columns("t + 1", "t", ["a", "T"]) is False


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("WITH x AS (DELETE FROM main.t RETURNING *) FROM x", [("main", "t")]),
        ("WITH x AS MATERIALIZED (INSERT OR REPLACE INTO t VALUES (1)), y AS (UPDATE u SET a = 1) FROM x",
         [("t",), ("u",)]),
        ("WITH x AS (SELECT 1) UPDATE t SET a = (SELECT 1)", []),
        ("UPDATE t SET a = 'AS (DELETE FROM t'", []),
    ],
)  # fmt: skip
def test_changes_inside_a_with(text: str, found: list[tuple[str, ...]]) -> None:
    assert [name for name, _ in changes_within(text)] == found
