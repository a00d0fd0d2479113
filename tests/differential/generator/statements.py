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
from .values import literal, parameter_value

SIMPLE_SHARE = 0.3
"""Of the statements. They take a quarter of the time of the others, and show most faults of routing and pushing."""

FILLED_SHARE = 0.35
"""Of the statements: they come several times in one shape, with other constants."""
TIMES_FILLED = 6
SENT_SHARE = 0.06
"""Of the statements, whose constants are sent as parameters."""
TIMES_SENT = 3

_PARAMETER = re.compile(r"\$(p\d+)")


def statement(schema: Schema, random: Random) -> Statement:
    """A random statement on a schema."""
    return statements(schema, random)[0]


def statements(schema: Schema, random: Random) -> list[Statement]:
    """A random statement on a schema, and perhaps others of the same shape."""
    maker = Maker(schema, random)
    if maker.chance(SENT_SHARE):
        maker.parameters = {}
        text = _text(maker)
        if not maker.parameters:
            return [Statement(text)]
        form = maker.random.random()
        return [_sent(maker, text, form) for _ in range(TIMES_SENT)]
    if maker.chance(FILLED_SHARE):
        maker.parameters, maker.only_sent = {}, False
        text = _simple(maker)
        return [Statement(_filled(maker, text)) for _ in range(TIMES_FILLED if maker.parameters else 1)]
    return [Statement(_text(maker))]


def _filled(maker: Maker, text: str) -> str:
    """The text with constants where it has parameters."""
    kinds = maker.parameters or {}
    return _PARAMETER.sub(lambda found: literal(maker.random, kinds[found.group(1)]), text)


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


def _sent(maker: Maker, text: str, form: float) -> Statement:
    """The statement with values for its parameters, by name, by number or by place, or prepared; `form` chooses."""
    kinds = maker.parameters or {}
    names = _PARAMETER.findall(text)
    listed = list(dict.fromkeys(names))
    constants = {name: literal(maker.random, kinds[name]) for name in listed}
    if form < 0.2:
        arguments = ", ".join(f"{name} := {constant}" for name, constant in constants.items())
        return Statement(f"EXECUTE prepared({arguments})", before=(f"PREPARE prepared AS {text}",))
    values = {name: parameter_value(constant, kinds[name]) for name, constant in constants.items()}
    if form < 0.5:
        return Statement(text, values)
    if form < 0.7 or len(listed) < len(names):
        numbered = _PARAMETER.sub(lambda found: f"${listed.index(found.group(1)) + 1}", text)
        return Statement(numbered, [values[name] for name in listed])
    return Statement(_PARAMETER.sub("?", text), [values[name] for name in names])
