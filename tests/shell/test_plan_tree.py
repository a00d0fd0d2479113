"""Plans drawn in a terminal: what is in them, colours, width; text where there is no terminal."""

from __future__ import annotations

import json

import pytest

from duckraft.engine.database import Database
from duckraft.engine.session import Session
from duckraft.shell.interpreter import Interpreter
from duckraft.shell.output import Output
from duckraft.shell.plan_tree import render
from duckraft.shell.settings import Settings

_SPLIT = "SELECT town, stddev(amount) AS spread FROM sales GROUP BY town ORDER BY spread DESC LIMIT 3"


@pytest.fixture
def session() -> Session:
    """sales: by hash of id, two shards."""
    session = Database.open(shards=2).session()
    session.execute("CREATE TABLE sales (id BIGINT, town VARCHAR, amount DOUBLE) SHARD BY HASH (id)")
    session.execute("INSERT INTO sales SELECT range, 't' || range % 7, range FROM range(1000)")
    return session


def _drawn(session: Session, sql: str, width_chars: int = 100, colour: bool = False) -> str:
    plan = session.execute(sql).plan
    assert plan is not None
    return render(plan, width_chars, colour)


def test_a_split_plan_is_a_tree_with_a_table_of_shards(session: Session) -> None:
    text = _drawn(session, f"EXPLAIN ANALYZE {_SPLIT}")
    lines = text.splitlines()
    assert lines[0] == "Split: fragments on the shards, merged at the gateway"
    assert "└── fragment_1 on shards 0, 1" in text
    assert "sales: all 2 shards (no condition on the shard key (id))" in text
    assert any(line.split()[-5:] == ["bytes", "rows", "scanned", "ms", "of", "work"][-5:] for line in lines)
    assert sum("local" in line for line in lines) == 2


def test_without_analyze_there_are_no_costs(session: Session) -> None:
    text = _drawn(session, f"EXPLAIN {_SPLIT}")
    assert "ms" not in text
    assert "local" not in text


def test_long_sql_is_wrapped_inside_its_branch(session: Session) -> None:
    text = _drawn(session, f"EXPLAIN {_SPLIT}", width_chars=50)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 50


def test_colours_are_only_for_those_who_want_them(session: Session) -> None:
    assert "\x1b[" in _drawn(session, f"EXPLAIN {_SPLIT}", colour=True)
    assert "\x1b" not in _drawn(session, f"EXPLAIN {_SPLIT}")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("EXPLAIN SELECT * FROM sales WHERE id = 5", ["Route: one shard", "sales: shard", "(id = 5)"]),
        ("EXPLAIN SELECT 1", ["Local: the gateway answers alone", "SELECT 1"]),
        ("EXPLAIN SELECT row_number() OVER () FROM sales", ["Gather: ", "fragment_1 on shards 0, 1"]),
        ("EXPLAIN ANALYZE UPDATE sales SET amount = 1", ["UPDATE", "total: 1,000 rows in", "ms of work"]),
        ("EXPLAIN DELETE FROM sales", ["DELETE", "sales: all 2 shards"]),
    ],
)
def test_every_kind_of_plan_is_drawn(session: Session, sql: str, found: list[str]) -> None:
    text = _drawn(session, sql)
    assert [words for words in found if words not in text] == []


def test_text_in_brackets_is_not_taken_for_markup(session: Session) -> None:
    assert "[bold]x[/bold]" in _drawn(session, "EXPLAIN SELECT '[bold]x[/bold]'")


def test_moves_are_drawn_under_their_fragment(session: Session) -> None:
    session.execute("CREATE TABLE towns (name VARCHAR, people BIGINT) SHARD BY HASH (people)")
    session.execute("INSERT INTO towns SELECT 't' || range, range FROM range(7)")
    session.execute("SET duckraft_binding = streamed")
    sql = "SELECT people, count(*) FROM sales JOIN towns ON town = name GROUP BY people"
    plan = session.execute(f"EXPLAIN {sql}").plan
    assert plan is not None
    moves = [move for fragment in plan["fragments"] for move in fragment.get("moves", ())]
    text = render(plan, 200, colour=False)
    for move in moves:
        assert f"{move['name']}: {move['kind']}, about {move['estimated_rows']:,} rows" in text


def test_in_a_terminal_a_plan_is_drawn_unless_another_format_was_chosen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duckraft.shell.output._terminal_width_chars", lambda _: 80)
    settings = Settings()
    with Database.open() as database:
        shell = Interpreter(database, settings, Output(settings), None)
        shell.run_text("EXPLAIN SELECT 1; EXPLAIN (FORMAT json) SELECT 1;")
        drawn, others = capsys.readouterr().out.split(" plan\n")
        assert drawn.startswith("Local: the gateway answers alone\n├── why: ")
        assert '"tier": "local"' in others
        settings.format = "csv"
        shell.run_text("EXPLAIN SELECT 1;")
        shell.close()
    assert capsys.readouterr().out.startswith("plan\n")


def test_without_a_terminal_a_plan_is_rows(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(format="jsonl")
    with Database.open() as database:
        shell = Interpreter(database, settings, Output(settings), None)
        shell.run_text("EXPLAIN SELECT 1;")
        settings.format = "table"
        shell.run_text("EXPLAIN SELECT 1;")
        shell.close()
    first, *others = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"plan": "Local: the gateway answers alone"}
    assert " Local: the gateway answers alone" in others
