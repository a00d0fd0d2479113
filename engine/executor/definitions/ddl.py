"""Changes of definitions: which of the modules beside it runs a statement.

Promises: a statement that raises leaves the catalog, the shards and the gateway as they were.
"""

from __future__ import annotations

from ...errors import NotSupportedError
from ...sql.classify import Classified, StatementKind
from ...sql.lexer import significant
from ...sql.names import name_at
from ...sql.sequences import draws
from ...storage import duck
from ...types import Parameters
from ..connections import SessionConnections
from ..gateway import Gateway
from ..reading.result import Result
from .alter import alter
from .comments import comment_on
from .indexes import create_index, drop_index
from .objects import create_definition, drop_definition
from .schemas import drop_schema
from .sequences import create_sequence, drop_sequence
from .tables import create_table, drop_tables


def run(
    gateway: Gateway,
    connections: SessionConnections,
    sql: str,
    parameters: Parameters,
    classified: Classified,
) -> Result:
    """Run a statement that changes definitions. The caller holds the write lock. Raises errors.Error."""
    if classified.kind is StatementKind.CREATE_DEFINITION or classified.temporary:
        gateway.draws_unseen = gateway.draws_unseen or draws(sql)
    match classified.kind:
        case StatementKind.CREATE_TABLE:
            return create_table(gateway, connections, sql, parameters)
        case StatementKind.CREATE_DEFINITION:
            return create_definition(gateway, connections, sql, parameters, classified)
        case StatementKind.CREATE_INDEX:
            return create_index(gateway, connections, sql)
        case StatementKind.CREATE_SEQUENCE:
            return create_sequence(gateway, connections, sql, classified)
        case StatementKind.COMMENT:
            return comment_on(gateway, connections, sql)
        case StatementKind.ALTER:
            return alter(gateway, connections, sql)
        case _:
            return _drop(gateway, connections, sql, classified.object_kind)


def checkpoint(gateway: Gateway) -> None:
    """Bring what is committed into the shards' files, and cut their logs. Raises errors.Error."""
    gateway.transactions.checkpoint()


def _drop(gateway: Gateway, connections: SessionConnections, sql: str, kind: str) -> Result:
    if kind == "INDEX":
        return drop_index(gateway, connections, sql)
    if kind == "SEQUENCE":
        return drop_sequence(gateway, connections, sql)
    if kind == "SCHEMA":
        return drop_schema(gateway, connections, sql)
    if kind != "TABLE":
        return drop_definition(gateway, connections, sql, kind)
    lexemes = [lexeme for lexeme in significant(sql) if lexeme.upper not in ("IF", "EXISTS")]
    found = name_at(lexemes, 2)
    table = gateway.find_table(found[0]) if found is not None else None
    if found is None or table is None:
        duck.execute(connections.gateway, sql)
        return Result((), "DROP TABLE")
    if any(lexeme.upper not in ("CASCADE", "RESTRICT") for lexeme in lexemes[found[1] :]):
        raise NotSupportedError(
            "DROP takes one table at a time",
            hint="Write one DROP for each.",
            position=lexemes[found[1]].start + 1,
        )
    drop_tables(gateway, [table])
    return Result((), "DROP TABLE")
