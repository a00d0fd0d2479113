"""Conditions that compare one column with constants.

Constants may be literals or parameters, so a `Comparison` can be evaluated again for new values without parsing again.
Promises: a comparison says what SQL says, NULL included; what cannot be told for certain is told as such.
Leaves to others: which conditions of a statement count (`conditions.py`), which shards satisfy them (`sharding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlglot import exp

from ..sharding import CANNOT_TELL, Interval, OneOf, Predicate, coerce
from ..sql.fingerprint import literal_value
from ..types import Parameters


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal or a parameter.

    literal: its value. parameter: its number (from 1) or name. slot: the literal's place in the statement's
    fingerprint, if it is known. as_type: the type it is cast to in the text.
    """

    literal: Any = None
    parameter: int | str | None = None
    slot: int | None = None
    negated: bool = False
    as_type: str | None = None

    def value(self, parameters: Parameters, literals: Sequence[str] | None) -> Any:
        """The value for these parameters and, if given, these literals of the same shape; or CANNOT_TELL."""
        if self.parameter is not None:
            value = _parameter(parameters, self.parameter)
        elif literals is not None and self.slot is not None:
            value = literal_value(literals[self.slot])
        else:
            value = self.literal
        if self.negated:
            if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
                return CANNOT_TELL
            value = -value
        return value if self.as_type is None or value is CANNOT_TELL else coerce(value, self.as_type)


def _parameter(parameters: Parameters, which: int | str) -> Any:
    if parameters is None:
        return CANNOT_TELL
    if isinstance(parameters, Sequence):
        return parameters[which - 1] if isinstance(which, int) and which <= len(parameters) else CANNOT_TELL
    return parameters.get(str(which), CANNOT_TELL)


_SAME_TYPES = {"INT": "INTEGER", "TEXT": "VARCHAR", "LONG": "BIGINT", "REAL": "FLOAT"}


def is_comparable(as_type: str | None, key_type: str) -> bool:
    """Whether a constant of a stated type meets the key without a cast that could change what equals what."""
    if as_type is None or _SAME_TYPES.get(as_type, as_type) == key_type:
        return True
    return as_type == "DATE" and key_type == "TIMESTAMP"


