"""Each format on the same rows, and what each promises about NULL, odd characters and large results."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from duckraft.engine.types import Column, Row
from duckraft.shell.formats import FORMATS, Style
from duckraft.shell.formats.table import SAMPLE_ROWS

COLUMNS = (Column("id", "INTEGER"), Column("name", "VARCHAR"), Column("price", "DECIMAL(9,2)"))
ROWS: list[Row] = [(1, "duck", Decimal("10.00")), (20, None, Decimal("0.50")), (3, "", None)]

GOLDEN = {
    "table": """\
 id | name | price
----+------+-------
  1 | duck | 10.00
 20 | NULL |  0.50
  3 |      |  NULL
""",
    "line": """\
   id = 1
 name = duck
price = 10.00

   id = 20
 name = NULL
price = 0.50

   id = 3
 name =\x20
price = NULL
""",
    "csv": 'id,name,price\n1,duck,10.00\n20,,0.50\n3,"",\n',
    "tsv": "id\tname\tprice\n1\tduck\t10.00\n20\t\\N\t0.50\n3\t\t\\N\n",
    "json": """\
[
{"id": 1, "name": "duck", "price": 10.00},
{"id": 20, "name": null, "price": 0.50},
{"id": 3, "name": "", "price": null}
]
""",
    "jsonl": """\
{"id": 1, "name": "duck", "price": 10.00}
{"id": 20, "name": null, "price": 0.50}
{"id": 3, "name": "", "price": null}
""",
    "markdown": """\
