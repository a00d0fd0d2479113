"""What a statement's conditions say about its table references.

Promises: only conditions that every row of a reference must satisfy to matter for the answer are collected; leaving one
out costs time, never rows. Outer joins are treated as SQL does: a condition counts for a reference only if a row that
fails it cannot show in the answer.
Leaves to others: single comparisons (`comparison.py`), shards (`route.py`), co-location (`colocation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from .analysis import DIALECT, Analysis, TableRef, conjuncts, resolve
from .comparison import Comparison, Operator, comparison_of


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
    allowed = {ref for ref in refs if not is_ranked(ref, scope)}
    where = scope.args.get("where")
    for condition in conjuncts(where.this if where is not None else None):
        _collect_condition(analysis, scope, condition, conditions, allowed, optional)
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
    """Note one condition for the references in `allowed`. optional: those that an outer join may fill with NULL."""
    found = comparison_of(condition)
    if found is not None:
        ref = resolve(analysis, scope, found[0])
        # A condition that NULL satisfies does not hold back the rows of an optional side.
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
    text = condition.sql(dialect=DIALECT)
    for source, target in ((0, 1), (1, 0)):
        origin, destination = owners[source], owners[target]
        if origin is None or destination is None or destination not in targets or origin is destination:
            continue
        conditions.links.append(Link(origin, columns[source].name, destination, columns[target].name, text))


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
    held_left = earlier if (not side and kind != "ANTI") or side == "RIGHT" else set()
    held_left = {ref for ref in held_left if not is_ranked(ref, scope)}
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
    sources = [from_clause.this if from_clause is not None else None, *(join.this for join in joins)]
    position = next((index for index, source in enumerate(sources) if source is ref.node), None)
    if position is None:
        # Named inside a parenthesis or in a place we do not know: assume the worst.
        return True
    own_side = joins[position - 1].side.upper() if position else ""
    return own_side in ("LEFT", "FULL") or any(
        join.side.upper() in ("RIGHT", "FULL") for join in joins[position:]
    )


def is_ranked(ref: TableRef, scope: exp.Expr) -> bool:
    """Whether each row of `ref` decides on others: a join of `scope` goes by the order or the places of its rows, or a
    sample is taken of them, before any condition.

    The right side of an ASOF join, where a row without the nearer ones is the nearest, and all that a POSITIONAL join
    counts. A row that shows in no answer must be there all the same.
    """
    if scope.args.get("sample") is not None or ref.node.args.get("sample") is not None:
        return True
    if not any(join.method.upper() in ("ASOF", "POSITIONAL") for join in scope.find_all(exp.Join)):
        return False
    joins = scope.args.get("joins") or []
    from_clause = scope.args.get("from_")
    sources = [from_clause.this if from_clause is not None else None, *(join.this for join in joins)]
    position = next((index for index, source in enumerate(sources) if source is ref.node), None)
    if position is None:
        return True  # Named inside a parenthesis: assume the worst.
    own_method = joins[position - 1].method.upper() if position else ""
    return own_method == "ASOF" or any(
        join.method.upper() == "POSITIONAL" for join in joins[max(position - 1, 0) :]
    )


def _propagate(conditions: Conditions) -> None:
    """Carry comparisons over links until nothing new is learnt."""
    changed = True
    while changed:
        changed = False
        for link in conditions.links:
            if not _compare_alike(link):
                continue
            for comparison in list(conditions.comparisons[link.source]):
                if comparison.column.lower() != link.source_column.lower():
                    continue
                if comparison.operator in (Operator.IS_NULL, Operator.IS_NOT_DISTINCT):
                    continue
                carried = Comparison(
                    link.target_column,
                    comparison.operator,
                    comparison.constants,
                    f"{comparison.text} and {link.text}"
                    if link.text not in comparison.text
                    else comparison.text,
                )
                known = conditions.comparisons[link.target]
                if not any(
                    (one.column, one.operator, one.constants)
                    == (carried.column, carried.operator, carried.constants)
                    for one in known
                ):
                    known.append(carried)
                    changed = True


_INTEGERS = frozenset(
    {
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    }
)


def _compare_alike(link: Link) -> bool:
    """Whether a constant means the same for both columns: '10' is above '9' as a number, and below it as a text."""
    kinds = {_type_of(link.source, link.source_column), _type_of(link.target, link.target_column)}
    return len(kinds) == 1 or kinds <= _INTEGERS


def _type_of(ref: TableRef, name: str) -> str | None:
    return next((column.type for column in ref.table.columns if column.name.lower() == name.lower()), None)
