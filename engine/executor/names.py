"""Names of tables: which are free."""

from __future__ import annotations

from ..errors import ProgrammingError
from ..types import quote_identifier
from .gateway import Gateway

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