class Operator(StrEnum):
    """How the column is compared."""

    IN = "in"
    BETWEEN = "between"
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    IS_NULL = "is null"
    IS_NOT_DISTINCT = "is not distinct from"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition: `column operator constants`. text: as the user wrote it, for EXPLAIN."""

    column: str
    operator: Operator
    constants: tuple[Constant, ...]
    text: str

    def predicate(
        self, key_type: str, parameters: Parameters, literals: Sequence[str] | None
    ) -> Predicate | None:
        """It as a predicate on values of `key_type`; None if that cannot be told."""
        if self.operator is Operator.IS_NULL:
            return OneOf((None,))
        values = []
        for constant in self.constants:
            if not is_comparable(constant.as_type, key_type):
                return None
            value = constant.value(parameters, literals)
            value = value if value is CANNOT_TELL else coerce(value, key_type)
            if value is CANNOT_TELL:
                return None
            values.append(value)
        if self.operator is Operator.IS_NOT_DISTINCT:
            return OneOf(tuple(values))
        if self.operator is Operator.IN:
            # `k = NULL` is never true.
            return OneOf(tuple(value for value in values if value is not None))
        if any(value is None for value in values):
            return OneOf(())
        return {
            Operator.BETWEEN: lambda: Interval(values[0], values[1]),
            Operator.LESS: lambda: Interval(None, values[0], upper_inclusive=False),
            Operator.LESS_EQUAL: lambda: Interval(None, values[0]),
            Operator.GREATER: lambda: Interval(values[0], None, lower_inclusive=False),
            Operator.GREATER_EQUAL: lambda: Interval(values[0], None),
        }[self.operator]()


_ORDER: dict[type[exp.Expr], Operator] = {
    exp.LT: Operator.LESS,
    exp.LTE: Operator.LESS_EQUAL,
    exp.GT: Operator.GREATER,
    exp.GTE: Operator.GREATER_EQUAL,
}
_MIRRORED = {
    Operator.LESS: Operator.GREATER,
    Operator.LESS_EQUAL: Operator.GREATER_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_EQUAL: Operator.LESS_EQUAL,
}


def constant_of(node: exp.Expr | None) -> Constant | None:
    """The constant that an expression is, or None if it is not one."""
    if node is None:
        return None
    node = node.unnest()
    if isinstance(node, exp.Literal):
        if node.is_string:
            return Constant(node.this)
        return Constant(literal_value(str(node.this)))
    if isinstance(node, exp.Neg):
        inner = constant_of(node.this)
        if inner is None or inner.negated or inner.as_type is not None or isinstance(inner.literal, str):
            return None
        return Constant(inner.literal, inner.parameter, negated=True)
    if isinstance(node, exp.Boolean):
        return Constant(bool(node.this))
    if isinstance(node, exp.Null):
        return Constant(None)
    if isinstance(node, exp.Placeholder) and node.this is not None:
        name = str(node.this)
        return Constant(parameter=int(name) if name.isdigit() else name)
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
        inner = constant_of(node.this)
        if inner is None or inner.as_type is not None:
            return None
        return Constant(
            inner.literal, inner.parameter, negated=inner.negated, as_type=node.to.sql(dialect="duckdb")
        )
    return None


def comparison_of(condition: exp.Expr) -> tuple[exp.Column, Comparison] | None:
    """The column and the comparison that a condition is, or None if it is of another form."""
    text = condition.sql(dialect="duckdb")
    if isinstance(condition, (exp.EQ, exp.NullSafeEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)):
        column, other, mirrored = condition.left.unnest(), condition.right, False
        if not isinstance(column, exp.Column):
            column, other, mirrored = condition.right.unnest(), condition.left, True
        constant = constant_of(other)
        if not isinstance(column, exp.Column) or constant is None:
            return None
        operator = _ORDER.get(type(condition))
        if operator is None:
            operator = Operator.IN if isinstance(condition, exp.EQ) else Operator.IS_NOT_DISTINCT
        elif mirrored:
            operator = _MIRRORED[operator]
        return column, Comparison(column.name, operator, (constant,), text)
    if isinstance(condition, exp.In) and isinstance(condition.this, exp.Column):
        found = _constants(condition.expressions)
        if found and not condition.args.get("query") and not condition.args.get("unnest"):
            return condition.this, Comparison(condition.this.name, Operator.IN, found, text)
    if isinstance(condition, exp.Between) and isinstance(condition.this, exp.Column):
        found = _constants([condition.args.get("low"), condition.args.get("high")])
        if found and not condition.args.get("symmetric"):
            return condition.this, Comparison(condition.this.name, Operator.BETWEEN, found, text)
    is_null = isinstance(condition, exp.Is) and isinstance(condition.expression, exp.Null)
    if is_null and isinstance(condition.this, exp.Column):
        return condition.this, Comparison(condition.this.name, Operator.IS_NULL, (), text)
    if isinstance(condition, exp.Or):
        return _one_of_many(condition, text)
    return None


def _constants(nodes: Sequence[exp.Expr | None]) -> tuple[Constant, ...] | None:
    found = [constant for node in nodes if (constant := constant_of(node)) is not None]
    return tuple(found) if len(found) == len(nodes) else None


def _one_of_many(condition: exp.Or, text: str) -> tuple[exp.Column, Comparison] | None:
    """`k = 1 OR k = 2 OR k IN (3, 4)` is `k IN (1, 2, 3, 4)`."""
    parts = [comparison_of(part) for part in condition.flatten()]
    constants: list[Constant] = []
    columns: list[exp.Column] = []
    for part in parts:
        if part is None or part[1].operator is not Operator.IN:
            return None
        columns.append(part[0])
        constants += part[1].constants
    if len({column.sql(dialect="duckdb").lower() for column in columns}) != 1:
        return None
    return columns[0], Comparison(columns[0].name, Operator.IN, tuple(constants), text)
