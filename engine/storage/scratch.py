"""A directory for each database, for what does not fit into memory: DuckDB's, and the rows of open results.

Promises: it lies in the data directory or, for a database in memory, where the system keeps temporary files; nobody
else can read it. It is gone when the database closes; what a crash left there is removed when this database, or
another one in memory, opens next.
Leaves to others: how large it may grow (DuckDB's setting `max_temp_directory_size`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from .directory import DataDirectory, file_error

_PREFIX = "duckraft-scratch-"


class Scratch:
    """The directory `path`, until `close`. lock: a descriptor that says that it is in use; None if nobody else asks."""

    def __init__(self, path: Path, lock: int | None) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, directory: DataDirectory | None) -> Scratch:
        """That of a data directory, or a new one for a database in memory. Raises OperationalError."""
        try:
            if directory is None:
                return cls._in_system()
            shutil.rmtree(directory.scratch_path, ignore_errors=True)
            directory.scratch_path.mkdir(mode=0o700, exist_ok=True)
            return cls(directory.scratch_path, None)
        except OSError as error:
            raise file_error(error, "cannot make the directory for temporary files") from None

    @classmethod
    def _in_system(cls) -> Scratch:
        import tempfile

        _sweep(Path(tempfile.gettempdir()))
        while True:
            path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            # Before it is locked, another process that sweeps may take it for one that was left.
            with suppress(FileNotFoundError):
                lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
                fcntl.flock(lock, fcntl.LOCK_EX)
                if path.exists():
                    return cls(path, lock)
                os.close(lock)

    def close(self) -> None:
        """Remove it. Closing twice is fine."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _sweep(parent: Path) -> None:
    """Remove what our own processes have left that died."""
    for path in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_uid == os.getuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)
