"""Where rows go: one file a strategy, all behind `Strategy`."""

from __future__ import annotations

from typing import Any

from ..errors import CatalogFileError, Error
from . import values
from .consistent import ConsistentHashStrategy
from .directory import DirectoryStrategy
from .hash import HashStrategy
from .key_types import CANNOT_TELL
from .keys import coerce
from .range import RangeStrategy
from .reference import ReferenceStrategy
from .spread import SpreadStrategy
from .strategy import Interval, KeyColumn, OneOf, Predicate, Predicates, Strategy, Value

__all__ = [
    "CANNOT_TELL",
    "ConsistentHashStrategy",
    "DirectoryStrategy",
    "HashStrategy",
    "Interval",
    "KeyColumn",
    "OneOf",
    "Predicate",
    "Predicates",
    "RangeStrategy",
    "ReferenceStrategy",
    "SpreadStrategy",
    "Strategy",
    "Value",
    "coerce",
    "from_json",
]


def from_json(json_object: dict[str, Any]) -> Strategy:
    """The strategy of which `to_json` made this object. Raises CatalogFileError if none did."""
    try:
        return _from_json(json_object)
    except CatalogFileError:
        raise
    except (AttributeError, Error, KeyError, TypeError, ValueError) as error:
        raise CatalogFileError(f"the catalog holds a sharding strategy that is none: {error}") from error


def _from_json(fields: dict[str, Any]) -> Strategy:
    kind = fields["kind"]
    if kind == "reference":
        return ReferenceStrategy()
    if kind == "spread":
        return SpreadStrategy(fields["shards"])
    key = tuple(KeyColumn(name, type_) for name, type_ in fields["key"])
    if kind == "hash":
        return HashStrategy(key, fields["shards"])
    if kind == "consistent hash":
        return ConsistentHashStrategy(key, fields["shards"])
    if kind == "range":
        bounds = tuple(tuple(values.from_json(value) for value in bound) for bound in fields["bounds"])
        return RangeStrategy(key, bounds, fields["maxvalue"])
    if kind == "directory":
        entries = tuple((values.from_json(value), shard) for value, shard in fields["entries"])
        return DirectoryStrategy(key, fields["shards"], entries, fields["default"])
    raise ValueError(f"unknown kind {kind!r}")
