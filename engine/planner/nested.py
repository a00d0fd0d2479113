"""Aggregating subqueries that go under the shards, while the rest of the statement is gathered.

A subquery's place in the text is the innermost parenthesis that begins with SELECT and holds exactly its tables; that
it is the subquery is checked with DuckDB's own parser, and that it depends on nothing outside by binding it alone.
"""

from __future__ import annotations

from sqlglot import exp

from ..sql.lexer import Kind, matching_parenthesis, significant
from .analysis import Analysis, TableRef
from .binder import Binder
from .conditions import Conditions
from .gather import Replacement
from .moving import Moving
from .plan import TableRoute
from .split import PushedBlock, push_block


def push_subqueries(
    analysis: Analysis,
    conditions: Conditions,
    routes: dict[TableRef, TableRoute],
    binder: Binder,
    moving: Moving | None = None,
) -> list[Replacement]:
    """The subqueries that can be pushed, outermost first, with the merge SQL that takes their place."""
    found: list[Replacement] = []
    for select in analysis.root.find_all(exp.Select):
        if select is analysis.root or not _aggregates(select):
            continue
        refs = _refs_inside(analysis, select)
        span = _span_of(analysis, refs)
        if span is None or any(one.start <= span[0] < one.end for one in found):
            continue
        text = analysis.text[span[0] : span[1]]
        name = f"fragment_{len(found) + 1}"
        pushed = push_block(select, text, name, analysis, conditions, routes, binder, moving)
        if isinstance(pushed, PushedBlock):
            found.append(Replacement(span[0], span[1], pushed.pieces()))
    return found


def _aggregates(select: exp.Select) -> bool:
    """Whether a SELECT makes fewer rows of many: only then is anything gained."""
    if select.args.get("group") is not None:
        return True
    return any(projection.find(exp.AggFunc) is not None for projection in select.expressions)


def _refs_inside(analysis: Analysis, select: exp.Select) -> list[TableRef]:
    nodes = set(map(id, select.find_all(exp.Table)))
    return [ref for ref in analysis.refs if id(ref.node) in nodes]


def _span_of(analysis: Analysis, refs: list[TableRef]) -> tuple[int, int] | None:
    """The span of the innermost `(SELECT …)` that holds these references and no others, parentheses left out."""
    if not refs:
        return None
    starts = {ref.start for ref in refs}
    others = {ref.start for ref in analysis.refs} - starts
    lexemes = significant(analysis.text)
    best: tuple[int, int] | None = None
    for index, lexeme in enumerate(lexemes[:-1]):
        if lexeme.kind is not Kind.SYMBOL or lexeme.text != "(" or lexemes[index + 1].upper != "SELECT":
            continue
        closing = matching_parenthesis(lexemes, index)
        if closing is None:
            return None
        start, end = lexemes[index + 1].start, lexemes[closing - 1].end
        if all(start <= at < end for at in starts) and not any(start <= at < end for at in others):
            # Later parentheses that qualify lie inside earlier ones.
            best = (start, end)
    return best
