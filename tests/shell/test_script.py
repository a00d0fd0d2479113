"""Scripts cut into statements and commands."""

from __future__ import annotations

from collections.abc import Iterator

from duckraft.shell.script import CommandLine, Statement, is_complete, parse, parse_stream


def test_statements_know_the_line_of_their_first_word() -> None:
    assert parse("select 1;\n-- two\n\nselect\n2; select 3").items == (
        Statement("select 1", 1),
        Statement("select\n2", 4),
        Statement("select 3", 5),
    )


def test_commands_stand_between_statements() -> None:
    assert parse("\\timing on\nselect 1;\n  .mode csv  \nselect 2;\n\\q").items == (
        CommandLine("\\timing on", 1),
        Statement("select 1", 2),
        CommandLine(".mode csv", 3),
        Statement("select 2", 4),
        CommandLine("\\q", 5),
    )


def test_a_quote_in_a_command_opens_nothing() -> None:
    assert parse("\\echo it's\nselect 1;").items == (CommandLine("\\echo it's", 1), Statement("select 1", 2))


def test_a_comment_before_a_command_is_passed_over() -> None:
    assert parse("-- it's here\n/* and\n here */\n\\dt\n").items == (CommandLine("\\dt", 4),)


def test_lines_inside_quotes_and_statements_are_no_commands() -> None:
    text = "select '\n\\q\n' || $$\n.quit\n$$\n.x\nfrom t;"
    assert parse(text).items == (Statement(text[:-1], 1),)


def test_a_number_that_begins_with_a_dot_is_no_command() -> None:
    assert parse(".5").items == (Statement(".5", 1),)


def test_windows_line_ends_are_blanks() -> None:
    assert parse("\\dt\r\nselect 1;\r\n").items == (CommandLine("\\dt", 1), Statement("select 1", 2))


def test_comments_alone_are_nothing() -> None:
    assert parse("-- nothing\n/* at all */ ;\n").items == ()


def test_what_is_unfinished_waits_when_more_may_follow() -> None:
    parsed = parse("select 1;\nselect\n'a;\n", at_end=False)
    assert parsed.items == (Statement("select 1", 1),)
    assert (parsed.rest_start, parsed.rest_line) == (10, 2)


def test_a_stream_gives_each_item_as_soon_as_its_line_is_there() -> None:
    seen: list[str] = []

    def pieces() -> Iterator[str]:
        for piece in ("sel", "ect 1;\n\\ec", "ho a;b\nselect '", ";\n';", "\nselect 2"):
            yield piece
            seen.append("|")

    for item in parse_stream(pieces()):
        seen += [f"{item.line}:{item.text}"]
    assert seen == ["|", "1:select 1", "|", "2:\\echo a;b", "|", "|", "3:select ';\n'", "|", "5:select 2"]


def test_enter_runs_only_what_is_finished() -> None:
    assert is_complete("select 1;")
    assert is_complete("select 1; -- done")
    assert is_complete("")
    assert is_complete("\\dt")
    assert is_complete(" .tables")
    assert not is_complete("select 1")
    assert not is_complete("select 1; select 2")
    assert not is_complete("select ';")
    assert not is_complete("select 1 /* ;")
