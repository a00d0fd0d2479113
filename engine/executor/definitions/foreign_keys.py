"""Foreign keys: allowed where the row that is referred to must be on the shard of the row that refers to it.

DuckDB keeps a foreign key inside one file. So both tables must be co-located and refer by the whole shard key, or both
must be reference tables.
Leaves to others: keeping the key, which each shard's DuckDB does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...catalog.colocation import colocated
from ...catalog.definition import ForeignKey, Shape
from ...catalog.model import Table
from ...errors import NotSupportedError, ProgrammingError
from ...sql.clauses import CreateTable
from ...sql.lexer import significant
from ...sql.names import name_at
from ...storage import duck, shard
from ..gateway import Gateway


def parents_of(gateway: Gateway, create: CreateTable) -> list[Table]:
    """The tables, besides the new one itself, to which the foreign keys of a CREATE TABLE refer.

    Raises ProgrammingError for one that does not exist, and NotSupportedError where a reference table and a sharded one
    would have to see each other.
    """
    schema, own_name = gateway.schema_and_name(create.name)
    lexemes = significant(create.columns_sql)
    found: list[Table] = []
    for index, lexeme in enumerate(lexemes):
        named = name_at(lexemes, index + 1) if lexeme.upper == "REFERENCES" else None
        if named is None:
            continue
        parts, _ = named
        if len(parts) == 1 and parts[0].lower() == own_name.lower():
            continue
        name = parts if len(parts) > 1 else (schema, *parts)
        position = create.columns_start + lexemes[index + 1].start + 1
        parent = gateway.find_table(name)
        if parent is None:
            raise ProgrammingError(
                f'Table with name "{name[-1]}" does not exist!', sqlstate="42P01", position=position
            )
        if parent.is_reference != (create.clause.kind == "reference"):
            raise _across_files(create.name[-1], parent, position)
        found.append(parent)
    return found


def check_foreign_keys(gateway: Gateway, table: Table, shape: Shape, position: int) -> None:
    """Refuse foreign keys that no shard could keep by itself. position: where the statement says how it is sharded.

    Raises NotSupportedError.
    """
    if table.is_reference:
        return
    for key in shape.foreign_keys:
        is_itself = key.parent.lower() == table.name.lower()
        parent = table if is_itself else gateway.catalog.table(table.schema, key.parent)
        if parent is None or not _stays_on_shard(table, parent, key):
            raise _across_shards(table, parent, key, position)


def check_is_not_parent(gateway: Gateway, tables: Sequence[Table]) -> None:
    """Refuse to drop tables to which a table that stays refers. Raises ProgrammingError."""
    dropped = {table.key for table in tables}
    for table in tables:
        for child in children_of(gateway, table):
            if (table.schema.lower(), child.lower()) not in dropped:
                raise ProgrammingError(
                    f'Could not drop the table because this table is main key table of the table "{child}"',
                    sqlstate="2BP01",
                    hint=f"DROP the table {child} first.",
                )


def children_of(gateway: Gateway, table: Table) -> list[str]:
    """The names of the tables, in the same schema, whose foreign keys refer to this one."""
    found = duck.rows(
        gateway.instance,
        "SELECT DISTINCT table_name FROM system.main.duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'"
        " AND database_name = ? AND lower(schema_name) = lower(?) AND lower(referenced_table) = lower(?)",
        [shard.alias(table.placements[0]), table.schema, table.name],
    )
    return [name for (name,) in found]


def has_foreign_keys(gateway: Gateway, table: Table) -> bool:
    """Whether a foreign key of this table refers to another."""
    found = duck.rows(
        gateway.instance,
        "SELECT 1 FROM system.main.duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'"
        " AND database_name = ? AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)",
        [shard.alias(table.placements[0]), table.schema, table.name],
    )
    return bool(found)


def relations(gateway: Gateway) -> dict[tuple[str, str], frozenset[tuple[str, str]]]:
    """For each table with a foreign key, and each that one refers to: the others that it is linked to, by their keys in
    the catalog."""
    with gateway.asking() as connection:
        found = duck.rows(
            connection,
            "SELECT DISTINCT lower(schema_name), lower(table_name), lower(referenced_table)"
            " FROM system.main.duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'",
        )
    linked: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for schema, child, parent in found:
        if child != parent:
            linked.setdefault((schema, child), set()).add((schema, parent))
            linked.setdefault((schema, parent), set()).add((schema, child))
    return {key: frozenset(others) for key, others in linked.items()}


def _stays_on_shard(table: Table, parent: Table, key: ForeignKey) -> bool:
    """Whether the row referred to has the shard of the row that refers: their shard keys are equated."""
    if parent is not table and not colocated(replace(table, name=""), parent):
        return False
    own_name = {
        theirs.lower(): own.lower() for theirs, own in zip(key.parent_columns, key.columns, strict=True)
    }
    wanted = [own_name.get(name.lower()) for name in parent.shard_key]
    return bool(wanted) and wanted == [name.lower() for name in table.shard_key]


def _across_shards(table: Table, parent: Table | None, key: ForeignKey, position: int) -> NotSupportedError:
    by = f" by {parent.strategy.clause()}" if parent is not None and parent.shard_key else ""
    return NotSupportedError(
        f'the foreign key ({", ".join(key.columns)}) of "{table.name}" may refer to rows of other shards, '
        "which none of the shards could check",
        detail=f'"{key.parent}" is sharded{by}, "{table.name}" by {table.strategy.clause()}.',
        hint=f"Shard both tables by the columns of the foreign key, with COLOCATE WITH {key.parent}; make both "
        "REFERENCE; or leave the foreign key out.",
        position=position,
    )


def _across_files(child: str, parent: Table, position: int) -> NotSupportedError:
    reference, sharded = (parent.name, child) if parent.is_reference else (child, parent.name)
    return NotSupportedError(
        f'a foreign key cannot link the reference table "{reference}" and the sharded table "{sharded}": '
        "they are in different files, and DuckDB keeps a foreign key inside one",
        hint=f'Make both REFERENCE; or shard "{parent.name}" too and refer to its shard key; or leave the key out.',
        position=position,
    )
