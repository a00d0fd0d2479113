"""Every command, by each of its names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duckraft.shell.commands import BY_NAME, COMMANDS, run_command
from duckraft.shell.interpreter import CommandError, Interpreter, Quit
from duckraft.shell.script import CommandLine, parse

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "shell.md"


def test_no_name_is_taken_twice() -> None:
    assert len(BY_NAME) == sum(len(command.names) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.names[0])
def test_a_command_has_a_sentence_of_help_and_an_example_of_itself(command: object) -> None:
    from duckraft.shell.commands import Command

    assert isinstance(command, Command)
    assert re.fullmatch(r"[A-Z].*\.", command.help)
    assert command.example.split()[0] in command.names
    assert parse(command.example).items == (CommandLine(command.example, 1),)


def test_help_lists_every_command(shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    run_command(shell, "\\?")
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert command.usage in out


def test_the_reference_page_lists_every_command() -> None:
    page = REFERENCE.read_text()
    for command in COMMANDS:
        row = f"| `{command.usage}` | {command.help} |".replace("[on|off]", "[on\\|off]")
        assert row in page


@pytest.mark.parametrize("name", ["\\timing", "timing", ".timer"])
def test_help_of_one_command_shows_its_example(
    shell: Interpreter, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    run_command(shell, f"\\? {name}")
    assert "Example: \\timing on" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["\\q", ".quit", ".exit", "\\quit", "\\q;"])
def test_leaving(shell: Interpreter, line: str) -> None:
    with pytest.raises(Quit):
        run_command(shell, line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("\\tming", "unknown command \\tming: did you mean \\timing?"),
        (".zzzzzzz", "unknown command .zzzzzzz: \\? lists all commands"),
        ("\\i", "usage: \\i FILE"),
        ("\\timing on off", "usage: \\timing [on|off]"),
        ("\\timing maybe", "maybe is neither on nor off"),
        (".mode xml", "unknown format xml: known are table, line, csv"),
        ("\\pset colour red", "unknown option colour: known are format, null"),
        ("\\i 'a", "\\i: no closing quotation"),
        ("\\? nonsense", "unknown command nonsense"),
    ],
)
def test_wrong_use_is_told(shell: Interpreter, line: str, message: str) -> None:
    with pytest.raises(CommandError, match=re.escape(message)):
        run_command(shell, line)


@pytest.mark.parametrize("line", [".mode csv", "\\pset format csv", ".mode CSV;"])
def test_the_format_can_be_set(shell: Interpreter, line: str) -> None:
    run_command(shell, line)
    assert shell.settings.effective_format == "csv"


def test_a_format_goes_by_the_names_of_others(shell: Interpreter) -> None:
    run_command(shell, "\\pset format aligned")
    assert shell.settings.effective_format == "table"


def test_a_switch_without_a_word_turns(shell: Interpreter) -> None:
    run_command(shell, "\\x")
    assert shell.settings.effective_format == "line"
    run_command(shell, "\\x")
    assert shell.settings.effective_format == "table"
    run_command(shell, ".timer on")
    run_command(shell, "\\timing ON")
    assert shell.settings.timing


def test_headers_and_null_can_be_set(shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    run_command(shell, ".headers off")
    run_command(shell, ".nullvalue '<null>'")
    run_command(shell, ".mode csv")
    shell.run_text("select null as a")
    assert capsys.readouterr().out == "<null>\n"
    run_command(shell, "\\pset null")
    assert shell.settings.null is None


def test_results_go_to_a_file_and_back(
    shell: Interpreter, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "result.csv"
    shell.run_text(f".mode csv\n\\o {file}\nselect 'é' as a;\n\\echo done\n\\o\nselect 2 as b;")
    assert file.read_text(encoding="utf-8") == "a\né\ndone\n"
    assert capsys.readouterr().out == "b\n2\n"


def test_tables_shards_and_nodes_are_listed(shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_text("create table ducks (id int primary key, name varchar) shard by hash (id);")
    for line in ("\\dt", ".tables", "\\d", "\\shards"):
        run_command(shell, line)
        assert "ducks" in capsys.readouterr().out
    run_command(shell, "\\nodes")
    assert "local" in capsys.readouterr().out


def test_a_table_is_described(shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_text('create table "odd ""name" (id int primary key, name varchar);')
    run_command(shell, "\\d 'odd \"name'")
    out = capsys.readouterr().out
    assert "name" in out
    assert "VARCHAR" in out


def test_conninfo_tells_where_the_database_is(shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> None:
    run_command(shell, "\\conninfo")
    assert "in-memory" in capsys.readouterr().out
