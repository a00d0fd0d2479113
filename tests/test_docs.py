"""The pages of docs/, done as they stand there.

A page's `sql` blocks run in order, each page in a fresh database in memory, in an empty folder. A `text` block behind
one is what it prints. A statement under the comment `-- refused: SQLSTATE` must fail with that SQLSTATE, any other must
not. Where the output changed on purpose, `DUCKRAFT_REWRITE_DOCS=1 pytest tests/test_docs.py` writes it into the pages.
The tutorial has a test of its own (`tests/shell/test_interpreter.py`), since it shows commands of the shell.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from duckraft.engine import errors
from duckraft.engine.database import Database
from duckraft.engine.sql.split import split_script
from duckraft.shell.interpreter import Interpreter, StopScript
from duckraft.shell.output import Output
from duckraft.shell.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
ARCHITECTURE = DOCS / "architecture.md"
PYTHON_PAGE = DOCS / "reference" / "python.md"
SQL_PAGES = [DOCS / "reference" / "sql.md", ARCHITECTURE, *sorted((DOCS / "how-to").glob("*.md"))]

REWRITE = "DUCKRAFT_REWRITE_DOCS"

_BLOCK = re.compile(r"^```(sql|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REFUSED = re.compile(r"^-- refused: (\w{5})$", re.MULTILINE)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Interpreter]:
    """The shell on a new database in memory, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    settings.quiet = True
    with Database.open() as database:
        interpreter = Interpreter(database, settings, Output(settings), None)
        yield interpreter
        interpreter.close()


def outcome(shell: Interpreter, statement: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What a statement prints, and the SQLSTATE of its error, or nothing."""
    try:
        shell.run_text(f"{statement};")
    except StopScript:
        printed = capsys.readouterr().err
        found = re.match(r"ERROR (\w{5}): ", printed)
        assert found, printed
        return printed, found.group(1)
    return capsys.readouterr().out, ""


def run_block(shell: Interpreter, block: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the statements of a block, and return what they print."""
    printed: list[str] = []
    end = 0
    for statement in split_script(block).all_statements():
        mark = _REFUSED.search(block[end : statement.start])
        text, sqlstate = outcome(shell, statement.text, capsys)
        assert sqlstate == (mark.group(1) if mark else ""), f"{statement.text}\n{text}"
        printed.append(text)
        end = statement.start + len(statement.text)
    return "".join(printed)


def as_it_runs(page: str, shell: Interpreter, capsys: pytest.CaptureFixture[str]) -> str:
    """The page with what its blocks of SQL print now."""
    printed = ""

    def renewed(block: re.Match[str]) -> str:
        nonlocal printed
        if block.group(1) == "text":
            return f"```text\n{printed}```"
        lines = run_block(shell, block.group(2), capsys).splitlines()
        printed = "".join(f"{line.rstrip()}\n" for line in lines)
        return block.group()

    return _BLOCK.sub(renewed, page)


@pytest.mark.parametrize("page", SQL_PAGES, ids=name_of)
def test_the_sql_of_a_page_does_what_the_page_says(
    page: Path, shell: Interpreter, capsys: pytest.CaptureFixture[str]
) -> None:
    written = page.read_text()
    assert _BLOCK.search(written)
    runs = as_it_runs(written, shell, capsys)
    if os.environ.get(REWRITE):
        page.write_text(runs)
    assert runs.splitlines() == written.splitlines()


def test_the_readme_shows_the_plan_of_the_query_that_it_explains(
    shell: Interpreter, capsys: pytest.CaptureFixture[str]
) -> None:
    written = README.read_text()
    (_, statements), _ = _BLOCK.findall(written)
    printed = {
        statement.text: outcome(shell, statement.text, capsys)[0]
        for statement in split_script(statements).statements
    }
    (plan,) = [text for statement, text in printed.items() if statement.startswith("EXPLAIN SELECT")]
    without_header = "".join(f"{line.rstrip()}\n" for line in plan.splitlines()[2:])
    runs = re.sub(
        r"^```text\n.*?^```$", f"```text\n{without_header}```", written, flags=re.MULTILINE | re.DOTALL
    )
    if os.environ.get(REWRITE):
        README.write_text(runs)
    assert runs.splitlines() == written.splitlines()


@pytest.mark.parametrize(
    "block",
    [
        "SELECT 1; SELECT nosuch",
        "-- refused: 42703\nSELECT 1",
        "-- refused: 0A000\nSELECT nosuch",
        "-- refused: 42703\nSELECT nosuch; SELECT nosuch",
    ],
)
def test_a_block_that_does_something_else_is_found(
    block: str, shell: Interpreter, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        run_block(shell, block, capsys)


def test_the_python_of_the_reference_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PYTHON_PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, name_of(PYTHON_PAGE), "exec"), {})


def test_the_reference_of_errors_names_every_class_with_its_sqlstate() -> None:
    classes = [
        found
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, errors.Error) and found is not errors.Error
    ]
    rows = re.findall(
        r"^\| `(\w+)` \| `\w+` \| `(\w{5})` \|",
        (DOCS / "reference" / "errors.md").read_text(),
        re.MULTILINE,
    )
    assert sorted(rows) == sorted((found.__name__, found.sqlstate) for found in classes)


def test_the_reference_of_errors_lists_the_sqlstates_that_the_engine_gives() -> None:
    sources = [path.read_text() for path in (ROOT / "engine").rglob("*.py")]
    used = re.compile(r'"((?=[0-9A-Z]*\d)[0-9A-Z]{5})"')
    given = {code for source in sources if "sqlstate" in source for code in used.findall(source)}
    rows = re.findall(
        r"^\| (`[^|]*`) \| [^|]+ \|$", (DOCS / "reference" / "errors.md").read_text(), re.MULTILINE
    )
    assert {code for row in rows for code in re.findall(r"`(\w{5})`", row)} == given


def test_modules_and_functions_that_the_architecture_names_are_there() -> None:
    page = ARCHITECTURE.read_text()
    modules = set(re.findall(r"`((?:engine|shell|tests)/[\w/]+(?:\.py|/))`", page))
    assert len(modules) > 20
    assert sorted(path for path in modules if not (ROOT / path).exists()) == []
    source = "".join(path.read_text() for top in ("engine", "shell") for path in (ROOT / top).rglob("*.py"))
    functions = set(re.findall(r"`(?:\w+\.)*(\w+)\(\)`", page))
    assert len(functions) > 20
    assert sorted(name for name in functions if f"def {name}(" not in source) == []


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text() + (DOCS / "decisions" / "README.md").read_text()
    pages = {page.name for page in DOCS.rglob("*.md") if page.name not in ("README.md", "template.md")}
    assert sorted(name for name in pages if f"{name})" not in index) == []
