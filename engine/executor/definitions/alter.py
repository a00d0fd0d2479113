"""ALTER TABLE and ALTER VIEW: a table's shards get the user's own text, all of them or none.

Promises: a statement that raises, or is interrupted by a crash, leaves every shard as it was or as all others; the
shard key and the keys it keeps unique stay right.
Leaves to others: how the shards change together (`shard_changes.py`), ALTER SEQUENCE (`sequences.py`).
"""

from __future__ import annotations

from dataclasses import replace

from ...catalog.definition import check_keys, with_renamed_key
from ...catalog.model import Catalog, Definition, Table
from ...errors import NotSupportedError, ProgrammingError
from ...sql.lexer import Lexeme, significant
from ...sql.names import name_at
from ...sql.sequences import draws, on_shards
from ...storage import duck, shard
from ...types import quote_identifier
from ..composed import Composed, execute
from ..connections import SessionConnections
from ..gateway import HOME, Gateway
from ..names import check_name, full_type_names
from ..reading.binding import shard_table
from ..reading.result import Result
from .filled import filled_column
from .foreign_keys import has_foreign_keys
from .objects import run_and_publish
from .sequences import alter_sequence, with_owner_renamed
from .shape import read_shape
from .shard_changes import Writers, change_shards


def alter(gateway: Gateway, connections: SessionConnections, sql: str) -> Result:
    """Run an ALTER. The caller holds the write lock. Raises errors.Error."""
    lexemes = significant(sql)
    kind = lexemes[1].upper if len(lexemes) > 1 else ""
    if kind == "SEQUENCE":
        return alter_sequence(gateway, connections, sql)
    start = 4 if [lexeme.upper for lexeme in lexemes[2:4]] == ["IF", "EXISTS"] else 2
    found = name_at(lexemes, start)
    table = gateway.find_table(found[0]) if found is not None else None
    if found is None or table is None:
        return _alter_other(gateway, connections, sql, found[0] if found is not None else ("",))
    if kind != "TABLE":
        raise ProgrammingError(
            "Can only modify table with ALTER TABLE statement",
            sqlstate="42809",
            position=lexemes[1].start + 1,
        )
    span = (lexemes[start].start, lexemes[found[1] - 1].end)
    rest = lexemes[found[1] :]
    words = [lexeme.upper for lexeme in rest]
    _check_alteration(connections, table, sql, rest)
    statements = {
        home: [_on_shard(gateway, sql, span, table, number)] for number, home in enumerate(table.placements)
    }
    if words[:2] == ["RENAME", "TO"] and len(rest) > 2:
        _rename_table(gateway, connections, table, rest[2].identifier, statements)
        return Result((), "ALTER TABLE")
    renamed = _renamed_column(rest)

    def catalog_after(writers: Writers) -> Catalog:
        changed = _reread(writers[table.placements[0]].connection, table, renamed)
        return gateway.catalog.with_table(changed)

    filled = filled_column(gateway, table, rest)
    change_shards(gateway, connections, statements, catalog_after, filled)
    changed = gateway.find_table((table.schema, table.name))
    if changed is not None:
        gateway.show_table(changed)
    return Result((), "ALTER TABLE")


def _on_shard(gateway: Gateway, sql: str, span: tuple[int, int], table: Table, number: int) -> Composed:
    """The user's text with the name of the table, which is at `span`, as that of one of its shards."""
    start, end = span
    behind = sql[end:]
    there = full_type_names(gateway, on_shards(behind))
    # Where the text is another one on a shard, no position in it would be the user's.
    tail = (behind, end) if there == behind else (there, None)
    return Composed(((sql[:start], 0), (shard_table(table, number), None), tail))


def _rename_table(
    gateway: Gateway,
    connections: SessionConnections,
    table: Table,
    name: str,
    statements: dict[int, list[Composed]],
) -> None:
    renamed = replace(table, name=name)
    if renamed.key != table.key:
        check_name(gateway, table.schema, name, or_replace=False)
    if has_foreign_keys(gateway, table):
        raise NotSupportedError(
            f'"{table.name}" has a foreign key and cannot be renamed: DuckDB would look for it under its old name',
            hint="CREATE the table anew under the new name, fill it, then DROP the old one.",
        )

    def catalog_after(_: Writers) -> Catalog:
        catalog = gateway.catalog.without_table(table).with_table(renamed)
        return with_owner_renamed(catalog, table, renamed)

    change_shards(gateway, connections, statements, catalog_after)
    gateway.hide_table(table)
    gateway.show_table(renamed)


