"""Rows as JSON objects: what the two JSON formats share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json.encoder import encode_basestring as quote_json

from duckraft.engine.types import Column, Row

from .values import json_encoder


def object_encoder(columns: Sequence[Column]) -> Callable[[Row], str]:
    """A function that gives a row as a JSON object on one line.

    An object cannot have one name twice, so later columns of the same name are called `name_1`, `name_2`.
    """
    names = [quote_json(name) + ": " for name in distinct_names([column.name for column in columns])]
    encoders = [json_encoder(column.type) for column in columns]
    plan = tuple(zip(names, encoders, strict=True))

    def encode_row(row: Row) -> str:
        fields = [
            name + ("null" if value is None else encode(value))
            for (name, encode), value in zip(plan, row, strict=True)
        ]
        return "{" + ", ".join(fields) + "}"

    return encode_row


def distinct_names(names: Sequence[str]) -> list[str]:
    """`names` with a number added to those that came before."""
    taken: set[str] = set(names)
    seen: set[str] = set()
    result: list[str] = []
    for name in names:
        candidate, number = name, 0
        while candidate in seen or (number and candidate in taken):
            number += 1
            candidate = f"{name}_{number}"
        seen.add(candidate)
        result.append(candidate)
    return result
