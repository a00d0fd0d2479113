"""What Tab offers."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from duckraft.engine.errors import OperationalError
from duckraft.shell.completion import ShellCompleter
from duckraft.shell.interpreter import Interpreter


@pytest.fixture
def completer(shell: Interpreter) -> ShellCompleter:
    shell.settings.quiet = True
    shell.run_text(
        "create table ducks (id int primary key, weight double, name varchar); create table geese (age int);"
    )
    return ShellCompleter(shell)


def offers(completer: ShellCompleter, before: str, after: str = "") -> list[str]:
    document = Document(before + after, len(before))
    return [completion.text for completion in completer.get_completions(document, CompleteEvent())]


def test_tables_stand_after_from(completer: ShellCompleter) -> None:
    assert offers(completer, "select * from ") == [
        "ducks",
        "geese",
        "duckraft.tables",
        "duckraft.shards",
        "duckraft.nodes",
        "duckraft.statistics",
    ]
    assert offers(completer, "select * from GE") == ["geese"]
    assert offers(completer, "select * from ducks, ge") == ["geese"]
    assert offers(completer, "select * from duckraft.s") == ["duckraft.shards", "duckraft.statistics"]


def test_columns_of_the_tables_in_the_statement_come_first(completer: ShellCompleter) -> None:
    assert offers(completer, "select w", " from ducks")[0] == "weight"
    assert "age" not in offers(completer, "select a", " from ducks")
    assert offers(completer, "select d.na", " from ducks d") == ["d.name"]
    assert offers(completer, "select na", " from ducks").count("name") == 1


def test_keywords_keep_the_case_that_was_typed(completer: ShellCompleter) -> None:
    assert "select" in offers(completer, "sel")
    assert "SELECT" in offers(completer, "SEL")
    assert "SHARD BY" in offers(completer, "create table t (a int) SHA")


def test_commands_and_their_words(completer: ShellCompleter, tmp_path: Path) -> None:
    assert "\\timing" in offers(completer, "\\ti")
    assert ".tables" in offers(completer, ".ta")
    assert offers(completer, "\\timing o") == ["on", "off"]
    assert offers(completer, "\\d ge") == ["geese"]
    assert offers(completer, ".mode js") == ["json", "jsonl"]
    assert offers(completer, "\\pset f") == ["format"]
    assert offers(completer, "\\pset format ma") == ["markdown"]
    assert offers(completer, "\\q ") == []
    (tmp_path / "load.sql").touch()
    assert offers(completer, f"\\i {tmp_path}/lo") == ["ad.sql"]


def test_a_new_table_is_offered_and_a_dropped_one_is_not(
    completer: ShellCompleter, shell: Interpreter
) -> None:
    assert "swans" not in offers(completer, "from s")
    shell.run_text("create table swans (a int); drop table geese")
    assert "swans" in offers(completer, "from s")
    assert "geese" not in offers(completer, "from g")


def test_a_database_that_cannot_answer_offers_less(
    completer: ShellCompleter, shell: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(sql: str) -> None:
        raise OperationalError("no")

    monkeypatch.setattr(shell.session, "execute", fail)
    assert offers(completer, "select * from d") == [
        "duckraft.tables",
        "duckraft.shards",
        "duckraft.nodes",
        "duckraft.statistics",
    ]
