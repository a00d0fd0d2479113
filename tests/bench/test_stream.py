"""Reading a large result: the benchmark reads what is there, and tells when a process needs too much memory."""

from __future__ import annotations

import pytest

from tests.bench import stream


def test_every_way_reads_all_rows_in_a_process_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "READINGS", stream.READINGS[1:])
    assert stream.run(rows=20_000, shards=2, memory_limit="100MB", most_mb=1000)
    lines = capsys.readouterr().out.splitlines()
    ways = [tuple(line.split("  peak")[0].split()) for line in lines if "peak" in line]
    assert ways == [("sorted", "session"), ("sorted", "dbapi")]


def test_too_much_memory_and_wrong_rows_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "read_afresh", lambda *_: stream.Reading(10, 45, 1.0, 0.1, 601.0))
    assert not stream.run(rows=10, shards=1, memory_limit="100MB", most_mb=600)
    with pytest.raises(RuntimeError, match="not the rows of the table"):
        stream.run(rows=11, shards=1, memory_limit="100MB", most_mb=600)
