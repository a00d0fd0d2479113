"""What a set of predicates leaves of one key column, in canonical forms.

Promises: the canonical form of every value that satisfies the predicates is in the restriction. It may hold more: a
literal that cannot be compared with certainty restricts nothing, and bounds that several values share are inclusive.
Leaves to others: which shards that makes (the strategies).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from .key_types import CANNOT_TELL, KeyType
from .strategy import Interval, KeyColumn, OneOf, Predicate, Predicates

MAX_COUNTED = 64
"""An interval of at most this many values is counted out."""

MAX_KEYS = 1024
"""At most this many keys are made of the values of several columns."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """The canonical forms that one column may have.

    values: these only (None among them stands for NULL), and no bounds; or None: all between the bounds.
    lower, upper: None means unbounded. nullable: whether NULL is allowed too, if values is None.
    """

    values: frozenset[Any] | None = None
    lower: Any = None
    upper: Any = None
    lower_inclusive: bool = True
    upper_inclusive: bool = True
    nullable: bool = True

    def admits(self, canonical: Any) -> bool:
        """Whether a value of this canonical form is between the bounds."""
        if canonical is None:
            return self.nullable
        above = (
            self.lower is None or canonical > self.lower or (canonical == self.lower and self.lower_inclusive)
        )
        below = (
            self.upper is None or canonical < self.upper or (canonical == self.upper and self.upper_inclusive)
        )
        return bool(above and below)


_UNRESTRICTED = Restriction()


def restrict(key_type: KeyType, predicates: Sequence[Predicate]) -> Restriction:
    """What is left of a column of this type if all these predicates hold."""
    found = _UNRESTRICTED
    for predicate in predicates:
        if isinstance(predicate, OneOf):
            found = _with_values(found, key_type, predicate)
        else:
            found = _with_bounds(found, key_type, predicate)
    return _settled(found, key_type)


def restrict_key(
    key: Sequence[KeyColumn], types: Sequence[KeyType], predicates: Predicates
) -> list[Restriction] | None:
    """The restrictions of all key columns in order, or None if no row can satisfy the predicates."""
    found = [
        restrict(key_type, predicates.get(column.name, ()))
        for column, key_type in zip(key, types, strict=True)
    ]
    return None if any(restriction.values == frozenset() for restriction in found) else found


def possible_keys(restrictions: Sequence[Restriction]) -> list[tuple[Any, ...]] | None:
    """All keys, in canonical form, that the restrictions leave; None if they are not finite or too many."""
    count = 1
    sets: list[frozenset[Any]] = []
    for restriction in restrictions:
        if restriction.values is None:
            return None
        sets.append(restriction.values)
        count *= len(restriction.values)
    return None if len(sets) > 1 and count > MAX_KEYS else list(product(*sets))


def _with_values(found: Restriction, key_type: KeyType, predicate: OneOf) -> Restriction:
    values: set[Any] = set()
    for value in predicate.values:
        coerced = None if value is None else key_type.coerce(value)
        if coerced is CANNOT_TELL:
            return found
        values.add(None if coerced is None else key_type.canonical(coerced))
    both = frozenset(values if found.values is None else found.values & values)
    # Not `replace`, which takes longer than all the rest: this runs for every routed statement.
    return Restriction(
        both, found.lower, found.upper, found.lower_inclusive, found.upper_inclusive, found.nullable
    )


def _with_bounds(found: Restriction, key_type: KeyType, predicate: Interval) -> Restriction:
    """`found` between these bounds too; of types that sort in ways of their own, only NULL is left out."""
    found = replace(found, nullable=False)
    if not key_type.ordered:
        return found
    lower, lower_inclusive = _bound(key_type, predicate.lower, predicate.lower_inclusive)
    if lower is not None and (
        found.lower is None or lower > found.lower or (lower == found.lower and not lower_inclusive)
    ):
        found = replace(found, lower=lower, lower_inclusive=lower_inclusive)
    upper, upper_inclusive = _bound(key_type, predicate.upper, predicate.upper_inclusive)
    if upper is not None and (
        found.upper is None or upper < found.upper or (upper == found.upper and not upper_inclusive)
    ):
        found = replace(found, upper=upper, upper_inclusive=upper_inclusive)
    return found


def _bound(key_type: KeyType, value: Any, inclusive: bool) -> tuple[Any, bool]:
    """The canonical form of a bound, or None for no bound, and whether it is inclusive."""
    coerced = None if value is None else key_type.coerce(value)
    if coerced is None or coerced is CANNOT_TELL:
        return None, True
    canonical = key_type.canonical(coerced)
    return canonical, inclusive or key_type.is_shared(canonical)


def _settled(found: Restriction, key_type: KeyType) -> Restriction:
    """`found` in its simplest form: values without bounds, no values if nothing is left, few values counted out."""
    if found.values is not None:
        if found.lower is None and found.upper is None and found.nullable:
            return found
        return Restriction(frozenset(value for value in found.values if found.admits(value)))
    if found.lower is None or found.upper is None:
        return found
    if key_type.discrete:
        first = found.lower + (not found.lower_inclusive)
        last = found.upper - (not found.upper_inclusive)
        if last - first < MAX_COUNTED:
            return Restriction(frozenset(range(first, last + 1)))
    elif not (found.lower < found.upper or found.admits(found.lower)):
        return Restriction(frozenset())
    return found