def _renamed_column(rest: list[Lexeme]) -> tuple[str, str] | None:
    """(old, new) of `RENAME [COLUMN] old TO new`, for a column of the table itself, not a field inside one."""
    parts = [lexeme for lexeme in rest[1:] if lexeme.upper != "COLUMN" or len(rest) < 5]
    if rest[0].upper == "RENAME" and len(parts) == 3 and parts[1].upper == "TO":
        return parts[0].identifier, parts[2].identifier
    return None


def _reread(connection: duck.Connection, table: Table, renamed: tuple[str, str] | None) -> Table:
    """The table with the columns, the primary key and the key's names that its first shard has now."""
    strategy = table.strategy if renamed is None else with_renamed_key(table.strategy, *renamed)
    shape = read_shape(connection, shard.alias(table.placements[0]), table.schema, table.name)
    types = {column.name.lower(): column.type for column in shape.columns}
    for key in strategy.key:
        if types.get(key.name.lower()) != key.type:
            raise _cannot_change_key(table, key.name)
    check_keys(shape, strategy, None)
    return replace(table, columns=shape.columns, primary_key=shape.primary_key, strategy=strategy)


def _check_alteration(connections: SessionConnections, table: Table, sql: str, rest: list[Lexeme]) -> None:
    """Refuse what the shards would do but must not. rest: what stands behind the table's name."""
    words = [lexeme.upper for lexeme in rest]
    key = {name.lower() for name in table.shard_key}
    named = next((lexeme for lexeme in rest[1:3] if lexeme.identifier.lower() in key), None)
    if words[:1] == ["ALTER"] and named is not None and {"TYPE", "COLLATE"} & set(words):
        raise _cannot_change_key(table, named.identifier)
    if not draws(sql):
        return
    at = next((index for index in range(len(words)) if words[index : index + 2] == ["SET", "DEFAULT"]), None)
    if words[:1] != ["ALTER"] or at is None:
        raise NotSupportedError(
            "a shard cannot draw from a sequence",
            hint="ADD the column without it, then ALTER … SET DEFAULT nextval(…) for the rows to come.",
        )
    start = rest[at + 1].end
    bound = Composed((("EXPLAIN SELECT (", None), (sql[start:], start), ("\n)", None)))
    execute(connections.gateway, bound)


def _cannot_change_key(table: Table, column: str) -> NotSupportedError:
    return NotSupportedError(
        f'column "{column}" is the shard key of "{table.name}": changing it would move rows to other shards',
        hint=f"CREATE OR REPLACE TABLE {quote_identifier(table.name)} SHARD BY … AS SELECT … FROM the table itself.",
    )


def _alter_other(
    gateway: Gateway, connections: SessionConnections, sql: str, name: tuple[str, ...]
) -> Result:
    """An ALTER of what is no table of the catalog: a view, a temporary table, or nothing that there is."""
    connection = connections.gateway
    view = None if gateway.is_elsewhere(name) else _view(gateway, name)
    if view is None:
        duck.execute(connection, sql)
        return Result((), "ALTER")
    new_name = significant(sql)[-1].identifier

    def catalog_after() -> Catalog:
        texts = duck.rows(
            connection,
            "SELECT sql FROM system.main.duckdb_views()"
            " WHERE database_name = ? AND lower(schema_name) = lower(?) AND lower(view_name) = lower(?)",
            [HOME, view.schema, new_name],
        )
        renamed = replace(view, name=new_name, sql=texts[0][0])
        return _with_view_renamed(gateway.catalog, view, renamed)

    run_and_publish(gateway, connections, sql, None, catalog_after)
    return Result((), "ALTER VIEW")


def _view(gateway: Gateway, name: tuple[str, ...]) -> Definition | None:
    """The view of the catalog that a name means."""
    key = ("VIEW", *(part.lower() for part in gateway.schema_and_name(name)))
    return next((known for known in gateway.catalog.definitions if known.key == key), None)


def _with_view_renamed(catalog: Catalog, view: Definition, renamed: Definition) -> Catalog:
    comments = [known for known in catalog.comments if known.is_about("VIEW", view.schema, view.name)]
    catalog = catalog.without_definition(*view.key).with_definition(renamed)
    for comment in comments:
        catalog = catalog.with_comment(replace(comment, name=renamed.name))
    return catalog
