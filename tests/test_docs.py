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
ARCHITECTURE = DOCS / "architecture.md"
PYTHON_PAGE = DOCS / "reference" / "python.md"
SQL_PAGES = [DOCS / "reference" / "sql.md", ARCHITECTURE, *sorted((DOCS / "how-to").glob("*.md"))]

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
    if os.environ.get("DUCKRAFT_REWRITE_DOCS"):
        page.write_text(runs)
    assert runs.splitlines() == written.splitlines()


def test_the_plan_in_the_readme_is_printed_by_the_sql_above_it(
    shell: Interpreter, capsys: pytest.CaptureFixture[str]
) -> None:
    (_, statements), (_, plan) = _BLOCK.findall((ROOT / "README.md").read_text())
    printed = [line.rstrip() for line in run_block(shell, statements, capsys).splitlines()]
    assert plan.strip()
    assert plan.rstrip() in "\n".join(printed)


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


def test_the_reference_of_errors_lists_every_sqlstate_that_the_engine_names() -> None:
    page = (DOCS / "reference" / "errors.md").read_text()
    literal = re.compile(r'"((?=[0-9A-Z]*\d)[0-9A-Z]{5})"')
    source = "".join(
        path.read_text()
        for path in (ROOT / "engine").rglob("*.py")
        if "sqlstate" in path.read_text() or path.name == "errors.py"
    )
    used = set(literal.findall(source))
    assert len(used) > 30
    assert sorted(code for code in used if f"`{code}`" not in page) == []


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
