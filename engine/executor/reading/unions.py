"""UNION values on their way through Arrow, which forgets a member that is NULL: as a STRUCT of the tag and all members.

Promises: `arriving` of `leaving` is the value, wherever in a type a UNION stands, but for those inside a TUPLE.
Leaves to others: types without a UNION in them, other than those beside one (`transport.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...types import quote_string

ENUM = re.compile(r"""("(?:[^"]|"")*")|\bENUM\((?:'(?:[^']|'')*'(?:, )?)*\)""")
"""An ENUM type; a name in quotes comes first, so that what is inside it is not taken for one."""

_TOKEN = re.compile(r""""(?:[^"]|"")*"|'(?:[^']|'')*'|[(),]|[^"'(),]+""")
_FIELD = re.compile(r"""("(?:[^"]|"")*"|\S+) (.*)""", re.DOTALL)
_SUFFIX = re.compile(r"(.*)\[(\d*)\]", re.DOTALL)
_NESTED = re.compile(r"(STRUCT|MAP|UNION)\((.*)\)", re.DOTALL)
_QUOTED = re.compile(r""""(?:[^"]|"")*"|'(?:[^']|'')*'""")
_UNION = re.compile(r"\bUNION\(")

_Convert = Callable[[str, str, int], str]
"""A value, its type, and how many lambdas it stands in, to the value as it is at the other end."""


def has_union(kind: str) -> bool:
    """Whether a UNION stands anywhere in a type."""
    return _UNION.search(_QUOTED.sub("", kind)) is not None


def leaving(value: str, kind: str, depth: int = 0) -> str:
    """SQL of a value of type `kind` as it leaves. depth: how many lambdas it stands in."""
    if not has_union(kind):
        carried = ENUM.sub(lambda found: found.group(1) or "VARCHAR", kind)
        return value if carried == kind else f"CAST({value} AS {carried})"
    members = _members(kind)
    if members is None:
        return _inside(value, kind, depth, leaving)
    fields = [f"tag := CAST(union_tag({value}) AS VARCHAR)"]
    for number, (tag, member) in enumerate(members):
        extracted = f"union_extract({value}, {_string(tag)})"
        fields.append(f"m{number} := {leaving(extracted, member, depth)}")
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({', '.join(fields)}) END"


def arriving(value: str, kind: str, depth: int = 0) -> str:
    """SQL of the value of type `kind` that arrived as `value`. depth: how many lambdas it stands in."""
    if not has_union(kind):
        return f"CAST({value} AS {kind})"
    members = _members(kind)
    if members is None:
        return _inside(value, kind, depth, arriving)
    cases = ""
    for number, (tag, member) in enumerate(members):
        arrived = arriving(f"struct_extract({value}, 'm{number}')", member, depth)
        cases += f" WHEN {_string(tag)} THEN CAST(union_value({tag} := {arrived}) AS {kind})"
    return f"CASE struct_extract({value}, 'tag'){cases} END"


def _members(kind: str) -> list[tuple[str, str]] | None:
    """The tags of a UNION, as they are written in its type, with their types; None for another type."""
    found = _NESTED.fullmatch(kind)
    return _fields(found.group(2)) if found is not None and found.group(1) == "UNION" else None


def _inside(value: str, kind: str, depth: int, convert: _Convert) -> str:
    """SQL of a value of a nested type, with `convert` for what is inside it."""
    suffix = _SUFFIX.fullmatch(kind)
    if suffix is not None:
        element, length = suffix.groups()
        items = f"CAST({value} AS {element}[])" if length and convert is leaving else value
        converted = f"list_transform({items}, lambda x{depth}: {convert(f'x{depth}', element, depth + 1)})"
        return f"CAST({converted} AS {kind})" if length and convert is arriving else converted
    found = _NESTED.fullmatch(kind)
    if found is None:
        raise ValueError(f"no UNION can be in {kind}")
    if found.group(1) == "MAP":
        key, item = _split(found.group(2))
        pair = f"STRUCT(key {key}, value {item})[]"
        if convert is leaving:
            return convert(f"map_entries({value})", pair, depth)
        return f"map_from_entries({convert(value, pair, depth)})"
    packed = ", ".join(
        f"{name} := {convert(f'struct_extract({value}, {_string(name)})', field, depth)}"
        for name, field in _fields(found.group(2))
    )
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({packed}) END"


def _fields(text: str) -> list[tuple[str, str]]:
    """The names of a list of fields, as they are written, with their types."""
    found = [_FIELD.fullmatch(field) for field in _split(text)]
    return [(one.group(1), one.group(2)) for one in found if one is not None]


def _split(text: str) -> list[str]:
    """The parts of a text between its outermost commas."""
    parts, depth = [""], 0
    for token in _TOKEN.findall(text):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts]


def _string(name: str) -> str:
    """A name as it is written in a type, as a string literal."""
    return quote_string(name[1:-1].replace('""', '"') if name.startswith('"') else name)
