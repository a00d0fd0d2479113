"""The catalog as JSON values: what the catalog file holds, and what one node will tell another.

Promises: `catalog_from_json(catalog_to_json(c)) == c`. Reading takes nothing on trust: a value that is missing, of the
wrong type or unknown raises MalformedCatalogError, never anything else. What format 1 did not have may be missing.
Leaves to others: checksums, format numbers and files (`store.py`); the JSON of a strategy (`sharding`).
"""

from __future__ import annotations

from typing import Any, TypeVar

from ..errors import Error
from ..sharding import from_json as strategy_from_json
from ..types import Column
from .model import Catalog, Comment, Definition, PendingChange, Sequence, Shard, Table, TableState

_T = TypeVar("_T")


class MalformedCatalogError(ValueError):
    """A JSON value is not a catalog. The message says which part of it, for the person who has to repair it."""


def catalog_to_json(catalog: Catalog) -> dict[str, Any]:
    """A JSON object from which `catalog_from_json` makes an equal catalog."""
    return {
        "database_id": catalog.database_id,
        "version": catalog.version,
        "default_shards": catalog.default_shards,
        "shards": [_shard_to_json(shard) for shard in catalog.shards],
        "tables": [_table_to_json(table) for _, table in sorted(catalog.tables.items())],
        "definitions": [_definition_to_json(definition) for definition in catalog.definitions],
        "sequences": [_sequence_to_json(sequence) for sequence in catalog.sequences],
        "comments": [_comment_to_json(comment) for comment in catalog.comments],
        "pending": None if catalog.pending is None else _pending_to_json(catalog.pending),
    }


def catalog_from_json(value: Any) -> Catalog:
    """The catalog that `catalog_to_json` wrote. Raises MalformedCatalogError."""
    tables = [_table_from_json(table) for table in _field(value, "tables", list)]
    return Catalog(
        database_id=_field(value, "database_id", str),
        version=_field(value, "version", int),
        default_shards=_field(value, "default_shards", int),
        shards=tuple(_shard_from_json(shard) for shard in _field(value, "shards", list)),
        tables={table.key: table for table in tables},
        definitions=tuple(_definition_from_json(each) for each in _field(value, "definitions", list)),
        sequences=tuple(_sequence_from_json(each) for each in _list_if_there(value, "sequences")),
        comments=tuple(_comment_from_json(each) for each in _list_if_there(value, "comments")),
        pending=None if value.get("pending") is None else _pending_from_json(value["pending"]),
    )


def _table_to_json(table: Table) -> dict[str, Any]:
    return {
        "schema": table.schema,
        "name": table.name,
        "columns": [{"name": column.name, "type": column.type} for column in table.columns],
        "primary_key": list(table.primary_key),
        "strategy": table.strategy.to_json(),
        "placements": list(table.placements),
        "state": table.state.value,
        "version": table.version,
    }


def _table_from_json(value: Any) -> Table:
    name = _field(value, "name", str)
    state = _field(value, "state", str)
    if state not in {known.value for known in TableState}:
        raise MalformedCatalogError(f'table "{name}" is in an unknown state "{state}"')
    try:
        strategy = strategy_from_json(_field(value, "strategy", dict))
    except Error as error:
        raise MalformedCatalogError(f'the strategy of table "{name}" cannot be read: {error}') from None
    return Table(
        schema=_field(value, "schema", str),
        name=name,
        columns=tuple(
            Column(_field(column, "name", str), _field(column, "type", str))
            for column in _field(value, "columns", list)
        ),
        primary_key=_items(value, "primary_key", str),
        strategy=strategy,
        placements=_items(value, "placements", int),
        state=TableState(state),
        version=_field(value, "version", int),
    )


def _shard_to_json(shard: Shard) -> dict[str, Any]:
    return {"number": shard.number, "file": shard.file, "node": shard.node}


def _shard_from_json(value: Any) -> Shard:
    number, node = _field(value, "number", int), _field(value, "node", str)
    return Shard(number, None if value.get("file") is None else _field(value, "file", str), node)


def _definition_to_json(definition: Definition) -> dict[str, Any]:
    return {
        "kind": definition.kind,
        "schema": definition.schema,
        "name": definition.name,
        "sql": definition.sql,
    }


def _definition_from_json(value: Any) -> Definition:
    return Definition(
        kind=_field(value, "kind", str),
        schema=_field(value, "schema", str),
        name=_field(value, "name", str),
        sql=_field(value, "sql", str),
    )


def _sequence_to_json(sequence: Sequence) -> dict[str, Any]:
    return {
        "schema": sequence.schema,
        "name": sequence.name,
        "sql": sequence.sql,
        "reserved": sequence.reserved,
        "owner": None if sequence.owner is None else list(sequence.owner),
    }


def _sequence_from_json(value: Any) -> Sequence:
    name = _field(value, "name", str)
    owner = None if value.get("owner") is None else _items(value, "owner", str)
    if owner is not None and len(owner) != 2:
        raise MalformedCatalogError(f'the owner of sequence "{name}" is not a schema and a name')
    return Sequence(
        schema=_field(value, "schema", str),
        name=name,
        sql=_field(value, "sql", str),
        reserved=None if value.get("reserved") is None else _field(value, "reserved", int),
        owner=None if owner is None else (owner[0], owner[1]),
    )


def _comment_to_json(comment: Comment) -> dict[str, Any]:
    return {
        "kind": comment.kind,
        "schema": comment.schema,
        "name": comment.name,
        "column": comment.column,
        "text": comment.text,
    }


def _comment_from_json(value: Any) -> Comment:
    return Comment(
        kind=_field(value, "kind", str),
        schema=_field(value, "schema", str),
        name=_field(value, "name", str),
        column=_field(value, "column", str),
        text=_field(value, "text", str),
    )


def _pending_to_json(pending: PendingChange) -> dict[str, Any]:
    statements = [{"shard": number, "sql": list(texts)} for number, texts in pending.statements]
    return {"number": pending.number, "statements": statements}


def _pending_from_json(value: Any) -> PendingChange:
    return PendingChange(
        number=_field(value, "number", int),
        statements=tuple(
            (_field(each, "shard", int), _items(each, "sql", str))
            for each in _field(value, "statements", list)
        ),
    )


def _list_if_there(value: Any, name: str) -> list[Any]:
    """The field `name` of a JSON object, an array; none is an empty one."""
    return _field(value, name, list) if isinstance(value, dict) and name in value else []


def _field(value: Any, name: str, kind: type[_T]) -> _T:
    """The field `name` of a JSON object, which must be of this type."""
    if not isinstance(value, dict):
        raise MalformedCatalogError(f'found {value!r} where an object with "{name}" should be')
    found: Any = value.get(name)
    if not _is(found, kind):
        raise MalformedCatalogError(f'"{name}" is {found!r}, not {kind.__name__}')
    return found  # type: ignore[no-any-return]


def _items(value: Any, name: str, kind: type[_T]) -> tuple[_T, ...]:
    """The field `name` of a JSON object, which must be an array of values of this type."""
    found = _field(value, name, list)
    if not all(_is(item, kind) for item in found):
        raise MalformedCatalogError(f'"{name}" is {found!r}, not an array of {kind.__name__}')
    return tuple(found)


def _is(found: Any, kind: type) -> bool:
    """Whether a JSON value is of this type; in Python, but not in JSON, true is a number."""
    return isinstance(found, kind) and not (kind is int and isinstance(found, bool))
