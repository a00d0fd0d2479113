"""One shard: a DuckDB file attached to the node's instance.

Promises: a shard file says whose it is (the database's identifier and the shard's number), and a file that says
something else, or nothing, is refused and never written. Attaching never creates a file unless told to.
Leaves to others: which tables a shard holds (`catalog`), the lock on the directory (`directory.py`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..errors import CatalogFileError, Error, MissingShardFileError
from ..types import quote_identifier, quote_string
from . import duck

REFERENCE_ALIAS = "duckraft_ref"


def alias(number: int) -> str:
    """The database name under which shard `number` is attached; −1 is the reference shard."""
    return REFERENCE_ALIAS if number < 0 else f"duckraft_s{number}"


def qualified(number: int, schema: str, name: str) -> str:
    """The full, quoted name of a table on a shard."""
    return f"{alias(number)}.{quote_identifier(schema)}.{quote_identifier(name)}"


def create(connection: duck.Connection, number: int, path: Path | None, database_id: str) -> None:
    """Attach a new shard and mark it as ours. path: its file, which must not exist; None keeps it in memory."""
    if path is not None and path.exists():
        # A crash between making the file and naming it in the catalog leaves one behind that no row was ever put in.
        _remove(path)
    target = ":memory:" if path is None else str(path)
    duck.execute(connection, f"ATTACH {quote_string(target)} AS {alias(number)}")
    schema = f"{alias(number)}.duckraft"
    duck.execute(connection, f"CREATE SCHEMA {schema}")
    duck.execute(connection, f"CREATE TABLE {schema}.identity (database_id VARCHAR, shard INTEGER)")
    duck.execute(connection, f"INSERT INTO {schema}.identity VALUES (?, ?)", [database_id, number])
    if path is not None:
        duck.execute(connection, f"CHECKPOINT {alias(number)}")


def note_change(connection: duck.Connection, number: int, change: int) -> None:
    """Note in the shard, inside its open transaction, that it has made this change of definitions."""
    table = f"{alias(number)}.duckraft.changes"
    duck.execute(connection, f"CREATE OR REPLACE TABLE {table} AS SELECT CAST(? AS BIGINT) AS last", [change])


def last_change(connection: duck.Connection, number: int) -> int:
    """The number of the last change of definitions that the shard has made; 0 for none."""
    found = duck.rows(
        connection,
        "SELECT 1 FROM system.main.duckdb_tables()"
        " WHERE database_name = ? AND schema_name = 'duckraft' AND table_name = 'changes'",
        [alias(number)],
    )
    if not found:
        return 0
    last: int = duck.rows(connection, f"SELECT last FROM {alias(number)}.duckraft.changes")[0][0]
    return last


def discard(connection: duck.Connection, number: int, path: Path | None) -> None:
    """Take back a shard that was not finished: no row was ever put in it. Never raises."""
    with suppress(Error):
        duck.execute(connection, f"DETACH {alias(number)}")
    if path is not None:
        _remove(path)


def _remove(path: Path) -> None:
    for file in (path, path.with_name(path.name + ".wal")):
        with suppress(OSError):
            file.unlink(missing_ok=True)


def attach(connection: duck.Connection, number: int, path: Path, database_id: str) -> None:
    """Attach an existing shard file after checking that it is the one the catalog means.

    Raises MissingShardFileError or CatalogFileError, each with the file's name and what to do.
    """
    if not path.exists():
        raise MissingShardFileError(
            f'shard file "{path}" is missing',
            hint="Put the file back from a backup of this directory, together with the rest of it.",
        )
    try:
        duck.execute(connection, f"ATTACH {quote_string(str(path))} AS {alias(number)}")
        found = duck.rows(connection, f"SELECT database_id, shard FROM {alias(number)}.duckraft.identity")
    except Error as error:
        raise CatalogFileError(
            f'shard file "{path}" cannot be used: {error.message}',
            hint="The file is damaged or not a shard of this database. Restore the directory from a backup.",
        ) from None
    if found != [(database_id, number)]:
        raise CatalogFileError(
            f'shard file "{path}" belongs to another database or shard: it says {found}, '
            f"expected [({database_id!r}, {number})]",
            hint="Files of different databases were mixed. Restore the directory from one backup.",
        )


def search_path(number: int) -> str:
    """The setting that makes a user's own table names mean those of one shard, and of the reference shard."""
    return f"{alias(number)}.main,{REFERENCE_ALIAS}.main,memory.main"
