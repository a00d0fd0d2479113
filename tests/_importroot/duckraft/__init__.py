"""duckraft: DuckDB that scales out and survives failure.

`connect()` is the way in for Python programs. It is imported on first use, so that `import duckraft`
costs nothing for a caller that only wants the version.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckraft.engine.dbapi import connect
    from duckraft.engine.version import __version__

__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from duckraft.engine.version import __version__

        return __version__
    if name in _DBAPI_NAMES:
        from duckraft.engine import dbapi

        return getattr(dbapi, name)
    raise AttributeError(f"module 'duckraft' has no attribute {name!r}")


_DBAPI_NAMES = frozenset(
    {
        "apilevel", "threadsafety", "paramstyle", "connect", "Connection", "Cursor",
        "Warning", "Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError",
        "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError",
    }
)  # fmt: skip
