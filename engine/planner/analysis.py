"""A parsed statement and the tables in it: where each is named, in which scope, under which alias.

Promises: a table reference found here is one that DuckDB would resolve to that table of the catalog; what else the
statement reads (views, files, table functions, common table expressions) is told apart. Offsets are those of the text
that was parsed.
Leaves to others: which shards each reference needs (`route.py`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import SqlglotError

from ..catalog.model import Catalog, Table
from ..sql.lexer import Kind, scan

DIALECT = "duckdb"
# What sqlglot cannot parse is run by DuckDB as it stands: nothing that a user should be warned of.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


class DollarParameters(DuckDB):
    """DuckDB's dialect without dollar-quoted strings: to sqlglot, `$1,$` in `IN ($1,$2)` is the beginning of one."""

    class Tokenizer(DuckDB.Tokenizer):
        """Takes each dollar for a parameter's."""

        HEREDOC_STRINGS: ClassVar = []


REF = "duckraft_ref"
"""The key in a table node's `meta` under which its number among the references is kept."""


@dataclass(slots=True, eq=False)
class TableRef:
    """One mention of a sharded or reference table.

    scope: the SELECT (or DML statement) whose FROM names it. name: what qualifies its columns there.
    start, end: the span of its name in the text, schema included. has_alias: whether an alias follows.
    """

    node: exp.Table
    table: Table
    scope: exp.Expr
    name: str
    start: int
    end: int
    has_alias: bool


@dataclass(slots=True, eq=False)
class Analysis:
    """A parsed statement. others: names of relations that are neither tables of the catalog nor CTEs."""

    text: str
    root: exp.Expr
    refs: list[TableRef] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    by_scope: dict[int, list[TableRef]] = field(default_factory=dict)

    def uses_row_numbers(self) -> bool:
        """Whether it names the pseudo-column `rowid`, which numbers the rows of a shard, not those of a table."""
        return any(
            column.name.lower() == "rowid"
            and not any(known.name.lower() == "rowid" for ref in self.refs for known in ref.table.columns)
            for column in self.root.find_all(exp.Column)
        )

    def refs_of(self, scope: exp.Expr) -> list[TableRef]:
        """The references whose FROM is that of `scope`."""
        return self.by_scope.get(id(scope), [])


LONGEST_TEXT = 65_536
"""Characters. Above it parsing alone would take longer than DuckDB takes for the whole statement."""
_SHORT_TEXT = 400
_MOST_NODES = 1_500
_DEEPEST = 150
"""What a parsed statement may have. Larger ones come from programs that write long lists and chains of conditions; what
planning costs for each node is more than it can save there, and what nests deeper could exhaust Python's stack."""


def analyse(text: str, catalog: Catalog) -> Analysis | None:
    """Parse `text`; None if sqlglot cannot, if a table's place in the text is not certain, or if it is too large."""
    if len(text) > LONGEST_TEXT:
        return None
    try:
        statements = sqlglot.parse(text, read=_dialect_of(text))
    except (SqlglotError, RecursionError, ValueError):
        return None
    if len(statements) != 1 or statements[0] is None or isinstance(statements[0], exp.Command):
        return None
    if len(text) > _SHORT_TEXT and _is_too_large(statements[0]):
        return None
    analysis = Analysis(text, statements[0])
    for node in analysis.root.find_all(exp.Table):
        if not _add(analysis, node, catalog):
            return None
    return analysis


def _is_too_large(root: exp.Expr) -> bool:
    """Whether a parsed statement has too many nodes, or nests too deep, to be planned with."""
    level, count, depth = [root], 0, 0
    while level:
        count += len(level)
        depth += 1
        if count > _MOST_NODES or depth > _DEEPEST:
            return True
        level = [child for node in level for child in node.iter_expressions()]
    return False


def _dialect_of(text: str) -> str | type[DollarParameters]:
    if "$" not in text or any(lexeme.kind is Kind.STRING and lexeme.text[0] == "$" for lexeme in scan(text)):
        return DIALECT
    return DollarParameters


