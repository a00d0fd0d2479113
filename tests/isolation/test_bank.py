"""The bank: its audit finds what is wrong with books, and lives that end by SIGKILL leave nothing wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bank import OPENING, Books, audit
from .clients import Execute, Plain

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def books() -> Iterator[Execute]:
    """Three accounts and two transfers, 1 and 2, in one plain DuckDB."""
    store = Plain()
    execute = store.connect()
    execute("CREATE TABLE account (id BIGINT, balance BIGINT)")
    execute("CREATE TABLE ledger (id BIGINT, source BIGINT, target BIGINT, amount BIGINT)")
    execute(f"INSERT INTO account VALUES (0, {OPENING} - 5), (1, {OPENING} + 5 - 7), (2, {OPENING} + 7)")
    execute("INSERT INTO ledger VALUES (1, 0, 1, 5), (2, 1, 2, 7)")
    yield execute
    store.close()


def test_good_books_pass_with_or_without_a_word_of_every_transfer(books: Execute) -> None:
    assert list(audit(books, 3, {1, 2})) == []
    assert list(audit(books, 3, set())) == []


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE account SET balance = balance + 1 WHERE id = 2", ["total", "half"]),
        ("UPDATE account SET balance = 1000", ["half", "half", "half"]),
        ("DELETE FROM account WHERE id = 0", ["accounts", "total"]),
        ("DELETE FROM ledger WHERE id = 2", ["half", "half", "lost"]),
        ("INSERT INTO ledger VALUES (2, 1, 2, 0)", ["twice"]),
        ("UPDATE ledger SET id = 3 WHERE id = 2", ["lost"]),
    ],
)
def test_the_audit_finds_what_is_wrong(books: Execute, damage: str, found: list[str]) -> None:
    books(damage)
    assert [line.partition(":")[0] for line in audit(books, 3, {1, 2})] == found


def test_what_a_life_reports_is_noted() -> None:
    books = Books()
    for line in ("audited", "moved 7", "read", "retry", "lost: 1 acknowledged transfers, such as 7"):
        books.take(line)
    assert (books.audits, books.acknowledged, books.reads, books.retries) == (1, {7}, 1, 1)
    assert books.wrong == ["lost: 1 acknowledged transfers, such as 7"]


@pytest.mark.parametrize("arguments", [["--plain"], []], ids=["plain", "sharded"])
def test_no_acknowledged_transfer_is_lost_and_none_half_done_by_some_kills(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "tests.isolation", "bank", "--kills", "4", "--seconds", "60", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1].startswith("4 kills, ")
