"""The plan cache: statements that are known are not parsed again.

Two things are kept: by shape, how statements that went to one shard find their shard; by text, and by the types of the
parameters and the shards that these need, whole plans.
Promises: bounded; an entry is good for one catalog version only; what is found here is what planning anew would give. A
shape leaves out only values of literals and parameters, and routing is worked out for those each time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from ..sql.fingerprint import fingerprint, literal_value
from ..types import Parameters
from .comparison import Comparison, Constant
from .plan import Plan
from .planner import Planned, RoutedShape
from .route import RefRouter

CAPACITY = 1024
LONGEST_TEXT = 65_536
"""Characters; longer statements are seldom sent twice, and their plans are large."""

_T = TypeVar("_T")


def plan_key(text: str, parameters: Parameters) -> str | None:
    """Under what a plan is kept that depends on the types of its parameters, but not on their values.

    None if the types cannot be told: DuckDB gives a value the narrowest type that holds it.
    """
    if parameters is None:
        return text
    values = list(parameters.items()) if isinstance(parameters, Mapping) else list(enumerate(parameters))
    kinds = [(name, _kind(value)) for name, value in values]
    return None if any(kind is None for _, kind in kinds) else f"{text}\0{kinds}"


def _kind(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        bits = next((bits for bits in (31, 63) if -(1 << bits) <= value < 1 << bits), None)
        return None if bits is None else f"int{bits}"  # Wider ones are of several types.
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        return f"Decimal({len(digits)},{exponent})"
    if value is None or isinstance(value, (bool, float, str, bytes, date, datetime, time, timedelta, UUID)):
        aware = getattr(value, "tzinfo", None) is not None
        return f"{type(value).__name__}{' with time zone' if aware else ''}"
    return None


class PlanCache:
    """Routed shapes and whole plans, the least recently kept leaving first. Safe for threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._shapes: OrderedDict[str, RoutedShape] = OrderedDict()
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._routers: OrderedDict[str, tuple[RefRouter, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._shapes)

    def shard(self, text: str, parameters: Parameters, catalog_version: int) -> int | None:
        """The shard of the database that has everything this statement needs; None if that is not known here."""
        if not self._shapes or len(text) > LONGEST_TEXT:
            return None
        # A text with parameters comes again as it is; one with literals seldom does.
        found = fingerprint(text) if parameters is None else _remembered(text)
        if found is None:
            return None
        shape = self._shapes.get(found[0])
        if shape is None or shape.catalog_version != catalog_version:
            return None
        return shape.shard(parameters, found[1])

    def keep(self, text: str, shape: RoutedShape) -> None:
        """Remember how `text` was routed, if each constant of its routing can be found in the text again."""
        found = fingerprint(text) if len(text) <= LONGEST_TEXT else None
        if found is None:
            return
        placed = _with_slots(shape, found[1])
        if placed is None:
            return
        with self._lock:
            _put(self._shapes, found[0], placed, self._capacity)

    def plan(self, key: str, parameters: Parameters, catalog_version: int) -> Plan | None:
        """The plan that is kept under this key for values that need the same shards, if it is still good."""
        if parameters is not None:
            found = self._routers.get(key)
            if found is None:
                return None
            key = _with_shards(key, found, parameters)
        plan = self._plans.get(key)
        return plan if plan is not None and plan.catalog_version == catalog_version else None

    def keep_plan(self, key: str, parameters: Parameters, planned: Planned) -> None:
        """Remember a plan under the key that `plan_key` gave."""
        if len(key) > LONGEST_TEXT:
            return
        with self._lock:
            if parameters is not None:
                _put(self._routers, key, planned.routers, self._capacity)
                key = _with_shards(key, planned.routers, parameters)
            _put(self._plans, key, planned.plan, self._capacity)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._shapes.clear()
            self._plans.clear()
            self._routers.clear()


_remembered = lru_cache(CAPACITY)(fingerprint)


def _with_shards(key: str, routers: Sequence[RefRouter], parameters: Parameters) -> str:
    return f"{key}\0{[router.shards(parameters) for router in routers]}"


def _put(kept: OrderedDict[str, _T], key: str, value: _T, capacity: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > capacity:
        kept.popitem(last=False)


def _with_slots(shape: RoutedShape, literals: Sequence[str]) -> RoutedShape | None:
    """`shape` with each literal constant tied to its place among `literals`; None if a place is not certain."""
    values = [literal_value(literal) for literal in literals]
    routers: list[RefRouter] = []
    for router in shape.routers:
        comparisons: list[tuple[Comparison, str, str]] = []
        for comparison, column, kind in router.comparisons:
            constants: list[Constant] = []
            for constant in comparison.constants:
                if constant.parameter is None and not isinstance(constant.literal, bool | None):
                    places = [
                        index
                        for index, value in enumerate(values)
                        if type(value) is type(constant.literal) and value == constant.literal
                    ]
                    if len(places) != 1:
                        return None
                    constant = replace(constant, slot=places[0])
                constants.append(constant)
            comparisons.append((replace(comparison, constants=tuple(constants)), column, kind))
        routers.append(replace(router, comparisons=tuple(comparisons)))
    return replace(shape, routers=tuple(routers))
