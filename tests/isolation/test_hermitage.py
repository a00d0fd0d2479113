"""The anomalies of Hermitage, played at every level: `hermitage/*.test`.

Each file has one script and what every session got at each level; `--rewrite` writes it anew. The table's two rows lie
on different shards. What a level must prevent is written here, by what PostgreSQL's level of that name prevents; where
duckraft prevents more, the files and the table in the docs say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from duckraft.engine.database import Database
from tests.golden import check_file, read_cases

from .history import Level
from .script import Event, Script, play, read_level, transcript

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((Path(__file__).parent / "hermitage").glob("*.test"))
PAGE = ROOT / "docs" / "reference" / "transactions.md"

PREVENTED_FROM = {
    "g0": Level.READ_UNCOMMITTED,
    "g1a": Level.READ_UNCOMMITTED,
    "g1b": Level.READ_UNCOMMITTED,
    "g1c": Level.READ_UNCOMMITTED,
    "otv": Level.READ_UNCOMMITTED,
    "pmp-read": Level.REPEATABLE_READ,
    "pmp-write": Level.REPEATABLE_READ,
    "p4": Level.REPEATABLE_READ,
    "g-single": Level.REPEATABLE_READ,
    "g-single-predicate": Level.REPEATABLE_READ,
    "g-single-write": Level.REPEATABLE_READ,
    "g2-item": Level.SERIALIZABLE,
    "g2": Level.SERIALIZABLE,
    "g2-two-edges": Level.SERIALIZABLE,
}
"""The weakest level of PostgreSQL that prevents each anomaly."""

_TABLE = (
    "CREATE TABLE item (id INTEGER PRIMARY KEY, value INTEGER)"
    " SHARD BY RANGE (id) (VALUES LESS THAN (2), VALUES LESS THAN (4), MAXVALUE)"
)


@pytest.fixture(params=["memory", "disk"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with Database.open(None if request.param == "memory" else tmp_path / "database") as database:
        yield database


def played(database: Database, script: Script, level: Level) -> list[Event]:
    """Run a script on a new table of two rows on two shards."""
    with closing(database.session()) as session:
        session.execute("DROP TABLE IF EXISTS item")
        session.execute(_TABLE)
        session.execute("INSERT INTO item VALUES (1, 10), (2, 20)")
    return play(script, level, database.session, database.gateway.transactions.locks.snapshot)


def verdict(script: Script, events: list[Event]) -> str:
    return "happens" if script.happened(events) else "prevented"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_session_gets_what_the_script_says(path: Path, database: Database, rewrite: bool) -> None:
    script = Script.parse(read_cases(path)[0].command)
    events = {level: played(database, script, level) for level in Level}

    def run(command: str) -> str:
        level = read_level(command)
        if level is not None:
            return transcript(events[level])
        return "\n".join(f"{each}: {verdict(script, events[each])}" for each in Level)

    check_file(path, run, rewrite)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_level_prevents_what_it_must(path: Path) -> None:
    """By the files, which the test above holds true."""
    weakest = PREVENTED_FROM[path.stem]
    assert [level for level in Level if level >= weakest and verdicts(path)[level] != "prevented"] == []


def verdicts(path: Path) -> dict[Level, str]:
    """What the first case of a file says."""
    pairs = (line.partition(": ") for line in read_cases(path)[0].output.splitlines())
    return {level: what for name, _, what in pairs if (level := read_level(name)) is not None}


def test_every_anomaly_has_a_file() -> None:
    assert {path.stem for path in FILES} == set(PREVENTED_FROM)


def test_the_table_in_the_docs_is_what_the_scripts_show(rewrite: bool) -> None:
    rows = [_row(next(path for path in FILES if path.stem == name)) for name in PREVENTED_FROM]
    written = PAGE.read_text()
    if rewrite:
        table = "".join(f"{row}\n" for row in rows)
        PAGE.write_text(_ROWS.sub(lambda found: found.group(1) + table, written))
    else:
        assert (found := _ROWS.search(written))
        assert found.group(2).splitlines() == rows


_ROWS = re.compile(r"(^\| Anomaly \|.*\n\|[-|]+\|\n)((?:\|.*\n)*)", re.MULTILINE)
"""In the page: the table's head, then its rows."""


def _row(path: Path) -> str:
    comment = read_cases(path)[0].comment.removeprefix("# ")
    link = f"[`{path.stem}`](../../{path.relative_to(ROOT).as_posix()})"
    return f"| {link} | {comment} | " + " | ".join(verdicts(path)[level] for level in Level) + " |"
