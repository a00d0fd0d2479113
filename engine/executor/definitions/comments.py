"""COMMENT ON: comments of tables, columns and indexes are in the shards, those of all else in the catalog.

Leaves to others: saying the catalog's comments again when the database opens (`gateway.py`).
"""

from __future__ import annotations

from ...catalog.model import Catalog, Comment
from ...sql.lexer import Lexeme, significant
from ...sql.names import name_at
from ...storage import duck
from ...types import quote_identifier
from ..composed import Composed
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.binding import shard_table
from ..reading.result import Result
from .indexes import homes_of_index
from .objects import run_and_publish
from .shard_changes import change_shards

_KINDS = {"FUNCTION": "MACRO"}


def comment_on(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run a COMMENT ON. The caller holds the write lock. Raises errors.Error."""
    lexemes = significant(sql)
    start = 4 if [lexeme.upper for lexeme in lexemes[2:4]] == ["MACRO", "TABLE"] else 3
    kind = " ".join(lexeme.upper for lexeme in lexemes[2:start])
    found = name_at(lexemes, start)
    statements: dict[int, list[Composed]] = {}
    changed = None
    # What is commented on, without the column; a column alone is for DuckDB to refuse.
    owner = () if found is None else found[0][: -1 if kind == "COLUMN" else None]
    if found is not None and owner and not gateway.is_elsewhere(owner):
        statements = _on_shards(gateway, sql, kind, found[0], lexemes[found[1] :])
        changed = _kept(gateway, connections, kind, found[0], lexemes[found[1] :])
    if statements:
        # Plans do not depend on a comment, but each change of the shards has a version of its own.
        change_shards(gateway, connections, statements, lambda _: gateway.catalog.next_version())
    else:
        run_and_publish(gateway, connections, sql, None, None if changed is None else lambda: changed)
    return Result((), "COMMENT")


def _on_shards(
    gateway: Gateway, sql: str, kind: str, name: tuple[str, ...], rest: list[Lexeme]
) -> dict[int, list[Composed]]:
    """The statement for each shard that has what the comment is about; rest: what stands behind the name."""
    targets: dict[int, str] = {}
    if kind == "INDEX":
        targets = homes_of_index(gateway, gateway.schema_and_name(name))
    elif kind in ("TABLE", "VIEW", "COLUMN"):
        of_column = kind == "COLUMN"
        table = gateway.find_table(name[:-1] if of_column else name) if len(name) > of_column else None
        kind = "COLUMN" if of_column else "TABLE"
        column = f".{quote_identifier(name[-1])}" if of_column else ""
        if table is not None:
            targets = {home: shard_table(table, at) + column for at, home in enumerate(table.placements)}
    if not targets or not rest:
        return {}
    said = (sql[rest[0].start :], rest[0].start)
    return {
        home: [Composed(((f"COMMENT ON {kind} ", None), (f"{target} ", None), said))]
        for home, target in targets.items()
    }


def _kept(
    gateway: Gateway, connections: SessionConnections, kind: str, name: tuple[str, ...], rest: list[Lexeme]
) -> Catalog | None:
    """The catalog with the comment in it, if it is about something that the catalog keeps as a definition."""
    kind = _KINDS.get(kind, kind)
    of_column = kind == "COLUMN"
    if len(name) <= of_column or [lexeme.upper for lexeme in rest[:1]] != ["IS"] or len(rest) != 2:
        return None
    schema, last = gateway.schema_and_name(name[:-1] if of_column else name)
    catalog = gateway.catalog
    if kind == "SEQUENCE":
        is_kept = catalog.sequence(schema, last) is not None
    else:
        stored = "VIEW" if kind in ("COLUMN", "TABLE") else kind
        kind = kind if of_column else stored
        key = (stored, schema.lower(), last.lower())
        is_kept = any(definition.key == key for definition in catalog.definitions)
    if not is_kept:
        return None
    text = rest[1].text
    if rest[1].upper != "NULL":
        text = str(duck.rows(connections.gateway, f"SELECT {rest[1].text}")[0][0])
    comment = Comment(kind, schema, last, name[-1] if of_column else "", text)
    return catalog.without_comment(comment) if rest[1].upper == "NULL" else catalog.with_comment(comment)
