"""How the tables of a data set are placed on shards: one clause per table, for each strategy and mixtures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STRATEGIES = ("hash", "consistent", "range", "directory", "evenly", "reference")

LAYOUTS = (*STRATEGIES, "mixed", "mirrored")
"""A strategy is that of all tables; in `mixed` and `mirrored` neighbours differ, each in the other direction."""

SHARD_COUNTS = (1, 3, 8)

_MIXTURE = ("hash", "reference", "range", "evenly", "directory", "consistent")


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table of a data set.

    name, columns: as SQL text. key: the columns it is sharded by, as SQL text, with commas. cuts: values of the key in
    ascending order, as SQL text, of which bounds of ranges and entries of directories are made. has_ranges: whether the
    key's type can be sharded by range; hash stands in where it cannot.
    """

    name: str
    columns: str
    key: str
    cuts: tuple[str, ...]
    has_ranges: bool = True


def clause(spec: TableSpec, strategy: str, shards: int) -> str:
    """The clause that places a table of this many shards by a strategy."""
    match strategy:
        case "hash":
            return f"SHARD BY HASH ({spec.key}) SHARDS {shards}"
        case "consistent":
            return f"SHARD BY CONSISTENT HASH ({spec.key}) SHARDS {shards}"
        case "range" if not spec.has_ranges:
            return clause(spec, "hash", shards)
        case "range":
            bounds = [f"VALUES LESS THAN ({cut})" for cut in _spaced(spec.cuts, shards - 1)]
            return f"SHARD BY RANGE ({spec.key}) ({', '.join([*bounds, 'MAXVALUE'])})"
        case "directory":
            # A directory takes one column: the first of several.
            values = dict.fromkeys(cut.split(",")[0] for cut in spec.cuts)
            held: dict[int, list[str]] = {}
            for number, value in enumerate(values):
                held.setdefault(number % shards, []).append(value)
            entries = [f"SHARD {shard} VALUES ({', '.join(listed)})" for shard, listed in held.items()]
            return f"SHARD BY DIRECTORY ({spec.key.split(',')[0]}) ({', '.join(entries)}, DEFAULT SHARD {shards - 1})"
        case "evenly":
            return f"SHARD BY EVENLY SHARDS {shards}"
        case "reference":
            return "REFERENCE"
        case _:
            raise ValueError(f"no strategy is called {strategy}")


def create_statements(specs: Sequence[TableSpec], layout: str, shards: int) -> list[str]:
    """CREATE TABLE for each table, as duckraft takes it."""
    made: list[str] = []
    for number, spec in enumerate(specs):
        strategy = {
            "mixed": _MIXTURE[number % len(_MIXTURE)],
            "mirrored": _MIXTURE[(number + 1) % len(_MIXTURE)],
        }.get(layout, layout)
        made.append(f"{create_plain(spec)} {clause(spec, strategy, shards)}")
    return made


def create_plain(spec: TableSpec) -> str:
    """CREATE TABLE as plain DuckDB takes it."""
    return f"CREATE TABLE {spec.name} ({spec.columns})"


def _spaced(cuts: Sequence[str], count: int) -> list[str]:
    """As many of the cuts as asked for, or all of them, spaced evenly."""
    count = min(count, len(cuts))
    return [cuts[(number * len(cuts)) // count] for number in range(count)] if count else []
