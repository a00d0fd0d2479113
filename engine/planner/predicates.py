"""What a statement's conditions say about shard keys.

A `Comparison` is one condition on one column with constants on the other side; constants may be literals or parameters,
so a comparison can be evaluated again for new values without parsing again.
Promises: only conditions that every row of the reference must satisfy to matter for the answer are collected; leaving
one out costs time, never rows. Outer joins, NULL and NOT are treated as SQL does.
Leaves to others: which shards satisfy them (`sharding`), what to do with the shards (`route.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlglot import exp

from ..sharding import CANNOT_TELL, Interval, OneOf, Predicate, coerce
from ..sql.fingerprint import literal_value
from ..types import Parameters
from .analysis import Analysis, TableRef, conjuncts, resolve


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal or a parameter. literal: its value; parameter: its number (from 1) or name; slot: the literal's place in
    the statement's fingerprint, if it is known. as_type: the type it is cast to in the text."""

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
            if isinstance(value, bool) or not hasattr(value, "__neg__"):
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


def _comparable(as_type: str | None, key_type: str) -> bool:
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
            if not _comparable(constant.as_type, key_type):
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


_ORDER = {
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
    if isinstance(condition, (exp.EQ, exp.NullSafeEQ, *_ORDER)):
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
    if isinstance(condition, exp.Is) and isinstance(condition.expression, exp.Null):
        if isinstance(condition.this, exp.Column):
            return condition.this, Comparison(condition.this.name, Operator.IS_NULL, (), text)
    if isinstance(condition, exp.Or):
        return _one_of_many(condition, text)
    return None


def _constants(nodes: Sequence[exp.Expr | None]) -> tuple[Constant, ...] | None:
    found = tuple(constant_of(node) for node in nodes)
    return None if any(item is None for item in found) else found  # type: ignore[return-value]


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


@dataclass(frozen=True, slots=True)
class Link:
    """`source.column = target.column`: rows of `target` matter only where they equal a row of `source`."""

    source: TableRef
    source_column: str
    target: TableRef
    target_column: str
    text: str


@dataclass(slots=True)
class Conditions:
    """Everything the conditions of a statement say about its table references, by reference."""

    comparisons: dict[TableRef, list[Comparison]]
    links: list[Link]


def collect(analysis: Analysis) -> Conditions:
    """The comparisons and links of every reference, comparisons carried over links."""
    conditions = Conditions({ref: [] for ref in analysis.refs}, [])
    seen: set[int] = set()
    for ref in analysis.refs:
        if id(ref.scope) not in seen:
            seen.add(id(ref.scope))
            _collect_scope(analysis, ref.scope, conditions)
    _propagate(conditions)
    return conditions


def _collect_scope(analysis: Analysis, scope: exp.Expr, conditions: Conditions) -> None:
    refs = analysis.refs_of(scope)
    optional = {ref for ref in refs if null_supplying(ref, scope)}
    where = scope.args.get("where")
    for condition in conjuncts(where.this if where is not None else None):
        _collect_condition(analysis, scope, condition, conditions, set(refs), optional)
    for join in scope.args.get("joins") or []:
        _collect_join(analysis, scope, join, conditions)


def _collect_condition(
    analysis: Analysis,
    scope: exp.Expr,
    condition: exp.Expr,
    conditions: Conditions,
    allowed: set[TableRef],
    optional: set[TableRef],
) -> None:
    """Note one condition for the references in `allowed`. optional: those whose columns may be NULL by an outer join."""
    found = comparison_of(condition)
    if found is not None:
        ref = resolve(analysis, scope, found[0])
        # A condition that NULL satisfies does not hold the rows of an optional side back: it may hold for none of them.
        accepts_null = found[1].operator in (Operator.IS_NULL, Operator.IS_NOT_DISTINCT)
        if ref in allowed and not (ref in optional and accepts_null):
            conditions.comparisons[ref].append(found[1])
        return
    if isinstance(condition, exp.EQ):
        left, right = condition.left.unnest(), condition.right.unnest()
        if isinstance(left, exp.Column) and isinstance(right, exp.Column):
            _link(analysis, scope, (left, right), condition, conditions, allowed)


def _link(
    analysis: Analysis,
    scope: exp.Expr,
    columns: tuple[exp.Column, exp.Column],
    condition: exp.Expr,
    conditions: Conditions,
    targets: set[TableRef],
) -> None:
    """Note an equality of two columns, in each direction whose target is in `targets`."""
    owners = [_resolve_outwards(analysis, scope, column) for column in columns]
    text = condition.sql(dialect="duckdb")
    for source, target in ((0, 1), (1, 0)):
        origin, destination = owners[source], owners[target]
        if origin is None or destination is None or destination not in targets or origin is destination:
            continue
        conditions.links.append(
            Link(origin, columns[source].name, destination, columns[target].name, text)
        )


def _resolve_outwards(analysis: Analysis, scope: exp.Expr, column: exp.Column) -> TableRef | None:
    """The reference a column belongs to, looking into the outer queries of a correlated one when it is qualified."""
    found = resolve(analysis, scope, column)
    if found is not None or not column.table:
        return found
    if any(source.lower() == column.table.lower() for source in _source_names(scope)):
        return None
    outer = scope.parent
    while outer is not None and not isinstance(outer, exp.Select):
        outer = outer.parent
    return None if outer is None else _resolve_outwards(analysis, outer, column)


def _source_names(scope: exp.Expr) -> list[str]:
    from_clause = scope.args.get("from_")
    sources = [from_clause.this] if from_clause is not None else []
    sources += [join.this for join in scope.args.get("joins") or []]
    return [source.alias_or_name for source in sources]


def _collect_join(analysis: Analysis, scope: exp.Expr, join: exp.Join, conditions: Conditions) -> None:
    """Note what a join's ON or USING says about the sides that it holds back."""
    here = next((ref for ref in analysis.refs_of(scope) if ref.node is join.this), None)
    earlier = set(refs_before(analysis, scope, join))
    side, kind, method = join.side.upper(), join.kind.upper(), join.method.upper()
    if side == "FULL" or method in ("POSITIONAL", "NATURAL", "ASOF"):
        return
    held_right = {here} if here is not None and side != "RIGHT" else set()
    held_left = earlier if not side and kind != "ANTI" or side == "RIGHT" else set()
    allowed = held_right | held_left
    optional = {ref for ref in allowed if null_supplying(ref, scope)}
    for condition in conjuncts(join.args.get("on")):
        _collect_condition(analysis, scope, condition, conditions, allowed, optional)
    for name in join.args.get("using") or []:
        owners = [ref for ref in earlier if has_column(ref, name.name)]
        if here is None or len(owners) != 1 or len(earlier) != _sources_before(scope, join):
            continue
        column = name.name
        text = f"USING ({column})"
        if here in held_right:
            conditions.links.append(Link(owners[0], column, here, column, text))
        if owners[0] in held_left:
            conditions.links.append(Link(here, column, owners[0], column, text))


def has_column(ref: TableRef, name: str) -> bool:
    """Whether the table of `ref` has a column of this name."""
    return any(column.name.lower() == name.lower() for column in ref.table.columns)


def refs_before(analysis: Analysis, scope: exp.Expr, join: exp.Join) -> list[TableRef]:
    """The references of `scope` that stand left of `join`."""
    joins = scope.args.get("joins") or []
    nodes = [scope.args["from_"].this] if scope.args.get("from_") is not None else []
    for other in joins:
        if other is join:
            break
        nodes.append(other.this)
    return [ref for ref in analysis.refs_of(scope) if any(ref.node is node for node in nodes)]


def _sources_before(scope: exp.Expr, join: exp.Join) -> int:
    joins = scope.args.get("joins") or []
    return (1 if scope.args.get("from_") is not None else 0) + next(
        index for index, other in enumerate(joins) if other is join
    )


def null_supplying(ref: TableRef, scope: exp.Expr) -> bool:
    """Whether an outer join of `scope` can fill the columns of `ref` with NULL."""
    joins = scope.args.get("joins") or []
    from_clause = scope.args.get("from_")
    if from_clause is not None and ref.node is from_clause.this:
        position = -1
    else:
        position = next((index for index, join in enumerate(joins) if join.this is ref.node), None)
        if position is None:
            # Named inside a parenthesis or in a place we do not know: assume the worst.
            return True
        if joins[position].side.upper() in ("LEFT", "FULL"):
            return True
    return any(join.side.upper() in ("RIGHT", "FULL") for join in joins[position + 1 :])


def _propagate(conditions: Conditions) -> None:
    """Carry comparisons over links until nothing new is learnt."""
    changed = True
    while changed:
        changed = False
        for link in conditions.links:
            for comparison in list(conditions.comparisons[link.source]):
                if comparison.column.lower() != link.source_column.lower():
                    continue
                if comparison.operator in (Operator.IS_NULL, Operator.IS_NOT_DISTINCT):
                    continue
                carried = Comparison(
                    link.target_column,
                    comparison.operator,
                    comparison.constants,
                    f"{comparison.text} and {link.text}" if link.text not in comparison.text else comparison.text,
                )
                known = conditions.comparisons[link.target]
                if not any(
                    (one.column, one.operator, one.constants) == (carried.column, carried.operator, carried.constants)
                    for one in known
                ):
                    known.append(carried)
                    changed = True
