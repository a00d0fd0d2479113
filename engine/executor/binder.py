"""The planner's questions, answered by the gateway's DuckDB."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import Error, QueryCanceledError
from ..planner.binder import Function
from ..sql.parameters import parameters_in
from ..storage import duck, interruption
from ..types import Column, Parameters

_PLACES = frozenset({"query_location", "query_location_length", "location"})


class GatewayBinder:
    """A `planner.binder.Binder` over a connection to the gateway.

    connection: gives the one to ask; a session does not keep the same for its whole life.
    """

    def __init__(self, connection: Callable[[], duck.Connection]) -> None:
        self._connection = connection
        self._parameters: Parameters = None
        self._functions: dict[str, Function] | None = None
        self._aliases: dict[str, str] | None = None

    def _ask(self) -> duck.Connection:
        """The connection to ask, unless the statement that is planned must stop: then QueryCanceledError."""
        interruption.check()
        return self._connection()

    @contextmanager
    def given(self, parameters: Parameters) -> Iterator[GatewayBinder]:
        """This binder, which inside knows the values of a statement's parameters, and so their types."""
        self._parameters = parameters
        try:
            yield self
        finally:
            self._parameters = None

    def forget_functions(self) -> None:
        """Ask for the functions anew the next time: a macro may have come or gone."""
        self._functions = self._aliases = None

    def describe(self, sql: str) -> tuple[Column, ...] | None:
        """Names and types of a query's result; None for a query that does not bind."""
        try:
            rows = duck.rows(self._ask(), f"DESCRIBE {sql}", parameters_in(sql, self._parameters))
        except QueryCanceledError:
            raise
        except Error:
            return None
        return tuple(Column(str(row[0]), str(row[1])) for row in rows)

    def functions(self) -> Mapping[str, Function]:
        """All functions by name. A name with several meanings keeps the one that is hardest to plan."""
        if self._functions is None:
            rows = duck.rows(
                self._ask(),
                "SELECT lower(function_name), max(function_type),"
                " bool_and(coalesce(stability, 'CONSISTENT') = 'CONSISTENT')"
                " FROM system.main.duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', 'macro')"
                " GROUP BY ALL HAVING count(DISTINCT function_type) = 1",
            )
            self._functions = {name: Function(kind, consistent) for name, kind, consistent in rows}
        return self._functions

    def same_meaning(self, one: str, other: str) -> bool:
        """Whether DuckDB's parser makes the same tree of both texts.

        Places, ways to write an interval and the names of a function that has several are left aside.
        """
        tree, anew = self._tree(one), self._tree(other)
        if tree is None or anew is None:
            return False
        return bool(
            tree == anew or _renamed(tree, self._first_names()) == _renamed(anew, self._first_names())
        )

    def estimated_rows(self, sql: str) -> int | None:
        """About how many rows a query gives; None if DuckDB cannot say."""
        try:
            rows = duck.rows(
                self._ask(), f"EXPLAIN (FORMAT json) {sql}", parameters_in(sql, self._parameters)
            )
        except QueryCanceledError:
            raise
        except Error:
            return None
        return _estimate(json.loads(rows[0][1])[0])

    def _tree(self, sql: str) -> Any:
        try:
            rows = duck.rows(self._ask(), "SELECT json_serialize_sql(?::VARCHAR)", [sql])
        except QueryCanceledError:
            raise
        except Error:
            return None
        tree = json.loads(rows[0][0])
        return None if tree.get("error") else _without_places(tree)

    def _first_names(self) -> Mapping[str, str]:
        """The functions that DuckDB has under another name too, and that name."""
        if self._aliases is None:
            rows = duck.rows(
                self._ask(),
                "SELECT lower(function_name), lower(min(alias_of)) FROM system.main.duckdb_functions() GROUP BY ALL"
                " HAVING count(alias_of) = count(*) AND min(alias_of) = max(alias_of)",
            )
            self._aliases = dict(rows)
        return self._aliases


def _estimate(operator: dict[str, Any]) -> int | None:
    """The estimate of an operator; a union, which has none, gives the rows of all its children."""
    told = operator["extra_info"].get("Estimated Cardinality")
    if told is not None:
        return int(told)
    parts = [_estimate(child) for child in operator["children"]]
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("kind") in ("INTEGER", "STRING") and "text" in value:
            # `INTERVAL 90 DAY` and `INTERVAL '90' DAY` are the same interval; sqlglot writes the second for the first.
            return value["text"]
        return {key: _without_places(inner) for key, inner in value.items() if key not in _PLACES}
    if isinstance(value, list):
        return [_without_places(inner) for inner in value]
    return value


def _renamed(value: Any, first_names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        renamed = {key: _renamed(inner, first_names) for key, inner in value.items()}
        name = str(value.get("function_name"))
        if name in first_names and value.get("qualified_name") == {"path": [name]}:
            renamed["function_name"] = first_names[name]
            renamed["qualified_name"] = {"path": [first_names[name]]}
        return renamed
    if isinstance(value, list):
        return [_renamed(inner, first_names) for inner in value]
    return value
