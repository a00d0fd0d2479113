"""One shard: a DuckDB file attached to the node's instance.

DuckDB writes no log of its own for it: what is committed is in the shard's log (`log.py`), and comes into the file with
a checkpoint. The file says which entry of the log it has come to.

Promises: a shard file says whose it is (the database's identifier and the shard's number), and a file that says
something else, or nothing, is refused and never written. Attaching never creates a file unless told to.
Leaves to others: which tables a shard holds (`catalog`), the lock on the directory (`directory.py`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..errors import CatalogFileError, Error, MissingShardFileError, invariant
from ..types import quote_identifier, quote_string
from . import duck
from .checkpoint_mark import is_checkpoint_mark

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
        _remove(_wal_of(path))
    target = ":memory:" if path is None else str(path)
    duck.execute(connection, f"ATTACH {quote_string(target)} AS {alias(number)}{_options(path)}")
    schema = f"{alias(number)}.duckraft"
    duck.execute(connection, f"CREATE SCHEMA {schema}")
    duck.execute(connection, f"CREATE TABLE {schema}.identity (database_id VARCHAR, shard INTEGER)")
    duck.execute(connection, f"INSERT INTO {schema}.identity VALUES (?, ?)", [database_id, number])
    duck.execute(connection, f"CREATE TABLE {schema}.applied (sequence BIGINT)")
    if path is not None:
        duck.execute(connection, f"CHECKPOINT {alias(number)}")


def _options(path: Path | None) -> str:
    """How a shard's file is attached: its log is ours, DuckDB writes none."""
    return "" if path is None else " (RECOVERY_MODE 'no_wal_writes')"


def last_applied(connection: duck.Connection, number: int) -> int:
    """The sequence of the last entry of the shard's log that is in its file; 0 for none. Raises errors.Error."""
    found: int = duck.rows(
        connection, f"SELECT coalesce(max(sequence), 0) FROM {alias(number)}.duckraft.applied"
    )[0][0]
    return found


def forget_applied(connection: duck.Connection, number: int, last: int) -> None:
    """Keep only the last of the noted sequences. Raises errors.Error."""
    duck.execute(connection, f"DELETE FROM {alias(number)}.duckraft.applied WHERE sequence < {last}")


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
        _remove(_wal_of(path))


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def attach(connection: duck.Connection, number: int, path: Path, database_id: str) -> None:
    """Attach an existing shard file after checking that it is the one the catalog means.

    Raises MissingShardFileError or CatalogFileError, each with the file's name and what to do.
    """
    wal = _wal_of(path)
    if wal.exists() and is_checkpoint_mark(wal):
        _remove(wal)
    elif wal.exists():
        raise CatalogFileError(
            f'another program has written to the shard file "{path}": there is "{wal}"',
            hint="Changes that were made past duckraft are in no log. Restore the directory from a backup.",
        )
    _attach(connection, number, path, database_id, _options(path))


def convert(connection: duck.Connection, number: int, path: Path, database_id: str) -> None:
    """Make a shard file one that follows a log, which is empty: so far DuckDB kept a log of its own beside it.

    What that one has comes into the file. It may be done again, and is not attached afterwards. Raises as `attach`.
    """
    _attach(connection, number, path, database_id, "")
    try:
        duck.execute(
            connection, f"CREATE TABLE IF NOT EXISTS {alias(number)}.duckraft.applied (sequence BIGINT)"
        )
        if applied := last_applied(connection, number):
            raise CatalogFileError(
                f'shard file "{path}" has come to entry {applied} of a log, but the catalog is of a time without logs',
                hint="Files of different times were mixed. Restore the directory from one backup.",
            )
        duck.execute(connection, f"CHECKPOINT {alias(number)}")
    finally:
        duck.clean_up(connection, f"DETACH {alias(number)}")
    wal = _wal_of(path)
    invariant(not wal.exists() or wal.stat().st_size == 0, "a checkpoint leaves nothing in DuckDB's log")
    _remove(wal)


def _wal_of(path: Path) -> Path:
    """Where DuckDB keeps a log of its own for a file."""
    return path.with_name(f"{path.name}.wal")


def _attach(connection: duck.Connection, number: int, path: Path, database_id: str, options: str) -> None:
    if not path.exists():
        raise MissingShardFileError(
            f'shard file "{path}" is missing',
            hint="Put the file back from a backup of this directory, together with the rest of it.",
        )
    try:
        duck.execute(connection, f"ATTACH {quote_string(str(path))} AS {alias(number)}{options}")
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
