"""The third tier: the user's own text over relations that union every shard.

Each table's name in the text is replaced, in place, by a fragment that reads the shards the statement needs; nothing
else of the text changes. A text that could not be analysed runs over the gateway's views, which do the same for all
shards.
Promises: whatever DuckDB accepts is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from ..catalog.model import Table
from ..sql.lexer import Kind, significant
from ..types import quote_identifier
from .analysis import Analysis, TableRef
from .plan import Fragment, FragmentSlot, Plan, TableRoute, TableSlot, Tier


def table_fragment(name: str, ref: TableRef, route: TableRoute, mentioned: frozenset[str] | None) -> Fragment:
    """The fragment that reads a table: the shards that `route` says, the columns that the statement mentions.

    Measured on TPC-H, naming the columns saves DuckDB half of what planning a union of four shards costs.
    """
    # An empty set of shards still needs the table's columns: one shard is read, and the conditions let nothing through.
    shards = route.shards or (0,)
    columns = needed_columns(ref.table, mentioned)
    return Fragment(name, (f"SELECT {columns} FROM ", TableSlot(ref.table)), shards, (route,), route.reason)


def needed_columns(table: Table, mentioned: frozenset[str] | None) -> str:
    """A select list of the columns of a table whose names are mentioned; all of them if `mentioned` is None."""
    if mentioned is None:
        return "*"
    needed = [column.name for column in table.columns if column.name.lower() in mentioned]
    if len(needed) == len(table.columns):
        return "*"
    # count(*) needs rows, but no column of them.
    return ", ".join(quote_identifier(name) for name in needed or [table.columns[0].name])


def mentioned_names(analysis: Analysis) -> frozenset[str] | None:
    """Every name in a statement, in lower case; None if it may mean columns that it does not name.

    It is the statement's words that count, not what they mean in it: a name too many costs a little, one too few would
    be wrong.
    """
    root = analysis.root
    if not isinstance(root, (exp.Select, exp.SetOperation)):
        return None
    for node in root.find_all(exp.Star, exp.Pivot, exp.Join, exp.Anonymous, exp.Columns):
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            return None
        if isinstance(node, (exp.Pivot, exp.Columns)):
            return None
        if isinstance(node, exp.Join) and node.method.upper() == "NATURAL":
            return None
        if isinstance(node, exp.Anonymous) and str(node.this).upper() == "COLUMNS":
            return None
    names = {
        lexeme.identifier.lower()
        for lexeme in significant(analysis.text)
        if lexeme.kind in (Kind.WORD, Kind.QUOTED)
    }
    rows = {ref.name.lower() for ref in analysis.refs}
    whole_row = any(not column.table and column.name.lower() in rows for column in root.find_all(exp.Column))
    return None if whole_row else frozenset(names)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A span of the statement's text, and what stands there in the merge SQL."""

    start: int
    end: int
    pieces: tuple[str | FragmentSlot, ...]


def gather(
    analysis: Analysis,
    routes: dict[TableRef, TableRoute],
    version: int,
    reason: str,
    pushed: Sequence[Replacement] = (),
    leaving: Callable[[TableRef, str], Fragment] | None = None,
) -> Plan:
    """The plan that runs the text over fragments.

    pushed: subqueries that go under the shards as a whole. leaving: makes the fragment of a reference, of a given name,
    where fewer rows than all should leave the shards.
    """
    replacements = list(pushed)
    mentioned = mentioned_names(analysis)
    refs = sorted(analysis.refs, key=lambda ref: ref.start)
    number = len(pushed)
    shields = _needs_shields(analysis)
    for ref in refs:
        if any(span.start <= ref.start < span.end for span in pushed):
            continue
        number += 1
        name = f"fragment_{number}"
        fragment = leaving(ref, name) if leaving else table_fragment(name, ref, routes[ref], mentioned)
        alias = None if ref.has_alias else ref.node.name
        pieces = _shielded(fragment, alias) if shields else (FragmentSlot(fragment, alias),)
        replacements.append(Replacement(ref.start, ref.end, pieces))
    merge: list[str | FragmentSlot] = []
    position = 0
    for replacement in sorted(replacements, key=lambda one: one.start):
        merge += [analysis.text[position : replacement.start], *replacement.pieces]
        position = replacement.end
    merge.append(analysis.text[position:])
    tier = Tier.SPLIT if pushed else Tier.GATHER
    return Plan(tier, reason, tuple(routes[ref] for ref in refs), version, merge=tuple(merge))


def _needs_shields(analysis: Analysis) -> bool:
    """Whether the first rows of a FULL JOIN may be asked for.

    DuckDB 2.0.0 pushes what it learns of these into the scans below the join. A row that is left out there shows up as
    an unmatched row of the other side: a wrong answer, seldom with one table, often with several shards.
    """
    joins = analysis.root.find_all(exp.Join)
    is_full = any(join.side.upper() == "FULL" for join in joins)
    return is_full and analysis.root.find(exp.Limit, exp.Fetch) is not None


def _shielded(fragment: Fragment, alias: str | None) -> tuple[str | FragmentSlot, ...]:
    """A fragment into whose scans nothing is pushed."""
    named = "" if alias is None else f" AS {quote_identifier(alias)}"
    return "(WITH shielded AS MATERIALIZED ", FragmentSlot(fragment), f" FROM shielded){named}"


def over_views(text: str, version: int, reason: str) -> Plan:
    """The plan that runs the text unchanged over the gateway's views."""
    return Plan(Tier.GATHER, reason, (), version, merge=(text,))
