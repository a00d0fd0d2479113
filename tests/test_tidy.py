"""The style of the repository, checked like any other behaviour.

Each rule is a function from a file to its offences, so that the tests at the end can show that it finds some.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "proxy", "shell")
IGNORED = {"__pycache__", "_importroot", "node_modules", "build", "dist"}
LINES_MAX = 600
FUNCTION_LINES_MAX = 80
SAYS_NOTHING = {"common", "helper", "helpers", "misc", "util", "utils"}

BEYOND_ONE_MODULE = {
    "tests/engine/executor/test_every_setting.py",
    "tests/engine/statements/test_files.py",
    "tests/engine/test_bad_input.py",
    "tests/engine/test_cancelling.py",
    "tests/engine/test_damage.py",
    "tests/engine/test_failing_sync.py",
    "tests/engine/test_full_disk.py",
    "tests/engine/test_upgrade.py",
    "tests/engine/transactions/test_crashes.py",
    "tests/test_docs.py",
    "tests/test_readme.py",
    "tests/test_tidy.py",
}
"""Tests that are about more than one module, and so are not named after one."""

SUPPORT = ("tests/bench/", "tests/differential/", "tests/isolation/", "tests/replay/", "tests/simulation/")
"""Folders of tests that mirror no folder of the sources."""


@dataclass(frozen=True)
class File:
    """A text file of the repository. path: from the root, with slashes."""

    path: str
    text: str

    @property
    def place(self) -> PurePosixPath:
        return PurePosixPath(self.path)

    @property
    def package(self) -> str:
        """The top folder it is in."""
        return self.place.parts[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def lines_with(self, pattern: str) -> Iterator[str]:
        """`path:line: text` for each line in which `pattern` is found."""
        for number, line in enumerate(self.text.splitlines(), start=1):
            if re.search(pattern, line):
                yield f"{self.path}:{number}: {line.strip()}"


Rule = Callable[[File], Iterator[str]]


def all_files() -> list[File]:
    """Every text file, but not what tools made."""

    def walk(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if (
                path.is_dir()
                and path.name not in IGNORED
                and (not path.name.startswith(".") or path.name == ".ci")
            ):
                yield from walk(path)
            elif path.is_file() and (
                path.suffix in {".py", ".md", ".toml", ".sql", ".test"} or path.parent.name == ".ci"
            ):
                yield path

    return [File(path.relative_to(ROOT).as_posix(), path.read_text()) for path in walk(ROOT)]


FILES = all_files()
PYTHON = [file for file in FILES if file.place.suffix == ".py"]
SOURCES = [file for file in PYTHON if file.package in PACKAGES]
PAGES = [file for file in FILES if file.place.suffix == ".md"]


def imports(file: File) -> Iterator[tuple[int, int, str]]:
    """(line, level, module) of each import; level 0 is absolute, `from . import x` has level 1 and module ``."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, 0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.level, node.module or ""


def bad_imports(file: File) -> Iterator[str]:
    """Imports that load a second copy, leave their package by dots, or come back to it by its full name."""
    for line, level, module in imports(file):
        where = f"{file.path}:{line}"
        parts = module.split(".")
        if level == 0 and parts[0] in PACKAGES:
            yield f"{where}: imports {module}; its name is duckraft.{module}"
        if level >= len(file.place.parts):
            yield f"{where}: a relative import that leaves {file.package}"
        if level == 0 and parts[:2] == ["duckraft", file.package]:
            yield f"{where}: imports {module} from inside {file.package}; a relative import does it"


def duckdb_outside_storage(file: File) -> Iterator[str]:
    """DuckDB's client is used in one place, where its exceptions are turned into ours."""
    if file.package in PACKAGES and not file.path.startswith("engine/storage/"):
        for line, level, module in imports(file):
            if level == 0 and module.split(".")[0] == "duckdb":
                yield f"{file.path}:{line}: imports duckdb; engine/storage is the way to it"


def missing_docstring(file: File) -> Iterator[str]:
    if not ast.get_docstring(file.tree):
        yield f"{file.path}: no module docstring"


def too_long(file: File) -> Iterator[str]:
    if (lines := len(file.text.splitlines())) > LINES_MAX:
        yield f"{file.path}: {lines} lines"
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{file.path}:{node.lineno}: {node.name} has {lines} lines"


def name_says_nothing(file: File) -> Iterator[str]:
    if SAYS_NOTHING.intersection([*file.place.parent.parts, file.place.stem]):
        yield f"{file.path}: a name that does not say what it holds"


