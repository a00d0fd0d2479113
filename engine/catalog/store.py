"""The catalog on disk: one JSON file that is replaced as a whole.

    {"checksum": "sha256:…", "format": 3, "catalog": {…}}

Promises: after a crash at any point the file holds either the catalog before the change or the one after it. Any
change of the file by anyone else, down to one bit, is found when it is read. Whoever saves holds the lock on the
directory (`storage/directory.py`); saves of one process do not overlap.
The three outer fields keep their meaning in every format, so that an old program can tell a newer file from a
damaged one.
Leaves to others: which directories may become a database (`storage/directory.py`), the JSON of a catalog (`codec.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import CatalogFileError, InternalError, OperationalError, invariant
from ..storage.directory import CATALOG_NAME, file_error, sync_directory
from ..version import __version__
from .codec import MalformedCatalogError, catalog_from_json, catalog_to_json
from .model import Catalog

FORMAT = 3
"""The format this program writes; it reads this one and those before it. 2 brought sequences and comments, 3 the logs
of the shards: a directory whose catalog says less has none."""


class CatalogStore:
    """The catalog file of one data directory.

    format: of the file, once it was read or written.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / CATALOG_NAME
        self.format = FORMAT
        self._failure: OSError | None = None

    def create(self, catalog: Catalog) -> None:
        """Write the first catalog of a new database. Raises CatalogFileError if there is one, and as `save`."""
        if self.path.exists():
            raise CatalogFileError(
                f'"{self.path}" exists already',
                hint="There is a database in this directory. Open it, or give the path of an empty directory.",
            )
        self.save(catalog)

    def load(self) -> Catalog:
        """Read the catalog.

        Raises CatalogFileError for a file that is missing, damaged or of a newer format, and OperationalError for one
        that the system does not let us read.
        """
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            raise CatalogFileError(
                f'catalog file "{self.path}" is missing',
                hint="Check the path, or restore the directory from a backup.",
            ) from None
        except OSError as error:
            raise file_error(error, f'cannot read the catalog file "{self.path}"') from None
        try:
            self.format, catalog = _opened(raw)
        except MalformedCatalogError as error:
            raise CatalogFileError(
                f'catalog file "{self.path}" is damaged: {error}',
                hint="Restore the directory from a backup. Nothing was changed.",
            ) from None
        except NewerFormatError as error:
            raise CatalogFileError(
                f'catalog file "{self.path}" has format {error.found}; '
                f"duckraft {__version__} reads formats up to {FORMAT}",
                hint="Upgrade duckraft to the version that wrote this database, or a later one.",
            ) from None
        return catalog

    def save(self, catalog: Catalog) -> None:
        """Put `catalog` in the place of the one on disk; when this returns, it survives a power cut.

        Raises OperationalError. The old catalog is then still in force, unless `outcome_known` is False: then the
        file is the new one, but after a power cut it may be the old one again, and nothing is saved any more.
        """
        if self._failure is not None:
            raise OperationalError(
                f'the catalog file "{self.path}" could not be made durable: {self._failure.strerror}',
                sqlstate="58030",
                hint="Check the disk, then open the database again: it keeps what is found to be on disk.",
            )
        new = self.path.with_name(f"{CATALOG_NAME}.new")
        try:
            _write_durably(new, encode(catalog))
            new.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise file_error(
                error, f'cannot write the catalog file "{self.path}"; the old one stays in force'
            ) from None
        try:
            sync_directory(self.path.parent)
        except OSError as error:
            self._failure = error
            raise OperationalError(
                f'cannot make the change of the catalog file "{self.path}" durable: {error.strerror}',
                sqlstate="40003",
                hint="Check the disk, then open the database again, and look whether the change is there.",
                outcome_known=False,
            ) from None
        self.format = FORMAT


class MemoryCatalogStore:
    """The same interface for a database without a directory: the catalog lives as long as this object."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None

    def create(self, catalog: Catalog) -> None:
        """Keep the first catalog."""
        invariant(self._catalog is None, "the catalog in memory is made twice")
        self._catalog = catalog

    def load(self) -> Catalog:
        """The catalog that was kept last."""
        if self._catalog is None:
            raise InternalError("the catalog in memory is read before it is made")
        return self._catalog

    def save(self, catalog: Catalog) -> None:
        """Keep `catalog` in the place of the one before."""
        self._catalog = catalog


class NewerFormatError(ValueError):
    """The file is whole, but a later duckraft wrote it."""

    def __init__(self, found: int) -> None:
        super().__init__(f"format {found}")
        self.found = found


def encode(catalog: Catalog) -> bytes:
    """The bytes of a catalog file."""
    return _envelope(FORMAT, catalog_to_json(catalog))


def decode(raw: bytes) -> Catalog:
    """The catalog in the bytes of a catalog file. Raises MalformedCatalogError or NewerFormatError."""
    return _opened(raw)[1]


def _opened(raw: bytes) -> tuple[int, Catalog]:
    """The format and the catalog."""
    try:
        outer = json.loads(raw)
    except (ValueError, RecursionError):
        raise MalformedCatalogError("it is not JSON, or cut short") from None
    if not isinstance(outer, dict) or outer.keys() != {"checksum", "format", "catalog"}:
        raise MalformedCatalogError("it is JSON, but not a catalog")
    found, body = outer["format"], outer["catalog"]
    if outer["checksum"] != _checksum(found, body):
        raise MalformedCatalogError("its checksum is wrong")
    if type(found) is not int or found < 1:
        raise MalformedCatalogError(f"its format is {found!r}")
    if found > FORMAT:
        raise NewerFormatError(found)
    # The checksum is over values: a blank that became a line break keeps it, and still says that something wrote here.
    if raw != _envelope(found, body):
        raise MalformedCatalogError("its checksum is right, but it is not as duckraft writes it")
    return found, catalog_from_json(body)


def _envelope(number: int, body: Any) -> bytes:
    outer = {"checksum": _checksum(number, body), "format": number, "catalog": body}
    return (json.dumps(outer) + "\n").encode()


def _checksum(number: Any, body: Any) -> str:
    """The checksum over the format and the catalog, independent of blanks and of the order of fields."""
    text = json.dumps([number, body], sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _write_durably(path: Path, content: bytes) -> None:
    """Write a whole new file and wait until the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
