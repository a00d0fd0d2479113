"""How far sequences have come, kept in the catalog by blocks.

A value is out when a row that holds it is committed on a shard, or is given to the user. Before either, `settle` looks
how far each sequence has come and, where that is beyond its block, saves a new block in the catalog. So one save of the
catalog is enough for a thousand values, and for any number that one statement draws.
Promises: a value that was out is not given out again after a crash, unless the sequence cycles or was set back by
`setval`; what was left of the block is lost, which leaves a gap. Closing the database leaves none.
Leaves to others: making and dropping sequences (`sequences.py`).
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

from ...catalog.model import Catalog
from ...errors import Error
from ...sql.sequences import draws
from ...storage import duck
from ...types import quote_identifier, quote_string
from ..gateway import HOME, Gateway

BLOCK = 1000
"""How many values one save of the catalog reserves."""

_Key = tuple[str, str]
_PREPARES = re.compile(r"\bprepare\b", re.IGNORECASE)


def may_draw(gateway: Gateway, sql: str) -> bool:
    """Whether a statement may have drawn from a sequence by itself, not by way of the default of a sharded table."""
    if not gateway.catalog.sequences:
        return False
    if draws(sql):
        gateway.draws_unseen = gateway.draws_unseen or _PREPARES.search(sql) is not None
        return True
    return gateway.draws_unseen


def restore_sequences(gateway: Gateway) -> None:
    """Make the sequences of the catalog at the gateway, each behind its last block. Raises errors.Error."""
    for sequence in gateway.catalog.sequences:
        duck.execute(gateway.instance, sequence.sql)
        if sequence.reserved is not None:
            name = ".".join(map(quote_identifier, (sequence.schema, sequence.name)))
            duck.execute(gateway.instance, f"SELECT setval({quote_string(name)}, {sequence.reserved})")
            gateway.sequence_blocks[sequence.key] = (sequence.reserved, sequence.reserved)
        for comment in gateway.catalog.comments:
            if comment.is_about("SEQUENCE", *sequence.key):
                duck.execute(gateway.instance, comment.sql)


def settle(gateway: Gateway) -> None:
    """Have every value that was drawn so far reserved in the catalog file. Raises errors.Error if that fails."""
    if not gateway.catalog.sequences or not _beyond(gateway):
        return
    with gateway.write_lock:
        blocks = _beyond(gateway)
        gateway.publish(_reserving(gateway.catalog, {key: last for key, (_, last) in blocks.items()}))
        gateway.sequence_blocks.update(blocks)


def give_back(gateway: Gateway) -> None:
    """Before the database closes: reserve no more than was drawn. What cannot be saved stays reserved."""
    if not gateway.sequence_blocks:
        return
    with gateway.write_lock, suppress(Error):
        drawn = _reserving(gateway.catalog, {key: last for key, last, _, _, _ in _states(gateway)})
        if drawn != gateway.catalog:
            gateway.publish(drawn)


def _beyond(gateway: Gateway) -> dict[_Key, tuple[int, int]]:
    """The new block of each sequence that has come to the end of its old one."""
    blocks: dict[_Key, tuple[int, int]] = {}
    for key, last, lowest, highest, step in _states(gateway):
        block = gateway.sequence_blocks.get(key)
        if block is None or not min(block) <= last <= max(block):
            blocks[key] = (last, max(lowest, min(highest, last + BLOCK * step)))
    return blocks


def _states(gateway: Gateway) -> list[tuple[_Key, int, int, int, int]]:
    """(key, last value, lowest, highest, step) of each sequence that was drawn from."""
    with gateway.asking() as connection:
        found = duck.rows(
            connection,
            "SELECT lower(schema_name), lower(sequence_name), last_value, min_value, max_value, increment_by"
            f" FROM system.main.duckdb_sequences() WHERE database_name = '{HOME}' AND last_value IS NOT NULL",
        )
    return [((schema, name), last, low, high, step) for schema, name, last, low, high, step in found]


def _reserving(catalog: Catalog, reserved: dict[_Key, int]) -> Catalog:
    changed = tuple(
        replace(known, reserved=reserved.get(known.key, known.reserved)) for known in catalog.sequences
    )
    return replace(catalog, sequences=changed)
