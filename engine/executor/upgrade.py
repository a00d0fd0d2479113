"""Opening a database of an earlier format: what it has becomes what this version would have made.

Before format 3 the shards had no logs, and DuckDB kept a write-ahead log beside each file. What is in that comes into
the file, and each shard gets an empty log that its file follows from now on.
Promises: the catalog says the new format when all is done, not before: after a crash on the way the database is one of
the old format, and the next opening does what is missing. No row is changed.
Leaves to others: reading catalogs of all formats (`catalog/codec.py`).
"""

from __future__ import annotations

from ..catalog.model import Catalog
from ..catalog.store import CatalogStore
from ..errors import CatalogFileError
from ..storage import duck, shard
from ..storage.directory import SHARDS_NAME, DataDirectory, file_error, sync_directory
from ..storage.log import ShardLog

FORMAT_WITH_LOGS = 3


def upgrade(
    instance: duck.Connection, directory: DataDirectory, store: CatalogStore, catalog: Catalog
) -> None:
    """Bring a database that was just locked to the present format, unless it has it. Raises errors.Error."""
    if store.format >= FORMAT_WITH_LOGS:
        return
    directory.check_shard_files(known.file for known in catalog.shards if known.file)
    for known in catalog.shards:
        _make_log(directory, catalog, known.number)
    for known in catalog.shards:
        if known.file is not None:
            shard.convert(instance, known.number, directory.path / known.file, catalog.database_id)
    try:
        sync_directory(directory.path / SHARDS_NAME)
    except OSError as error:
        raise file_error(error, "cannot make the shard files durable") from None
    store.save(catalog)


def _make_log(directory: DataDirectory, catalog: Catalog, number: int) -> None:
    """An empty log. One that is not is of a later time than the catalog: its rows must not be given up."""
    path = directory.log_path(number)
    with ShardLog.open(path, database_id=catalog.database_id, shard=number) as log:
        if log.last_sequence:
            raise CatalogFileError(
                f'the catalog file "{directory.path / "catalog.json"}" is older than the log in "{path}"',
                hint="Files of different times were mixed. Restore the directory from one backup.",
            )
