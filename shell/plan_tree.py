"""A plan drawn as a tree in a terminal, from the values of EXPLAIN (docs/reference/explain.md).

Promises: says what the text of EXPLAIN says; long SQL is wrapped inside its branch. What each shard did is a table.
Leaves to others: whether there is a terminal, and whether it wants colour (`output.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.tree import Tree

Values = dict[str, Any]

_TITLES = {
    "local": "the gateway answers alone",
    "route": "one shard answers the statement as it is",
    "split": "fragments on the shards, merged at the gateway",
    "gather": "the statement runs at the gateway over fragments",
}
_COLOURS = {"local": "cyan", "route": "green", "split": "blue", "gather": "yellow", "change": "magenta"}


def render(values: Values, width_chars: int, colour: bool) -> str:
    """The tree as text for a terminal of this width, with escape codes if it wants colour."""
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    console = Console(
        file=text,
        width=width_chars,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        emoji=False,
        markup=False,
    )
    console.print(_tree(values))
    return text.getvalue()


def _tree(values: Values) -> Tree:
    from rich.tree import Tree

    tier = values["tier"]
    title = values["statement"] if tier == "change" else tier.capitalize()
    tree = Tree(_line((title, f"bold {_COLOURS[tier]}"), (_titled(values), "")), guide_style="dim")
    if "reason" in values:
        tree.add(_labelled("why", values["reason"]))
    if "execution_ms" in values:
        spent = f"{_count(values['rows'], 'row')} in {values['execution_ms']:,.1f} ms"
        tree.add(_labelled("total", f"{spent}, after {values['planning_ms']:,.1f} ms of planning"))
    if "shard" in values:
        tree.add(_labelled("shard", f"{values['shard']} on {values['node']}"))
    for table in values.get("tables", ()):
        tree.add(_table_line(table))
    if tier == "change" and values.get("shards"):
        tree.add(_shard_table(values["shards"]))
    if "sql" in values:
        tree.add(_sql(values["sql"]))
    if "merge" in values:
        _add_merge(tree, values)
    return tree


def _add_merge(tree: Tree, values: Values) -> None:
    merge = values["merge"]
    branch = tree.add(_line(("merge", "bold"), (f"  {_cost(merge)}" if "work_ms" in merge else "", "dim")))
    branch.add(_sql(merge["sql"]))
    for fragment in values["fragments"]:
        _add_fragment(branch, fragment, fragment["name"])


def _add_fragment(tree: Tree, fragment: Values, title: str) -> None:
    shards = fragment["shards"]
    numbers = ", ".join(str(shard["shard"]) for shard in shards)
    where = f" on {'shard' if len(shards) == 1 else 'shards'} {numbers}"
    branch = tree.add(_line((title, "bold"), (where, "")))
    branch.add(_labelled("why", fragment["reason"]))
    branch.add(_sql(fragment["sql"]))
    for table in fragment["tables"]:
        branch.add(_table_line(table))
    for move in fragment.get("moves", ()):
        about = f"about {move['estimated_rows']:,} rows, {move['estimated_bytes']:,} bytes"
        _add_fragment(branch, move["source"], f"{move['name']}: {move['kind']}, {about}, of rows")
    if fragment.get("counted_with"):
        branch.add(_labelled("counted with", ", ".join(fragment["counted_with"])))
    if any("work_ms" in shard for shard in shards):
        branch.add(_shard_table(shards))


def _shard_table(shards: list[Values]) -> RenderableType:
    """What each shard did."""
    from rich.table import Table

    heads = {"rows": "rows", "bytes": "bytes", "rows_scanned": "rows scanned", "work_ms": "ms of work"}
    known = {name: head for name, head in heads.items() if any(name in shard for shard in shards)}
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("shard", justify="right")
    table.add_column("node")
    for head in known.values():
        table.add_column(head, justify="right")
    for shard in shards:
        cells = [f"{shard[name]:,}" if name in shard else "-" for name in known]
        table.add_row(str(shard["shard"]), shard["node"], *cells)
    return table


def _table_line(table: Values) -> RenderableType:
    if table["reference"]:
        shards = "reference"
    elif len(table["shards"]) == table["of"]:
        shards = f"all {table['of']} shards"
    else:
        numbers = ", ".join(map(str, table["shards"]))
        shards = f"{'shard' if len(table['shards']) == 1 else 'shards'} {numbers or 'none'} of {table['of']}"
    return _line((table["name"], "cyan"), (f": {shards} ", ""), (f"({table['reason']})", "dim"))


def _titled(values: Values) -> str:
    if values["tier"] == "change":
        return "" if values["tables"] else ": no sharded table is touched"
    return f": {_TITLES[values['tier']]}"


def _cost(part: Values) -> str:
    return (
        f"{_count(part['rows'], 'row')}, {_count(part['bytes'], 'byte')}, {part['work_ms']:,.1f} ms of work"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _labelled(label: str, text: str) -> RenderableType:
    return _line((f"{label}: ", "dim"), (text, ""))


def _sql(text: str) -> RenderableType:
    from rich.syntax import Syntax

    return Syntax(text.strip(), "sql", theme="ansi_dark", word_wrap=True, background_color="default")


def _line(*parts: tuple[str, str]) -> RenderableType:
    from rich.text import Text

    return Text.assemble(*parts)
