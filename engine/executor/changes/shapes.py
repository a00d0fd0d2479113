"""Small writes that are known: changes of rows of one shard whose text, but for its values, was seen before.

Of such a shape it is known which table it changes and where its values name the shard key, so that nothing has to be
parsed to tell the shard and the lock of the next one. It costs some microseconds.
Promises: bounded; a shape is good for one catalog version only; what is told here is what `targets.py` would tell.
Leaves to others: running the statement, whether the session has names or settings of its own that change what it means.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ...catalog.model import Table
from ...planner.comparison import Constant
from ...sql.classify import StatementKind, begins_as_write, classify
from ...sql.determinism import is_replayable, may_be_zoned, mentions_time_zone
from ...sql.fingerprint import fingerprint, number_parameters, with_literals
from ...sql.insert import parse_insert
from ...sql.lexer import Kind, significant
from ...types import Parameters
from ..gateway import Gateway
from .columns import insertable_columns
from .dml import planned_change
from .insert import pinned_values
from .pinned import Choice, PinnedKey, PinnedRows
from .targets import WriteTargets

CAPACITY = 1024
LONGEST_TEXT = 4096
"""Characters; longer statements are seldom sent twice."""


@dataclass(frozen=True, slots=True)
class RowText:
    """The row of `INSERT INTO t (a, b) VALUES (…)`, so that many such inserts can be written as one.

    head: the text before the row. pieces: that of the row, between its literals.
    """

    head: str
    pieces: tuple[str, ...]

    def row(self, literals: Sequence[str]) -> str:
        """The row with these literals; parameters in it are `?`, in their order."""
        if not literals:
            return self.pieces[0]
        filled = [part for pair in zip(self.pieces, literals, strict=False) for part in pair]
        return "".join([*filled, self.pieces[-1]])


@dataclass(frozen=True, slots=True, eq=False)
class WriteShape:
    """What is known of all statements of one shape.

    verb: the first word. tag: the command tag without the number of rows.
    parameter_count: how many values it takes, if they are a sequence.
    is_replayable: whether its text has the same effect each time that it runs on the same rows of its keys, under the
    same settings. is_zoned: whether the time zone among these matters, whatever the parameters. returning: whether it
    gives rows. row_text: for an INSERT of one row that can be written together with others; None for any other.
    """

    table: Table
    catalog_version: int
    verb: str
    tag: str
    parameter_count: int
    is_replayable: bool
    is_zoned: bool
    returning: bool
    pinned: PinnedRows
    row_text: RowText | None

    def known(self, parameters: Parameters, literals: Sequence[str]) -> KnownWrite | None:
        """The write for these values; None if its keys are not certain, are on several shards, or are none."""
        is_sequence = not isinstance(parameters, Mapping)
        if is_sequence and len(parameters or ()) != self.parameter_count:
            return None
        keys = self.pinned.keys(parameters, literals)
        shards = {shard for shard, _ in keys or ()}
        if keys is None or len(shards) != 1:
            return None
        row = None if self.row_text is None or not is_sequence else self.row_text.row(literals)
        return KnownWrite(self, shards.pop(), keys, row, self.is_zoned or _any_zoned(parameters))


@dataclass(frozen=True, slots=True, eq=False)
class KnownWrite:
    """One statement of a known shape.

    shard: the number of the database's shard that runs it. keys: those of all rows that it reads or writes, for the
    locks. row: its row as text; behind `shape.row_text.head`, rows of many such statements make one that does what all
    of them do, with their parameters one after another. None if it must run alone. is_zoned: whether the session's time
    zone may matter.
    """

    shape: WriteShape
    shard: int
    keys: tuple[PinnedKey, ...]
    row: str | None
    is_zoned: bool


_ZONELESS = frozenset({type(None), bool, int, float, str, bytes})


def _any_zoned(parameters: Parameters) -> bool:
    if not parameters:
        return False
    values = parameters.values() if isinstance(parameters, Mapping) else parameters
    return any(type(value) not in _ZONELESS and may_be_zoned(value) for value in values)


class WriteShapes:
    """The shapes of a database, the least recently learnt leaving first. Safe for threads."""

    def __init__(self, gateway: Gateway, targets: WriteTargets, capacity: int = CAPACITY) -> None:
        self._gateway = gateway
        self._targets = targets
        self._capacity = capacity
        self._shapes: OrderedDict[str, tuple[int, WriteShape | None]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._shapes)

    def find(self, text: str, parameters: Parameters) -> KnownWrite | None:
        """The write that a text is; None if its shape is not known, or it is none for the fast road."""
        if not self._shapes or len(text) > LONGEST_TEXT or not begins_as_write(text):
            return None
        if text[-1:] == ";":
            text = text[:-1]
        # A text with parameters comes again as it is; one with literals seldom does.
        found = fingerprint(text) if parameters is None else _remembered(text)
        if found is None:
            return None
        version, shape = self._shapes.get(found[0], (0, None))
        if shape is None or version != self._gateway.catalog.version:
            return None
        return shape.known(parameters, found[1])

    def learn(self, text: str, parameters: Parameters) -> None:
        """Remember the shape of a statement that the database has run, if there is none yet.

        The caller keeps definitions from changing. Raises errors.Error if DuckDB cannot be asked for the columns.
        """
        found = fingerprint(text) if len(text) <= LONGEST_TEXT and begins_as_write(text) else None
        if found is None:
            return
        version = self._gateway.catalog.version
        if self._shapes.get(found[0], (0, None))[0] == version:
            return
        shape = self._shape(*found, parameters)
        with self._lock:
            self._shapes[found[0]] = (version, shape)
            self._shapes.move_to_end(found[0])
            while len(self._shapes) > self._capacity:
                self._shapes.popitem(last=False)

    def _shape(self, shape: str, literals: Sequence[str], parameters: Parameters) -> WriteShape | None:
        markers = [_marker(number, literal) for number, literal in enumerate(literals)]
        if _MARK in shape:
            return None
        text = number_parameters(with_literals(shape, markers))
        kind = classify(text).kind
        if kind is StatementKind.INSERT:
            found = self._insert(text)
        elif kind in (StatementKind.UPDATE, StatementKind.DELETE):
            found = self._change(text, parameters)
        else:
            return None
        if found is None or self._targets.related(found.table):
            return None
        pinned = _with_slots(
            found.pinned, {_marked_value(marker): slot for slot, marker in enumerate(markers)}
        )
        if pinned is None:
            return None
        row_text = found.row_text
        if row_text is not None:
            row_text = _with_gaps(row_text, markers)
        return replace(found, pinned=pinned, row_text=row_text)

    def _insert(self, text: str) -> WriteShape | None:
        parts = parse_insert(text)
        table = None if parts is None else self._gateway.find_table(parts.name)
        if parts is None or table is None:
            return None
        pinned = pinned_values(self._gateway, table, parts, text)
        if pinned is None:
            return None
        replayable = self._is_replayable(table, text)
        plain = replayable and not parts.prefix and not parts.tail and parts.verb == "INSERT INTO"
        row_text = _row_text(text) if plain and len(pinned.rows) == 1 else None
        return WriteShape(
            table,
            self._gateway.catalog.version,
            "INSERT",
            "INSERT 0",
            _parameter_count(text),
            replayable,
            mentions_time_zone(text, _types(table), None),
            parts.returning,
            pinned,
            row_text,
        )

    def _change(self, text: str, parameters: Parameters) -> WriteShape | None:
        planned = planned_change(self._gateway, text, parameters)
        if planned is None or planned.pinned is None or planned.places_rows:
            return None
        parts = planned.parts
        return WriteShape(
            planned.table,
            self._gateway.catalog.version,
            parts.verb,
            parts.verb,
            _parameter_count(text),
            self._is_replayable(planned.table, text),
            mentions_time_zone(text, _types(planned.table), None),
            parts.returning is not None,
            planned.pinned,
            None,
        )

    def _is_replayable(self, table: Table, text: str) -> bool:
        defaults = [
            one.default for one in insertable_columns(self._gateway, table) if one.default is not None
        ]
        own = [
            known.name.lower()
            for known in self._gateway.catalog.definitions
            if known.kind in ("MACRO", "TYPE")
        ]
        return is_replayable(text, defaults, own)


_remembered = lru_cache(CAPACITY)(fingerprint)

_MARK = "7305119"
"""Digits by which a literal is found again. The number behind them is that of its slot."""


def _marker(slot: int, literal: str) -> str:
    """A literal of the same kind that tells its slot."""
    return f"'{_MARK}{slot}'" if literal[0] == "'" else f"{_MARK}{slot}"


def _marked_value(marker: str) -> str | int:
    return marker[1:-1] if marker[0] == "'" else int(marker)


def _with_slots(pinned: PinnedRows, slots: Mapping[str | int, int]) -> PinnedRows | None:
    """The keys with each literal tied to its place; None if one has none."""
    rows: list[tuple[Choice, ...]] = []
    for row in pinned.rows:
        choices: list[Choice] = []
        for choice in row:
            constants = [_with_slot(constant, slots) for constant in choice.constants]
            if None in constants:
                return None
            placed = tuple(constant for constant in constants if constant is not None)
            choices.append(replace(choice, constants=placed))
        rows.append(tuple(choices))
    return replace(pinned, rows=tuple(rows))


def _with_slot(constant: Constant, slots: Mapping[str | int, int]) -> Constant | None:
    if constant.parameter is not None or isinstance(constant.literal, bool | None):
        return constant
    slot = slots.get(constant.literal)
    return None if slot is None else replace(constant, slot=slot)


def _row_text(text: str) -> RowText | None:
    """The row of an INSERT of one row, if its parameters stand in their order, each once."""
    lexemes = significant(text)
    start = next(index for index, lexeme in enumerate(lexemes) if lexeme.upper == "VALUES") + 1
    parameters = [lexeme.text for lexeme in lexemes if lexeme.kind is Kind.PARAMETER]
    if parameters != [f"${number}" for number in range(1, len(parameters) + 1)]:
        return None
    pieces: list[str] = []
    position = lexemes[start].start
    for lexeme in lexemes[start:]:
        if lexeme.kind is Kind.PARAMETER:
            pieces += [text[position : lexeme.start], "?"]
            position = lexeme.end
    return RowText(text[: lexemes[start].start], ("".join([*pieces, text[position : lexemes[-1].end]]),))


def _with_gaps(row_text: RowText, markers: Sequence[str]) -> RowText | None:
    """The text of a row with gaps for its literals; None if some literal is not in the row."""
    pieces: list[str] = []
    (rest,) = row_text.pieces
    for marker in markers:
        before, found, rest = rest.partition(marker)
        if not found:
            return None
        pieces.append(before)
    return RowText(row_text.head, (*pieces, rest))


def _types(table: Table) -> list[str]:
    return [column.type for column in table.columns]


def _parameter_count(text: str) -> int:
    """How many values a numbered text takes."""
    return len({lexeme.text for lexeme in significant(text) if lexeme.kind is Kind.PARAMETER})
