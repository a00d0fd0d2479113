"""Names: which a table may take, and what they mean on a shard."""

from __future__ import annotations

from ..errors import ProgrammingError
from ..sql.lexer import significant
from ..types import quote_identifier
from .gateway import HOME, Gateway

REPLACEMENT = "\x1freplacement"
"""What follows the name of a table in that of its replacement; no user's table may be called so."""


def check_name(gateway: Gateway, schema: str, name: str, *, or_replace: bool) -> None:
    """Refuse a name that a table or view has, or that cannot be. or_replace: a table may have it.

    Raises ProgrammingError.
    """
    taken = None
    if not or_replace and gateway.catalog.table(schema, name) is not None:
        taken = ("Table", "DROP it first, or use CREATE OR REPLACE TABLE or CREATE TABLE IF NOT EXISTS.")
    elif any(known.key == ("VIEW", schema.lower(), name.lower()) for known in gateway.catalog.definitions):
        taken = ("View", "DROP VIEW it first.")
    if taken is not None:
        raise ProgrammingError(
            f'{taken[0]} with name "{name}" already exists!', sqlstate="42P07", hint=taken[1]
        )
    if REPLACEMENT in name:
        raise ProgrammingError("a table's name cannot have this control character", sqlstate="42602")
    if not gateway.has_schema(schema):
        raise ProgrammingError(
            f'Schema with name "{schema}" does not exist!',
            sqlstate="3F000",
            hint=f"CREATE SCHEMA {quote_identifier(schema)} first.",
        )


def full_type_names(gateway: Gateway, text: str) -> str:
    """The text with `schema.type` in full where that is a type: on a shard, a schema is one of the shard."""
    types = {known.key[1:] for known in gateway.catalog.definitions if known.kind == "TYPE"}
    if not types:
        return text
    lexemes = significant(text)
    pieces: list[str] = []
    end = 0
    for index, (schema, dot, name) in enumerate(zip(lexemes, lexemes[1:], lexemes[2:], strict=False)):
        is_whole = index == 0 or lexemes[index - 1].text != "."
        if is_whole and dot.text == "." and (schema.identifier.lower(), name.identifier.lower()) in types:
            pieces += [text[end : schema.start], f"{HOME}."]
            end = schema.start
    return "".join([*pieces, text[end:]])
