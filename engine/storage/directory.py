"""The data directory: where each file of a database lies, and the lock that gives it to one process.

    catalog.json            what the database consists of (`catalog/store.py`)
    shards/0000.duckdb      one DuckDB file a shard
    shards/reference.duckdb the reference tables
    logs/0000/              the log of each shard (`log.py`)
    tmp/                    what does not fit into memory (`scratch.py`)
    LOCK                    held by the process that has the database open; says which one

Promises: a directory that is not a duckraft database, or no longer all of one, is refused before anything in it is
touched. The lock is the kernel's: it ends with the object or with its process, however that dies.
Leaves to others: what is inside the files.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ..errors import CatalogFileError, DirectoryInUseError, MissingShardFileError, OperationalError

CATALOG_NAME = "catalog.json"
LOCK_NAME = "LOCK"
SHARDS_NAME = "shards"
LOGS_NAME = "logs"
SCRATCH_NAME = "tmp"

_OURS = frozenset({CATALOG_NAME, f"{CATALOG_NAME}.new", LOCK_NAME, SHARDS_NAME, LOGS_NAME, SCRATCH_NAME})
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class DataDirectory:
    """The directory of one database, locked for this process until `close`. Also a context manager.

    path: absolute, so that the program may change its working directory.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def open(cls, path: str | Path, create: bool) -> DataDirectory:
        """Lock the directory at `path`; with `create`, make it first where there is none.

        A new or empty directory gets its layout, but no catalog: making that is the caller's next step, and must come
        before the first shard file. Raises DirectoryInUseError, CatalogFileError for a directory with shards but
        without a catalog, and OperationalError for a path that cannot be, or is not, a data directory.
        """
        path = Path(path).absolute()
        try:
            _check_is_ours(path, create)
            if create and not path.exists():
                path.mkdir(exist_ok=True)
                sync_directory(path.parent)
            lock = _lock(path)
        except OSError as error:
            raise file_error(error, f'cannot open the data directory "{path}"') from None
        try:
            _check_is_whole(path, create)
            (path / SHARDS_NAME).mkdir(exist_ok=True)
            (path / LOGS_NAME).mkdir(exist_ok=True)
        except BaseException as error:
            os.close(lock)
            if isinstance(error, OSError):
                raise file_error(error, f'cannot open the data directory "{path}"') from None
            raise
        return cls(path, lock)

    @property
    def has_catalog(self) -> bool:
        """Whether a database was made here. False only right after a new directory was opened."""
        return (self.path / CATALOG_NAME).exists()

    @property
    def reference_path(self) -> Path:
        """The file of the reference tables."""
        return self.path / SHARDS_NAME / "reference.duckdb"

    @property
    def scratch_path(self) -> Path:
        """The directory for what does not fit into memory while the database is open."""
        return self.path / SCRATCH_NAME

    def shard_path(self, number: int) -> Path:
        """The file of shard `number`; the numbers start at 0."""
        return self.path / SHARDS_NAME / f"{number:04}.duckdb"

    def log_path(self, number: int) -> Path:
        """The directory of the log of a shard; −1 is the reference shard."""
        return self.path / LOGS_NAME / (f"{number:04}" if number >= 0 else "reference")

    def shards_with_logs(self) -> set[int]:
        """The numbers of the shards for which there is the directory of a log. Raises OperationalError."""
        try:
            names = {entry.name for entry in (self.path / LOGS_NAME).iterdir()}
        except OSError as error:
            raise file_error(error, f'cannot read "{self.path / LOGS_NAME}"') from None
        numbers = {int(name) for name in names if name.isdecimal()}
        return numbers | {-1} if "reference" in names else numbers

    def check_shard_files(self, files: Iterable[str]) -> None:
        """Raise MissingShardFileError unless each of these files, relative to the directory, is there with content."""
        for file in files:
            path = self.path / file
            if not path.is_file():
                problem = "is missing"
            elif path.stat().st_size == 0:
                problem = "is empty"
            else:
                continue
            raise MissingShardFileError(
                f'shard file "{path}" {problem}',
                hint="Put the file back from a backup of this directory, together with the rest of it.",
            )

    def close(self) -> None:
        """Give the directory up. Closing twice is fine."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> DataDirectory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable: a file that was made or renamed in it is found after a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_error(error: OSError, what: str) -> OperationalError:
    """Our error for one of the operating system's. what: what could not be done, with the file's path."""
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError):
        sqlstate, hint = "42501", "Check the owner and the permissions of the directory and the files in it."
    elif error.errno == errno.EROFS:
        sqlstate, hint = (
            "42501",
            "A database needs a directory that it can write to, even if it is only read.",
        )
    elif error.errno in _DISK_FULL:
        sqlstate, hint = "53100", "Free some space on this disk and try again."
    elif isinstance(error, FileNotFoundError):
        sqlstate, hint = "58P01", "Check the path; the directory above it must exist."
    else:
        sqlstate, hint = "58030", "Check the disk and the system's log."
    return OperationalError(f"{what}: {reason}", sqlstate=sqlstate, hint=hint)


def _check_is_ours(path: Path, create: bool) -> None:
    """Refuse a path that holds something else, before anything is written there."""
    if path.exists() and not path.is_dir():
        raise OperationalError(
            f'"{path}" is a file, not the directory of a duckraft database',
            sqlstate="58P01",
            hint="Give the path of a directory. A single DuckDB file is not one: copy its tables into a new database.",
        )
    names = {entry.name for entry in path.iterdir()} if path.exists() else set[str]()
    if CATALOG_NAME in names or (names and names <= _OURS):
        return
    if names:
        some = ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise OperationalError(
            f'"{path}" is not a duckraft database: it holds {some}',
            sqlstate="58P01",
            hint="Give the path of a new or empty directory, or of a duckraft database.",
        )
    if not create:
        raise _no_database(path)


def _check_is_whole(path: Path, create: bool) -> None:
    """Refuse a directory that lost its catalog. The lock is held: nobody is just making one."""
    if (path / CATALOG_NAME).exists():
        return
    parts = [path / SHARDS_NAME, path / LOGS_NAME]
    left = sorted(entry.relative_to(path) for part in parts if part.exists() for entry in part.iterdir())
    if left:
        raise CatalogFileError(
            f'"{path / CATALOG_NAME}" is missing, but there are files of shards beside it, such as "{left[-1]}"',
            hint="Put the catalog back from a backup of this directory. No new database is made over existing data.",
        )
    if not create:
        raise _no_database(path)


def _no_database(path: Path) -> OperationalError:
    return OperationalError(f'there is no database at "{path}"', sqlstate="58P01", hint="Check the path.")


def _lock(path: Path) -> int:
    """The descriptor that holds the lock on the directory. Raises DirectoryInUseError."""
    file = path / LOCK_NAME
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        text = f"pid {os.getpid()}\nhost {socket.gethostname()}\nsince {started}\n"
        os.ftruncate(descriptor, 0)
        try:
            os.pwrite(descriptor, text.encode(), 0)
        except OSError as error:
            if error.errno not in _DISK_FULL:  # On a full disk the lock says nothing, and holds all the same.
                raise
    except BlockingIOError:
        os.close(descriptor)
        raise _in_use(path, file) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _in_use(path: Path, file: Path) -> DirectoryInUseError:
    """The error for a directory whose lock is held, naming the holder as far as the lock file tells it."""
    lines = file.read_text(errors="replace").splitlines()
    holder = dict(line.split(" ", 1) for line in lines if " " in line)
    pid = holder.get("pid", "unknown")
    if pid == str(os.getpid()) and holder.get("host") == socket.gethostname():
        return DirectoryInUseError(
            f'the database at "{path}" is already open in this process (pid {pid})',
            hint="Use the database object that is open, or close it first.",
        )
    return DirectoryInUseError(
        f'the database at "{path}" is in use by process {pid} on {holder.get("host", "an unknown host")}, '
        f"since {holder.get('since', 'an unknown time')}",
        hint="Close the other program, or connect to it. A database directory belongs to one process at a time.",
    )
