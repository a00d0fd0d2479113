"""Which statement comes next."""

from __future__ import annotations

import re
from random import Random

from ..harness import Statement
from .conditions import DEEPEST
from .mistakes import mistaken
from .naming import hard_to_name
from .schema import Schema
from .scope import Maker
from .selects import ordered, recursive, select, set_operation, with_clause
from .shapes import lookup, shape

SIMPLE_SHARE = 0.45
"""Of the statements. They take a quarter of the time of the others, and show most faults of routing and pushing."""

_PARAMETER = re.compile(r"\$(p\d+)")


def statement(schema: Schema, random: Random) -> Statement:
    """A random statement on a schema."""
    maker = Maker(schema, random)
    if maker.chance(0.06):
        maker.parameters = {}
    text = _text(maker)
    return _with_parameters(maker, text) if maker.parameters else Statement(text)


def _text(maker: Maker) -> str:
    form = maker.random.random()
    if maker.schema.is_large or maker.chance(SIMPLE_SHARE):
        return _simple(maker)
    if form < 0.2:
        return shape(maker)
    if form < 0.23:
        return mistaken(maker)
    if form < 0.3:
        return hard_to_name(maker)
    if form < 0.33:
        text, count = recursive(maker)
        return ordered(maker, text, count)
    head = with_clause(maker) if maker.chance(0.15) else ""
    if form < 0.42:
        text, count = set_operation(maker)
        return ordered(maker, f"{head}{text}", count)
    made = select(maker)
    text = f"{head}{made.sql()}"
    return text if made.order else ordered(maker, text, len(made.items))


def _simple(maker: Maker) -> str:
    """A statement without subqueries, of one or two relations."""
    form = maker.random.random()
    if form < 0.2:
        return lookup(maker)
    if form < 0.35 and not maker.schema.is_large:
        return hard_to_name(maker)
    maker.depth = DEEPEST
    made = select(maker, (0,) if maker.schema.is_large else (0, 0, 0, 1))
    return made.sql() if made.order else ordered(maker, made.sql(), len(made.items))


def _with_parameters(maker: Maker, text: str) -> Statement:
    """The statement with its parameters by name, by number or by place, or prepared."""
    made = maker.parameters or {}
    values = {name: value for name, (_, value) in made.items()}
    names = [name for name in _PARAMETER.findall(text) if name in values]
    form = maker.random.random()
    if form < 0.2:
        arguments = ", ".join(f"{name} := {made[name][0]}" for name in dict.fromkeys(names))
        return Statement(f"EXECUTE prepared({arguments})", before=(f"PREPARE prepared AS {text}",))
    if form < 0.5:
        return Statement(text, {name: values[name] for name in names})
    listed = list(dict.fromkeys(names))
    if form < 0.7 or len(listed) < len(names):
        numbered = _PARAMETER.sub(lambda found: f"${listed.index(found.group(1)) + 1}", text)
        return Statement(numbered, [values[name] for name in listed])
    return Statement(_PARAMETER.sub("?", text), [values[name] for name in names])