def _add(analysis: Analysis, node: exp.Table, catalog: Catalog) -> bool:
    """Sort one table node into the analysis; False if its place in the text is not certain."""
    name, schema = node.name, node.db
    if not isinstance(node.this, exp.Identifier):
        analysis.others.append(node.this.sql(dialect=DIALECT) if node.this else name)
        return True
    if not schema and _is_common_table(node, name):
        return True
    table = None if node.catalog else catalog.table(schema or "main", name)
    if table is None:
        analysis.others.append(f"{schema}.{name}" if schema else name)
        return True
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        # The columns get other names there; no condition could be told to be about ours.
        return False
    first = node.args.get("db") or node.this
    start, end = first.meta.get("start"), node.this.meta.get("end")
    if start is None or end is None or not _names(analysis.text[start : end + 1], schema, name):
        return False
    reference = TableRef(node, table, _scope_of(node), node.alias or name, start, end + 1, bool(node.alias))
    # A copy of a node keeps its `meta`: that is how the tables of a copied or rebuilt expression are found again.
    node.meta[REF] = len(analysis.refs)
    analysis.refs.append(reference)
    analysis.by_scope.setdefault(id(reference.scope), []).append(reference)
    return True


def _scope_of(node: exp.Table) -> exp.Expr:
    """The statement whose FROM names the table, or whose target it is.

    A table inside a parenthesis, a PIVOT or the like has that as its scope: conditions outside see other columns.
    """
    parent = node.parent or node
    if isinstance(parent, (exp.From, exp.Join)) and isinstance(parent.parent, (exp.Select, exp.Update)):
        return parent.parent
    return parent


def _names(span: str, schema: str, name: str) -> bool:
    """Whether this piece of text is the (possibly quoted) name that the node says."""
    folded = span.replace('"', "").replace(" ", "").lower()
    wanted = (f"{schema}.{name}" if schema else name).replace('"', "").replace(" ", "").lower()
    return folded == wanted


def _is_common_table(node: exp.Expr, name: str) -> bool:
    """Whether a common table expression of this name is in sight of `node`."""
    ancestor: exp.Expr | None = node
    while ancestor is not None:
        inside = ancestor
        ancestor = ancestor.parent
        if ancestor is None:
            return False
        with_clause = ancestor.args.get("with_")
        if isinstance(ancestor, exp.With):
            # Inside a CTE, the earlier ones are in sight; all are, and itself too, if the WITH is recursive.
            for cte in ancestor.expressions:
                if cte is inside:
                    if ancestor.args.get("recursive") and cte.alias.lower() == name.lower():
                        return True
                    break
                if cte.alias.lower() == name.lower():
                    return True
        elif (
            with_clause is not None
            and with_clause is not inside
            and any(cte.alias.lower() == name.lower() for cte in with_clause.expressions)
        ):
            return True
    return False


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """The parts of a condition that must all hold."""
    if condition is None:
        return []
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return conjuncts(condition.left) + conjuncts(condition.right)
    return [condition]


def source_count(scope: exp.Expr) -> int:
    """How many relations a SELECT reads in its own FROM; for UPDATE and DELETE the target is one."""
    from_clause = scope.args.get("from_")
    count = (1 if from_clause is not None else 0) + len(scope.args.get("joins") or [])
    if isinstance(scope, (exp.Update, exp.Delete)):
        count += 1 + len(scope.args.get("using") or [])
    return count


def resolve(analysis: Analysis, scope: exp.Expr, column: exp.Column) -> TableRef | None:
    """The table reference of `scope` that a column belongs to, or None if that is another's or not certain."""
    if column.args.get("db") is not None:
        return None
    refs = analysis.refs_of(scope)
    if column.table:
        owners = [ref for ref in refs if ref.name.lower() == column.table.lower()]
        return owners[0] if len(owners) == 1 else None
    if source_count(scope) != len(refs):
        return None
    name = column.name.lower()
    owners = [ref for ref in refs if any(known.name.lower() == name for known in ref.table.columns)]
    return owners[0] if len(owners) == 1 else None