def left_for_later(file: File) -> Iterator[str]:
    yield from file.lines_with(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")


def prints(file: File) -> Iterator[str]:
    """The engine has no terminal."""
    if file.package == "engine":
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                yield f"{file.path}:{node.lineno}: prints"


def machine_paths(file: File) -> Iterator[str]:
    """Paths that exist on one machine only."""
    yield from file.lines_with(r"(?<![\w.~$}/*:-])/(?:work|root|home|Users)(?:/\w|\b(?![\w/]))")


def unqualified_catalog(file: File) -> Iterator[str]:
    """SQL of our own asks DuckDB's catalog by its full name: in a session the short one shows the user's tables."""
    if file.package == "engine" and file.place.name not in {"user_catalog.py", "outline.py"}:
        yield from file.lines_with(r"(?:FROM|JOIN) (?:duckdb_|pragma_database)\w+\(")


def misplaced_test(file: File) -> Iterator[str]:
    """A test module is named after the module that it tests, and only a test module holds tests."""
    if file.package != "tests" or file.place.name in {"conftest.py", "__init__.py"}:
        return
    if not file.place.name.startswith("test_"):
        if any(
            isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in file.tree.body
        ):
            yield f"{file.path}: tests in it are never collected; call it test_….py"
        return
    if file.path in BEYOND_ONE_MODULE or file.path.startswith(SUPPORT):
        return
    folder, name = file.place.parent.relative_to("tests"), file.place.stem.removeprefix("test_")
    if not (ROOT / folder / f"{name}.py").is_file() and not (ROOT / folder / name / "__init__.py").is_file():
        yield f"{file.path}: there is no {folder / name}.py; rename it, or list it in BEYOND_ONE_MODULE"


def broken_links(file: File) -> Iterator[str]:
    """Links in a page, to files and to headings, that lead nowhere."""
    prose = re.sub(r"^```.*?^```", "", file.text, flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        path = ROOT / file.place.parent / name
        if name and not path.exists():
            yield f"{file.path}: {target} does not exist"
        elif heading and heading not in headings(path.read_text() if name else file.text):
            yield f"{file.path}: {target} has no such heading"


def headings(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub names them."""
    found = re.findall(r"^#+ +(.+?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


RULES: list[tuple[Rule, list[File]]] = [
    (bad_imports, PYTHON),
    (duckdb_outside_storage, SOURCES),
    (missing_docstring, PYTHON),
    (too_long, PYTHON),
    (name_says_nothing, PYTHON),
    (left_for_later, FILES),
    (prints, SOURCES),
    (machine_paths, FILES),
    (unqualified_catalog, SOURCES),
    (misplaced_test, PYTHON),
    (broken_links, PAGES),
]


@pytest.mark.parametrize(("rule", "files"), [pytest.param(*each, id=each[0].__name__) for each in RULES])
def test_no_file_breaks_the_rule(rule: Rule, files: list[File]) -> None:
    assert files
    assert [offence for file in files for offence in rule(file)] == []


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (bad_imports, "engine/a.py", "import engine.errors"),
        (bad_imports, "tests/test_a.py", "from shell import cli"),
        (bad_imports, "shell/a.py", "from ..engine import errors"),
        (bad_imports, "engine/sql/a.py", "from ...shell import cli"),
        (bad_imports, "engine/a.py", "def f():\n    from duckraft.engine.errors import Error"),
        (duckdb_outside_storage, "engine/planner/a.py", "import duckdb"),
        (duckdb_outside_storage, "shell/a.py", "from duckdb import connect"),
        (missing_docstring, "engine/a.py", "x = 1"),
        (too_long, "engine/a.py", "x = 1\n" * (LINES_MAX + 1)),
        (too_long, "engine/a.py", "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
        (too_long, "engine/a.py", "class A:\n  async def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
        (name_says_nothing, "engine/utils.py", ""),
        (name_says_nothing, "shell/common/a.py", ""),
        (left_for_later, "engine/a.py", "x = 1  # TO" + "DO: mend"),
        (prints, "engine/a.py", "def f():\n    print(1)"),
        (machine_paths, "docs/a.md", "look into /" + "home/ada/duck"),
        (machine_paths, "tests/a.py", 'open("/' + 'work")'),
        (unqualified_catalog, "engine/a.py", 'SQL = "SELECT 1 FROM duckdb_tables()"'),
        (misplaced_test, "tests/engine/sql/test_nothing_like_it.py", ""),
        (misplaced_test, "tests/engine/lexer.py", "def test_it(): ..."),
        (broken_links, "docs/a.md", "see [this](no-such-page.md)"),
        (broken_links, "docs/a.md", "# Here\nsee [this](#there)"),
        (broken_links, "docs/a.md", "see [this](../README.md#no-such-heading)"),
    ],
)
def test_the_rule_finds_an_offence(rule: Rule, path: str, text: str) -> None:
    assert list(rule(File(path, text)))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (bad_imports, "engine/sql/a.py", "from ..errors import Error\nfrom . import b\nimport sqlglot"),
        (bad_imports, "shell/a.py", "from duckraft.engine.errors import Error"),
        (duckdb_outside_storage, "engine/storage/a.py", "import duckdb"),
        (too_long, "engine/a.py", "def f():\n" + "    x = 1\n" * (FUNCTION_LINES_MAX - 1)),
        (prints, "shell/a.py", "print(1)"),
        (machine_paths, "docs/a.md", "see https://example.org/home/page and docs/work/a and frame/work"),
        (unqualified_catalog, "engine/a.py", 'SQL = "SELECT 1 FROM system.main.duckdb_tables()"'),
        (misplaced_test, "tests/test_tidy.py", "def test_it(): ..."),
        (
            broken_links,
            "docs/a.md",
            "# What is it?\n[this](#what-is-it), [that](../README.md), [web](https://x.org)",
        ),
    ],
)
def test_the_rule_lets_the_right_thing_pass(rule: Rule, path: str, text: str) -> None:
    assert list(rule(File(path, text))) == []


def test_the_import_root_links_to_the_three_packages() -> None:
    folder = ROOT / "tests" / "_importroot" / "duckraft"
    found = {path.name: path.readlink().as_posix() if path.is_symlink() else "" for path in folder.iterdir()}
    found.pop("__pycache__", None)
    links = {name: f"../../../{name}" for name in PACKAGES}
    assert found == {**links, "__init__.py": "", "py.typed": ""}


def test_every_package_is_typed_and_every_folder_of_sources_is_a_package() -> None:
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()] == []
    folders = {(ROOT / file.path).parent for file in SOURCES}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_tests_that_are_listed_exist() -> None:
    assert sorted(path for path in BEYOND_ONE_MODULE if not (ROOT / path).is_file()) == []