| id | name | price |
| ---: | --- | ---: |
| 1 | duck | 10.00 |
| 20 | NULL | 0.50 |
| 3 |  | NULL |
""",
}


def render(name: str, columns: tuple[Column, ...], *batches: list[Row], style: Style = Style()) -> str:  # noqa: B008
    return "".join(FORMATS[name].render(columns, batches, style))


def test_every_format_has_a_golden_result() -> None:
    assert set(GOLDEN) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_rows_look_as_they_should(name: str) -> None:
    assert render(name, COLUMNS, ROWS) == GOLDEN[name]


@pytest.mark.parametrize("name", FORMATS)
def test_batches_leave_no_trace(name: str) -> None:
    assert render(name, COLUMNS, *([row] for row in ROWS)) == GOLDEN[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("table", " id | name | price\n----+------+-------\n"),
        ("line", ""),
        ("csv", "id,name,price\n"),
        ("tsv", "id\tname\tprice\n"),
        ("json", "[]\n"),
        ("jsonl", ""),
        ("markdown", "| id | name | price |\n| ---: | --- | ---: |\n"),
    ],
)
def test_a_result_without_rows(name: str, expected: str) -> None:
    assert render(name, COLUMNS) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("table", "  1 | duck | 10.00\n"),
        ("line", "1\nduck\n10.00\n"),
        ("csv", "1,duck,10.00\n"),
        ("tsv", "1\tduck\t10.00\n"),
        ("markdown", "| 1 | duck | 10.00 |\n"),
    ],
)
def test_without_a_header_only_rows_are_printed(name: str, expected: str) -> None:
    text = render(name, COLUMNS, ROWS[:1], style=Style(header=False))
    assert text.lstrip() == expected.lstrip()


@pytest.mark.parametrize("name", ["table", "line", "csv", "tsv", "markdown"])
def test_the_text_for_null_can_be_chosen(name: str) -> None:
    assert render(name, COLUMNS, ROWS, style=Style(null="∅")).count("∅") == 2


def test_csv_keeps_null_apart_from_the_text_that_stands_for_it() -> None:
    columns = (Column("a", "VARCHAR"), Column("b", "INTEGER"))
    assert render("csv", columns, [("-", 1), (None, None)], style=Style(null="-")) == 'a,b\n"-",1\n-,-\n'


def test_csv_is_read_back_by_python_and_duckdb(tmp_path: Path) -> None:
    texts = ["plain", 'say "hi"', "a,b", "two\nlines", "cr\rlf\r\n", " blanks ", "ünï", "'", "\\", "\t"]
    text = render("csv", (Column("id", "INTEGER"), Column("t", "VARCHAR")), list(enumerate(texts)))
    assert [row[1] for row in csv.reader(io.StringIO(text, newline=""))][1:] == texts
    file = tmp_path / "texts.csv"
    file.write_text(text, newline="")
    with duckdb.connect() as plain:
        back = plain.execute("FROM read_csv(?, all_varchar = true)", [str(file)]).fetchall()
    assert [row[1] for row in back] == texts


def test_tsv_is_one_line_a_row_whatever_the_values_hold() -> None:
    text = render("tsv", (Column("t", "VARCHAR"),), [("a\tb\nc\\d\re",)], style=Style(header=False))
    assert text == "a\\tb\\nc\\\\d\\re\n"


def test_json_gives_columns_of_one_name_names_of_their_own() -> None:
    columns = tuple(Column(name, "INTEGER") for name in ("a", "a", "a_1", "a"))
    assert json.loads(render("jsonl", columns, [(1, 2, 3, 4)])) == {"a": 1, "a_2": 2, "a_1": 3, "a_3": 4}


def test_a_json_array_whose_rows_fail_half_way_is_no_valid_json() -> None:
    def failing() -> Iterator[list[Row]]:
        yield [(1,)]
        raise OSError("gone")

    pieces: list[str] = []
    with pytest.raises(OSError, match="gone"):
        pieces.extend(FORMATS["json"].render((Column("a", "INTEGER"),), failing(), Style()))
    with pytest.raises(ValueError, match="Expecting"):
        json.loads("".join(pieces))


def test_markdown_escapes_what_would_end_a_cell() -> None:
    assert "| a\\|b<br>c |" in render("markdown", (Column("t", "VARCHAR"),), [("a|b\nc",)])


def test_a_table_aligns_characters_of_two_columns() -> None:
    text = render("table", (Column("t", "VARCHAR"), Column("n", "INTEGER")), [("日本", 1), ("é", 22)])
    assert text == " t    | n\n------+----\n 日本 |  1\n é    | 22\n".replace(" n\n", "  n\n", 1)


def test_control_characters_never_reach_a_terminal() -> None:
    for name in ("table", "line", "markdown"):
        text = render(name, (Column("a\x1b[1m", "VARCHAR"),), [("\x1b[31mred\x07\u009b\t",)])
        assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text) is None
        assert "\\x1b[31mred\\x07\\x9b\\t" in text.replace("\\\\", "\\")


def test_a_value_of_several_lines_is_marked_in_a_table() -> None:
    text = render("table", (Column("t", "VARCHAR"), Column("n", "INTEGER")), [("one\ntwo", 1)])
    assert text == " t   | n\n-----+---\n one+| 1\n two |\n"


def test_rows_after_the_sample_are_printed_fully_though_they_are_wider() -> None:
    long = "x" * 300
    text = render("table", (Column("t", "VARCHAR"),), [("short",)] * SAMPLE_ROWS, [(long,)])
    assert text.splitlines()[-1] == f" {long}"


def test_a_terminal_wraps_what_does_not_fit_and_loses_nothing() -> None:
    columns = (Column("id", "INTEGER"), Column("t", "VARCHAR"))
    value = "abcdefghij" * 10
    text = render("table", columns, [(7, value), (8, "短" * 40)], style=Style(width_chars=40))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 40
    body = [line.partition("| ")[2].rstrip(" .") for line in lines[2:]]
    assert "".join(body) == value + "短" * 40


def test_a_terminal_too_narrow_for_the_columns_gets_records() -> None:
    columns = tuple(Column(f"column_{i}", "VARCHAR") for i in range(20))
    text = render("table", columns, [tuple("a value" for _ in columns)], style=Style(width_chars=60))
    assert text.splitlines()[0] == " column_0 = a value"
    assert len(text.splitlines()) == 20


def test_numbers_are_never_wrapped() -> None:
    columns = (Column("n", "HUGEINT"), Column("t", "VARCHAR"))
    text = render("table", columns, [(10**30, "word " * 20)], style=Style(width_chars=60))
    assert str(10**30) in text


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "table"])
def test_rows_are_printed_before_the_next_batch_is_asked_for(name: str) -> None:
    asked: list[int] = []

    def batches() -> Iterator[list[Row]]:
        for number in range(5):
            asked.append(number)
            yield [(number,)]

    pieces = FORMATS[name].render((Column("n", "INTEGER"),), batches(), Style(header=False))
    assert "0" in next(piece for piece in pieces if piece.strip())
    assert len(asked) <= 2
