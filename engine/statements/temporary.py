"""Temporary tables and views that hide a table of the database: in their session, the name alone means them.

They live in the session's connection to the gateway. A statement that may mean one of them runs there as it stands,
where DuckDB finds temporary ones first and every other table as a view over its shards. That is right for every query;
of a change, only the target may be hidden.
"""

from __future__ import annotations

from ..errors import NotSupportedError
from ..executor import system
from ..executor.protection import target_of
from ..executor.reading.result import Result
from ..sql.advisory import parse_advisory
from ..sql.classify import Classified, StatementKind
from ..sql.lexer import Kind, significant
from ..sql.locking import parse_row_locks
from ..storage import duck
from ..types import Parameters
from .context import Context
from .queries import stream

_QUERIES = frozenset({StatementKind.QUERY, StatementKind.EXPLAIN})
_CHANGES = frozenset({StatementKind.INSERT, StatementKind.UPDATE, StatementKind.DELETE, StatementKind.MERGE})
_NATIVE = _CHANGES | {
    StatementKind.TRUNCATE,
    StatementKind.COPY_FROM,
    StatementKind.ALTER,
    StatementKind.DROP,
    StatementKind.CREATE_INDEX,
    StatementKind.COMMENT,
}
_ANALYSED = frozenset(
    {
        StatementKind.UPDATE,
        StatementKind.DELETE,
        StatementKind.MERGE,
        StatementKind.EXPLAIN_ROUTE,
        StatementKind.ROW_LOCKS,
    }
)
"""What is planned by the names in the text; all other statements leave it to DuckDB what a name means."""


def note_temporaries(context: Context) -> None:
    """Remember the names of the session's temporary tables and views, after a statement that may have changed them."""
    found = duck.rows(
        context.connections.gateway,
        "SELECT lower(table_name) FROM system.main.duckdb_tables() WHERE temporary"
        " UNION ALL SELECT lower(view_name) FROM system.main.duckdb_views() WHERE temporary AND NOT internal",
    )
    context.temporaries = frozenset(name for (name,) in found)


def hides(context: Context, sql: str) -> bool:
    """Whether a name in the statement may mean a temporary table or view in the place of a table of the database."""
    tables = {name for schema, name in context.gateway.catalog.tables if schema == "main"}
    hidden = context.temporaries & tables
    return bool(hidden) and any(
        lexeme.identifier.lower() in hidden
        for lexeme in significant(sql)
        if lexeme.kind in (Kind.WORD, Kind.QUOTED)
    )


def run_hidden(context: Context, sql: str, parameters: Parameters, classified: Classified) -> Result | None:
    """Run a statement for which `hides` says yes; None if it means the same without. Raises errors.Error."""
    gateway = context.connections.gateway
    if system.mentions(sql):
        system.refresh(context.gateway)
    if classified.kind in _QUERIES or _takes_no_locks(sql, classified.kind):
        return stream(gateway, sql, parameters)
    target = target_of(sql)
    is_temporary = target is not None and (
        (len(target) == 1 and target[0].lower() in context.temporaries) or target[0].lower() == "temp"
    )
    if classified.kind in _NATIVE and is_temporary:
        duck.execute(gateway, sql, parameters)
        verb = classified.kind.value.upper()
        if classified.kind not in _CHANGES:
            return Result((), verb)
        from ..executor.changes.insert import changed

        returning = any(lexeme.upper == "RETURNING" for lexeme in significant(sql))
        return changed(gateway, "INSERT 0" if verb == "INSERT" else verb, returning)
    if classified.kind in _ANALYSED:
        raise NotSupportedError(
            "a temporary table of this session has the name of a table of the database in this statement",
            hint="Give the temporary table another name: ALTER TABLE … RENAME TO …",
        )
    return None


def _takes_no_locks(sql: str, kind: StatementKind) -> bool:
    """Whether a statement that may be a query with locks is one without."""
    if kind is StatementKind.ROW_LOCKS:
        return parse_row_locks(sql) is None
    return kind is StatementKind.ADVISORY and parse_advisory(sql) is None
